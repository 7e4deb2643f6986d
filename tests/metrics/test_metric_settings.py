import json

import pytest

from stylegraft.errors import InputError
from stylegraft.metrics import SETTINGS, named_setting
from stylegraft.metrics.settings import describe

COMMON = {"num_fakes": 50_000, "mirror": False, "psi": 1.0, "noise_mode": "random", "labels": "as_real"}
INCEPTION = COMMON | {"feature_network": "inception_v3"}
PUBLISHED = {
    "fid50k_full": INCEPTION | {"max_real": None, "ddof": 0},
    "fid50k": INCEPTION | {"max_real": 50_000, "ddof": 0},
    "kid50k_full": INCEPTION | {"max_real": 1_000_000, "num_subsets": 100, "max_subset": 1000},
    "kid50k": INCEPTION | {"max_real": 50_000, "num_subsets": 100, "max_subset": 1000},
    "pr50k3_full": COMMON | {"feature_network": "vgg16", "max_real": 200_000, "k": 3, "number_type": "half"},
    "pr50k3": COMMON | {"feature_network": "vgg16", "max_real": 50_000, "k": 3, "number_type": "half"},
    "is50k": INCEPTION | {"max_real": 0, "num_splits": 10, "logits_with_bias": False},
    "ls": {"num_fakes": 200_000, "keep": 0.5, "psi": 1.0, "spaces": ["z", "w"]},
}
PATHS = {
    name: {
        "space": space,
        "sampling": sampling,
        "crop": crop,
        "epsilon": 1e-4,
        "num_samples": 50_000,
        "perceptual_network": "lpips_vgg16",
        "labels": "as_real",
        "noise": "redrawn_each_batch",
    }
    for name, space, sampling, crop in [
        ("ppl2_wend", "w", "end", False),
        ("ppl_zfull", "z", "full", True),
        ("ppl_wfull", "w", "full", True),
        ("ppl_zend", "z", "end", True),
        ("ppl_wend", "w", "end", True),
    ]
}


def test_named_settings_mean_what_the_community_means():
    found = {name: describe(setting) for name, setting in SETTINGS.items()}
    assert found == {name: {"name": name} | values for name, values in (PUBLISHED | PATHS).items()}
    json.dumps(found)


def test_unknown_setting_lists_the_known_ones():
    with pytest.raises(InputError, match=r"fid50k_full, kid50k_full.*got 'fid5k'"):
        named_setting("fid5k")

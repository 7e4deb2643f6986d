import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import torch

from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
from stylegraft.errors import DataError, InputError
from stylegraft.evaluation.evaluate import fakes_of
from stylegraft.evaluation.latent_metrics import PathSampler
from stylegraft.evaluation.published import chosen_metrics, measure_published, require_weights
from stylegraft.metrics import FeatureStats, inception_score, precision_recall, stats_distance, subset_kid
from stylegraft.metrics.settings import named_setting
from stylegraft.model import load
from stylegraft.networks.config import GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Generator

SAMPLED = ("fid50k_full", "kid50k_full", "pr50k3_full", "is50k")
NUM = 40


class TinyScorer:
    """Sixteen numbers an image, of which seven are logits."""

    dim, sha256, precision = 16, "0" * 64, "fp32"

    def __init__(self, name, is_published=True):
        self.name, self.is_published = name, is_published
        self.num_images = 0

    def __call__(self, images):
        self.num_images += len(images)
        grey = torch.as_tensor(np.array(images)).float().mean(dim=3)
        # As small as those of VGG16, whose squares stay within half precision.
        return torch.nn.functional.adaptive_avg_pool2d(grey / 50, 4).flatten(1)

    def features_and_logits(self, images, *, with_bias):
        features = self(images)
        assert not with_bias
        return features, features[:, :7]


class TinyLpips:
    name, sha256, is_published = "lpips_vgg16", "1" * 64, True

    def __call__(self, a, b):
        assert a.shape[1:] == (3, 16, 16)
        return (a - b).square().mean(dim=(1, 2, 3))


def load_tiny(folder, c_dim):
    """A 16 px generator with random weights that uses its noise."""
    torch.manual_seed(0)
    config = GeneratorConfig(
        img_height=16,
        img_width=16,
        channels=(8, 8, 8),
        mapping=MappingConfig(z_dim=8, w_dim=8, c_dim=c_dim, num_layers=2),
    )
    tensors = {f"G_ema.{name}": tensor for name, tensor in Generator(config).state_dict().items()}
    for name, tensor in tensors.items():
        if name.endswith("noise_strength"):
            tensor.fill_(0.3)
    write_checkpoint(folder, Checkpoint(config, None, tensors, info={}))
    return load(folder)


@pytest.fixture
def model(tmp_path):
    return load_tiny(tmp_path / "checkpoint", 0)


@pytest.fixture
def reals(images):
    images.array = np.random.RandomState(5).randint(0, 256, [60, 16, 16, 3], np.uint8)
    images.class_names = None
    return images


@pytest.fixture
def measure(model, reals, cache):
    def run(*names, model=model, num=NUM, **options):
        made = {}
        rows = measure_published(
            [named_setting(name) for name in names],
            model,
            reals,
            num=num,
            networks=lambda name, device: made.setdefault(name, TinyScorer(name)),
            perceptual=lambda device: TinyLpips(),
            cache=cache,
            **options,
        )
        return rows, made

    return run


def test_sampled_settings_equal_the_metrics_of_the_same_images(model, reals, measure):
    rows, made = measure(*SAMPLED, seed=3)
    pixels = fakes_of(model, None, num=NUM, seed=3, psi=1.0, noise_mode="random")(0, NUM)
    scorer = TinyScorer("any")
    fake, real = scorer(pixels).numpy(), scorer(reals.array).numpy()
    stats = [FeatureStats.from_features(x) for x in (real, fake)]
    kid = subset_kid(real, fake, seed=3)
    pr = precision_recall(real, fake, k=3, number_type="half")
    score = inception_score(scipy.special.softmax(fake[:, :7], axis=1))
    expected = {
        "fid50k_full": {"distance": stats_distance(*stats, ddof=0)},
        "kid50k_full": {"distance": kid.mean, "std_of_subsets": kid.std},
        "pr50k3_full": {"precision": pr.precision, "recall": pr.recall},
        "is50k": {"mean": score.mean, "std": score.std},
    }
    for name, values in expected.items():
        # Batches of another size choose other kernels; a picture may differ by one grey level.
        assert rows[name]["values"] == pytest.approx(values, rel=2e-3), name
    # Each network saw the fakes once, and the real images once, held-out ones included.
    assert {name: network.num_images for name, network in made.items()} == {
        "inception_v3": NUM + 60,
        "vgg16": NUM + 60,
    }
    assert rows["fid50k_full"]["num_real"] == 60


def test_row_says_when_it_is_not_the_published_setting(model, reals, cache):
    short = replace(named_setting("fid50k_full"), num_fakes=8)

    def row(num, is_published):
        networks = lambda name, device: TinyScorer(name, is_published)  # noqa: E731
        rows = measure_published([short], model, reals, num=num, networks=networks, cache=cache)
        return json.loads(json.dumps(rows))["fid50k_full"]

    assert row(None, True)["is_as_published"]
    assert not row(9, True)["is_as_published"]
    assert row(9, True)["setting"]["num_fakes"] == 9
    assert not row(None, False)["is_as_published"]


def test_bounded_real_side_is_the_first_images_by_name(model, reals, cache):
    short = replace(named_setting("kid50k"), max_real=20)
    scorer = TinyScorer("inception_v3")
    rows = measure_published(
        [short], model, reals, num=NUM, networks=lambda name, device: scorer, cache=cache
    )
    fake = scorer(fakes_of(model, None, num=NUM, seed=0, psi=1.0, noise_mode="random")(0, NUM)).numpy()
    expected = subset_kid(scorer(reals.array[:20]).numpy(), fake, seed=0).mean
    assert rows["kid50k"]["num_real"] == 20
    # Batches of another size choose other kernels; a picture may differ by one grey level.
    assert rows["kid50k"]["values"]["distance"] == pytest.approx(expected, rel=2e-3)


def test_path_length_is_finite_and_depends_on_the_seed(measure):
    rows, _ = measure("ppl2_wend", num=30)
    again, _ = measure("ppl2_wend", num=30)
    other, _ = measure("ppl2_wend", num=30, seed=1)
    row = rows["ppl2_wend"]
    assert row == again["ppl2_wend"]
    assert row["values"]["mean"] > 0
    assert row["values"]["standard_error"] < row["values"]["mean"]
    assert row["values"]["mean"] != other["ppl2_wend"]["values"]["mean"]
    assert row["features"]["name"] == "lpips_vgg16"


def test_noise_of_paths_is_one_a_batch(model):
    sampler = PathSampler(model, 0)
    ws = sampler.mapping(np.random.RandomState(0).randn(1, 8).astype(np.float32), None)
    sampler.redraw_noise(0)
    both = sampler.synthesis(np.concatenate([ws, ws]))
    assert torch.equal(both[0], both[1])
    sampler.redraw_noise(1)
    assert not torch.equal(sampler.synthesis(ws)[0], both[0])
    sampler.redraw_noise(0)
    # A batch of one may choose other kernels than a batch of two.
    torch.testing.assert_close(sampler.synthesis(ws)[0], both[0], rtol=1e-4, atol=1e-4)


def test_separability_needs_classes_and_is_at_least_one(tmp_path, reals, measure):
    with pytest.raises(DataError, match="classes"):
        measure("ls")
    model = load_tiny(tmp_path / "conditional", 2)
    reals.array = model.sample(range(60), psi=1.0)
    brightness = reals.array.mean(axis=(1, 2, 3))
    is_bright = (brightness > np.median(brightness)).astype(int)
    reals.labels, reals.class_names = np.eye(2, dtype=np.float32)[is_bright], ("dark", "bright")
    rows, _ = measure("ls", model=model, num=200)
    assert set(rows["ls"]["values"]) == {"z", "w"}
    assert min(rows["ls"]["values"].values()) >= 1
    assert not rows["ls"]["is_as_published"], "its classifiers are ours"


def test_progress_ends_at_the_total(measure):
    seen = []
    measure("fid50k_full", "pr50k3_full", "ppl2_wend", progress=lambda *numbers: seen.append(numbers))
    assert seen[-1][0] == seen[-1][1] == NUM + 2 * 60 + NUM


def test_names_are_checked(monkeypatch, tmp_path):
    with_default, settings = chosen_metrics("default, fid50k_full,fid50k_full")
    assert with_default
    assert [setting.name for setting in settings] == ["fid50k_full"]
    assert chosen_metrics("is50k")[0] is False
    with pytest.raises(InputError, match=r"--metrics: expected one of fid50k_full, .*got 'fid'.*default"):
        chosen_metrics("fid")
    with pytest.raises(InputError, match="got none"):
        chosen_metrics(" , ")


def test_missing_weights_are_one_line_that_says_what_to_fetch(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path))
    monkeypatch.delenv("STYLEGRAFT_FEATURES_DIR", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", _refuse)
    for name, file in (("fid50k_full", "inception-2015-12-05"), ("ppl2_wend", "vgg16")):
        with pytest.raises(InputError, match=file) as caught:
            require_weights([named_setting(name)])
        assert "Fetch https://" in str(caught.value)
        assert "\n" not in str(caught.value)


def _refuse(*args, **kwargs):
    raise OSError("no internet")

import subprocess
import sys

import pytest

from stylegraft.augment import AdaConfig, AugmentConfig, augment_preset
from stylegraft.errors import ConfigError


def test_augment_preset_bgc_has_the_first_three_groups():
    config = augment_preset("bgc")
    on = {name for name, value in config if value == 1.0 and not name.endswith(("_max", "_std"))}
    assert on == {
        *("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac"),
        *("brightness", "contrast", "lumaflip", "hue", "saturation"),
    }


@pytest.mark.parametrize(
    ("name", "num_on"),
    [
        *(("blit", 3), ("geom", 4), ("color", 5), ("filter", 1), ("noise", 1), ("cutout", 1)),
        *(("bg", 7), ("bgc", 12), ("bgcf", 13), ("bgcfn", 14), ("bgcfnc", 15)),
    ],
)
def test_augment_preset_turns_on_its_transforms(name, num_on):
    changed = set(augment_preset(name)) - set(AugmentConfig())
    assert len(changed) == num_on


def test_augment_preset_of_no_name_lists_the_names():
    with pytest.raises(ConfigError, match=r"expected one of blit, geom, .*, got 'bgd'"):
        augment_preset("bgd")


def test_augment_config_survives_a_json_round_trip():
    config = augment_preset("bgcf").replace(imgfilter_bands=(1, 0, 1, 0))
    assert AugmentConfig.from_dict(config.to_dict()) == config


def test_augment_config_lists_all_problems():
    with pytest.raises(ConfigError, match=r"scale: .*; hue_max: "):
        AugmentConfig(scale=-1, hue_max=-2)


def test_ada_config_refuses_p_above_one():
    with pytest.raises(ConfigError, match="p: "):
        AdaConfig(p=1.5)


def test_augment_package_does_not_import_torch():
    code = "import sys, stylegraft.augment; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

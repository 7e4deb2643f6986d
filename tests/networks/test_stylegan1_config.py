from __future__ import annotations

import pytest

from stylegraft.errors import ConfigError
from stylegraft.networks.stylegan1.config import DiscriminatorConfig, GeneratorConfig, MappingConfig


def test_fused_layers_are_those_whose_shorter_side_is_long_enough() -> None:
    sizes = {"img_height": 96, "img_width": 64, "channels": (8, 8, 8, 8, 8)}
    config = GeneratorConfig(**sizes, fused_from_px=32)
    assert [config.is_fused(block) for block in range(5)] == [False, False, False, True, True]
    assert not any(config.replace(fused_from_px=None).is_fused(block) for block in range(5))
    assert not any(GeneratorConfig(**sizes).is_fused(block) for block in range(5))
    assert (config.max_lod, config.base_height, config.base_width) == (4, 6, 4)


@pytest.mark.parametrize("taps", [(1.0, 1.0), (), (1.0, -2.0, 1.0)])
def test_blur_that_cannot_keep_size_or_brightness_is_refused(taps: tuple[float, ...]) -> None:
    for config in (GeneratorConfig, DiscriminatorConfig):
        with pytest.raises(ConfigError, match="blur_filter: expected an odd number of taps"):
            config(img_height=8, img_width=8, channels=(4, 4), blur_filter=taps)


def test_blocks_must_fit_the_image() -> None:
    with pytest.raises(ConfigError, match="channels: 4 blocks need sides that halve 3 times"):
        GeneratorConfig(img_height=12, img_width=8, channels=(4, 4, 4, 4))


def test_numbers_out_of_range_are_reported_together() -> None:
    with pytest.raises(ConfigError, match=r"num_layers.*z_dim|z_dim.*num_layers"):
        MappingConfig(z_dim=0, num_layers=0)

"""Sizes, names and checks of the network configs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylegraft.errors import ConfigError
from stylegraft.networks.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    MappingConfig,
    base_size,
    channels_per_block,
)


@pytest.mark.parametrize(
    ("size", "base"),
    [
        ((64, 64), (4, 4, 4)),
        ((96, 64), (6, 4, 4)),
        ((64, 96), (4, 6, 4)),
        ((48, 48), (3, 3, 4)),
        ((12, 12), (3, 3, 2)),
        ((6, 6), (3, 3, 1)),
        ((3, 3), (3, 3, 0)),
        ((5, 7), (5, 7, 0)),
        ((32, 32), (4, 4, 3)),
        ((1024, 1024), (4, 4, 8)),
    ],
)
def test_base_size_halves_to_the_smallest_allowed_base(size, base):
    assert base_size(*size) == base


@pytest.mark.parametrize("size", [(2, 2), (17, 17), (0, 0), (64, 8), (34, 34), (63, 64), (-64, -64)])
def test_base_size_refuses_what_fits_no_base(size):
    with pytest.raises(ConfigError, match=rf"image size {size[0]}x{size[1]}: expected .* Resize"):
        base_size(*size)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_base_size_suggests_a_size_that_fits(height, width):
    try:
        h, w, doublings = base_size(height, width)
    except ConfigError as error:
        suggested = re.search(r"--size (\d+)x(\d+)", str(error))
        assert suggested is not None
        base_size(int(suggested[1]), int(suggested[2]))
    else:
        assert (h << doublings, w << doublings) == (height, width)
        assert min(h, w) >= 3
        assert max(h, w) <= 16


def test_channels_follow_the_rule_of_the_papers():
    assert channels_per_block(4, 4096, 256) == (256, 256, 256, 128, 64)
    assert channels_per_block(4, 16384, 512) == (512, 512, 512, 512, 256)
    assert channels_per_block(2, 8, 512) == (2, 1, 1)  # never none


def test_blocks_are_named_by_their_shorter_side():
    square = GeneratorConfig(img_height=64, img_width=64, channels=(8,) * 5)
    assert square.block_names == ("b4", "b8", "b16", "b32", "b64")
    tall = GeneratorConfig(img_height=96, img_width=64, channels=(8,) * 5)
    assert (tall.base_height, tall.base_width) == (6, 4)
    assert tall.block_names == ("b4", "b8", "b16", "b32", "b64")
    odd = DiscriminatorConfig(img_height=48, img_width=48, channels=(8,) * 5)
    assert odd.block_names == ("b3", "b6", "b12", "b24", "b48")


def test_config_error_lists_every_problem():
    with pytest.raises(ConfigError) as caught:
        GeneratorConfig(img_channels=7, conv_clamp=-1.0, channels=(8,), architecture="dense", depth=3)
    for name in ("img_channels", "conv_clamp", "architecture", "depth"):
        assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": ()}, "channels: expected one block or more"),
        ({"channels": (8, 0)}, "channels: expected .* 1 to"),
        ({"channels": (8,) * 8}, "halve 7 times"),
        ({"img_height": 36, "channels": (8,) * 4}, "halve 3 times"),
    ],
)
def test_config_refuses_blocks_that_do_not_fit_the_image(changes, words):
    with pytest.raises(ConfigError, match=words):
        GeneratorConfig(**{"channels": (8,), **changes})


def test_mapping_config_refuses_a_network_without_input():
    with pytest.raises(ConfigError, match="z_dim"):
        MappingConfig(z_dim=0, c_dim=0)


def test_mapping_config_refuses_no_layers_between_different_widths():
    with pytest.raises(ConfigError, match="num_layers"):
        MappingConfig(z_dim=8, w_dim=16, num_layers=0)
    assert MappingConfig(z_dim=16, w_dim=16, num_layers=0).num_layers == 0


def test_config_survives_json():
    config = DiscriminatorConfig(
        channels=(16, 8), mapping=MappingConfig(z_dim=0, c_dim=3, w_dim=16, w_avg_beta=None)
    )
    assert DiscriminatorConfig.from_dict(config.to_dict()) == config

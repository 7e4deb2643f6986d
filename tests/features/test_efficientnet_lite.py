import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stylegraft.errors import InputError
from stylegraft.features import convolution, feature_network
from stylegraft.features.bottlenecks import InvertedBottleneck
from stylegraft.features.convolution import ConvNorm
from stylegraft.features.efficientnet_lite import LITE0, LITE1, LITE2, EfficientNetLite, plan_blocks
from stylegraft.features.inputs import resize_bicubic, to_float255
from stylegraft.features.trunk import load_published
from stylegraft.features.weights import find_weights

# Float32 on another machine or with batch norm folded moves features by a few 1e-6 of the largest value; the
# smallest mistakes (eps, scaling, padding) move them by more than 1e-3.
FEATURE_TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def reference(read_reference):
    return read_reference("features_effnet_lite0.npz")


@pytest.fixture(scope="module")
def published():
    return torch.load(find_weights("effnet_lite0").path, weights_only=True)


def build(tensors, path):
    with torch.device("meta"):
        network = EfficientNetLite(LITE0)
    load_published(network, tensors, path)
    return network


@pytest.mark.parametrize("key", ["features", "features_float64"])
def test_features_against_packaged_model(reference, relative_error, key):
    features = feature_network("effnet_lite0")(reference["images"])
    assert features.dtype == torch.float32
    assert relative_error(features.numpy(), reference[key]) < FEATURE_TOLERANCE


def test_each_block_against_packaged_model(reference, relative_error):
    network = feature_network("effnet_lite0")
    outputs = []
    hooks = [block.register_forward_hook(lambda m, x, y: outputs.append(y)) for block in network.trunk.blocks]
    hooks.append(network.trunk.blocks[0].register_forward_pre_hook(lambda m, x: outputs.append(x[0].clone())))
    network(reference["images"][:1])
    for hook in hooks:
        hook.remove()
    assert len(outputs) == 17
    for index, output in enumerate(outputs):
        means = output.mean(dim=(0, 2, 3)).numpy()
        assert relative_error(means, reference[f"block_mean_first_{index:02d}"]) < FEATURE_TOLERANCE, index


def test_resize_against_reference_pixels(reference):
    pixels = resize_bicubic(to_float255(reference["images"][:1]), 224)[:, :, ::4, ::4].numpy()
    # Absolute, on 0..255: another order of summation moves single pixels by up to 2e-3.
    np.testing.assert_allclose(pixels, reference["upsampled"], rtol=0, atol=2e-3)


def test_resize_keeps_the_overshoot_of_the_cubic():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 255
    pixels = resize_bicubic(edge, 224)
    assert pixels.min() < -10
    assert pixels.max() > 265


def test_load_refuses_missing_and_unknown_tensors(published, tmp_path):
    assert len(published) == 296
    missing = {key: value for key, value in published.items() if key != "_blocks.7._bn1.running_var"}
    with pytest.raises(InputError, match=r"_blocks\.7\._bn1\.running_var \[480\], got no such tensor"):
        build(missing, tmp_path)
    with pytest.raises(InputError, match="got surplus beside them"):
        build(published | {"surplus": torch.zeros(1)}, tmp_path)
    with pytest.raises(InputError, match=r"_conv_stem.weight \[32, 3, 3, 3\], got \[32, 3, 5, 5\]"):
        build(published | {"_conv_stem.weight": torch.zeros(32, 3, 5, 5)}, tmp_path)


@pytest.mark.parametrize(
    ("scaling", "channels", "repeats"),
    [
        (LITE0, [16, 24, 40, 80, 112, 192, 320], [1, 2, 2, 3, 3, 4, 1]),
        # Loading the published weights of Lite1 and Lite2 strictly confirmed these two by hand.
        (LITE1, [16, 24, 40, 80, 112, 192, 320], [1, 3, 3, 4, 4, 5, 1]),
        (LITE2, [16, 24, 48, 88, 120, 208, 352], [1, 3, 3, 4, 4, 5, 1]),
    ],
)
def test_plan_scales_width_and_depth(scaling, channels, repeats):
    out_channels = [block.out_channels for block in plan_blocks(scaling)]
    assert out_channels == [c for c, r in zip(channels, repeats) for _ in range(r)]


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (5, 5), (1, 2)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (1, 1)])
def test_mirrored_images_and_kernels_give_same_padding(size, kernel, stride):
    layer = ConvNorm(2, 2, kernel, stride, eps=1e-3, activation=None).eval()
    layer.bn.eps = 0
    x = torch.randn([1, 2, *size], generator=torch.Generator().manual_seed(0))
    mirrored = layer(x.flip(2, 3)).flip(2, 3)
    weight = layer.conv.weight.flip(2, 3)
    # By definition: output (i, j) sees the window that starts at stride * i - total // 2.
    out_size = [-(-n // stride) for n in size]
    total = [max((out - 1) * stride + kernel - n, 0) for out, n in zip(out_size, size)]
    padded = F.pad(x, (kernel, kernel, kernel, kernel))
    assert list(mirrored.shape[2:]) == out_size
    for i in range(out_size[0]):
        for j in range(out_size[1]):
            top = kernel + stride * i - total[0] // 2
            left = kernel + stride * j - total[1] // 2
            window = padded[:, :, top : top + kernel, left : left + kernel]
            expected = (window[:, None] * weight).sum(dim=(2, 3, 4))
            torch.testing.assert_close(mirrored[:, :, i, j], expected)


def randomised(module):
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(generator=generator)
            layer.running_mean.normal_(generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("activation", ["relu", "relu6", None])
@torch.inference_mode()
def test_folded_layer_is_the_same_function(monkeypatch, fused, activation):
    layer = randomised(ConvNorm(4, 6, (3, 5), 2, eps=1e-3, activation=activation))
    x = torch.randn([2, 4, 9, 12], generator=torch.Generator().manual_seed(1)) * 3
    expected = layer(x)
    assert activation is None or expected.min() == 0
    layer.fold()
    if not fused:
        monkeypatch.setattr(convolution, "_can_fuse", lambda x: False)
    # A layer of float32 rounded once more.
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
@torch.inference_mode()
def test_bottleneck_adds_its_input(monkeypatch, fused):
    block = randomised(InvertedBottleneck(4, 4, 3, 1, 2, eps=1e-3))
    x = torch.randn([2, 4, 9, 12], generator=torch.Generator().manual_seed(1))
    expected = x + block.project(block.depthwise(block.expand(x)))
    for layer in (block.expand, block.depthwise, block.project):
        layer.fold()
    if not fused:
        monkeypatch.setattr(convolution, "_can_fuse", lambda x: False)
    torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stylegraft.features import feature_network
from stylegraft.features.efficientnet_lite import (
    LITE0,
    EfficientNetLite,
    LiteScaling,
    SameConv2d,
    normalise,
    plan_blocks,
)
from stylegraft.features.inputs import resize_bicubic, to_float255
from stylegraft.features.registry import _SOURCES, _weights_path

REFERENCE = Path(__file__).parents[1] / "reference" / "features_effnet_lite0.npz"

# Float32 on another machine or with batch norm folded moves features by a few 1e-6 of the largest value; the
# smallest mistakes (eps, scaling, padding) move them by more than 1e-3.
FEATURE_TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def published():
    return torch.load(_weights_path(_SOURCES["effnet_lite0"]), weights_only=True)


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("key", ["features", "features_float64"])
def test_features_against_packaged_model(reference, key):
    features = feature_network("effnet_lite0")(reference["images"])
    assert features.dtype == torch.float32
    assert relative_error(features.numpy(), reference[key]) < FEATURE_TOLERANCE


def test_each_block_against_packaged_model(reference):
    network = feature_network("effnet_lite0")
    outputs = []
    hooks = [
        block.register_forward_hook(lambda m, x, y: outputs.append(y)) for block in network.module._blocks
    ]
    hooks.append(
        network.module._blocks[0].register_forward_pre_hook(lambda m, x: outputs.append(x[0].clone()))
    )
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


def test_folded_batch_norm_is_the_same_function(published):
    folded, plain = EfficientNetLite(LITE0), EfficientNetLite(LITE0)
    folded.load_published(published)
    plain.load_state_dict(published)
    plain.eval()
    x = normalise(torch.rand([2, 3, 96, 96], generator=torch.Generator().manual_seed(0)) * 255)
    with torch.inference_mode():
        expected = plain(x)
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
        # 48 folded layers, each rounded once in float32.
        assert relative_error(folded(x).numpy(), expected.numpy()) < 1e-5


def test_load_refuses_missing_and_unknown_tensors(published):
    assert len(published) == 296
    missing = {key: value for key, value in published.items() if key != "_blocks.7._bn1.running_var"}
    with pytest.raises(RuntimeError, match=r"_blocks\.7\._bn1\.running_var"):
        EfficientNetLite(LITE0).load_published(missing)
    with pytest.raises(RuntimeError, match="surplus"):
        EfficientNetLite(LITE0).load_published(published | {"surplus": torch.zeros(1)})


@pytest.mark.parametrize(
    ("scaling", "channels", "repeats"),
    [
        (LITE0, [16, 24, 40, 80, 112, 192, 320], [1, 2, 2, 3, 3, 4, 1]),
        # Loading the published weights of Lite1 and Lite2 strictly confirmed these two by hand.
        (LiteScaling(1.0, 1.1, 240), [16, 24, 40, 80, 112, 192, 320], [1, 3, 3, 4, 4, 5, 1]),
        (LiteScaling(1.1, 1.2, 260), [16, 24, 48, 88, 120, 208, 352], [1, 3, 3, 4, 4, 5, 1]),
    ],
)
def test_plan_scales_width_and_depth(scaling, channels, repeats):
    out_channels = [block.out_channels for block in plan_blocks(scaling)]
    assert out_channels == [c for c, r in zip(channels, repeats) for _ in range(r)]


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (5, 5), (1, 2)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (1, 1)])
def test_same_padding_puts_the_odd_pixel_last(size, kernel, stride):
    conv = SameConv2d(2, 2, kernel, stride)
    x = torch.randn([1, 2, *size], generator=torch.Generator().manual_seed(0))
    # By definition: output (i, j) sees the window that starts at stride * i - total // 2.
    out_size = [-(-n // stride) for n in size]
    total = [max((out - 1) * stride + kernel - n, 0) for out, n in zip(out_size, size)]
    padded = F.pad(x, (kernel, kernel, kernel, kernel))
    for i in range(out_size[0]):
        for j in range(out_size[1]):
            top = kernel + stride * i - total[0] // 2
            left = kernel + stride * j - total[1] // 2
            window = padded[:, :, top : top + kernel, left : left + kernel]
            expected = (window[:, None] * conv.weight).sum(dim=(2, 3, 4))
            torch.testing.assert_close(conv(x)[:, :, i, j], expected)

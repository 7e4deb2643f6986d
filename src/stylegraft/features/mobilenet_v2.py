"""MobileNetV2 (Sandler et al. 2018): an ImageNet network independent of EfficientNet, for a second opinion.

Layer by layer as in torchvision, whose weights it takes: symmetric padding, batch normalisation eps 1e-5, RGB
normalised by ImageNet's mean and deviation.
"""

from __future__ import annotations

import torch

from stylegraft.features.bottlenecks import BottleneckTrunk, InvertedBottleneck
from stylegraft.features.convolution import ConvNorm
from stylegraft.features.inputs import imagenet_normalise, resize_bicubic
from stylegraft.features.trunk import Layout

_BN_EPS = 1e-5
_IMAGE_PX = 224
_STEM_CHANNELS = 32

# (expansion, output channels, repeats, stride of the first block) of each stage: table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(BottleneckTrunk):
    """From pixels to the mean of the last activation."""

    dim = 1280
    # No bfloat16: it moved distances between sets of pictures by up to 1.2 %.
    layouts = (Layout(lambda key: _published_name(key), unused=("classifier.",)),)

    def __init__(self) -> None:
        blocks = []
        channels = _STEM_CHANNELS
        for expand, out_channels, repeats, stride in _STAGES:
            for index in range(repeats):
                blocks.append(
                    InvertedBottleneck(
                        channels, out_channels, 3, stride if index == 0 else 1, expand, eps=_BN_EPS
                    )
                )
                channels = out_channels
        super().__init__(
            stem=ConvNorm(3, _STEM_CHANNELS, 3, 2, eps=_BN_EPS, activation="relu6"),
            blocks=blocks,
            head=ConvNorm(channels, self.dim, 1, eps=_BN_EPS, activation="relu6"),
        )

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps RGB [N, 3, H, W] in 0..255 to the network's scale and size."""
        return resize_bicubic(imagenet_normalise(rgb255), _IMAGE_PX)


def _published_name(key: str) -> str:
    """Returns what torchvision calls one of our tensors: numbers of steps in nested sequences."""
    words = key.split(".")
    conv_or_norm = "0" if words[-2] == "conv" else "1"
    if words[0] != "blocks":
        number = "0" if words[0] == "stem" else "18"
        return ".".join(("features", number, conv_or_norm, words[-1]))
    index, part = int(words[1]), words[2]
    # The first block does not expand, so its steps are numbered one lower.
    step = {"expand": 0, "depthwise": 1, "project": 2}[part] - (index == 0)
    prefix = f"features.{index + 1}.conv"
    if part == "project":
        return f"{prefix}.{step + int(conv_or_norm)}.{words[-1]}"
    return f"{prefix}.{step}.{conv_or_norm}.{words[-1]}"

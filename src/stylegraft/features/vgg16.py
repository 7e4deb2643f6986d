"""VGG16 (Simonyan and Zisserman 2015): features of precision and recall, and the trunk of LPIPS.

Tensors have torchvision's names (`vgg16-397923af.pth`); those of StyleGAN's `vgg16.pt` are translated.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from stylegraft.features.inputs import imagenet_normalise, resize_tensorflow1
from stylegraft.features.trunk import Layout, PublishedModule, Trunk

_IMAGE_PX = 224

# Output channels of the convolutions between two poolings: table 1 of the paper, column D.
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _torchscript_name(key: str) -> str:
    """Returns what StyleGAN's file calls a tensor: convolutions and dense layers are numbered from 1."""
    part, number, tensor = key.split(".")
    numbers, word = (_CONVOLUTIONS, "conv") if part == "features" else (_DENSE, "fc")
    return f"layers.{word}{numbers.index(int(number)) + 1}.{tensor}"


# Torchvision numbers activations, poolings and dropouts along with the layers.
_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_DENSE = (0, 3)


class VGG16Convolutions(PublishedModule):
    """The thirteen convolutions, with what comes out of the last one of each of the five stages."""

    layouts = (
        Layout(unused=("classifier.",)),
        Layout(_torchscript_name, unused=("layers.fc", "lpips")),
    )

    def __init__(self) -> None:
        super().__init__()
        self.features = _convolutions()

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Maps normalised RGB [N, 3, H, W] to five maps after ReLU, [N, C_k, H / 2^k, W / 2^k]."""
        return _maps(self.features, x)


class VGG16(Trunk):
    """From pixels to the 4096 activations of the second dense layer.

    Source: Kynkaanniemi et al. 2019, "Improved precision and recall", which measures these.
    """

    dim = 4096
    batch = 8
    layouts = (
        Layout(unused=("classifier.6.",)),
        Layout(_torchscript_name, unused=("layers.fc3", "lpips")),
    )

    def __init__(self) -> None:
        super().__init__()
        size = STAGES[-1][-1] * (_IMAGE_PX // 32) ** 2
        self.features = _convolutions()
        self.classifier = nn.ModuleDict({"0": nn.Linear(size, self.dim), "3": nn.Linear(self.dim, self.dim)})

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps RGB [N, 3, H, W] in 0..255 to 224 px, resized as TensorFlow 1 did, and ImageNet's scale."""
        return imagenet_normalise(resize_tensorflow1(rgb255, _IMAGE_PX))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps prepared images to features [N, 4096] after ReLU, float32."""
        x = F.max_pool2d(_maps(self.features, x)[-1], 2).flatten(1)
        for layer in self.classifier.values():
            x = F.relu(layer(x))
        return x.float()


def _convolutions() -> nn.ModuleDict:
    channels = [3, *itertools.chain(*STAGES)]
    return nn.ModuleDict(
        {
            str(number): nn.Conv2d(channels[index], channels[index + 1], 3, padding=1)
            for index, number in enumerate(_CONVOLUTIONS)
        }
    )


def _maps(convolutions: nn.ModuleDict, x: torch.Tensor) -> list[torch.Tensor]:
    """Returns what comes out of the last convolution of each of the five stages, after ReLU."""
    maps = []
    steps = iter(convolutions.values())
    for stage, channels in enumerate(STAGES):
        if stage:
            x = F.max_pool2d(x, 2)
        for _ in channels:
            x = F.relu(next(steps)(x))
        maps.append(x)
    return maps

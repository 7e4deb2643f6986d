"""InceptionV3 of 5 December 2015, the network that FID and the inception score are defined with.

Szegedy et al. 2016, "Rethinking the Inception architecture", figures 5 to 7, as TensorFlow published it
for 1008 classes. It differs from torchvision's in three places: average pools leave the padding out of the
count, the last block pools by the maximum, and images are resized as TensorFlow 1 did. Tensors have the names
of `pt_inception-2015-12-05-6726825d.pth`; those of `inception-2015-12-05.pt` (TorchScript) are translated.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from stylegraft.features.convolution import ConvNorm
from stylegraft.features.inception_names import torchscript_name
from stylegraft.features.inputs import resize_bilinear, resize_tensorflow1
from stylegraft.features.trunk import Layout, Trunk

_IMAGE_PX = 299


class InceptionV3(Trunk):
    """From pixels to the 2048 means of the last block, as TensorFlow and StyleGAN measure them."""

    dim = 2048
    num_classes = 1008
    batch = 8
    layouts = (Layout(), Layout(torchscript_name))

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _conv(3, 32, 3, stride=2, padding=0)
        self.Conv2d_2a_3x3 = _conv(32, 32, 3, padding=0)
        self.Conv2d_2b_3x3 = _conv(32, 64, 3)
        self.Conv2d_3b_1x1 = _conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _conv(80, 192, 3, padding=0)
        self.Mixed_5b = BlockA(192, 32)
        self.Mixed_5c = BlockA(256, 64)
        self.Mixed_5d = BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(768, 128)
        self.Mixed_6c = BlockC(768, 160)
        self.Mixed_6d = BlockC(768, 160)
        self.Mixed_6e = BlockC(768, 192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, max_pool=False)
        self.Mixed_7c = BlockE(2048, max_pool=True)
        self.fc = nn.Linear(self.dim, self.num_classes)

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps RGB [N, 3, H, W] in 0..255 to 299 px and (x - 128) / 128, as the TensorFlow graph did."""
        return (resize_tensorflow1(rgb255, _IMAGE_PX) - 128) / 128

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps prepared images to features [N, 2048] in float32 (float64 if x is)."""
        return self.taps(x)[-1]

    def taps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns the spatial means [N, 64], [N, 192], [N, 768] and [N, 2048] along the way."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        first = x = F.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        second = x = F.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6b(self.Mixed_6a(x))
        third = x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(x)))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return _mean(first), _mean(second), _mean(third), _mean(x)

    def classify(self, features: torch.Tensor, *, with_bias: bool) -> torch.Tensor:
        """Maps features to logits [N, 1008]; the published inception score leaves the bias out."""
        return F.linear(features, self.fc.weight, self.fc.bias if with_bias else None)


class PytorchFidInception(InceptionV3):
    """The same network, fed as the package pytorch-fid does: half-pixel resize, then 2 x / 255 - 1."""

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps RGB [N, 3, H, W] in 0..255 to 299 px in [-1, 1]."""
        return 2 * resize_bilinear(rgb255 / 255, _IMAGE_PX) - 1


class BlockA(nn.Module):
    """35 x 35: branches of a 1x1, a 5x5, two 3x3 and a pool."""

    def __init__(self, channels: int, pool_channels: int) -> None:
        super().__init__()
        self.branch1x1 = _conv(channels, 64, 1)
        self.branch5x5_1 = _conv(channels, 48, 1)
        self.branch5x5_2 = _conv(48, 64, 5)
        self.branch3x3dbl_1 = _conv(channels, 64, 1)
        self.branch3x3dbl_2 = _conv(64, 96, 3)
        self.branch3x3dbl_3 = _conv(96, 96, 3)
        self.branch_pool = _conv(channels, pool_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, channels, H, W] to [N, 224 + pool_channels, H, W]."""
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3 = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), branch5x5, branch3x3, self.branch_pool(_average_pool(x))], 1)


class BlockB(nn.Module):
    """35 x 35 to 17 x 17: branches of a 3x3, two 3x3 and a pool."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = _conv(channels, 384, 3, stride=2, padding=0)
        self.branch3x3dbl_1 = _conv(channels, 64, 1)
        self.branch3x3dbl_2 = _conv(64, 96, 3)
        self.branch3x3dbl_3 = _conv(96, 96, 3, stride=2, padding=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, channels, H, W] to [N, channels + 480, H', W']."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)], 1)


class BlockC(nn.Module):
    """17 x 17: 7x7 kernels taken apart into 1x7 and 7x1, once and twice."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.branch1x1 = _conv(channels, 192, 1)
        self.branch7x7_1 = _conv(channels, hidden, 1)
        self.branch7x7_2 = _conv(hidden, hidden, (1, 7))
        self.branch7x7_3 = _conv(hidden, 192, (7, 1))
        self.branch7x7dbl_1 = _conv(channels, hidden, 1)
        self.branch7x7dbl_2 = _conv(hidden, hidden, (7, 1))
        self.branch7x7dbl_3 = _conv(hidden, hidden, (1, 7))
        self.branch7x7dbl_4 = _conv(hidden, hidden, (7, 1))
        self.branch7x7dbl_5 = _conv(hidden, 192, (1, 7))
        self.branch_pool = _conv(channels, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, channels, H, W] to [N, 768, H, W]."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_average_pool(x))], 1)


class BlockD(nn.Module):
    """17 x 17 to 8 x 8: branches of a 3x3, a 7x7 with a 3x3, and a pool."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = _conv(channels, 192, 1)
        self.branch3x3_2 = _conv(192, 320, 3, stride=2, padding=0)
        self.branch7x7x3_1 = _conv(channels, 192, 1)
        self.branch7x7x3_2 = _conv(192, 192, (1, 7))
        self.branch7x7x3_3 = _conv(192, 192, (7, 1))
        self.branch7x7x3_4 = _conv(192, 192, 3, stride=2, padding=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, channels, H, W] to [N, channels + 512, H', W']."""
        branch3x3 = self.branch3x3_2(self.branch3x3_1(x))
        branch7x7 = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([branch3x3, branch7x7, F.max_pool2d(x, 3, stride=2)], 1)


class BlockE(nn.Module):
    """8 x 8: 3x3 kernels spread out into a 1x3 beside a 3x1."""

    def __init__(self, channels: int, *, max_pool: bool) -> None:
        super().__init__()
        self.max_pool = max_pool
        self.branch1x1 = _conv(channels, 320, 1)
        self.branch3x3_1 = _conv(channels, 384, 1)
        self.branch3x3_2a = _conv(384, 384, (1, 3))
        self.branch3x3_2b = _conv(384, 384, (3, 1))
        self.branch3x3dbl_1 = _conv(channels, 448, 1)
        self.branch3x3dbl_2 = _conv(448, 384, 3)
        self.branch3x3dbl_3a = _conv(384, 384, (1, 3))
        self.branch3x3dbl_3b = _conv(384, 384, (3, 1))
        self.branch_pool = _conv(channels, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [N, channels, H, W] to [N, 2048, H, W]."""
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.max_pool else _average_pool(x)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, 1)


def _conv(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    padding: int | None = None,
) -> ConvNorm:
    return ConvNorm(in_channels, out_channels, kernel, stride, padding, eps=1e-3, activation="relu")


def _average_pool(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _mean(x: torch.Tensor) -> torch.Tensor:
    return x.mean(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))

"""Light and dark of a source's pictures brought to those of the new images, by its layers at the image.

Dark things on white, from a source that paints light things on black, would first cost hundreds of steps of
swapping the two. They are a linear function of the picture, y = a x + b with one a and a b for each channel,
so that the layers to and from the image can do it at once:

    G    w' = a w,  bias' = a bias,  and b on top of the last layer       its picture is a x + b
    D    W' = W / a,  bias' = bias - W' b                                it sees y as it saw x

    |a| = ratio of the standard deviations of luma;  b = mean of the images - a * mean of the pictures
    a < 0 where one is clearly light on dark, the other dark on light: by the sign of the third moment of luma

Hue is left to training: one a for all channels cannot tint a grey source, nor make colours of the noise
between equal channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stylegraft.checkpoints.surgery.colour import LUMA
from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig

_CLEARLY = 0.5  # skewness of luma from which on images are light on dark, or dark on light
_MAX_RATIO = 4.0  # beyond it, one of the two has hardly any contrast to measure
_ALIKE_RATIO, _ALIKE_SHIFT = 1.15, 0.1
_WHY = "light and dark brought to those of the images"


@dataclass(frozen=True)
class Tones:
    """Light and dark in a set of images of values -1..1.

    Attributes:
        mean: of each channel.
        deviation: standard deviation of luma.
        skewness: third standardised moment of luma; above 0: light on dark.
    """

    mean: tuple[float, ...]
    deviation: float
    skewness: float

    @classmethod
    def of(cls, images: torch.Tensor) -> Tones:
        """Measures images [N, C, H, W], values -1..1."""
        values = images.double()
        mean = values.mean(dim=(0, 2, 3))
        luma = values[:, 0]
        if values.shape[1] >= 3:
            luma = (values[:, :3] * LUMA.double()[:, None, None]).sum(dim=1)
        deviation = float(luma.std(correction=0))
        third = float((luma - luma.mean()).pow(3).mean())
        return cls(tuple(mean.tolist()), deviation, third / max(deviation, 1e-6) ** 3)


@dataclass(frozen=True)
class ToneChange:
    """y = factor * x + offset.

    Attributes:
        factor: the same for all channels.
        offset: of each channel.
    """

    factor: float
    offset: tuple[float, ...]

    def note(self) -> str:
        """A sentence for people."""
        swapped = ", light and dark swapped" if self.factor < 0 else ""
        shift = sum(self.offset) / len(self.offset)
        return f"tones: contrast x {abs(self.factor):.2f}{swapped}, brightness {shift:+.2f} of -1..1"


def tone_change(pictures: Tones, images: Tones) -> ToneChange | None:
    """Returns what brings a source's pictures to the tones of images; None: they are alike already.

    Args:
        pictures: of the source, in the channels of the images.
        images: to be trained on.
    """
    ratio = images.deviation / max(pictures.deviation, 1e-6)
    ratio = min(max(ratio, 1 / _MAX_RATIO), _MAX_RATIO)
    clear = min(abs(pictures.skewness), abs(images.skewness)) > _CLEARLY
    factor = -ratio if clear and pictures.skewness * images.skewness < 0 else ratio
    offset = tuple(new - factor * old for new, old in zip(images.mean, pictures.mean))
    shift = max(abs(new - old) for new, old in zip(images.mean, pictures.mean))
    if 1 / _ALIKE_RATIO < factor < _ALIKE_RATIO and shift < _ALIKE_SHIFT:
        return None
    return ToneChange(factor, offset)


def change_generator_tones(graft: Graft[GeneratorConfig], change: ToneChange) -> None:
    """Makes a generator paint a x + b where it painted x."""
    # Pictures of several sizes are summed, or one size after the other is the picture, while it grows.
    summed = graft.config.architecture != "progressive"
    last = f"synthesis.{graft.config.block_names[-1]}.torgb"
    for name in [name for name in graft.tensors if _layer(name).endswith("torgb")]:
        tensor = graft.tensors[name] * change.factor
        if name.endswith(".bias") and (_layer(name) == last or not summed):
            tensor = tensor + torch.tensor(change.offset)
        graft.reshape(name, tensor, _WHY)


def change_discriminator_tones(graft: Graft[DiscriminatorConfig], change: ToneChange) -> None:
    """Makes a discriminator see a x + b as it saw x."""
    for name in [name for name in graft.tensors if _layer(name).endswith("fromrgb")]:
        if not name.endswith(".weight"):
            continue
        weight = graft.tensors[name] / change.factor
        seen = weight[:, :, 0, 0] * graft.gain(name) @ torch.tensor(change.offset)
        bias = name.removesuffix("weight") + "bias"
        graft.reshape(name, weight, _WHY)
        graft.reshape(bias, graft.tensors[bias] - seen, _WHY)


def _layer(name: str) -> str:
    """The layer of a weight or bias at the image; "" for what is inside it, such as its affine layer."""
    layer, _, kind = name.rpartition(".")
    return layer if kind in ("weight", "bias") else ""

"""LPIPS: the distance of two images as people see it, by the maps of VGG16.

Source: Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric",
equation 1, version 0.1 with VGG16. It is also the distance of StyleGAN's path length and projection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources

import torch
from safetensors.torch import load as load_safetensors
from torch import nn

from stylegraft.features.vgg16 import STAGES, VGG16Convolutions

_EPS = 1e-10
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class PerceptualDistance(nn.Module):
    """LPIPS (VGG16, version 0.1), the squared form that path length divides by eps^2; differentiable.

    Args:
        trunk: with its weights.
        channel_weights: five vectors [C_k], how much each channel counts; None: the published ones.
        sha256: of the file with the trunk's weights.
        is_published: whether that is a published file.
    """

    name = "lpips_vgg16"

    def __init__(
        self,
        trunk: VGG16Convolutions,
        channel_weights: Sequence[torch.Tensor] | None = None,
        *,
        sha256: str = "",
        is_published: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.sha256 = sha256
        self.is_published = is_published
        self.shift: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("shift", torch.tensor(_SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE)[:, None, None], persistent=False)
        for index, weights in enumerate(channel_weights or published_channel_weights()):
            self.register_buffer(f"channel_weights_{index}", weights.detach().flatten())
        self.eval().requires_grad_(False)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Returns the distances [N] of images a and b, float [N, C, H, W] in [-1, 1], not clipped."""
        return self.between(self.maps(a), self.maps(b))

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Returns the five maps of images, unit vectors along channels; keep those of a fixed target."""
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        return [unit_vectors(x) for x in self.trunk((images - self.shift) / self.scale)]

    def between(self, maps_a: Sequence[torch.Tensor], maps_b: Sequence[torch.Tensor]) -> torch.Tensor:
        """Returns the distances [N] of images whose `maps` are given."""
        return self.per_layer(maps_a, maps_b).sum(dim=1)

    def per_layer(self, maps_a: Sequence[torch.Tensor], maps_b: Sequence[torch.Tensor]) -> torch.Tensor:
        """Returns what each of the five maps adds to the distances, [N, 5]."""
        terms = []
        for index, (a, b) in enumerate(zip(maps_a, maps_b, strict=True)):
            weights = self.get_buffer(f"channel_weights_{index}")
            squares = (a - b).square().mean(dim=(2, 3))
            terms.append(squares @ weights)
        return torch.stack(terms, dim=1)


def unit_vectors(x: torch.Tensor) -> torch.Tensor:
    """Divides the vector at each place of [N, C, H, W] by its length plus 1e-10."""
    # A root has no finite gradient at 0, where all channels are off: those places get the gradient 0 instead.
    squares = x.square().sum(dim=1, keepdim=True)
    is_zero = squares == 0
    length = torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, squares).sqrt())
    return x / (length + _EPS)


def published_channel_weights() -> list[torch.Tensor]:
    """Returns the channel weights of version 0.1, which come with this package."""
    data = resources.files("stylegraft.features").joinpath("lpips_vgg16_v0.1.safetensors").read_bytes()
    return channel_weights_of(load_safetensors(data))


def channel_weights_of(tensors: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Returns the five vectors from tensors named as the lpips package does: `lin0.model.1.weight`, ..."""
    return [tensors[f"lin{index}.model.1.weight"].flatten() for index in range(len(STAGES))]

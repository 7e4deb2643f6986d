"""Grey and RGB: networks do the same to the picture that looks the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from surgery_cases import configs, discriminator, generator, make_source, operated

from stylegraft.checkpoints.surgery.target import with_colour
from stylegraft.errors import InputError

LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
KINDS = [
    {"architectures": ("skip", "skip")},
    {"architectures": ("resnet", "resnet")},
    {"architectures": ("orig", "orig")},
    {"family": "stylegan1"},
]


def recoloured(img_channels: int, **kind):
    G, D = configs(img_channels=4 - img_channels, **kind)
    source = make_source(G, D)
    result = operated(source, with_colour(G, img_channels), with_colour(D, img_channels))
    old = generator(G, source.tensors["G"]), discriminator(D, source.tensors["D"])
    new = (
        generator(with_colour(G, img_channels), result.tensors["G"]),
        discriminator(with_colour(D, img_channels), result.tensors["D"]),
    )
    return *old, *new, result


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_rgb_networks_become_grey_ones(kind):
    G, D, grey_G, grey_D, _ = recoloured(1, **kind)
    z = torch.randn(4, 8)
    expected = (G(z) * LUMA).sum(dim=1, keepdim=True)
    torch.testing.assert_close(grey_G(z), expected, atol=1e-5, rtol=1e-5)
    grey = torch.randn(8, 1, 16, 16)
    torch.testing.assert_close(grey_D(grey), D(grey.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_grey_networks_become_rgb_ones(kind):
    G, D, rgb_G, rgb_D, _ = recoloured(3, **kind)
    z = torch.randn(4, 8)
    assert torch.allclose(rgb_G(z), G(z).expand(-1, 3, -1, -1), atol=1e-6)
    rgb = torch.randn(8, 3, 16, 16)
    torch.testing.assert_close(rgb_D(rgb), D((rgb * LUMA).sum(dim=1, keepdim=True)), atol=1e-5, rtol=1e-5)


def test_grey_is_what_reading_in_grey_gives():
    pixels = np.random.default_rng(0).integers(0, 256, [8, 8, 3], dtype=np.uint8)
    read = np.asarray(Image.fromarray(pixels).convert("L"), dtype=float)
    assert np.abs(read - (pixels * LUMA[:, 0, 0].numpy()).sum(axis=2)).max() < 1  # rounded to bytes


def test_only_layers_at_the_image_change():
    *_, result = recoloured(1)
    changed = [*result.report.networks["G"].reshaped, *result.report.networks["D"].reshaped]
    assert all("torgb" in name or "fromrgb" in name for name in changed)
    assert len(changed) == 3 * 2 + 1  # D's bias has nothing to do with colours
    assert not result.report.networks["G"].reinitialised


def test_other_numbers_of_channels_are_refused():
    G, _ = configs(img_channels=4)
    with pytest.raises(InputError, match=r"only grey \(1\) and RGB \(3\)"):
        with_colour(G, 3)

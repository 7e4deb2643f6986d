"""StyleGAN2 that grows: at whole lods the smaller network it contains, between them a mixture of two."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from stylegraft.errors import InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.making import make_discriminator, make_generator

MAPPING = MappingConfig(z_dim=4, w_dim=6, num_layers=2)
CHANNELS = (7, 6, 5)


def generator(num_blocks: int, architecture: str = "progressive") -> Any:
    config = GeneratorConfig(
        img_height=2 << num_blocks,
        img_width=2 << num_blocks,
        channels=CHANNELS[:num_blocks],
        mapping=MAPPING,
        architecture=architecture,  # pyright: ignore[reportArgumentType]
    )
    return filled(make_generator(config))


def discriminator(num_blocks: int, architecture: str = "progressive") -> Any:
    config = DiscriminatorConfig(
        img_height=2 << num_blocks,
        img_width=2 << num_blocks,
        channels=CHANNELS[:num_blocks],
        architecture=architecture,  # pyright: ignore[reportArgumentType]
    )
    return filled(make_discriminator(config))


def filled(network: Any) -> Any:
    """Values depend on the name alone, so that networks of two sizes agree where they have the same part."""
    for name, tensor in network.state_dict().items():
        if not name.endswith("lod"):
            torch.manual_seed(sum(map(ord, name)))
            tensor.copy_(torch.randn(tensor.shape))
    return network.requires_grad_(False)


def latents() -> torch.Tensor:
    return torch.randn(4, 8, 6, generator=torch.Generator().manual_seed(0))[:, :6]


def images() -> torch.Tensor:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def assert_close(got: torch.Tensor, want: torch.Tensor) -> None:
    # The same operations in another order of additions: a few float32 roundings.
    assert torch.allclose(got, want, rtol=0, atol=2e-6 * float(want.abs().max()))


def test_full_resolution_is_the_orig_architecture() -> None:
    assert_close(generator(3).synthesis(latents()), generator(3, "orig").synthesis(latents()))
    assert_close(discriminator(3)(images()), discriminator(3, "orig")(images()))


def test_generator_at_a_whole_lod_is_the_smaller_one_enlarged() -> None:
    small = generator(2).synthesis(latents()[:, :4])
    assert_close(generator(3).synthesis(latents(), lod=1.0), F.interpolate(small, scale_factor=2))
    smallest = generator(1).synthesis(latents()[:, :2])
    assert_close(generator(3).synthesis(latents(), lod=2.0), F.interpolate(smallest, scale_factor=4))


def test_generator_between_lods_mixes_both_images() -> None:
    G = generator(3)
    large, small = G.synthesis(latents(), lod=0.0), G.synthesis(latents(), lod=1.0)
    assert_close(G.synthesis(latents(), lod=0.25), 0.75 * large + 0.25 * small)


def test_discriminator_at_a_whole_lod_sees_the_mean_of_pixels() -> None:
    small = F.avg_pool2d(images(), 2)
    assert_close(discriminator(3)(images(), lod=1.0), discriminator(2)(small))
    assert_close(discriminator(3)(images(), lod=2.0), discriminator(1)(F.avg_pool2d(small, 2)))


def test_discriminator_between_lods_mixes_the_features_of_both() -> None:
    D = discriminator(3)
    features = D.b16.conv1(D.b16.conv0(D.b16.fromrgb(images())))
    below = D.b8.fromrgb(F.avg_pool2d(images(), 2))
    x = 0.75 * features + 0.25 * below
    x = D.b8.conv1(D.b8.conv0(x))
    assert_close(D(images(), lod=0.25), D.b4(x, None, None))


def test_stored_lod_is_used_and_saved() -> None:
    G, D = generator(3), discriminator(3)
    G.synthesis.lod.fill_(0.5)
    D.lod.fill_(0.5)
    assert torch.equal(G.synthesis(latents()), G.synthesis(latents(), lod=0.5))
    assert torch.equal(D(images()), D(images(), lod=0.5))
    assert G.state_dict()["synthesis.lod"] == D.state_dict()["lod"] == 0.5


def test_blocks_out_of_use_get_no_gradient() -> None:
    G, D = generator(3).requires_grad_(), discriminator(3).requires_grad_()
    D(G.synthesis(latents(), lod=1.0), lod=1.0).sum().backward()
    for name, parameter in [*G.synthesis.named_parameters(), *D.named_parameters()]:
        in_use = name.startswith(("b4", "b8")) and name not in (
            *(f"b4.torgb.{part}" for part in ("weight", "bias", "affine.weight", "affine.bias")),
            *("b4.fromrgb.weight", "b4.fromrgb.bias"),
        )
        assert (parameter.grad is not None) == in_use, name


@pytest.mark.parametrize("lod", [-0.5, 2.5])
def test_lod_outside_the_blocks_is_refused(lod: float) -> None:
    with pytest.raises(InputError, match="lod"):
        generator(3).synthesis(latents(), lod=lod)
    with pytest.raises(InputError, match="lod"):
        discriminator(3)(images(), lod=lod)

"""What all families have in common: configs, networks by config, one protocol, checkpoints, `Model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stylegraft
from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
from stylegraft.errors import ConfigError
from stylegraft.networks import config as stylegan2
from stylegraft.networks.families import (
    DiscriminatorConfig,
    GeneratorConfig,
    discriminator_config_from_dict,
    generator_config_from_dict,
)
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.protocol import Discriminator, Generator
from stylegraft.networks.stylegan1 import config as stylegan1

FAMILIES = ["stylegan1", "stylegan2"]
MODULES = {"stylegan1": stylegan1, "stylegan2": stylegan2}
SIZES: dict[str, Any] = {"img_height": 24, "img_width": 16, "channels": (8, 8, 8)}


def make_pair(family: str) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    module = MODULES[family]
    mapping = module.MappingConfig(z_dim=6, w_dim=8, num_layers=2)
    generator = make_generator(module.GeneratorConfig(**SIZES, mapping=mapping))
    with torch.no_grad():
        generator.mapping.w_avg.normal_()
    return generator, make_discriminator(module.DiscriminatorConfig(**SIZES))


def save(folder: Path, generator: Generator, discriminator: Discriminator) -> Path:
    tensors = {f"G_ema.{name}": tensor for name, tensor in generator.state_dict().items()}
    tensors |= {f"D.{name}": tensor for name, tensor in discriminator.state_dict().items()}
    write_checkpoint(folder, Checkpoint(generator.config, discriminator.config, tensors))
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_config_returns_from_its_dict(family: str) -> None:
    generator, discriminator = make_pair(family)
    configs: list[GeneratorConfig | DiscriminatorConfig] = [generator.config, discriminator.config]
    assert generator_config_from_dict(configs[0].to_dict()) == configs[0]
    assert discriminator_config_from_dict(configs[1].to_dict()) == configs[1]
    assert [config.family for config in configs] == [family, family]
    assert [config.c_dim for config in configs] == [0, 0]


@pytest.mark.parametrize("family", ["stylegan9", None, 3, ["stylegan1"]])
def test_unknown_family_is_named(family: object) -> None:
    values = make_pair("stylegan1")[0].config.to_dict() | {"family": family}
    with pytest.raises(ConfigError, match=r"family: expected one of stylegan1, stylegan2, got"):
        generator_config_from_dict(values)


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_offer_the_protocol(family: str) -> None:
    generator, discriminator = make_pair(family)
    z = torch.randn(2, 6)
    for dtype in (torch.float32, torch.bfloat16):
        generator.set_compute_dtype(dtype)
        discriminator.set_compute_dtype(dtype)
        ws = generator.mapping(z, None, psi=0.5, cutoff=1)
        assert ws.shape == (2, generator.num_ws, 8)
        noise = [torch.randn(2, 1, h, w) for h, w in generator.synthesis.noise_shapes]
        img = generator.synthesis(ws, "random", noise)
        assert (img.shape, img.dtype) == ((2, 3, 24, 16), torch.float32)
        logits = discriminator(img, None)
        assert (logits.shape, logits.dtype) == ((2, 1), torch.float32)
    assert torch.allclose(generator.mapping(z, None, psi=0.0)[1, -1], generator.mapping.w_avg)
    before = generator.mapping.w_avg.clone()
    generator.mapping.update_w_avg(before + 1)
    assert torch.allclose(generator.mapping.w_avg - before, torch.tensor(0.005), atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpoint_opens_as_a_model(family: str, tmp_path: Path) -> None:
    generator, discriminator = make_pair(family)
    model = stylegraft.load(save(tmp_path / "a", generator, discriminator))
    assert type(model.generator) is type(generator)
    assert type(model.discriminator) is type(discriminator)
    assert model.info["family"] == family
    for name, tensor in generator.state_dict().items():
        assert torch.equal(model.generator.state_dict()[name], tensor)


@pytest.mark.parametrize(("family", "default"), [("stylegan1", 8), ("stylegan2", None)])
def test_cutoff_is_by_default_that_of_the_family(family: str, default: int | None, tmp_path: Path) -> None:
    generator, discriminator = make_pair(family)
    assert generator.config.truncation_cutoff == default
    if family == "stylegan1":  # of its six layers
        config = generator.config.replace(truncation_cutoff=2)
        generator, default = make_generator(config), 2
        torch.nn.init.normal_(generator.mapping.w_avg)
    model = stylegraft.load(save(tmp_path / "a", generator, discriminator))
    samples = {
        cutoff: model.sample([0, 1], psi=0.3, cutoff=cutoff) for cutoff in (None, 2, model.generator.num_ws)
    }
    expected = model.generator.num_ws if default is None else default
    assert np.array_equal(samples[None], samples[expected])
    assert not np.array_equal(samples[2], samples[model.generator.num_ws])


def test_model_of_a_network_that_grows_shows_its_own_size(tmp_path: Path) -> None:
    generator, discriminator = make_pair("stylegan1")
    assert isinstance(generator.config, stylegan1.GeneratorConfig)
    generator.set_lod(1.0)  # pyright: ignore[reportAttributeAccessIssue]
    model = stylegraft.load(save(tmp_path / "a", generator, discriminator))
    assert model.info["lod"] == 1.0
    pixels = model.sample([3])[0]
    assert pixels.shape == (24, 16, 3)
    assert np.array_equal(pixels, pixels[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))
    grown = stylegraft.load(save(tmp_path / "b", *make_pair("stylegan1")))
    assert "lod" not in grown.info

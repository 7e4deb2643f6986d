"""Our networks as rosinality's files: the original's names and bytes, and back; what it lacks is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_writer import random_networks

from stylegraft.checkpoints.export.rosinality import to_rosinality, write_rosinality
from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig, channels_per_block
from stylegraft.networks.stylegan1.config import GeneratorConfig as StyleGan1Config
from stylegraft.networks.stylegan2 import Generator

REFERENCE = Path(__file__).parents[1] / "reference" / "rosinality"
SIZE: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (5, 4, 3)}
MAPPING = MappingConfig(z_dim=6, w_dim=6, num_layers=2)
G_CONFIG = GeneratorConfig(**SIZE, mapping=MAPPING)
D_CONFIG = DiscriminatorConfig(**SIZE)


def tensors_of(
    generator: GeneratorConfig = G_CONFIG, discriminator: DiscriminatorConfig = D_CONFIG
) -> dict[str, dict[str, torch.Tensor]]:
    networks = random_networks(generator, discriminator)
    return {name: dict(network.state_dict()) for name, network in networks.items()}


def test_file_of_the_original_is_written_again_bit_by_bit(tmp_path: Path) -> None:
    source = REFERENCE / "rosinality_r32_convert.pt"
    opened = open_checkpoint(source)
    path = tmp_path / "deep" / "x.pt"
    write_rosinality(path, opened.generator, opened.discriminator, opened.tensors)
    got, want = (torch.load(file, weights_only=True) for file in (path, source))
    assert got.keys() == want.keys()
    assert torch.equal(got.pop("latent_avg"), want.pop("latent_avg"))
    for name, state in want.items():
        assert got[name].keys() == state.keys()
        for key, tensor in state.items():
            assert got[name][key].dtype == tensor.dtype
            assert got[name][key].shape == tensor.shape
            assert torch.equal(got[name][key], tensor), key


def test_names_and_shapes_are_those_its_own_networks_load() -> None:
    expected = json.loads((REFERENCE / "rosinality_r32.json").read_text())
    sizes: dict[str, Any] = {"img_height": 32, "img_width": 32, "channels": (32, 32, 32, 32)}
    mapping = MappingConfig(
        z_dim=expected["style_dim"], w_dim=expected["style_dim"], num_layers=expected["n_mlp"]
    )
    configs = GeneratorConfig(**sizes, mapping=mapping), DiscriminatorConfig(**sizes)
    state, _ = to_rosinality(*configs, tensors_of(*configs))
    for name in ("g_ema", "d"):
        assert {key: list(tensor.shape) for key, tensor in state[name].items()} == expected[name]


@pytest.mark.parametrize("channels", [(4, 3), (5, 4, 3), (8, 8, 7, 6, 5)])
def test_written_file_is_read_as_what_was_written(tmp_path: Path, channels: tuple[int, ...]) -> None:
    side = 4 << (len(channels) - 1)
    sizes: dict[str, Any] = {"img_height": side, "img_width": side, "channels": channels}
    taps = (1.0, 2.0, 5.0, 3.0)
    generator = GeneratorConfig(**sizes, mapping=MAPPING, resample_filter=taps)
    discriminator = DiscriminatorConfig(**sizes, resample_filter=taps)
    tensors = tensors_of(generator, discriminator)
    tensors["G"]["mapping.w_avg"] = tensors["G_ema"]["mapping.w_avg"]  # the format has room for one
    write_rosinality(tmp_path / "x.pt", generator, discriminator, tensors)
    got = read_foreign(tmp_path / "x.pt")
    assert (got.generator_config, got.discriminator_config) == (generator, discriminator)
    for name, state in tensors.items():
        assert got.tensors[name].keys() == state.keys()
        assert all(torch.equal(got.tensors[name][key], tensor) for key, tensor in state.items())


def test_average_alone_is_enough(tmp_path: Path) -> None:
    tensors = tensors_of()
    state, _ = to_rosinality(G_CONFIG, None, tensors)
    assert state.keys() == {"g_ema", "latent_avg", "g"}
    state, _ = to_rosinality(G_CONFIG, D_CONFIG, {"G_ema": tensors["G_ema"]})
    assert state.keys() == {"g_ema", "latent_avg"}


def test_network_without_noise_becomes_one_with_noise_of_no_strength(tmp_path: Path) -> None:
    silent = G_CONFIG.replace(use_noise=False)
    tensors = {"G_ema": tensors_of(silent)["G_ema"]}
    write_rosinality(tmp_path / "x.pt", silent, None, tensors)
    got = read_foreign(tmp_path / "x.pt")
    ours, theirs = Generator(silent), Generator(got.generator_config)  # pyright: ignore[reportArgumentType]
    ours.load_state_dict(tensors["G_ema"])
    theirs.load_state_dict(got.tensors["G_ema"])
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(theirs(z), ours(z))


def test_file_holds_its_tensors_and_not_what_they_are_views_of(tmp_path: Path) -> None:
    tensors = {"G_ema": tensors_of()["G_ema"]}
    large = torch.zeros(1 << 20)
    large[:6] = tensors["G_ema"]["mapping.w_avg"]
    tensors["G_ema"]["mapping.w_avg"] = large[:6]
    write_rosinality(tmp_path / "x.pt", G_CONFIG, None, tensors)
    assert (tmp_path / "x.pt").stat().st_size < 200_000


@pytest.mark.parametrize("multiplier", [1, 2])
def test_note_names_the_arguments_that_load_the_file(multiplier: int) -> None:
    channels = channels_per_block(4, 16384 * multiplier, 512)
    config = GeneratorConfig(img_height=64, img_width=64, channels=channels, mapping=MAPPING)
    state, notes = to_rosinality(config, None, {"G_ema": dict(Generator(config).state_dict())})
    assert notes == [f"load it with size 64, channel_multiplier {multiplier}"]
    assert len(state["g_ema"]) > 80


def test_note_names_the_feature_maps_its_code_would_not_make() -> None:
    _, notes = to_rosinality(G_CONFIG, D_CONFIG, tensors_of())
    assert "{4: 5, 8: 4, 16: 3}" in notes[0]


G_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "classes": ({"mapping": MAPPING.replace(c_dim=3)}, "mapping.c_dim is 3 where its code has 0"),
    "not_square": ({"img_width": 8}, "img_width is 8 where its code has 16"),
    "base_of_3_px": ({"img_height": 12, "img_width": 12}, "img_height is 12 where its code has 16"),
    "grey": ({"img_channels": 1}, "img_channels is 1 where its code has 3"),
    "resnet": ({"architecture": "resnet"}, "architecture is resnet where its code has skip"),
    "clamp": ({"conv_clamp": 256.0}, "conv_clamp is 256.0 where its code has None"),
    "activation": ({"activation": "swish"}, "activation is swish where its code has lrelu"),
    "taps": ({"resample_filter": (1.0, 2.0, 1.0)}, r"resample_filter is \(1.0, 2.0, 1.0\) where"),
    "z_unlike_w": ({"mapping": MAPPING.replace(z_dim=5)}, "mapping.z_dim is 5 where its code has 6"),
    "wide_layers": ({"mapping": MAPPING.replace(layer_features=9)}, "mapping.layer_features is 9"),
    "learning_rate": ({"mapping": MAPPING.replace(lr_multiplier=1.0)}, "mapping.lr_multiplier is 1.0"),
    "no_average": ({"mapping": MAPPING.replace(w_avg_beta=None)}, "mapping.w_avg_beta is None"),
}


@pytest.mark.parametrize("name", G_REFUSED)
def test_generator_beyond_its_code_is_refused(tmp_path: Path, name: str) -> None:
    changes, says = G_REFUSED[name]
    config = G_CONFIG.replace(**changes)
    tensors = {"G_ema": dict(Generator(config).state_dict())}
    with pytest.raises(CheckpointError, match=says) as caught:
        write_rosinality(tmp_path / "x.pt", config, None, tensors)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


D_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "skip": ({"architecture": "skip"}, "discriminator.architecture is skip where its code has resnet"),
    "group": ({"mbstd_group_size": 8}, "discriminator.mbstd_group_size is 8 where its code has 4"),
    "features": ({"mbstd_num_channels": 2}, "discriminator.mbstd_num_channels is 2 where its code has 1"),
    "classes": (
        {"mapping": MappingConfig(z_dim=0, c_dim=3, w_dim=5, w_avg_beta=None)},
        "discriminator.mapping is a mapping network where its code has None",
    ),
}


@pytest.mark.parametrize("name", D_REFUSED)
def test_discriminator_beyond_its_code_is_refused(tmp_path: Path, name: str) -> None:
    changes, says = D_REFUSED[name]
    with pytest.raises(CheckpointError, match=says):
        write_rosinality(tmp_path / "x.pt", G_CONFIG, D_CONFIG.replace(**changes), tensors_of())
    assert not list(tmp_path.iterdir())


def test_other_family_is_refused() -> None:
    config = StyleGan1Config(img_height=8, img_width=8, channels=(2, 2))
    with pytest.raises(CheckpointError, match="no StyleGAN2 generator"):
        to_rosinality(config, None, {"G_ema": {}})


def test_tensors_of_another_network_are_refused() -> None:
    tensors = tensors_of()
    del tensors["G_ema"]["synthesis.b8.conv0.weight"]
    with pytest.raises(CheckpointError, match=r"synthesis.b8.conv0.weight is missing"):
        to_rosinality(G_CONFIG, D_CONFIG, tensors)

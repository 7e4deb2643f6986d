"""Runs, checkpoint folders and public files through one door."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.checkpoints.run_folder import checkpoint_path
from stylegraft.errors import CheckpointError
from stylegraft.files import sha256_file
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Discriminator, Generator

OFFICIAL = Path(__file__).parents[1] / "reference" / "nvidia_pytorch" / "sg2ada_uncond_skip_r32.pkl"
SIZE: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (4, 4)}
G_CONFIG = GeneratorConfig(**SIZE, mapping=MappingConfig(z_dim=4, w_dim=4, num_layers=1))
D_CONFIG = DiscriminatorConfig(**SIZE)


def make_checkpoint(seed: int = 0, with_D: bool = True, with_G: bool = True, **info: Any) -> Checkpoint:
    torch.manual_seed(seed)
    networks = {f"G_ema.{name}": tensor for name, tensor in Generator(G_CONFIG).state_dict().items()}
    if with_D:
        networks |= {f"D.{name}": tensor for name, tensor in Discriminator(D_CONFIG).state_dict().items()}
    training = {}
    if with_G:
        training = {f"G.{name}": tensor for name, tensor in Generator(G_CONFIG).state_dict().items()}
        training |= {"optimizer_G.exp_avg.mapping.fc0.weight": torch.zeros(4, 4), "pl_mean": torch.zeros([])}
    return Checkpoint(G_CONFIG, D_CONFIG, networks, training, info=info)


def test_checkpoint_folder_gives_its_networks(tmp_path: Path) -> None:
    written = make_checkpoint(step=7, kimg=0.1)
    write_checkpoint(tmp_path / "one", written)
    opened = open_checkpoint(tmp_path / "one")
    assert (opened.generator, opened.discriminator) == (G_CONFIG, D_CONFIG)
    assert opened.tensors.keys() == {"G_ema", "D"}
    Generator(opened.generator).load_state_dict(opened.tensors["G_ema"])
    for network in ("G_ema", "D"):
        for name, tensor in opened.tensors[network].items():
            assert torch.equal(tensor, written.networks[f"{network}.{name}"])
    assert opened.info["format"] == "stylegraft"
    assert opened.info["path"] == str(tmp_path / "one")
    assert (opened.info["step"], opened.info["kimg"]) == (7, 0.1)


def test_with_training_adds_g_where_it_was_kept(tmp_path: Path) -> None:
    written = make_checkpoint()
    write_checkpoint(tmp_path / "all", written)
    write_checkpoint(tmp_path / "sampling", make_checkpoint(with_G=False))
    opened = open_checkpoint(tmp_path / "all", with_training=True)
    assert opened.tensors.keys() == {"G_ema", "G", "D"}  # neither optimisers nor the path-length mean
    assert torch.equal(opened.tensors["G"]["synthesis.b4.const"], written.training["G.synthesis.b4.const"])
    assert open_checkpoint(tmp_path / "sampling", with_training=True).tensors.keys() == {"G_ema", "D"}


def test_checkpoint_without_d_has_no_config_of_one(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", make_checkpoint(with_D=False))
    opened = open_checkpoint(tmp_path / "one")
    assert opened.discriminator is None
    assert "D" not in opened.tensors


def test_run_gives_its_best_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for num_images, distance in ((1000, 9.0), (2000, 5.0), (3000, 7.0)):
        checkpoint = make_checkpoint(seed=num_images, step=num_images // 4, distance=distance)
        write_checkpoint(checkpoint_path(run, num_images), checkpoint)
    (run / "config.json").write_text("{}")
    opened = open_checkpoint(run)
    assert opened.info["path"] == str(checkpoint_path(run, 2000))
    best = open_checkpoint(checkpoint_path(run, 2000))
    assert torch.equal(opened.tensors["G_ema"]["mapping.w_avg"], best.tensors["G_ema"]["mapping.w_avg"])
    assert opened.info["sha256"] == best.info["sha256"]


def test_run_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="expected a checkpoint, found none"):
        open_checkpoint(tmp_path / "run")


def test_sha256_is_that_of_what_it_samples_with(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "first", make_checkpoint(seed=1))
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    write_checkpoint(tmp_path / "light", make_checkpoint(seed=1, with_G=False, with_D=False, note="sampling"))
    write_checkpoint(tmp_path / "other", make_checkpoint(seed=2))
    sha = {
        name: open_checkpoint(tmp_path / name).info["sha256"] for name in ("first", "copy", "light", "other")
    }
    assert sha["first"] == sha["copy"] == sha["light"] != sha["other"]
    assert len(sha["first"]) == 64


def test_card_cannot_say_who_it_is(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one", make_checkpoint(sha256="0" * 64, path="elsewhere", format="official"))
    info = open_checkpoint(tmp_path / "one").info
    assert info["sha256"] != "0" * 64
    assert (info["path"], info["format"]) == (str(tmp_path / "one"), "stylegraft")


@pytest.mark.parametrize("with_training", [False, True])
def test_public_file_gives_networks_hash_and_report(with_training: bool) -> None:
    opened = open_checkpoint(OFFICIAL, with_training=with_training)
    assert opened.tensors.keys() == {"G_ema", "G", "D"}
    Generator(opened.generator).load_state_dict(opened.tensors["G_ema"])
    assert opened.discriminator is not None
    Discriminator(opened.discriminator).load_state_dict(opened.tensors["D"])
    assert opened.info["format"] == "nvidia-pytorch"
    assert opened.info["sha256"] == sha256_file(OFFICIAL)
    assert opened.info["load_report"]


@pytest.mark.parametrize("name", ["nowhere", "folder", "notes.pkl"])
def test_what_is_no_checkpoint_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.pkl").write_text("no weights\n")
    with pytest.raises(CheckpointError, match=name) as caught:
        open_checkpoint(tmp_path / name)
    assert "\n" not in str(caught.value)

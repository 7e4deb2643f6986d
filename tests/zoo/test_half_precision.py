from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stylegraft.checkpoints.native import Checkpoint, read_checkpoint, write_checkpoint
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import GeneratorConfig

CONFIG = GeneratorConfig(img_height=16, img_width=16, channels=(8, 8, 8))


def test_half_precision_is_stored_and_read_as_float32(tmp_path: Path) -> None:
    weight = torch.tensor([1.0, 1 / 3, -65504.0, 6e-8])
    write_checkpoint(tmp_path / "a", Checkpoint(CONFIG, None, {"G_ema.weight": weight.half()}))
    assert load_file(tmp_path / "a" / "networks.safetensors")["G_ema.weight"].dtype == torch.float16
    read = read_checkpoint(tmp_path / "a").networks["G_ema.weight"]
    assert read.dtype == torch.float32
    torch.testing.assert_close(read, weight.half().float(), rtol=0, atol=0)


def test_other_types_are_read_as_they_are(tmp_path: Path) -> None:
    training = {"optimizer_G.step": torch.tensor(3), "G.weight": torch.ones(2)}
    networks = {"G_ema.weight": torch.ones(2, dtype=torch.bfloat16)}
    write_checkpoint(tmp_path / "a", Checkpoint(CONFIG, None, networks, training))
    read = read_checkpoint(tmp_path / "a", with_training=True)
    assert read.training["optimizer_G.step"].dtype == torch.int64
    assert read.training["G.weight"].dtype == torch.float32
    assert read.networks["G_ema.weight"].dtype == torch.bfloat16


def test_hash_of_half_precision_is_that_of_the_float32_values(tmp_path: Path) -> None:
    weight = torch.randn(5, generator=torch.Generator().manual_seed(0)).half()
    write_checkpoint(tmp_path / "half", Checkpoint(CONFIG, None, {"G_ema.weight": weight}))
    write_checkpoint(tmp_path / "float", Checkpoint(CONFIG, None, {"G_ema.weight": weight.float()}))
    hashes = {open_checkpoint(tmp_path / name).info["sha256"] for name in ("half", "float")}
    assert len(hashes) == 1


def test_damaged_half_precision_is_refused(tmp_path: Path) -> None:
    weight = torch.ones(4, dtype=torch.float16)
    write_checkpoint(tmp_path / "a", Checkpoint(CONFIG, None, {"G_ema.weight": weight}))
    file = tmp_path / "a" / "networks.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match="SHA-256"):
        read_checkpoint(tmp_path / "a")

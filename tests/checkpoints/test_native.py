"""Our checkpoint folder: what is written comes back, and damage of any kind is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stylegraft.checkpoints import native, tensor_files
from stylegraft.checkpoints.native import (
    CARD_NAME,
    NETWORKS_NAME,
    TRAINING_NAME,
    Checkpoint,
    read_card,
    read_checkpoint,
    write_checkpoint,
)
from stylegraft.errors import CheckpointError, RunError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig


def checkpoint(value: float = 1.0, with_training: bool = True) -> Checkpoint:
    mapping = MappingConfig(z_dim=0, c_dim=2, w_dim=4, w_avg_beta=None)
    tensors = {
        "G.fp32": torch.randn(3, 4),
        "G.bf16": torch.randn(2, 3).to(torch.bfloat16),
        "G.scalar": torch.tensor(value),
        "optimizer_G.step.a": torch.tensor(7.0),
        "G.not contiguous": torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "G.odd values": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    }
    return Checkpoint(
        generator=GeneratorConfig(channels=(8, 4), conv_clamp=256.0),
        discriminator=DiscriminatorConfig(channels=(8, 4), mapping=mapping),
        networks={"G_ema.b4.const": torch.randn(2, 3), "D.out": torch.full([2], value)},
        training=tensors if with_training else {},
        info={"step": 3, "class_names": ["a", "ü"], "distance": 0.1 + 0.2},
        state={"best": None, "p": 1 / 3, "meters": {"sums": {}, "counts": {}}},
    )


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_checkpoint_comes_back_to_the_bit(tmp_path):
    written = checkpoint()
    write_checkpoint(tmp_path / "kimg-1", written)
    read = read_checkpoint(tmp_path / "kimg-1", with_training=True)
    for before, after in ((written.networks, read.networks), (written.training, read.training)):
        assert before.keys() == after.keys()
        for name, tensor in before.items():
            assert after[name].dtype == tensor.dtype
            assert after[name].shape == tensor.shape
            one, other = (t.contiguous().flatten().view(torch.uint8) for t in (tensor, after[name]))
            assert torch.equal(one, other), name
    assert (read.generator, read.discriminator) == (written.generator, written.discriminator)
    assert (read.info, read.state) == (written.info, written.state)
    assert names_in(tmp_path) == ["kimg-1"]


def test_training_tensors_are_read_only_when_asked_for(tmp_path):
    write_checkpoint(tmp_path / "a", checkpoint())
    (tmp_path / "a" / TRAINING_NAME).unlink()
    assert read_checkpoint(tmp_path / "a").training == {}


def test_checkpoint_for_sampling_cannot_be_resumed(tmp_path):
    write_checkpoint(tmp_path / "a", checkpoint(with_training=False))
    assert names_in(tmp_path / "a") == [CARD_NAME, NETWORKS_NAME]
    with pytest.raises(CheckpointError, match="kept for sampling only"):
        read_checkpoint(tmp_path / "a", with_training=True)


def test_checkpoint_without_discriminator_is_whole(tmp_path):
    written = checkpoint()
    written.discriminator = None
    write_checkpoint(tmp_path / "a", written)
    assert read_checkpoint(tmp_path / "a").discriminator is None


def change_card(folder: Path, **changes: object) -> None:
    path = folder / CARD_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 99}, "expected schema_version 1, got 99. Read it with the release"),
        ({"schema_version": None}, "expected schema_version 1, got None"),
        ({"kind": "another-program"}, "not a stylegraft checkpoint"),
        ({"sha256": None}, "not a stylegraft checkpoint"),
        ({"generator": None}, "damaged"),
        ({"info": {"step": 4}}, "damaged"),
    ],
)
def test_card_of_something_else_is_refused(tmp_path, changes, words):
    write_checkpoint(tmp_path / "a", checkpoint())
    change_card(tmp_path / "a", **changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_checkpoint(tmp_path / "a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "not json", "[1, 2]", "null", "[" * 100_000, '{"kind": ' * 50_000, "\x00" * 100, '{"a": 1e999}'],
)
def test_card_that_is_no_card_is_refused(tmp_path, text):
    write_checkpoint(tmp_path / "a", checkpoint())
    (tmp_path / "a" / CARD_NAME).write_text(text)
    with pytest.raises(CheckpointError, match=CARD_NAME):
        read_checkpoint(tmp_path / "a")


def test_card_with_bytes_that_are_no_text_is_refused(tmp_path):
    write_checkpoint(tmp_path / "a", checkpoint())
    (tmp_path / "a" / CARD_NAME).write_bytes(b"\xff\xfe\x80")
    with pytest.raises(CheckpointError, match=CARD_NAME):
        read_card(tmp_path / "a")


def test_huge_card_is_refused_unread(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "a", checkpoint())
    monkeypatch.setattr(native, "_MAX_CARD_BYTES", 100)
    with pytest.raises(CheckpointError, match="expected at most 100 bytes"):
        read_card(tmp_path / "a")


@pytest.mark.parametrize("name", [CARD_NAME, NETWORKS_NAME, TRAINING_NAME])
def test_missing_file_is_named(tmp_path, name):
    write_checkpoint(tmp_path / "a", checkpoint())
    (tmp_path / "a" / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(tmp_path / "a", with_training=True)


@pytest.mark.parametrize("name", [CARD_NAME, NETWORKS_NAME, TRAINING_NAME])
def test_truncated_file_is_noticed(tmp_path, name):
    write_checkpoint(tmp_path / "a", checkpoint())
    path = tmp_path / "a" / name
    for kept in (0, 5, path.stat().st_size // 2, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(CheckpointError, match=name):
            read_checkpoint(tmp_path / "a", with_training=True)


@pytest.mark.parametrize("name", [CARD_NAME, NETWORKS_NAME, TRAINING_NAME])
def test_flipped_byte_is_noticed_wherever_it_is(tmp_path, name):
    written = checkpoint()
    write_checkpoint(tmp_path / "a", written)
    path = tmp_path / "a" / name
    whole = path.read_bytes()
    for place in range(0, len(whole), max(len(whole) // 60, 1)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x01
        path.write_bytes(damaged)
        try:
            read = read_checkpoint(tmp_path / "a", with_training=True)
        except CheckpointError:
            continue
        # Between two tokens of the card a byte may become another blank, which changes nothing.
        assert name == CARD_NAME
        assert (read.info, read.state) == (written.info, written.state)


def test_full_disk_leaves_the_older_checkpoint_and_nothing_else(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "a", checkpoint(1.0))

    def full(tensors: object, path: Path, metadata: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", full)
    with pytest.raises(RunError, match=r"cannot write .*No space left.*Check free space"):
        write_checkpoint(tmp_path / "a", checkpoint(2.0))
    assert names_in(tmp_path) == ["a"]
    assert read_checkpoint(tmp_path / "a").networks["D.out"].tolist() == [1, 1]


def test_newer_checkpoint_of_the_same_name_replaces_the_older(tmp_path):
    for value in (1.0, 2.0):
        write_checkpoint(tmp_path / "a", checkpoint(value))
    assert names_in(tmp_path) == ["a"]
    assert read_checkpoint(tmp_path / "a").networks["D.out"].tolist() == [2, 2]


def test_checkpoint_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_checkpoint(tmp_path / "file" / "a", checkpoint())

"""Which checkpoints of a run there are, which is the best and the newest, and which may go."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylegraft.checkpoints.native import CARD_NAME, NETWORKS_NAME, Checkpoint, write_checkpoint
from stylegraft.checkpoints.run_folder import (
    best_checkpoint,
    checkpoint_path,
    is_run_folder,
    list_checkpoints,
    read_newest_good,
    remove_newer_than,
    remove_outdated,
)
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import GeneratorConfig


def add(run: Path, step: int, distance: float | None = None) -> Path:
    path = checkpoint_path(run, step * 8)
    info = {"step": step} | ({} if distance is None else {"distance": distance})
    tensors = {"G.a": torch.full([4], float(step))}
    write_checkpoint(path, Checkpoint(GeneratorConfig(channels=(4,)), None, tensors, tensors, info))
    return path


def steps(run: Path) -> list[int]:
    return [entry.step for entry in list_checkpoints(run)[0]]


@pytest.fixture
def run(tmp_path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


def test_run_folder_is_told_by_settings_and_checkpoints(run, tmp_path_factory):
    assert is_run_folder(run)
    assert not is_run_folder(run / "checkpoints")
    other = tmp_path_factory.mktemp("other")
    (other / "config.json").write_text("{}")
    assert not is_run_folder(other)


def test_names_sort_by_images(run):
    paths = [checkpoint_path(run, images) for images in (0, 8, 123_456, 9_999_999, 25_000_000)]
    assert paths == sorted(paths)
    assert paths[2].name == "kimg-000123.456"


def test_checkpoints_are_listed_oldest_first(run):
    for step in (30, 5, 200_000_000, 17):
        add(run, step)
    assert steps(run) == [5, 17, 30, 200_000_000]


def test_best_is_the_lowest_distance_and_the_older_of_two(run):
    add(run, 1, 9.0)
    best = add(run, 2, 3.0)
    add(run, 3, 3.0)
    add(run, 4)
    assert best_checkpoint(run) == best


def test_best_without_distances_is_the_newest(run):
    add(run, 1)
    newest = add(run, 2)
    assert best_checkpoint(run) == newest


def test_best_of_no_checkpoint_says_why(run):
    with pytest.raises(CheckpointError, match="found none that can be read"):
        best_checkpoint(run)
    (add(run, 1) / CARD_NAME).write_text("{")
    with pytest.raises(CheckpointError, match=r"none that can be read \(.*kimg-000000.008"):
        best_checkpoint(run)


def test_unreadable_checkpoints_are_reported_and_passed_over(run):
    good = add(run, 1)
    damaged = add(run, 2)
    (damaged / NETWORKS_NAME).write_bytes(b"x")
    (add(run, 3) / CARD_NAME).unlink()
    checkpoint, path, problems = read_newest_good(run)
    assert path == good
    assert checkpoint.training["G.a"].tolist() == [1] * 4
    assert len(problems) == 2
    assert "kimg-000000.024" in problems[0]
    assert str(damaged) in problems[1]
    for text in problems:
        assert "\n" not in text


def test_newest_good_of_nothing_good_says_why(run):
    with pytest.raises(CheckpointError, match=r"no checkpoint to resume from. Start"):
        read_newest_good(run)
    (add(run, 1) / NETWORKS_NAME).write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"no checkpoint to resume from: .*SHA-256"):
        read_newest_good(run)


def test_outdated_checkpoints_go_but_best_newest_and_damaged_stay(run):
    for step in range(1, 7):
        add(run, step)
    damaged = add(run, 0)
    (damaged / CARD_NAME).write_text("{")
    remove_outdated(run, num_newest=2, best_step=3)
    assert steps(run) == [3, 5, 6]
    assert damaged.is_dir()
    remove_outdated(run, num_newest=1, best_step=None)
    assert steps(run) == [6]
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names == ["kimg-000000.000", "kimg-000000.048"]


def test_going_back_removes_what_is_newer_or_unfinished(run):
    for step in (1, 2, 3):
        add(run, step)
    (add(run, 4) / CARD_NAME).unlink()
    (run / "checkpoints" / ".kimg-000000.040.tmp123").mkdir()
    (run / "checkpoints" / "notes.txt").write_text("mine")
    remove_newer_than(run, 2)
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names == ["kimg-000000.008", "kimg-000000.016", "notes.txt"]

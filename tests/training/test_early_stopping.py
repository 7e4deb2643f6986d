"""Runs that end before their budget: when, why, and what a resume makes of it."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from stylegraft.checkpoints.native import read_checkpoint
from stylegraft.checkpoints.run_folder import list_checkpoints, read_newest_good
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.training.config import TrainOptions
from stylegraft.training.early_stopping import reason_to_stop
from stylegraft.training.loop import Loop
from stylegraft.training.observers import JsonLog
from stylegraft.training.run import MeasuredEvaluator, resume_run, start_run
from stylegraft.training.state import new_state

# With a tick of 16 images the lowest distance is at 32 images, and the patience of 30 images ends at 64.
DISTANCES = [9.0, 5.0, 4.0, 4.5, 4.2, 4.1, 3.0]
EARLY = {"early_stop_kimg": 0.03, "total_kimg": 0.08, "eval_ticks": 1, "eval_fakes": 4}


@dataclass
class Value:
    value: float
    floor = None


@dataclass
class Share:
    share: float
    outside_band: bool
    sentence: str = "half of the fakes are copies"


class Looks:
    """Measures what it was told to, from the `first` distance on."""

    def __init__(self, first: int = 0, interrupt_at: int | None = None, copies_at: int | None = None) -> None:
        self.next, self.interrupt_at, self.copies_at = first, interrupt_at, copies_at

    def evaluate(self, sample_fakes: Any, num_fakes: int) -> Value:
        if self.next == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        self.next += 1
        return Value(DISTANCES[self.next - 1])

    def watch(self, sample_fakes: Any, num_fakes: int) -> Share:
        return Share(0.5, self.next - 1 == self.copies_at)


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def on_record(self, record: Any) -> None: ...
    def on_progress(self, done: float, kimg: float, seconds_left: float | None) -> None: ...
    def on_rewind(self, step: int) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def make_loop(make_config, make_context) -> Iterator[Callable[..., tuple[Loop, Notes]]]:
    logs = []

    def make(folder: Path, looks: Looks, resume: bool = False, **changes: Any) -> tuple[Loop, Notes]:
        plain = {"pl_weight": 0.0, "r1_gamma": 0.0, "augment": None}
        config = make_config(**plain | EARLY | changes)
        state = new_state(config, torch.device("cpu"))
        if resume:
            state.load_checkpoint(read_newest_good(folder)[0])
        folder.mkdir(exist_ok=True)
        notes = Notes()
        logs.append(JsonLog(folder / "log.jsonl", state.step or -1))
        observers = [logs[-1], notes]
        fakes = lambda state: lambda start, count: None  # noqa: E731
        loop = Loop(
            state, make_context(config), folder, looks.evaluate, fakes, None, observers, {}, looks.watch
        )
        return loop, notes

    yield make
    for log in logs:
        log.close()


def steps(run: Path) -> list[int]:
    return [entry.step for entry in list_checkpoints(run)[0]]


def distances(run: Path) -> list[tuple[int, float]]:
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(record["step"], record["distance"]) for record in records if "distance" in record]


def test_run_stops_when_nothing_improves_and_keeps_the_best(make_loop, tmp_path):
    run = tmp_path / "run"
    loop, notes = make_loop(run, Looks(), num_checkpoints=1)
    assert loop.run() == "stopped early"
    assert distances(run) == list(zip((0, 2, 4, 6, 8), DISTANCES))
    assert steps(run) == [4, 8]
    assert notes.notes == [
        "stopped at 0.1 kimg (--early-stop): the held-out distance has not improved for 0.03 kimg "
        "(best 4.00 at 0.0 kimg)",
        f"to go on all the same: stylegraft train --resume {run} with a new --kimg or --minutes",
    ]


def test_run_without_the_flag_goes_on(make_loop, tmp_path):
    loop, notes = make_loop(tmp_path / "run", Looks(copies_at=2), early_stop_kimg=None)
    assert loop.run() == "done"
    assert loop.state.step == 10
    assert notes.notes == []


def test_run_that_copies_stops_at_once(make_loop, tmp_path):
    loop, notes = make_loop(tmp_path / "run", Looks(copies_at=1))
    assert loop.run() == "stopped early"
    assert loop.state.step == 2
    assert "the generator begins to copy: half of the fakes are copies" in notes.notes[0]
    assert '"copier_share": 0.5' in (tmp_path / "run" / "log.jsonl").read_text()


def test_interrupted_run_stops_where_the_uninterrupted_one_did(make_loop, tmp_path):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert make_loop(whole, Looks())[0].run() == "stopped early"
    loop, _ = make_loop(parted, Looks(interrupt_at=3))
    assert (loop.run(), loop.state.step) == ("interrupted", 7)
    assert make_loop(parted, Looks(first=4), resume=True)[0].run() == "stopped early"
    assert distances(parted) == distances(whole)
    one, other = (read_newest_good(run)[0] for run in (whole, parted))
    assert one.state["stopped"] == other.state["stopped"]
    assert one.training.keys() == other.training.keys()
    for mine, its in ((one.networks, other.networks), (one.training, other.training)):
        assert all(torch.equal(mine[name], its[name]) for name in mine)


def test_end_of_the_budget_is_no_early_stop(make_loop, tmp_path):
    loop, notes = make_loop(tmp_path / "run", Looks(), total_kimg=0.064)
    assert loop.run() == "done"
    assert loop.state.stopped is None
    assert notes.notes == []


def test_patience_begins_when_networks_are_grown(make_config):
    config = make_config(early_stop_kimg=1.0)
    state = SimpleNamespace(config=config, kimg=2.5, best={"kimg": 1.0, "value": 3.0})
    assert reason_to_stop(state, None) == (
        "the held-out distance has not improved for 1 kimg (best 3.00 at 1.0 kimg)"
    )
    state.config = SimpleNamespace(early_stop_kimg=1.0, growing=SimpleNamespace(grown_nimg=2000))
    assert reason_to_stop(state, None) is None


@pytest.fixture(scope="module")
def enough_images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("enough")
    random = np.random.RandomState(0)
    for index in range(64):
        pixels = random.randint(0, 255, [8, 8], dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02}.png")
    return folder


OPTIONS: dict[str, Any] = {
    "kimg": 0.5,
    "batch": 8,
    "precision": "fp32",
    "channel_base": 32,
    "channel_max": 4,
    "z_dim": 8,
    "w_dim": 8,
    "mapping_layers": 1,
    "aug": "none",
    "eval_kimg": 0.128,
    "eval_fakes": 4,
    "early_stop": 0.1,
}


def test_stopped_run_stays_so_until_a_new_budget_is_given(enough_images, tmp_path, alone):
    values = iter([9.0, 4.0, 5.0, 6.0])
    console = Console(file=io.StringIO(), width=200)
    common: dict[str, Any] = {
        "make_evaluator": lambda images, split: MeasuredEvaluator(
            lambda sample, num: Value(next(values)), 1e-4, lambda sample, num: None
        ),
        "processes": alone,
        "console": console,
    }
    run = tmp_path / "run"
    again: dict[str, Any] = {"data_path": None, "minutes": None, **common}
    options = TrainOptions(**OPTIONS)
    assert start_run(enough_images, run, options, DataConfig(), source=None, **common) == "stopped early"
    assert steps(run)[-1] == 32
    assert resume_run(run, kimg=None, **again) == "stopped early"
    assert steps(run)[-1] == 32
    assert console.file.getvalue().count("stopped at 0.3 kimg (--early-stop)") == 2
    assert resume_run(run, kimg=0.264, **again) == "done"
    assert steps(run)[-1] == 33
    assert json.loads((run / "config.json").read_text())["early_stop_kimg"] is None
    assert read_checkpoint(list_checkpoints(run)[0][-1].path, with_training=True).state["stopped"] is None


@pytest.mark.parametrize(
    ("flags", "holdout", "message"),
    [
        ({}, 0.0, "expected held-out images to judge by, got none"),
        ({"eval_share": 0.0}, 0.1, "expected distances to judge by, got --eval-share 0"),
    ],
)
def test_nothing_to_judge_by_is_refused(enough_images, tmp_path, alone, flags, holdout, message):
    common: dict[str, Any] = {"source": None, "make_evaluator": None, "processes": alone}
    options, data = TrainOptions(**OPTIONS | flags), DataConfig(holdout=holdout)
    with pytest.raises(InputError, match=message):
        start_run(enough_images, tmp_path / "run", options, data, console=Console(quiet=True), **common)
    assert not (tmp_path / "run").exists()

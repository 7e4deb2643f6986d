"""The loop around the step: how it ends, what it keeps, and what it does when training diverges."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegraft.checkpoints.run_folder import best_checkpoint, list_checkpoints
from stylegraft.errors import DivergenceError
from stylegraft.runtime.threads import ThreadPolicy
from stylegraft.training import loop as loop_module
from stylegraft.training.loop import Loop
from stylegraft.training.observers import JsonLog
from stylegraft.training.state import new_state
from stylegraft.training.step import train_step


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.progress: list[tuple[float, float, float | None]] = []
        self.rewinds: list[int] = []

    def on_record(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def on_progress(self, done: float, kimg: float, seconds_left: float | None) -> None:
        self.progress.append((done, kimg, seconds_left))

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def on_rewind(self, step: int) -> None:
        self.rewinds.append(step)

    def close(self) -> None:
        pass


class Value:
    floor = None

    def __init__(self, value: float) -> None:
        self.value = value


@pytest.fixture
def make_loop(make_config, make_context, tmp_path) -> Callable[..., tuple[Loop, Watcher]]:
    """A loop of 8 steps of 8 images with a tick each 2; distances are taken from a list."""

    def make(distances: list[float] | None = None, **changes: Any) -> tuple[Loop, Watcher]:
        evals = {"eval_ticks": 2, "eval_fakes": 4} if distances else {}
        config = make_config(**evals | {"pl_weight": 0.0, "r1_gamma": 0.0, "augment": None} | changes)
        watcher = Watcher()
        values = iter(distances or [])
        evaluator = (lambda sample, num: Value(next(values))) if distances else None
        state = new_state(config, torch.device("cpu"))
        context = make_context(config)
        loop = Loop(
            state, context, tmp_path, evaluator, lambda state: lambda start, count: None, None, [watcher], {}
        )
        return loop, watcher

    return make


def steps(folder: Path) -> list[int]:
    return [entry.step for entry in list_checkpoints(folder)[0]]


def test_loop_ends_with_the_budget_of_images(make_loop, tmp_path):
    loop, watcher = make_loop([3.0, 1.0, 2.0], total_kimg=0.06)
    assert loop.run() == "done"
    assert loop.state.step == 8  # the first whole step at or beyond 60 images
    scalars = [record for record in watcher.records if "loss_D" in record]
    assert [record["step"] for record in scalars] == [2, 4, 6, 8]
    assert all(record["img_per_sec"] > 0 and record["kimg"] == record["step"] / 125 for record in scalars)
    measured = [(record["step"], record["distance"]) for record in watcher.records if "distance" in record]
    assert measured == [(0, 3.0), (4, 1.0), (8, 2.0)]
    assert loop.state.best == {"step": 4, "kimg": 0.032, "value": 1.0}
    assert best_checkpoint(tmp_path).name == "kimg-000000.032"
    assert len(watcher.progress) == 8
    assert watcher.progress[-1][0] < 1


def test_budget_that_the_first_distance_has_spent_buys_one_step(make_loop, tmp_path):
    """Else a run would end at 0 kimg without a mark that it is finished, and be resumed without end."""
    loop, watcher = make_loop([3.0, 2.0], total_kimg=None, total_minutes=1e-6)
    assert loop.run() == "done"
    assert loop.state.step == 1
    assert [record["step"] for record in watcher.records if "distance" in record] == [0, 1]
    assert list_checkpoints(tmp_path)[0][-1].info["train_sec"] > 60e-6


def test_loop_counts_steps_for_the_thread_policy_and_nothing_else(make_loop):
    class Policy(ThreadPolicy):
        def __init__(self) -> None:
            self.threads, self.calls = 2, ""

        def after_step(self, is_plain: bool = True) -> None:
            self.calls += "." if is_plain else ":"

        def restart(self) -> None:
            self.calls += "|"

    # R1 comes with step 0 of every 16, path length with each.
    loop, watcher = make_loop([3.0, 1.0, 2.0], r1_gamma=1.0, pl_weight=2.0, pl_interval=1)
    loop.threads = Policy()
    loop.run()
    assert loop.threads.calls == "|:...|....|"  # distances and checkpoints before, amid and after 8 steps
    assert [record["threads"] for record in watcher.records if "loss_D" in record] == [2.0] * 4


def test_best_checkpoint_outlives_the_newest(make_loop, tmp_path):
    loop, _ = make_loop([3.0, 1.0, 2.0, 4.0, 5.0], eval_ticks=1, num_checkpoints=1)
    loop.run()
    assert steps(tmp_path) == [2, 8]
    assert best_checkpoint(tmp_path).name == "kimg-000000.016"


def test_loop_ends_with_the_budget_of_minutes(make_loop, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: clock[0])

    def slow_step(state, context) -> None:
        train_step(state, context)
        clock[0] += 15.0

    monkeypatch.setattr(loop_module, "train_step", slow_step)
    loop, watcher = make_loop(total_kimg=None, total_minutes=1.0)
    assert loop.run() == "done"
    assert loop.state.step == 4
    assert loop.state.train_sec == 60
    # Told after each step: what was done before it. The first cannot say how long the rest takes.
    assert watcher.progress[:2] == [(0.0, 0.008, None), (0.25, 0.016, 45.0)]


def test_first_of_two_budgets_counts(make_loop):
    loop, _ = make_loop(total_kimg=0.032, total_minutes=60.0)
    loop.run()
    assert loop.state.step == 4


def test_loop_saves_every_few_minutes(make_loop, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: clock[0])

    def slow_step(state, context) -> None:
        train_step(state, context)
        clock[0] += 40.0

    monkeypatch.setattr(loop_module, "train_step", slow_step)
    loop, _ = make_loop(save_minutes=2.0, num_checkpoints=9)
    loop.run()
    assert steps(tmp_path) == [0, 4, 8]  # overdue after three steps, saved at the tick


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_signal_ends_the_run_after_the_step(make_loop, tmp_path, monkeypatch):
    def signalled_step(state, context) -> None:
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        train_step(state, context)

    monkeypatch.setattr(loop_module, "train_step", signalled_step)
    before = signal.getsignal(signal.SIGTERM)
    loop, _ = make_loop([3.0, 1.0])
    assert loop.run() == "interrupted"
    assert signal.getsignal(signal.SIGTERM) == before
    assert steps(tmp_path) == [0, 3]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_run_stopped_where_it_was_saved_keeps_its_distance(make_loop, tmp_path, monkeypatch):
    def signalled_step(state, context) -> None:
        if state.step == 3:  # step 4 is measured and saved, and then the run stops there
            os.kill(os.getpid(), signal.SIGTERM)
        train_step(state, context)

    monkeypatch.setattr(loop_module, "train_step", signalled_step)
    loop, _ = make_loop([3.0, 1.0], eval_ticks=2)
    assert loop.run() == "interrupted"
    assert list_checkpoints(tmp_path)[0][-1].info["distance"] == 1.0


def test_untrained_networks_are_never_the_best(make_loop, tmp_path):
    loop, _ = make_loop([0.5, 3.0, 2.0], num_checkpoints=9)
    loop.run()
    assert loop.state.best is not None
    assert loop.state.best["value"] == 2.0
    assert "distance" not in list_checkpoints(tmp_path)[0][0].info


def test_finished_run_is_not_measured_again(make_loop, tmp_path):
    loop, watcher = make_loop([5.0, 4.0, 3.0])
    loop.run()
    records = len(watcher.records)
    assert loop.run() == "done"  # the evaluator has no further value to give
    assert len(watcher.records) == records


def poison(monkeypatch, at: list[int]) -> None:
    """Makes training diverge, once at each of these steps."""

    def step(state, context) -> None:
        if at and state.step == at[0]:
            at.pop(0)
            with torch.no_grad():
                state.G.synthesis.blocks[0].const.fill_(float("nan"))
        train_step(state, context)

    monkeypatch.setattr(loop_module, "train_step", step)


def test_divergence_stops_at_the_last_good_checkpoint(make_loop, tmp_path, monkeypatch):
    poison(monkeypatch, [5])
    loop, _ = make_loop([3.0, 1.0])
    with pytest.raises(DivergenceError, match=r"gradient of loss_G is nan at step 5\. .*kimg-000000\.032"):
        loop.run()
    assert steps(tmp_path) == [0, 4]


def test_rollback_goes_on_once_at_half_the_rate(make_loop, tmp_path, monkeypatch):
    poison(monkeypatch, [7])
    loop, watcher = make_loop([3.0, 1.0, 2.0], on_divergence="rollback", total_kimg=0.096)
    log = JsonLog(tmp_path / "log.jsonl", -1)
    loop.observers = [watcher, log]
    rates = [loop.state.optimizer_G.param_groups[0]["lr"], loop.state.optimizer_D.param_groups[0]["lr"]]
    values = iter([3.0, 1.0, 2.0, 1.5])
    loop.evaluator = lambda sample, num: Value(next(values))
    assert loop.run() == "done"
    log.close()
    state = loop.state
    assert state.step == 12
    assert state.rolled_back
    assert state.optimizer_G.param_groups[0]["lr"] == rates[0] / 2
    assert state.optimizer_D.param_groups[0]["lr"] == rates[1] / 2
    assert watcher.rewinds == [4]
    assert len(watcher.notes) == 1
    assert "back to kimg-000000.032, once, at half the learning rate" in watcher.notes[0]
    assert all(torch.isfinite(p).all() for p in state.G.parameters())
    logged = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert logged == sorted(logged)
    scalars = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in scalars if "loss_D" in record] == [2, 4, 6, 8, 10, 12]


def test_second_divergence_ends_the_run(make_loop, monkeypatch):
    poison(monkeypatch, [3, 2])
    loop, watcher = make_loop([3.0, 1.0], on_divergence="rollback")
    with pytest.raises(DivergenceError, match=r"again after a rollback. The last good checkpoint is"):
        loop.run()
    assert len(watcher.notes) == 1


@pytest.mark.parametrize("share", [0.08, None])
def test_distances_beyond_their_share_of_the_time_are_left_out(make_loop, monkeypatch, share):
    clock = [100.0]
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: clock[0])
    loop, watcher = make_loop([1.0] * 300, total_kimg=1.6, eval_ticks=1, eval_share=share)

    def quick_step(state, context) -> None:
        state.step += 1
        state.num_images += 8
        clock[0] += 1.0

    def slow_distance(sample, num) -> Value:
        clock[0] += 6.0
        return Value(1.0)

    monkeypatch.setattr(loop_module, "train_step", quick_step)
    loop.evaluator = slow_distance
    loop.run()
    count = sum("distance" in record for record in watcher.records)
    if share is None:
        assert count == 101
    else:
        # 200 seconds of steps allow for 10 % of all seconds, and for one distance more at either end.
        assert 3 <= count <= 6
        assert loop.state.eval_sec == 6.0 * (count - 1)

"""The policy on a machine that is made up: its clock, what its counters say, how long a step takes."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
import torch

from stylegraft.runtime import threads as threads_module
from stylegraft.runtime.processes import Processes
from stylegraft.runtime.threads import (
    Counters,
    ThreadPolicy,
    read_counters,
    thread_policy,
    threads_kept,
)

ALONE = Processes(0, 1, torch.device("cpu"))


class Machine:
    """Neighbours want a core each. A thread of ours that is left without one waits, and all others for it.

    Args:
        cores: of the machine, and most threads of ours.
        loss: share of the time that they wait where one has no core.
        pushed: share of a core that is left to a neighbour there.
    """

    def __init__(self, cores: int, loss: float = 0.75, pushed: float = 1.0) -> None:
        self.cores, self.loss, self.pushed, self.scales = cores, loss, pushed, True
        self.neighbours = 0
        self.threads = cores
        self.now = self.waited = self.cpu = self.busy = 0.0
        self.steps = 0
        self.changes: list[tuple[int, int]] = []
        self.notes: list[str] = []
        self.tells = True
        self.policy = ThreadPolicy(
            cores, self.notes.append, self.read, self.set_threads, clock=lambda: self.now
        )

    def read(self) -> Counters | None:
        if not self.tells:
            return None
        return Counters(self.now, {"1": self.waited}, self.cpu, self.busy, self.cores)

    def set_threads(self, number: int) -> None:
        self.threads = number
        self.changes.append((self.steps, number))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            crowd = max(self.threads + self.neighbours - self.cores, 0)
            sec = 1 / (self.threads if self.scales else 1) / (1 - self.loss if crowd else 1)
            regularises = self.steps % 4 == 0
            sec *= 3 if regularises else 1  # which the policy must not take for a crowd, or its end
            waiting, pushed = (self.loss, self.pushed) if crowd else (0.0, 1.0)
            self.pass_time(sec, waiting, self.threads * (1 - waiting), self.neighbours * pushed)
            self.steps += 1
            self.policy.after_step(is_plain=not regularises)

    def pass_time(self, sec: float, waiting: float, ours: float, others: float) -> None:
        self.now += sec
        self.waited += waiting * sec
        self.cpu += ours * sec
        self.busy += min(ours + others, self.cores) * sec


def test_quiet_machine_is_left_alone():
    machine = Machine(2)
    machine.train(500)
    assert machine.changes == []
    assert machine.notes == []


def test_fewer_threads_beside_a_neighbour_and_all_when_it_has_gone():
    machine = Machine(2)
    machine.train(20)
    machine.neighbours = 1
    machine.train(20)
    assert machine.threads == 1
    assert len(machine.changes) == 1
    machine.train(300)
    assert len(machine.changes) == 1  # nothing says that there is room
    machine.neighbours = 0
    machine.train(10)
    assert machine.threads == 2
    machine.train(300)
    assert len(machine.changes) == 2


def test_neighbour_from_the_start_is_noticed():
    machine = Machine(2)
    machine.neighbours = 1
    machine.train(10)
    assert machine.threads == 1


def test_first_trial_is_told_once():
    machine = Machine(2)
    for neighbours in (1, 0, 1, 0):
        machine.neighbours = neighbours
        machine.train(40)
    assert len(machine.changes) == 4
    assert len(machine.notes) == 1
    assert "--threads 2" in machine.notes[0]


@pytest.mark.parametrize(("neighbours", "pushed"), [(1, 1.0), (3, 1.0), (5, 1.0), (1, 0.4), (3, 0.4)])
def test_many_cores_are_left_to_as_many_neighbours_and_taken_back(neighbours, pushed):
    machine = Machine(8, pushed=pushed)  # below 1 there seem to be fewer neighbours than there are
    machine.neighbours = neighbours
    machine.train(200)
    assert machine.threads == 8 - neighbours
    machine.neighbours = 0
    machine.train(60)
    assert machine.threads == 8


def test_what_is_not_faster_is_taken_back_and_tried_more_and_more_rarely():
    machine = Machine(2, loss=0.3)  # two threads at 0.7 of their speed are more than one
    machine.neighbours = 1
    machine.train(2000)
    down = [step for step, number in machine.changes if number == 1]
    assert machine.changes[0][1] == 1
    assert machine.threads == 2
    pauses = [later - earlier for earlier, later in itertools.pairwise(down)]
    assert len(pauses) >= 3
    assert all(later > 1.6 * earlier for earlier, later in itertools.pairwise(pauses))
    alone = sum(then - since for (since, _), (then, _) in zip(machine.changes[::2], machine.changes[1::2]))
    assert alone < 0.03 * machine.steps  # few steps were given to trials


def test_room_that_does_not_help_is_taken_rarely():
    machine = Machine(2)
    machine.neighbours = 1
    machine.train(20)
    machine.neighbours, machine.scales = 0, False  # as with networks of a few feature maps
    before = len(machine.changes)
    machine.train(2000)
    assert machine.threads == 1
    trials = (len(machine.changes) - before) / 2
    assert 2 <= trials <= 8


def test_time_between_steps_is_not_taken_for_training():
    machine = Machine(2)
    for _ in range(100):
        machine.train(3)
        machine.pass_time(60, waiting=2.0, ours=2.0, others=0.0)  # a distance, with threads of its own
        machine.policy.restart()
    assert machine.changes == []


def test_steps_of_a_moment_are_judged_together():
    machine = Machine(2)
    machine.neighbours = 1
    for _ in range(300):
        machine.pass_time(0.001, waiting=0.9, ours=1.1, others=0.9)
        machine.policy.after_step()
    assert machine.changes == []  # 0.3 s: too short a crowd


@pytest.mark.parametrize("sec", [1.0, 30.0])
def test_long_steps_need_no_second_look(sec):
    machine = Machine(2)
    steps = 0
    while not machine.changes:
        machine.pass_time(sec, waiting=0.9, ours=1.1, others=0.9)
        machine.policy.after_step(is_plain=steps > 0)
        steps += 1
    assert steps == (6 if sec == 1 else 2)  # the first was not plain


def test_system_that_stops_telling_changes_nothing():
    machine = Machine(2)
    machine.neighbours, machine.tells = 1, False
    machine.train(50)
    assert machine.changes == []
    machine.tells = True
    machine.train(20)
    assert machine.threads == 1


@pytest.fixture
def many_threads(monkeypatch):
    """A process that has two threads, chosen by nobody, on a system that counts."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads_module.torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(threads_module, "read_counters", lambda: Counters(0.0, {}, 0.0, 0.0, 2))


def test_policy_begins_with_the_threads_there_are(many_threads):
    policy = thread_policy(None, ALONE, print)
    assert policy is not None
    assert (policy.threads, policy.most) == (2, 2)


def test_chosen_number_stays(many_threads, monkeypatch):
    assert thread_policy(2, ALONE, print) is None
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert thread_policy(None, ALONE, print) is None


def test_several_processes_gpus_and_single_threads_have_no_policy(many_threads, monkeypatch):
    assert thread_policy(None, Processes(0, 2, torch.device("cpu")), print) is None
    assert thread_policy(None, Processes(0, 1, torch.device("cuda")), print) is None
    monkeypatch.setattr(threads_module.torch, "get_num_threads", lambda: 1)
    assert thread_policy(None, ALONE, print) is None


def test_system_without_counters_has_no_policy(many_threads, monkeypatch):
    monkeypatch.setattr(threads_module, "read_counters", lambda: None)
    assert thread_policy(None, ALONE, print) is None


def test_number_is_kept_for_a_block_and_given_back():
    before = torch.get_num_threads()
    with threads_kept(before + 1):
        assert torch.get_num_threads() == before + 1
        torch.set_num_threads(before + 2)
    assert torch.get_num_threads() == before
    with threads_kept(None):
        assert torch.get_num_threads() == before


def test_other_systems_do_not_tell(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert read_counters() is None


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="kernel without schedstat")
def test_counters_of_this_system_count_work():
    start = read_counters()
    assert start is not None
    while (end := read_counters()) is not None and end.cpu_sec - start.cpu_sec < 0.1:
        pass
    assert end is not None
    assert end.clock_sec - start.clock_sec >= 0.05
    assert end.busy_sec - start.busy_sec >= 0.05  # counted in ticks of a hundredth
    assert end.cores == len(os.sched_getaffinity(0))
    assert all(sec >= 0 for sec in end.waited_sec.values())


def test_busy_seconds_are_those_of_the_named_cores():
    text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 20 30 400 500 1 2 3 9 0\ncpu1 7 0 0 1 1 0 0 0 0 0\nintr 5 0\n"
    assert threads_module._busy_sec(text, {0}, 100) == pytest.approx(1.56)
    assert threads_module._busy_sec(text, {0, 1}, 100) == pytest.approx(1.63)


def test_waiting_is_counted_by_thread_and_must_be_counted(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "schedstat").write_text("1000 2500000000 3\n")
    assert threads_module._waited_sec(tmp_path) == {"7": 2.5}
    (tmp_path / "8").mkdir()  # there, but without counters
    with pytest.raises(FileNotFoundError):
        threads_module._waited_sec(tmp_path)

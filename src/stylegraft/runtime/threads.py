"""How many threads compute: a fixed number, or fewer while other processes keep cores busy.

Threads share out every operation and wait for each other at its end (inside oneDNN's gradients of weights, by
spinning). Where another process runs on the core of one of them, all wait out its time slices, at each such
meeting; fewer threads, which the scheduler puts on the free cores, then do more. By how much depends on the
networks and on the neighbour, so it is tried, and the faster number kept.

Sums are split by the number of threads, so another number gives other last bits. Hence there is no trial
without evidence that cores are taken; the user is told of the first; and a number that was asked for stays.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from stylegraft.runtime.processes import Processes

_WINDOW_SEC, _WINDOW_STEPS = 2.0, 3  # two such in a row catch no crowd that soon goes, as a shell command
_LONG_SEC = 8.0  # one step is enough that takes as long: a crowd can make it a minute
_CROWDED = 0.15  # threads waiting for a core, on average; below, there is too little to win
_ROOM = 0.75  # of a core that nobody uses
_FASTER = 0.95  # of a step's time before; else what there was stays
_REST_WINDOWS = 8  # after a trial in vain, which would otherwise be repeated for ever...
_REST_WINDOWS_MAX = 256  # ...and twice as many after the next one, up to here


@dataclass(frozen=True)
class Counters:
    """What the system has counted so far, in seconds.

    Attributes:
        clock_sec: any steady clock.
        waited_sec: by thread of this process, how long it was ready to run but had no core.
        cpu_sec: processor time of this process.
        busy_sec: processor time of everybody, on the cores that this process may use.
        cores: how many those are.
    """

    clock_sec: float
    waited_sec: dict[str, float]
    cpu_sec: float
    busy_sec: float
    cores: int


@dataclass(frozen=True)
class _Window:
    """Some steps in a row: seconds of all and of a plain one, threads that waited, cores that others used."""

    sec: float
    step_sec: float
    waiting: float
    others: float
    cores: int


@dataclass(frozen=True)
class _Trial:
    """Threads before it and a step's seconds with them; how many fewer are tried (below 0: more)."""

    threads: int
    step_sec: float
    fewer: int


def read_counters() -> Counters | None:
    """Returns the counters of Linux's /proc, or None where there are none."""
    if sys.platform != "linux":
        return None
    try:
        usable = os.sched_getaffinity(0)
        return Counters(
            clock_sec=time.perf_counter(),
            waited_sec=_waited_sec(Path("/proc/self/task")),
            cpu_sec=time.process_time(),
            busy_sec=_busy_sec(Path("/proc/stat").read_text(), usable, os.sysconf("SC_CLK_TCK")),
            cores=len(usable),
        )
    except (OSError, ValueError, IndexError):  # kernels can be built without, and containers can hide it
        return None


class ThreadPolicy:
    """Tries fewer threads where this process's wait for cores, more where cores are unused; keeps the faster.

    Attributes:
        most: threads of a machine without neighbours.
        threads: threads now.
    """

    def __init__(
        self,
        most: int,
        note: Callable[[str], None],
        read: Callable[[], Counters | None] = read_counters,
        set_threads: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begins with the threads there are.

        Args:
            most: how many.
            note: tells the user a sentence, at the first trial.
            read: what the system has counted, or None.
            set_threads: changes the number.
            clock: in seconds; read after each step, where counters would cost too much.
        """
        self.most = self.threads = most
        self._note, self._read, self._set_threads, self._clock = note, read, set_threads, clock
        self._trial: _Trial | None = None
        self._was_crowded = False
        self._rest = 0
        self._next_rest = _REST_WINDOWS
        self._told = False
        self.restart()

    def restart(self) -> None:
        """Forgets steps not judged yet: something other than training came after them."""
        self._num_steps = 0
        self._step_sec: list[float] = []
        self._from = self._read()
        self._first_clock = self._last_clock = self._clock()

    def after_step(self, is_plain: bool = True) -> None:
        """Counts a step; where enough have passed, may change the number of threads for the next.

        Args:
            is_plain: it was like most; what takes longer, as with a regulariser that comes every few steps,
                is not compared.
        """
        clock = self._clock()
        self._num_steps += 1
        if is_plain:
            self._step_sec.append(clock - self._last_clock)
        self._last_clock = clock
        seconds = clock - self._first_clock
        is_enough = seconds >= _WINDOW_SEC and self._num_steps >= _WINDOW_STEPS
        if not self._step_sec or not (is_enough or seconds >= _LONG_SEC):
            return
        window = self._window()
        if window is not None:
            if self._trial is None:
                self._consider(window)
            else:
                self._judge(window, self._trial)
        self.restart()

    def _window(self) -> _Window | None:
        start, end = self._from, self._read()
        if start is None or end is None:
            return None
        sec = end.clock_sec - start.clock_sec
        waited = sum(sec - start.waited_sec.get(thread, 0.0) for thread, sec in end.waited_sec.items())
        others = max((end.busy_sec - start.busy_sec) - (end.cpu_sec - start.cpu_sec), 0.0)
        return _Window(sec, statistics.median(self._step_sec), waited / sec, others / sec, end.cores)

    def _consider(self, window: _Window) -> None:
        # Where all wait for the one that waits, n threads lose the share w of their time; n - 1 threads lose
        # 1 / n of theirs, or half of that where operations are too small to keep n busy.
        crowded = window.waiting >= max(_CROWDED, 0.5 / self.threads)
        lasts = crowded and (self._was_crowded or window.sec >= _LONG_SEC)
        self._was_crowded = crowded
        room = math.floor(window.cores - window.others - self.threads + 1 - _ROOM)
        if self._rest > 0:
            self._rest -= 1
        elif lasts and self.threads > 1:
            fewer = max(round(max(window.waiting, window.others)), 1)
            self._try(_Trial(self.threads, window.step_sec, fewer))
        elif not crowded and room > 0 and self.threads < self.most:
            self._try(_Trial(self.threads, window.step_sec, -room))

    def _try(self, trial: _Trial) -> None:
        if not self._told:
            self._told = True
            self._note(
                f"other processes keep cores busy: computing with fewer than {self.most} threads where that "
                "is faster. From here on this run is not repeatable bit for bit; it would be with "
                f"--threads {self.most}"
            )
        self._trial = trial
        self._change(min(max(trial.threads - trial.fewer, 1), self.most))

    def _judge(self, window: _Window, trial: _Trial) -> None:
        self._trial = None
        if window.step_sec < _FASTER * trial.step_sec:
            self._next_rest = _REST_WINDOWS
        elif trial.fewer > 0 and self.threads > 1:
            # Of several neighbours each holds up all, so that to avoid some of them does not help yet.
            self._try(_Trial(trial.threads, trial.step_sec, 2 * trial.fewer))
        else:
            self._change(trial.threads)
            self._rest = self._next_rest
            self._next_rest = min(2 * self._next_rest, _REST_WINDOWS_MAX)

    def _change(self, threads: int) -> None:
        self.threads = threads
        self._set_threads(threads)


def thread_policy(
    number: int | None, processes: Processes, note: Callable[[str], None]
) -> ThreadPolicy | None:
    """Returns what adapts the threads, or None where their number stays.

    It stays where somebody chose it (`number`, or OMP_NUM_THREADS); with one thread; on a GPU; among several
    processes, whose steps wait for each other; and where the system does not count what threads wait for.

    Args:
        number: of threads, chosen by the user; None: not chosen.
        processes: this process among all.
        note: tells the user a sentence.
    """
    chosen = number is not None or "OMP_NUM_THREADS" in os.environ
    alone_on_cpu = processes.size == 1 and processes.device.type == "cpu"
    if chosen or not alone_on_cpu or torch.get_num_threads() == 1 or read_counters() is None:
        return None
    return ThreadPolicy(torch.get_num_threads(), note)


@contextmanager
def threads_kept(number: int | None) -> Iterator[None]:
    """Computes with `number` threads while the block runs (None: as many as there are), then as before."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _waited_sec(folder: Path) -> dict[str, float]:
    """Seconds that each thread was ready but had no core: the second number of its schedstat, in ns."""
    waited = {}
    for thread in folder.iterdir():
        try:
            waited[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            if thread.exists():
                raise  # the kernel does not count; otherwise the thread has just ended
    return waited


def _busy_sec(text: str, cores: set[int], ticks_per_sec: int) -> float:
    """Seconds in which these cores were not idle, from /proc/stat."""
    ticks = 0
    for line in text.splitlines():
        name, *values = line.split()
        if name.startswith("cpu") and name != "cpu" and int(name[3:]) in cores:
            # user nice system idle iowait irq softirq steal; guests are part of user.
            user, nice, system, _, _, irq, softirq, steal = map(int, values[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / ticks_per_sec

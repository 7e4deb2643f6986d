"""Who runs the cells of a study: processes on this machine, or Ray."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from stylegraft.errors import InputError, RunError
from stylegraft.transfer.study.cell import CellJob, run_cell

if TYPE_CHECKING:
    from stylegraft.transfer.launch import Outcome

EngineName = Literal["local", "ray"]


class Engine(Protocol):
    """Runs a number of cells at a time.

    Attributes:
        slots: how many.
        threads: of each.
    """

    slots: int
    threads: int

    def submit(self, job: CellJob) -> Future[Outcome]:
        """Begins with a cell."""
        ...

    def stop(self) -> None:
        """Asks all running cells to save and stop; their futures end when they have."""
        ...

    def close(self) -> None:
        """Gives back what the engine took."""
        ...


def make_engine(name: EngineName, jobs: int | None, threads: int | None) -> Engine:
    """Returns an engine; `require_engine` says beforehand whether that will work.

    Args:
        name: "local" or "ray".
        jobs: cells at a time; None: one, with Ray one on each machine.
        threads: of each cell; None: its share of what a training alone would take.

    Raises:
        RunError: Ray does not start.
    """
    return _LocalEngine(jobs or 1, threads) if name == "local" else _RayEngine(jobs, threads)


def require_engine(name: EngineName) -> None:
    """Checks for the optional package.

    Raises:
        InputError: it is not installed.
    """
    if name == "ray":
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise InputError(
                "--engine ray needs a package that is not installed: pip install 'stylegraft[ray]'"
            ) from error


class _LocalEngine:
    """A thread a cell, which waits for its process."""

    def __init__(self, jobs: int, threads: int | None) -> None:
        self.slots = jobs
        self.threads = threads or max(1, torch.get_num_threads() // jobs)
        self._stop = threading.Event()

    def submit(self, job: CellJob) -> Future[Outcome]:
        future: Future[Outcome] = Future()

        def work() -> None:
            try:
                future.set_result(run_cell(job, self._stop))
            except BaseException as error:  # whatever it is, it is the cell's
                future.set_exception(error)

        # A daemon: on a second Ctrl-C nobody waits for it, and its process saves by itself (see `tether`).
        threading.Thread(target=work, daemon=True).start()
        return future

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        pass


class _RayEngine:
    """A task a cell, on a cluster (RAY_ADDRESS) or else on this machine.

    All machines see the image sets, the sources and the study's folder under the same paths, and have
    stylegraft installed. A task whose machine is lost is begun again elsewhere by Ray, and goes on from
    the last checkpoint.
    """

    def __init__(self, jobs: int | None, threads: int | None) -> None:
        import ray

        self._ray: Any = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # 30 are too few on a busy machine
            here: dict[str, Any] = {"num_cpus": torch.get_num_threads(), "include_dashboard": False}
            try:
                ray.init(log_to_driver=False, **({} if os.environ.get("RAY_ADDRESS") else here))
            except Exception as error:  # of many kinds, some of them just Exception
                raise RunError(
                    f"--engine ray: Ray did not start: {' '.join(str(error).split())} Start it by hand (`ray "
                    "start --head`), or check RAY_ADDRESS."
                ) from error
        nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        nodes = [cores for cores in nodes if cores] or [1]
        self.slots = jobs or len(nodes)
        share = sum(nodes) / self.slots
        self.threads = threads or max(1, min(int(share), *nodes))
        # What Ray sets aside for a task: that many cells fit beside each other, and each on one machine.
        cpus = min(self.threads, *nodes, int(share) if share >= 1 else share)
        self._remote: Any = ray.remote(num_cpus=cpus)(run_cell)
        self._tasks: list[Any] = []

    def submit(self, job: CellJob) -> Future[Outcome]:
        task = self._remote.remote(job)
        self._tasks.append(task)
        return task.future()

    def stop(self) -> None:
        for task in self._tasks:
            self._ray.cancel(task)

    def close(self) -> None:
        if self._is_ours:
            self._ray.shutdown()

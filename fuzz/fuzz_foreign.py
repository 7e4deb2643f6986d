"""Fuzzes the readers of foreign checkpoints, guided by coverage; README.md beside this file says how.

An input is the bytes of a whole file. It passes when it is read, or refused with one line; it fails when
anything else is raised, when the interpreter imports, compiles, executes or writes anything, or when it takes
too long. Memory is limited by the fuzzer (`-rss_limit_mb`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris
from hostile.watch import watched
from object_mutator import ObjectMutator
from pickle_mutator import Mutator
from seeds import MAX_SEED_BYTES, build_seeds, templates

import stylegraft
from stylegraft.errors import StylegraftError

_MAX_SECONDS = 5.0  # of processor time, instrumented
_MAX_MESSAGE_CHARS = 2000
_IN_MEMORY = Path("/dev/shm")


class Target:
    """Reads inputs as files of that content, through the public door.

    Args:
        path: where each input is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, data: bytes) -> None:
        """Fails on anything but a file that is read or refused."""
        self._path.write_bytes(data)
        begin = time.process_time()
        with watched() as seen:
            self._read()
        seconds = time.process_time() - begin
        if seen:
            raise AssertionError(f"the file made the interpreter do something: {seen[:3]}")
        if seconds > _MAX_SECONDS:
            raise AssertionError(f"the file took {seconds:.1f} seconds")

    def _read(self) -> None:
        try:
            stylegraft.load(self._path, device="cpu")
        except StylegraftError as error:
            message = str(error)
            if len(message) > _MAX_MESSAGE_CHARS or not message.isprintable():
                raise AssertionError(f"not one short line: {message[:_MAX_MESSAGE_CHARS]!r}") from error


def main() -> None:
    """Runs until the fuzzer's own limits, given as its flags, end it."""
    import stylegraft.networks.protocol  # before, so that networks do not guide the fuzzer

    with atheris.instrument_imports(include=["stylegraft.checkpoints.foreign"]):
        import stylegraft.checkpoints.foreign.reader  # with all formats
    seeds = build_seeds()
    objects = ObjectMutator(list(templates().values()))
    # Atheris exchanges its `Mutate` when it starts, hence the lambda.
    mutator = Mutator(list(seeds.values()), lambda data, size: atheris.Mutate(data, size), objects.make)
    with TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "x.pkl"
        for data in seeds.values():  # what is imported late is imported before anybody watches
            path.write_bytes(data)
            with contextlib.suppress(StylegraftError):
                stylegraft.load(path, device="cpu")
        atheris.Setup(
            [*sys.argv, f"-max_len={MAX_SEED_BYTES}"],
            Target(path),
            custom_mutator=mutator.mutate,
            custom_crossover=mutator.cross,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()

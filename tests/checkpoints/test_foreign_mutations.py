"""Files of every format with random changes are read or refused; fuzz/ does the same for hours."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest
from hostile.watch import nothing_runs
from object_mutator import ObjectMutator
from pickle_mutator import Mutator, tokens_of
from seeds import build_seeds, templates

import stylegraft
from stylegraft.errors import CheckpointError

NUM_FILES = 150


def _flip(data: bytes, max_size: int) -> bytes:
    """Stands for the fuzzer's own mutation of bytes."""
    dice = random.Random(len(data))
    changed = bytearray(data[:max_size] or b"x")
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _is_read(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    message = ""
    try:
        with nothing_runs():
            stylegraft.load(path, device="cpu")
    except CheckpointError as error:
        message = str(error)
    assert message.isprintable()  # one line, without terminal commands
    return not message


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """And the seeds are right: torch imports much of itself when it first makes a network without memory."""
    path = tmp_path_factory.mktemp("seeds") / "x.pkl"
    for root, write in templates().values():
        path.write_bytes(write(root))
        stylegraft.load(path, device="cpu")


def test_files_of_changed_opcodes_are_read_or_refused(tmp_path: Path) -> None:
    seeds = list(build_seeds().values())
    mutator = Mutator(seeds, _flip, lambda dice: dice.choice(seeds))
    dice = random.Random(0)
    for number in range(NUM_FILES):
        data = mutator.mutate(dice.choice(seeds), 1 << 16, number)
        _is_read(tmp_path / "x.pkl", data)


def test_files_of_changed_contents_are_read_or_refused(tmp_path: Path) -> None:
    objects = ObjectMutator(list(templates().values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy, on the numbers that the mutator casts
        files = [objects.make(random.Random(number)) for number in range(NUM_FILES)]
    num_read = sum(_is_read(tmp_path / "x.pkl", data) for data in files)
    assert 0 < num_read < NUM_FILES  # or the changes would be too small, or too large, to try anything


def test_tokens_are_the_whole_file() -> None:
    for data in build_seeds().values():
        assert b"".join(tokens_of(data)) == data

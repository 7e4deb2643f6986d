"""Hostile and damaged files are refused quickly, with one line, without running anything from them."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_writer import Persistent, official, pickled, random_networks, write_official
from hostile.bounds import BOUNDS
from hostile.case import Hostile
from hostile.corpus import FILES
from hostile.opcodes import CANARY, CODE, MARK, PROTO4, STOP, doubled_lists, pickle4, text
from hostile.watch import nothing_runs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.checkpoints.foreign.limits import Limits
from stylegraft.checkpoints.foreign.rosinality_layout import (
    generator_filters,
    generator_rows,
    stock_generator,
)
from stylegraft.errors import CheckpointError, UnsafeFileError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Generator

# Processor time; most take a millisecond, those that run into the limit on opcodes a second on a slow core.
MAX_SECONDS = 2.0
MAX_EXTRA_BYTES = 64 << 20
# What is read under a trace of memory. Storages read again and again take time, which the trace multiplies.
COSTLY = {
    name: FILES[name]
    for name in (*BOUNDS, "zip_bomb", "zip_storage_of_2_60", "tensorflow_setting_of_long_texts")
    if name != "storage_read_again_and_again"
}


@cache
def small_file() -> bytes:
    """A whole official file of about 40 kB."""
    size: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (2, 2)}
    networks = random_networks(
        GeneratorConfig(**size, mapping=MappingConfig(z_dim=2, w_dim=2, num_layers=1)),
        DiscriminatorConfig(**size),
    )
    root = {name: official(module) for name, module in networks.items()}
    return pickled({"training_set_kwargs": {"path": "x"}, **root, "augment_pipe": None})


@pytest.fixture(scope="module", autouse=True)
def readers_are_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Otherwise importing them would count as the doing of the first file that is read.
    read_foreign(_written(tmp_path_factory.mktemp("first"), small_file()))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(CANARY).exists()


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "x.pkl"
    path.write_bytes(data)
    return path


def test_watch_notices_what_runs_and_what_is_written(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exec"), nothing_runs():
        exec("1")
    with pytest.raises(AssertionError, match="open"), nothing_runs():
        (tmp_path / "new").write_bytes(b"")
    with pytest.raises(AssertionError, match="find_class"), nothing_runs():
        pickle.loads(FILES["reduce_os_system"].make())
    # Had it not run, there would be no canary, and the tests below would prove nothing.
    (tmp_path / CANARY).unlink()


def test_corpus_does_nothing_in_an_interpreter_of_its_own(tmp_path: Path) -> None:
    """A fresh process has not imported yet what other tests did, so that late imports show as well."""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, str(Path(here) / "hostile" / "read_all.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": here},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(FILES)} refused\n"


@pytest.mark.parametrize("hostile", FILES.values(), ids=FILES)
def test_hostile_file_is_refused(tmp_path: Path, hostile: Hostile) -> None:
    path = _written(tmp_path, hostile.make())
    begin = time.process_time()
    with nothing_runs(), pytest.raises(CheckpointError) as caught:
        read_foreign(path)
    assert time.process_time() - begin < MAX_SECONDS
    message = str(caught.value)
    assert type(caught.value) is hostile.error, message
    assert hostile.says in message
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 1000


@pytest.mark.parametrize("hostile", COSTLY.values(), ids=COSTLY)
def test_hostile_file_takes_little_memory(tmp_path: Path, hostile: Hostile) -> None:
    path = _written(tmp_path, hostile.make())
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError):
            read_foreign(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * path.stat().st_size + MAX_EXTRA_BYTES


def test_embedded_source_is_never_executed(tmp_path: Path) -> None:
    size: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (2, 2)}
    networks = random_networks(GeneratorConfig(**size), DiscriminatorConfig(**size))
    root = {name: official(module) for name, module in networks.items()}

    def poison(module: Persistent) -> None:
        module.source = CODE
        for child in module.state["_modules"].values():
            poison(child)

    for module in root.values():
        poison(module)
    path = write_official(tmp_path / "x.pkl", root)
    assert CODE.encode() in path.read_bytes()
    with nothing_runs():
        checkpoint = read_foreign(path)
    assert checkpoint.generator_config.channels == (2, 2)


def test_settings_that_repeat_themselves_end(tmp_path: Path) -> None:
    body = small_file()[2:-1]  # without its PROTO and STOP
    # The pickled memo indices are free to be used again: nothing after this refers to them.
    data = PROTO4 + body + MARK + text("laughs") + doubled_lists(60) + b"u" + STOP
    with pytest.raises(CheckpointError, match="settings"):
        read_foreign(_written(tmp_path, data))


def test_module_of_many_names_does_not_multiply(tmp_path: Path) -> None:
    """One layer that stands for all of a deep mapping would take many times the file's size when copied."""
    mapping = MappingConfig(z_dim=256, w_dim=256, num_layers=64)
    size: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (2, 2)}
    networks = random_networks(GeneratorConfig(**size, mapping=mapping), DiscriminatorConfig(**size))
    root = {"G_ema": official(networks["G_ema"])}
    layers = root["G_ema"].at("mapping").state["_modules"]
    for name in layers:
        layers[name] = layers["fc0"]
    path = write_official(tmp_path / "x.pkl", root)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match="more elements than the file has bytes"):
        read_foreign(path)


def test_modules_that_repeat_themselves_end(tmp_path: Path) -> None:
    size: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (2, 2)}
    root = {"G_ema": official(random_networks(GeneratorConfig(**size), DiscriminatorConfig(**size))["G_ema"])}
    below: dict[str, Persistent] = {}
    for _ in range(25):
        module = Persistent("Empty", {"_parameters": {}, "_buffers": {}, "_modules": below})
        below = {"a": module, "b": module}
    root["G_ema"].state["_modules"] |= below
    with pytest.raises(CheckpointError, match="5,000 modules"):
        read_foreign(write_official(tmp_path / "x.pkl", root))


def test_noise_that_is_not_in_the_file_is_charged(tmp_path: Path) -> None:
    """rosinality's first files have none, and it is drawn: 700 MB of it for this one of 100 kB."""
    config = stock_generator((1,) * 12, style_dim=1, num_layers=1, resample_filter=(1.0, 3.0, 3.0, 1.0))
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in Generator(config).state_dict().items()}
    rows = [row for row in generator_rows(12, 1) if not row.ours.endswith("noise_const")]
    state = {row.theirs: torch.zeros(row.their_shape(shapes[row.ours])) for row in rows}
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    state |= {row.theirs: torch.outer(taps, taps) * row.gain for row in generator_filters(12)}
    path = tmp_path / "x.pt"
    torch.save({"g_ema": state}, path)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match="more elements than the file has bytes"):
        read_foreign(path)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(file_bytes=1_000), "at most 1,000 bytes"),
        (Limits(opcodes=100), "100 pickle opcodes"),
        (Limits(objects=100), "100 objects"),
        (Limits(nesting=5), "nested deeper than 5"),
        (Limits(open_marks=2), "nested deeper than 2"),
        (Limits(modules=5), "more than 5 modules"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_limits_hold_for_whole_files_too(tmp_path: Path, limits: Limits, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        read_foreign(_written(tmp_path, small_file()), limits)


def test_file_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    data = small_file()
    ends = sorted({*range(3, 300, 7), *random.Random(0).sample(range(300, len(data)), 100), len(data) - 1})
    for end in ends:
        with pytest.raises(CheckpointError, match="whole and undamaged"):
            read_foreign(_written(tmp_path, data[:end]))


def test_flipped_bits_raise_checkpoint_errors_or_none(tmp_path: Path) -> None:
    data = small_file()
    generator = random.Random(1)
    outcomes = {True: 0, False: 0}
    for _ in range(120):
        changed = bytearray(data)
        changed[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        outcomes[_reads(tmp_path, bytes(changed))] += 1
    assert min(outcomes.values()) > 10  # flips in weights are no damage that a pickle could show; others are


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 1 << 20), st.integers(0, 64), st.binary(max_size=24)), min_size=1, max_size=4
    )
)
def test_spliced_files_raise_checkpoint_errors_or_none(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int, bytes]]
) -> None:
    data = small_file()
    for where, length, patch in cuts:
        start = where % len(data)
        data = data[:start] + patch + data[start + length :]
    _reads(tmp_path_factory.getbasetemp(), data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(body=st.binary(max_size=200))
def test_random_opcodes_raise_checkpoint_errors(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    assert not _reads(tmp_path_factory.getbasetemp(), pickle4(body))


def _reads(folder: Path, data: bytes) -> bool:
    """Whether a file is read; any error but a `CheckpointError` gets through."""
    path = _written(folder, data)
    message = ""
    with nothing_runs():
        try:
            read_foreign(path)
        except CheckpointError as error:
            message = str(error)
    assert "\n" not in message
    return not message


def test_unsafe_error_names_the_global_and_what_to_do(tmp_path: Path) -> None:
    path = _written(tmp_path, FILES["reduce_os_system"].make())
    with pytest.raises(UnsafeFileError) as caught:
        read_foreign(path)
    assert "it asks for os.system," in str(caught.value)
    assert "nothing was executed" in str(caught.value)
    assert "get the original checkpoint from its publisher" in str(caught.value)

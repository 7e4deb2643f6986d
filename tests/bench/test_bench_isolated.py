"""Measurements in processes of their own: no compiler in reach, one JSON line, one-line errors."""

import json
import os
import shutil

import pytest

from stylegraft.bench.isolated import environment_without_compilers, run_worker, visible_compilers
from stylegraft.bench.worker import measure
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.errors import RunError

TINY = YardstickSettings(
    resolution_px=16, channel_base=128, channel_max=12, z_dim=8, w_dim=10, mapping_layers=2, batch=4
)


def folder_with(tmp_path, *names):
    folder = tmp_path / "-".join(names)
    folder.mkdir()
    for name in names:
        (folder / name).touch(mode=0o755)
    return str(folder)


def test_environment_drops_folders_that_hold_a_compiler(tmp_path):
    bad = folder_with(tmp_path, "x86_64-linux-gnu-g++-12", "ls")
    worse = folder_with(tmp_path, "cl.exe")
    good = folder_with(tmp_path, "python", "accelerate", "gccgo-notes")
    path = os.pathsep.join([bad, good, worse])
    assert visible_compilers(path) == ["cl.exe", "x86_64-linux-gnu-g++-12"]
    kept = environment_without_compilers({"PATH": path, "CXX": "g++", "HOME": "h"})
    assert kept == {"PATH": good, "HOME": "h"}


def test_own_environment_loses_its_compilers():
    kept = environment_without_compilers()
    assert all(shutil.which(name, path=kept["PATH"]) is None for name in ("cc", "g++", "clang++"))


def test_worker_measures_without_a_compiler():
    settings = json.dumps(TINY.model_dump())
    arguments = ["--which", "yardstick", "--steps", "1", "--settings", settings]
    answer = run_worker(arguments, environment_without_compilers())
    assert answer["compilers_on_path"] == []
    assert answer["images"] == 4
    assert answer["img_per_sec"] > 0
    assert answer["peak_memory_mb"] > 20


def test_worker_failure_is_one_line():
    with pytest.raises(RunError, match=r"^measurement --steps no failed: .*invalid int value") as caught:
        run_worker(["--steps", "no"], environment_without_compilers())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("which", ["yardstick", "fp32", "bf16"])
@pytest.mark.parametrize("what", ["training", "sampling"])
def test_measure_counts_what_was_asked(which, what):
    answer = measure(which, what, steps=2, settings=TINY)
    assert answer["images"] == 8
    assert len(answer["step_sec"]) == 2
    assert answer["img_per_sec"] > 0

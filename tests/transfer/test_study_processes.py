"""The study with real processes: bitwise the plain command, kill -9, Ctrl-C, Ray."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from study_cases import TINY, write_images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a busy machine is no failure

FLAGS = ("--", *TINY, "--eval-share", "0")
PATIENCE_SEC = 400.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the image sets `beans` and `faces`; commands run in it."""
    root = tmp_path_factory.mktemp("processes")
    write_images(root / "beans")
    write_images(root / "faces", seed=1)
    return root


def start(root: Path, *words: object, **environment: str) -> subprocess.Popen[str]:
    """Starts `stylegraft WORDS...` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "stylegraft", *map(str, words)],
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=PATIENCE_SEC)
    assert process.returncode == code, err
    return out, err


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_SEC
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def cells(study: Path) -> dict[str, dict[str, Any]]:
    if not (study / "study.json").exists():
        return {}
    return {cell["id"]: cell for cell in json.loads((study / "study.json").read_text())["cells"]}


def newest_tensors(run: Path) -> dict[str, torch.Tensor]:
    """Everything in the newest checkpoint: networks and optimisers."""
    folder = max((run / "checkpoints").glob("kimg-*"))
    tensors = safetensors.torch.load_file(folder / "networks.safetensors")
    return tensors | safetensors.torch.load_file(folder / "training.safetensors")


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def fingerprint(run: Path) -> dict[str, tuple[int, str]]:
    """When and what: of each file in the checkpoints of a run, and of its log."""
    files = [*run.glob("checkpoints/*/*"), run / "log.jsonl"]
    return {
        str(file): (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files
    }


def trains(study: Path, cell: str) -> Callable[[], bool]:
    """Whether a cell is being trained: it has logged a line since its process began."""
    log = study / "cells" / cell / "log.jsonl"
    return lambda: (
        cells(study).get(cell, {}).get("state") == "running" and log.exists() and bool(log.stat().st_size)
    )


def test_cell_equals_the_plain_command_bit_for_bit(root: Path) -> None:
    plain = root / "plain"
    words = ("--seed", "0", "--kimg", "0.1", *FLAGS[1:], "--threads", "1")
    finish(start(root, "train", "beans", "--out", plain, *words))
    settings = ("--sources", f"old={plain}", "scratch", "--targets", "beans", "--seeds", 1, "--kimg", 0.1)
    finish(start(root, "study", *settings, "--out", "one", *FLAGS))
    scratch, old = (cells(root / "one")[f"beans/{name}/seed0"] for name in ("scratch", "old"))
    assert scratch["command"].split() == [
        *("stylegraft", "train", "beans", "--out", "one/cells/beans/scratch/seed0"),
        *words,
    ]
    assert same_bits(newest_tensors(plain), newest_tensors(root / "one" / scratch["folder"]))
    # And what is recorded as the command of a cell is the command.
    again = old["command"].replace("one/cells/beans/old/seed0", "again").split()[1:]
    finish(start(root, *again))
    assert same_bits(newest_tensors(root / "again"), newest_tensors(root / "one" / old["folder"]))
    assert not same_bits(newest_tensors(root / "again"), newest_tensors(plain))


def test_study_killed_twice_loses_and_repeats_nothing(root: Path) -> None:
    study, names = root / "killed", [f"beans/scratch/seed{seed}" for seed in range(3)]
    command = ("study", "--sources", "scratch", "--targets", "beans", "--seeds", 3, "--kimg", 0.4)
    command += ("--out", study, *FLAGS)
    finished: dict[str, dict[str, tuple[int, str]]] = {}
    for killed_in in (1, 2):  # while this cell is being trained, and the one before it is done
        process = start(root, *command)
        wait_for(trains(study, names[killed_in]), process)
        process.kill()
        process.communicate()
        done = [name for name, cell in cells(study).items() if cell["state"] == "done"]
        assert done == names[:killed_in]
        assert all(fingerprint(study / "cells" / name) == files for name, files in finished.items())
        finished = {name: fingerprint(study / "cells" / name) for name in done}
    begun = (study / "cells" / names[2] / "config.json").stat().st_mtime_ns
    finish(start(root, *command))
    assert all(fingerprint(study / "cells" / name) == files for name, files in finished.items())
    assert {cell["state"] for cell in cells(study).values()} == {"done"}
    for name in names[1:]:  # they went on where they were when the study was killed
        assert "resuming" in (study / "cells" / f"{name}.log").read_text()
    assert begun < (study / "cells" / names[2] / "config.json").stat().st_mtime_ns
    alone = ("train", "beans", "--out", root / "alone", "--seed", 1, "--kimg", 0.4, *FLAGS[1:])
    finish(start(root, *alone, "--threads", 1))
    assert same_bits(newest_tensors(study / "cells" / names[1]), newest_tensors(root / "alone"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process alone")
def test_ctrl_c_saves_the_running_cells_and_the_same_command_goes_on(root: Path) -> None:
    study, names = root / "stopped", ["beans/scratch/seed0", "faces/scratch/seed0"]
    command = ("study", "--sources", "scratch", "--targets", "beans", "faces", "--seeds", 1, "--kimg", 2)
    command += ("--jobs", 2, "--out", study, *FLAGS)
    process = start(root, *command)
    for name in names:
        wait_for(trains(study, name), process)
    process.send_signal(signal.SIGINT)
    _, err = finish(process, code=130)
    assert "2 of 2 cells are left: the same command goes on" in err
    saved = {name: cell["kimg"] for name, cell in cells(study).items()}
    assert all(cell["state"] == "pending" for cell in cells(study).values())
    assert all(0 < kimg < 2 for kimg in saved.values())
    for name in names:
        assert "stopped and saved" in (study / "cells" / f"{name}.log").read_text()
    finish(start(root, *command))
    for name, kimg in saved.items():
        assert cells(study)[name]["state"] == "done"
        assert f"({kimg:.1f} kimg)" in (study / "cells" / f"{name}.log").read_text()


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'stylegraft[ray]'"
)
def test_ray_runs_two_cells_at_once(root: Path, tmp_path: Path) -> None:
    out, targets = root / "on-ray", ("beans", "faces")
    command = ("study", "--sources", "scratch", "--targets", *targets, "--seeds", 1, "--kimg", 0.1)
    # A home of its own: Ray writes its token there.
    home = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "2"}
    finish(start(root, *command, "--out", out, "--engine", "ray", "--jobs", 2, *FLAGS, **home))
    spans = []
    for name in targets:
        cell = cells(out)[f"{name}/scratch/seed0"]
        assert cell["state"] == "done"
        assert cell["command"].endswith("--threads 1")
        run = out / cell["folder"]  # its lock is made when its process begins, and never written to
        spans.append((run.with_name(".seed0.log.lock"), run.with_name("seed0.log")))
    begins, ends = ([path.stat().st_mtime for path in paths] for paths in zip(*spans))
    assert max(begins) < min(ends)  # each began before the other had ended

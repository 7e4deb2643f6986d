"""Trainings in processes of their own: how they end, what they leave to read."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from stylegraft.transfer import launch
from stylegraft.transfer.launch import Point, read_curve, read_run_log, train_subprocess, wait_for_orphan

LOG = """{"step": 0, "kimg": 0.0, "train_sec": 0.0, "distance": 300.0, "floor": 11.0}
{"step": 16, "kimg": 0.25, "train_sec": 5.0, "img_per_sec": 40.0}
{"step": 32, "kimg": 0.5, "train_sec": 10.0, "img_per_sec": 60.0}
{"step": 32, "kimg": 0.5, "train_sec": 11.0, "distance": 200.0, "floor": 12.0}
{"step": 48, "kimg": 0.75, "train_sec": 16.0, "img_per_sec": 50.0}
{"step": 64, "kimg": 1."""


def test_log_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    assert read_run_log(tmp_path) is None
    assert read_curve(tmp_path) == []
    (tmp_path / "log.jsonl").write_text(LOG)
    log = read_run_log(tmp_path)
    assert log is not None
    assert (log.kimg, log.train_sec, log.img_per_sec, log.floor) == (0.75, 16.0, 50.0, 12.0)
    assert read_curve(tmp_path) == [Point(0.0, 0.0, 300.0), Point(0.5, 11.0, 200.0)]


def test_refused_training_ends_with_its_line(tmp_path: Path) -> None:
    log = tmp_path / "cell.log"
    outcome = train_subprocess([str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")], log)
    assert (outcome.code, outcome.was_stopped) == (2, False)
    assert outcome.error is not None
    assert outcome.error.startswith(f"no image set at {tmp_path}")
    assert outcome.error in log.read_text()
    assert wait_for_orphan(log, 0)


needs_sh = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins for Python are shell scripts")


def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Puts a shell script in the place of Python."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr(launch.sys, "executable", str(path))


@needs_sh
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kill -9 $$", "training was killed by SIGKILL, as the system does when memory runs out; see "),
        (
            "echo half; echo 'TypeError: odd'; exit 3",
            "training ended with exit code 3; it said: TypeError: odd",
        ),
        ("echo 'stylegraft: error: the disk is full.'; echo more; exit 1", "the disk is full."),
        ("exit 1", "training ended with exit code 1; it said: nothing"),
    ],
)
def test_way_in_which_a_training_ended_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    log = tmp_path / "cell.log"
    log.write_text("stylegraft: error: of an earlier session\n")
    script(tmp_path, monkeypatch, text)
    outcome = train_subprocess(["photos"], log)
    assert outcome.code != 0
    assert outcome.error is not None
    assert outcome.error.startswith(message)


@needs_sh
def test_training_that_is_asked_to_stop_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, monkeypatch, "cat; echo saved")  # cat ends with its input, which is the tether
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    outcome = train_subprocess(["photos"], tmp_path / "cell.log", stop=stop)
    assert (outcome.code, outcome.error, outcome.was_stopped) == (0, None, True)
    assert (tmp_path / "cell.log").read_text() == "saved\n"

"""What a run writes while it goes: log lines, the bar, TensorBoard; and the means between two lines."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console

from stylegraft.errors import InputError, RunError
from stylegraft.training import observers
from stylegraft.training.meters import Meters
from stylegraft.training.observers import JsonLog, ProgressBar, TensorBoardLog


def steps(path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_log_takes_back_what_came_after_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    log = JsonLog(path, 0)
    for step in (0, 16, 32, 48):
        log.on_record({"step": step, "loss": 0.5})
    log.close()
    with path.open("ab") as file:
        file.write(b'{"step": 50, "lo\xff')  # cut off by kill -9, within a letter
    log = JsonLog(path, 32)
    assert steps(path) == [0, 16, 32]
    log.on_record({"step": 40})
    assert steps(path) == [0, 16, 32, 40]  # at once, not when it is closed
    log.on_rewind(16)
    log.on_record({"step": 17})
    log.close()
    assert steps(path) == [0, 16, 17]


def test_log_drops_lines_that_are_no_records(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"step": 1}\n\n[1]\n7\n"step"\n{"kimg": 1}\n{"step": "x"}\n{"step": null}\n{"step": 2}\n'
    )
    JsonLog(path, 5).close()
    assert steps(path) == [1, 2]


def test_log_on_a_full_disk_is_an_error_of_one_line(tmp_path, monkeypatch):
    log = JsonLog(tmp_path / "log.jsonl", 0)

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    log._file.close()
    monkeypatch.setattr(log, "_file", Full())
    with pytest.raises(RunError, match=r"cannot write .*log\.jsonl: No space left on device\. Check"):
        log.on_record({"step": 1})


def plain_console() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=40)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_bar_without_a_terminal_prints_a_plain_line_now_and_then(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(observers.time, "monotonic", lambda: clock[0])
    console = plain_console()
    bar = ProgressBar(console)
    record = {"step": 16, "kimg": 1.0, "img_per_sec": 12.34, "loss_G": 0.5, "loss_D": 1.25, "augment_p": 0.1}
    bar.on_record(record | {"distance": 88.88})
    bar.on_progress(0.25, 2.0, 3700.4)
    assert printed(console) == ""
    clock[0] = 31
    bar.on_progress(0.25, 2.0, 3700.4)
    bar.on_progress(0.26, 2.1, 3600)
    bar.close()
    expected = "2.0 kimg  25%  1:01:40 left  12.3 img/s  p 0.100  G 0.50  D 1.25  FD-EffLite0 88.9\n"
    assert printed(console) == expected


def test_bar_of_a_growing_run_shows_the_size():
    line = observers._scalars_line({"loss_G": 0.5, "lod": 1.25, "side_px": 16.0, "kimg": 3.0})
    assert line == "16 px  lod 1.25  G 0.50"


def test_notes_are_printed_as_they_are():
    console = plain_console()
    text = "back to /tmp/[bold]run[/x]/kimg-1: " + "long " * 20
    ProgressBar(console).on_note(text)
    assert printed(console) == text + "\n"


def test_bar_on_a_terminal_shows_the_state():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    bar = ProgressBar(console)
    bar.on_progress(0.0, 3.0, None)
    bar.on_progress(0.5, 3.25, 59)
    bar._progress.refresh()
    bar.close()
    assert "3.2 kimg" in printed(console)
    assert "0:59 left" in printed(console)


def test_tensorboard_without_its_package_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'stylegraft\[tensorboard\]'"):
        TensorBoardLog(tmp_path / "tensorboard")
    assert not list(tmp_path.iterdir())


def test_meters_give_means_once():
    meters = Meters()
    meters.add(a=1.0, b=5.0)
    meters.add(a=2.0)
    other = Meters()
    other.load_state_dict(json.loads(json.dumps(meters.state_dict())))
    assert meters.take_means() == other.take_means() == {"a": 1.5, "b": 5.0}
    assert meters.take_means() == {}

"""Who watches a run: the log file, the progress bar, TensorBoard. None of them can change the training."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from stylegraft.errors import InputError, RunError
from stylegraft.files import write_text

Record = dict[str, Any]


class Observer(Protocol):
    """Receives what happens in a run."""

    def on_record(self, record: Record) -> None:
        """Called with each log line: `step`, `kimg`, and scalars by name."""
        ...

    def on_progress(self, done: float, kimg: float, seconds_left: float | None) -> None:
        """Called after each step: the finished share of the run, and the time left if it is known yet."""
        ...

    def on_note(self, text: str) -> None:
        """Called with a sentence for the user."""
        ...

    def on_rewind(self, step: int) -> None:
        """Called when the run has gone back to `step`: what was received after it did not happen."""
        ...

    def close(self) -> None:
        """Called once at the end, also after an error."""
        ...


class JsonLog:
    """Appends records to RUN/log.jsonl, one JSON object a line."""

    def __init__(self, path: Path, resume_step: int) -> None:
        """Opens the log; lines written after the checkpoint at `resume_step` are taken back."""
        self._path = path
        self._file = self._open_after(resume_step)

    def _open_after(self, step: int) -> TextIO:
        if self._path.exists():
            text = self._path.read_text(encoding="utf-8", errors="replace")  # a power cut may leave anything
            lines = [line for line in text.splitlines() if _step_of(line) <= step]
            write_text(self._path, "".join(line + "\n" for line in lines))
        return self._path.open("a", encoding="utf-8")

    def on_record(self, record: Record) -> None:
        try:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise RunError(
                f"cannot write {self._path}: {error.strerror or error}. Check free space and permissions."
            ) from error

    def on_progress(self, done: float, kimg: float, seconds_left: float | None) -> None:
        pass

    def on_note(self, text: str) -> None:
        pass

    def on_rewind(self, step: int) -> None:
        self._file.close()
        self._file = self._open_after(step)

    def close(self) -> None:
        # What could not be written was an error before; it must not hide that error here.
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())
            self._file.close()


class ProgressBar:
    """A live line on a terminal; a plain line now and then where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("[dim]{task.fields[scalars]}"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=1.0, left="", scalars="")
        self._scalars: dict[str, float] = {}
        self._last_plain = time.monotonic()
        if self._live:
            self._progress.start()

    def on_record(self, record: Record) -> None:
        self._scalars |= {key: value for key, value in record.items() if isinstance(value, float)}

    def on_progress(self, done: float, kimg: float, seconds_left: float | None) -> None:
        left = "" if seconds_left is None else f"{_clock(seconds_left)} left"
        text = _scalars_line(self._scalars)
        self._progress.update(
            self._task, completed=done, description=f"{kimg:.1f} kimg", left=left, scalars=text
        )
        if not self._live and time.monotonic() - self._last_plain > 30:
            self._last_plain = time.monotonic()
            tell(self._console, f"{kimg:.1f} kimg  {done:.0%}  {left}  {text}")

    def on_note(self, text: str) -> None:
        tell(self._console, text)

    def on_rewind(self, step: int) -> None:
        pass

    def close(self) -> None:
        if self._live:
            self._progress.stop()


class TensorBoardLog:
    """Writes every scalar to RUN/tensorboard."""

    def __init__(self, path: Path) -> None:
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(path))

    def on_record(self, record: Record) -> None:
        for name, value in record.items():
            if isinstance(value, float) and name != "kimg":
                self._writer.add_scalar(name, value, global_step=round(record["kimg"] * 1000))

    def on_progress(self, done: float, kimg: float, seconds_left: float | None) -> None:
        pass

    def on_note(self, text: str) -> None:
        pass

    def on_rewind(self, step: int) -> None:
        pass

    def close(self) -> None:
        self._writer.close()


def require_tensorboard() -> None:
    """Checks for the optional package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise InputError(
            "--tensorboard needs a package that is not installed: pip install 'stylegraft[tensorboard]'"
        ) from error


def tell(console: Console, text: str) -> None:
    """Prints a line as it is: brackets in a path are no markup, and no line is wrapped."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _step_of(line: str) -> float:
    """The step of a log line; a half-written last line counts as after everything."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _scalars_line(scalars: dict[str, float]) -> str:
    shown = [
        ("side_px", "{:.0f} px"),
        ("lod", "lod {:.2f}"),
        ("img_per_sec", "{:.1f} img/s"),
        ("augment_p", "p {:.3f}"),
        ("loss_G", "G {:.2f}"),
        ("loss_D", "D {:.2f}"),
        ("distance", "FD-EffLite0 {:.1f}"),
    ]
    return "  ".join(form.format(scalars[name]) for name, form in shown if name in scalars)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

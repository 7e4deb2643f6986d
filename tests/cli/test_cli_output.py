from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from stylegraft.cli.output import describe, print_table, progress


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (0.123456789, "0.12346"),
        ("a b", "a b"),
        ((8, 16), "8, 16"),
        ({"step": 3, "kimg": 0.5}, "step 3, kimg 0.5"),
        ([["a.png", "truncated"], ["b.png", "no image"]], "a.png: truncated, b.png: no image"),
    ],
)
def test_describe_writes_values_as_people_do(value: Any, text: str) -> None:
    assert describe(value) == text


def test_table_leaves_out_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("title", {"num_images": 0, "note": None, "skipped": [], "mirror": False})
    assert capsys.readouterr().out == "title\n  num images  0\n  mirror      no\n"


def test_table_is_folded_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"name": "word " * 30 + "end"}
    print_table("title", rows)
    assert capsys.readouterr().out.count("\n") == 2
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table("title", rows)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 40
    assert all(len(line) - len(line.lstrip()) == 8 for line in lines[2:])


def test_progress_is_silent_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("working", shown=True) as advance:
        advance(1, 2)
    assert capsys.readouterr() == ("", "")


def _read_all(descriptor: int) -> str:
    """What a pseudo-terminal holds; one read gives no more than one of the pieces it was written in."""
    os.set_blocking(descriptor, False)
    pieces = []
    while True:
        try:
            pieces.append(os.read(descriptor, 1 << 16))
        except BlockingIOError:
            return b"".join(pieces).decode()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_progress_draws_on_standard_error_of_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.openpty()
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress("working", shown=True) as advance:
            advance(3, 7)
        with progress("hidden", shown=False) as advance:
            advance(3, 7)
        terminal.flush()
        drawn = _read_all(reader)
    os.close(reader)
    assert "working" in drawn
    assert "3/7" in drawn
    assert "hidden" not in drawn
    assert capsys.readouterr().out == ""

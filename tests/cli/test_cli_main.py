from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from public_flags import FLAGS_FILE, public_flags

from stylegraft import __version__
from stylegraft.cli.main import COMMANDS
from stylegraft.errors import DataError, RunError

Run = Callable[..., Any]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_all_commands(run_cli: Run, words: list[str]) -> None:
    done = run_cli(*words)
    assert done.code == 0
    assert all(f"  {name}" in done.out for name in COMMANDS)
    assert done.err == ""


def test_version_is_printed(run_cli: Run) -> None:
    assert run_cli("--version").out == f"stylegraft {__version__}\n"


def test_commands_are_the_ones_promised() -> None:
    assert list(COMMANDS) == [
        "quickstart",
        "train",
        "sources",
        "study",
        "generate",
        "evaluate",
        "report",
        "convert",
        "zoo",
        "bench",
        "inspect",
    ]


@pytest.mark.parametrize("words", ["--help", "train --help", "generate --help", "evaluate --help"])
def test_help_never_imports_torch_and_is_quick(words: str) -> None:
    code = (
        "import sys; from stylegraft.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'scipy', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    assert "usage: stylegraft" in done.stdout
    # 0.2 s on an idle core; the promise is 0.4 s, and the machine that tests may be busy.
    assert seconds < 3


def test_public_flags_are_pinned() -> None:
    # Changed on purpose? python tests/cli/public_flags.py, and a line in CHANGELOG.md.
    assert public_flags() == FLAGS_FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("paint x", ["paint", "quickstart, train"]),
        ("generate", ["RUN-or-CHECKPOINT", "--out", "generate --help"]),
        ("generate x", ["--out"]),
        ("generate x --out", ["--out"]),
        ("generate x --out y --pis 1", ["--pis", "--psi"]),
        ("generate x --out y z", ["z"]),
        ("generate x --out y --psi many", ["--psi", "'many'"]),
        ("generate x --out y --psi -1", ["psi", "-1"]),
        ("generate x --out y --noise-mode white", ["--noise-mode", "'white'", "'const'"]),
        ("generate x --out y --num 3 --seeds 4", ["--num", "--seeds"]),
        ("generate no-such-run --out y", ["no-such-run"]),
        ("inspect no-such-thing", ["no-such-thing"]),
    ],
)
def test_wrong_request_is_one_line_and_exit_2(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, words: str, parts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli(*words.split())
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("stylegraft: error: ")
    assert done.err.count("\n") == 1
    assert not set("│╭─") & set(done.err)
    assert all(part in done.err for part in parts)
    assert list(tmp_path.iterdir()) == []


def _replace_inspect(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def inspect() -> NoReturn:
        raise error

    monkeypatch.setattr(importlib.import_module("stylegraft.cli.inspect"), "inspect", inspect)


def test_notices_of_the_library_go_to_standard_error(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def inspect() -> None:
        logging.getLogger("stylegraft.ops").info("compiled in %d s", 2)
        print("{}")

    monkeypatch.setattr(importlib.import_module("stylegraft.cli.inspect"), "inspect", inspect)
    done = run_cli("inspect")
    assert (done.code, done.out, done.err) == (0, "{}\n", "compiled in 2 s\n")
    assert logging.getLogger("stylegraft").handlers == []


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("bad\n  set"), 2, "stylegraft: error: bad set\n"),
        (RunError("disk full"), 1, "stylegraft: error: disk full\n"),
        (
            PermissionError(13, "Permission denied", "x"),
            1,
            "stylegraft: error: [Errno 13] Permission denied: 'x'\n",
        ),
        (KeyboardInterrupt(), 130, "\nstylegraft: interrupted\n"),
    ],
)
def test_errors_end_as_one_line_and_their_exit_code(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    _replace_inspect(monkeypatch, error)
    done = run_cli("inspect")
    assert (done.code, done.err) == (code, line)


def test_debug_lets_the_traceback_through(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_inspect(monkeypatch, DataError("bad set"))
    with pytest.raises(DataError, match="bad set"):
        run_cli("inspect", "--debug")


def test_our_own_defects_keep_their_traceback(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_inspect(monkeypatch, TypeError("a defect"))
    with pytest.raises(TypeError):
        run_cli("inspect")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_wrong_request_is_the_same_line_in_any_encoding(encoding: str) -> None:
    # tyro frames its errors with box characters where it can, and with blanks where it cannot.
    words = ["-m", "stylegraft", "generate", "x", "--out", "y", "--pis", "3"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr == (
        "stylegraft: error: Unrecognized options: --pis, 3; Perhaps you meant: --psi FLOAT. "
        "See stylegraft generate --help.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell's pipe")
def test_reader_that_leaves_early_is_no_error() -> None:
    script = f"'{sys.executable}' -m stylegraft --help | true; echo ${{PIPESTATUS[0]}}"
    # The pipe may or may not be closed by the time we write; both ends are quiet.
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")

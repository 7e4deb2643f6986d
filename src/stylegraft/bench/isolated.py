"""Measurements in processes of their own, with no C++ compiler within reach.

A fresh process has a peak memory of its own and no caches of an earlier measurement. Compilers are hidden so
that no figure depends on one: whatever compiles at run time fails loudly instead of helping quietly.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stylegraft.errors import RunError

_COMPILER = re.compile(
    r"([\w.]+-)*(cc|c\+\+|gcc|g\+\+|clang|clang\+\+|clang-cl|cl|tcc|icc|icpc|icx|icpx)(-[\d.]+)?(\.exe)?"
)


def visible_compilers(path: str) -> list[str]:
    """Returns the names of the C and C++ compilers in the folders of a PATH, sorted."""
    found: set[str] = set()
    for entry in _entries(path):
        found.update(_compilers_in(Path(entry)))
    return sorted(found)


def environment_without_compilers(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns a copy of an environment whose PATH has lost each folder that holds a compiler.

    CC and CXX go too.

    Args:
        environment: None: this process's own.
    """
    kept = dict(os.environ if environment is None else environment)
    kept.pop("CC", None)
    kept.pop("CXX", None)
    folders = [entry for entry in _entries(kept.get("PATH", "")) if not _compilers_in(Path(entry))]
    kept["PATH"] = os.pathsep.join(folders)
    return kept


def run_worker(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Runs `python -m stylegraft.bench.worker` with `arguments` and returns the JSON it prints.

    Raises:
        RunError: the process failed; the message has the last line it wrote.
    """
    command = [sys.executable, "-m", "stylegraft.bench.worker", *arguments]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise RunError(
            f"measurement {' '.join(arguments)} failed: expected exit code 0, got {done.returncode}; "
            f"it said: {said[-1]} Run `python -m stylegraft.bench.worker {' '.join(arguments)}` to see all."
        )
    return json.loads(done.stdout.splitlines()[-1])


def _entries(path: str) -> list[str]:
    return [entry for entry in path.split(os.pathsep) if entry]


def _compilers_in(folder: Path) -> list[str]:
    try:
        return [file.name for file in folder.iterdir() if _COMPILER.fullmatch(file.name)]
    except OSError:
        return []

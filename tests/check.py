"""All checks of the repository, as people and CI run them: lint, format, types, import contract, tests.

    python tests/check.py               everything
    python tests/check.py -m "not slow" the arguments go to pytest; -n 0 runs one test at a time

The quick checks all run before anything is said to have failed; the tests run only when they are clean.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The programs beside this interpreter are meant, so that no environment has to be active.
PROGRAMS = Path(sys.executable).parent
# Two files of tests at a time; a file stays together, since its tests share what is slow to make.
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadfile"]
QUICK_CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["basedpyright"],
    "import contract": ["lint-imports"],
}


def main(pytest_arguments: list[str]) -> int:
    """Runs the checks and returns the exit code: 0 when all are clean."""
    failed = [name for name, command in QUICK_CHECKS.items() if not _passes(name, command)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}; the tests were not run", flush=True)
        return 1
    return subprocess.run([sys.executable, *PYTEST, *pytest_arguments], cwd=ROOT).returncode


def _passes(name: str, command: list[str]) -> bool:
    print(f"\n{name}: {' '.join(command)}", flush=True)
    program = shutil.which(command[0], path=PROGRAMS)
    if program is None:
        print(f'{command[0]} is not installed beside {sys.executable}: pip install -e ".[dev]"')
        return False
    return subprocess.run([program, *command[1:]], cwd=ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

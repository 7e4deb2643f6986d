"""The public flags of every command, one a line; flags.txt pins them.

python tests/cli/public_flags.py       writes flags.txt anew, after a change that was meant
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
from pathlib import Path
from unittest import mock

from stylegraft.cli.arguments import parse
from stylegraft.cli.main import COMMANDS

FLAGS_FILE = Path(__file__).with_name("flags.txt")

# In tyro's help an argument starts right behind the frame; its helptext is indented further.
# The frame is blank where standard output cannot show it.
_FLAG = re.compile(r"^[│ ] (--[a-z][a-z0-9-]*)", re.MULTILINE)


def public_flags() -> str:
    """Returns the usage of each command and lines such as `generate --psi`, sorted."""
    lines = []
    for name in COMMANDS:
        command = getattr(importlib.import_module(f"stylegraft.cli.{name}"), name)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), mock.patch.dict(os.environ, COLUMNS="80"):
            parse(command, f"stylegraft {name}", ["--help"])
        lines.append(printed.getvalue().splitlines()[0] + "\n")
        lines += [f"{name} {flag}\n" for flag in sorted(_FLAG.findall(printed.getvalue()))]
    return "".join(lines)


if __name__ == "__main__":
    FLAGS_FILE.write_text(public_flags(), encoding="utf-8")

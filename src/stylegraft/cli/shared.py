"""Arguments that several commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

ModelPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN-or-CHECKPOINT")]
DataPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]

# Spelt out once more, because `runtime.precision` imports torch and help texts must not.
Precision = Literal["auto", "fp32", "bf16"]
Device = str

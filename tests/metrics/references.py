"""Features and what the original implementations make of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).parents[1] / "reference"
PAIRS = (
    "a_same_1000x64",
    "b_shift_1000x64",
    "c_scale_2000x128",
    "d_lowrank_100x128",
    "e_unequal_900x32",
    "f_shift_1000x8",
)


@cache
def expected() -> dict:
    return json.loads((_FOLDER / "metrics_more.json").read_text(encoding="utf-8"))


@cache
def arrays() -> dict[str, np.ndarray]:
    with np.load(_FOLDER / "metrics_more.npz") as file:
        return dict(file)


@cache
def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns real and generated features."""
    return _frechet(f"{name}/real"), _frechet(f"{name}/gen")


def frechet(name: str, original: str) -> float:
    """Returns what an original makes of a pair: "nv_fid" or "tfid_fid"."""
    return float(_frechet(f"{name}/{original}"))


def _frechet(key: str) -> np.ndarray:
    with np.load(_FOLDER / "metrics_frechet.npz") as file:
        return file[key]

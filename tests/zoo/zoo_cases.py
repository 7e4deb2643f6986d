"""Cards and pictures of sources that do not exist."""

from __future__ import annotations

import numpy as np

from stylegraft.zoo import ZooCard

FACTS = {
    "title": "boats",
    "domain": "sails",
    "packages": ("Debian boats 1.0",),
    "recipe": "python make.py boats",
    "command": "stylegraft train boats.zip --out boats",
    "images_licence": "CC0-1.0",
    "licence": "CC0-1.0",
    "attribution": "a sailor",
}
MEASURED = {
    "num_images": 1200,
    "num_heldout": 120,
    "data_hash": "0" * 64,
    "img_size_px": 16,
    "metric": "FD-EffLite0",
    "distance": 101.5,
    "distance_low": 90.0,
    "distance_high": 113.0,
    "floor": 60.25,
    "num_fakes": 1080,
    "copier_share": 0.02,
    "false_alarm_rate": 0.1,
    "copy_verdict": "no sign of copying",
}
RUN = {"kimg": 80.0, "train_sec": 1200.0, "grid_psi": 0.7, "rounding_levels": 0.03}


def card(name: str, **changes: object) -> ZooCard:
    made = {"sha256": "1" * 64, "date": "2026-11-22", "version": "0.1.0"}
    return ZooCard(**{"name": name, **FACTS, **MEASURED, **RUN, **made, **changes})


def tiles(level: int) -> np.ndarray:
    """64 pictures of 16 px: the red channel tells the source, the green one the seed."""
    pixels = np.zeros([64, 16, 16, 3], np.uint8)
    pixels[..., 0] = level
    pixels[..., 1] = np.arange(64)[:, None, None]
    return pixels

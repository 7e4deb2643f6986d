"""What to do with the files of an image set. No torch, no numpy: `stylegraft train --help` uses it."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from stylegraft.config import Config

MAX_SIDE_PX = 8192

Fit = Literal["crop", "pad", "stretch"]


def parse_size(text: str) -> tuple[int, int]:
    """Returns (height, width) in px of "64" or "64x96" (height x width).

    Raises:
        ValueError: other text, or a side outside 1 to 8192 px.
    """
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text.strip().lower())
    if match is None:
        raise ValueError(f'expected "64" or "64x96" (height x width, px), got {text!r}')
    height, width = int(match[1]), int(match[2] or match[1])
    if not (1 <= height <= MAX_SIDE_PX and 1 <= width <= MAX_SIDE_PX):
        raise ValueError(f"expected sides of 1 to {MAX_SIDE_PX} px, got {height}x{width}")
    return height, width


class DataConfig(Config):
    """How the images of a folder or zip become pixels and labels."""

    size: str | None = Field(
        default=None, description='"64" or "64x96" (height x width, px); None: that of the images'
    )
    fit: Fit | None = Field(
        default=None, description="how an image of another shape is brought to the size: crop, pad or stretch"
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="1 grey, 3 RGB; None: 1 when all images are grey, else 3"
    )
    background: str = Field(
        default="white",
        description="colour (name or #rrggbb) under transparent pixels and beside padded images",
    )
    mirror: bool = Field(
        default=False, description="mirror half of the images left to right, in training and statistics"
    )
    holdout: float = Field(
        default=0.10,
        ge=0,
        le=0.5,
        description="share of the images, by source file, that training never sees; 0: none",
    )
    skip_bad: bool = Field(
        default=False, description="leave out files that cannot be read instead of refusing the set"
    )
    labels: Literal["auto", "none"] = Field(
        default="auto",
        description="auto: from dataset.json or class folders where there are any; none: no labels",
    )
    holdout_seed: int = Field(default=0, ge=0, description="chooses the held-out images")
    max_cache_mb: int = Field(
        default=2048,
        ge=0,
        description="decoded pixels kept in memory, MB; a larger set goes to a temporary file",
    )
    disk_cache_mb: int = Field(
        default=8192,
        ge=0,
        description="decoded sets kept on disk for the next start, in STYLEGRAFT_CACHE or the system's cache "
        "folder, MB in all; 0: none",
    )

    @field_validator("size")
    @classmethod
    def _size_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            parse_size(value)
        return value

    @field_validator("background")
    @classmethod
    def _background_is_a_colour(cls, value: str) -> str:
        _rgb(value)
        return value

    @property
    def target_size(self) -> tuple[int, int] | None:
        """(height, width) in px as asked for by `size`, or None."""
        return None if self.size is None else parse_size(self.size)

    @property
    def background_rgb(self) -> tuple[int, int, int]:
        """The background colour as three values of 0 to 255."""
        return _rgb(self.background)


def _rgb(colour: str) -> tuple[int, int, int]:
    from PIL import ImageColor  # here, because the help texts are printed without Pillow

    red, green, blue = ImageColor.getrgb(colour)[:3]
    return red, green, blue

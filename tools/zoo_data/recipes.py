"""Which recipes there are, and which file or folder of which package each wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo_data.emoji import emoji, faces
from zoo_data.fashion import fashion
from zoo_data.furniture import furniture
from zoo_data.linedraw import linedraw
from zoo_data.pictures import Picture
from zoo_data.textures import textures


@dataclass(frozen=True)
class Recipe:
    """How a set is made.

    Attributes:
        pictures: from the file or folder to the set's pictures, in their order.
        wanted: which file or folder, and which package has it.
    """

    pictures: Callable[[Path], Iterator[Picture]]
    wanted: str


_FONT = "NotoColorEmoji.ttf of Debian fonts-noto-color-emoji 2.042-0+deb12u1 (needs fonttools)"

RECIPES = {
    "fashion": Recipe(fashion, "/usr/share/datasets/fashion-mnist of Debian dataset-fashion-mnist"),
    "textures": Recipe(textures, "0textures.pk3 of Debian ufoai-textures 2.5-2"),
    "furniture": Recipe(furniture, "the folder of *.sh3f of Debian sweethome3d-furniture 1.8-1"),
    "emoji": Recipe(emoji, _FONT),
    "faces": Recipe(faces, _FONT),
    "linedraw": Recipe(
        linedraw, "the folder `package` that npm pack openmoji@17.0.0 unpacks to (needs cairosvg)"
    ),
}

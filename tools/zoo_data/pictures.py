"""What the recipes share: pictures with a name, one ground under all of a set, one size, no picture twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.errors import InputError

SIDE_PX = 64
_VISIBLE_ALPHA = 16
_MARGIN = 1.06
"""Side of the square that an object is put on, in its longer sides."""

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """A picture of a set.

    Attributes:
        name: says where it comes from; without number and suffix.
        pixels: uint8 [64, 64, 3].
        label: name of its class, in sets that have classes.
    """

    name: str
    pixels: np.ndarray
    label: str | None = None


@dataclass(frozen=True)
class Collected:
    """A set, as `stylegraft.data.write_image_set` takes it."""

    names: list[str]
    images: list[np.ndarray]
    labels: list[int] | None
    class_names: list[str] | None


def collect(pictures: Iterable[Picture], source: Path) -> Collected:
    """Numbers pictures in their order and leaves out those whose pixels came before.

    Pictures with classes keep their names, in a folder a class, and all of them are kept: such a set is taken
    as it was published.

    Raises:
        InputError: there is no picture.
    """
    seen: set[bytes] = set()
    kept: list[Picture] = []
    for picture in pictures:
        if picture.label is None and picture.pixels.tobytes() in seen:
            continue
        seen.add(picture.pixels.tobytes())
        kept.append(picture)
    if not kept:
        raise InputError(f"--from {source}: expected pictures, found none. Name what the recipe asks for.")
    images = [picture.pixels for picture in kept]
    classes = sorted({picture.label for picture in kept if picture.label is not None})
    index: dict[str | None, int] = {name: position for position, name in enumerate(classes)}
    if not classes:
        return Collected(
            [f"{i:05d}_{picture.name}.png" for i, picture in enumerate(kept)], images, None, None
        )
    names = [f"{picture.label}/{picture.name}.png" for picture in kept]
    return Collected(names, images, [index[picture.label] for picture in kept], classes)


def shrink(image: Image.Image) -> np.ndarray:
    """Returns uint8 [64, 64, 3] of an RGB image of any size."""
    return np.asarray(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))


def cut_out(image: Image.Image) -> Image.Image:
    """Returns the part of an RGBA image that is not transparent."""
    visible = image.getchannel("A").point([255 * (alpha > _VISIBLE_ALPHA) for alpha in range(256)])
    return image.crop(visible.getbbox())


def on_ground(image: Image.Image, colour: Colour) -> np.ndarray:
    """Puts an RGBA image into the middle of a square of one colour, a little larger, and shrinks that."""
    side = int(max(image.size) * _MARGIN)
    ground = Image.new("RGBA", (side, side), (*colour, 255))
    ground.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
    return shrink(ground.convert("RGB"))

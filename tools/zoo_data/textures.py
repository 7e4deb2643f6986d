"""Surface textures of the game UFO: Alien Invasion (GPL-2, GPL-2+, some CC-BY-SA-3.0, Expat, public domain).

Kept are opaque pictures of at least 128 px, rich in colours, and not flat; normal, gloss and specular maps
are not pictures. Each gives the squares along its longer side, and a large one also the quarters of its first
square.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from stylegraft.errors import InputError
from zoo_data.pictures import Picture, shrink

FOLDERS = frozenset(
    f"tex_{name}"
    for name in (
        "base",
        "buildings",
        "buildings_snow",
        "ctp1",
        "material",
        "mattn",
        "misc",
        "nature",
        "streets",
        "terrain",
        "trak",
    )
)
_MAP = re.compile(r"_(?:nm|gm|sm|rm|bm|n|s)$")
_MIN_SIDE_PX = 128
_JUDGED_PX = 128
_MIN_COLOURS = 4000
_MIN_DEVIATION = 6.0
_OPAQUE_ALPHA = 250
_MAX_TRANSPARENT = 0.001
_MIN_SIDE_OF_QUARTERS_PX = 256


def textures(source: Path) -> Iterator[Picture]:
    """Yields the tiles, file by file, named folder_file_full0 to full3, q0 to q3.

    Args:
        source: the game's archive of textures.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                path = Path(name)
                is_picture = path.suffix in (".png", ".jpg") and not _MAP.search(path.stem)
                if not is_picture or path.parent.name not in FOLDERS:
                    continue
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    texture = fit_texture(image)
                if texture is not None:
                    for part, tile in tiles(texture):
                        yield Picture(f"{path.parent.name}_{path.stem}_{part}", shrink(tile))
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"--from {source}: expected the archive of textures, got {error}.") from error


def fit_texture(image: Image.Image) -> Image.Image | None:
    """Returns a texture in RGB, or None if it is small, transparent, poor in colours or flat."""
    if min(image.size) < _MIN_SIDE_PX:
        return None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        if (alpha < _OPAQUE_ALPHA).mean() > _MAX_TRANSPARENT:
            return None
    image = image.convert("RGB")
    pixels = np.asarray(image.resize((_JUDGED_PX, _JUDGED_PX), Image.Resampling.LANCZOS))
    colours = np.unique(pixels.reshape(-1, 3), axis=0)
    is_rich = len(colours) >= _MIN_COLOURS and pixels.mean(axis=-1).std() > _MIN_DEVIATION
    return image if is_rich else None


def tiles(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """Yields squares of a texture and their names."""
    width, height = image.size
    side = min(width, height)
    for index in range(max(width, height) // side):
        left, top = (index * side, 0) if width > height else (0, index * side)
        yield f"full{index}", image.crop((left, top, left + side, top + side))
    if side < _MIN_SIDE_OF_QUARTERS_PX:
        return
    half = side // 2
    for index in range(4):
        left, top = index % 2 * half, index // 2 * half
        yield f"q{index}", image.crop((left, top, left + half, top + half))

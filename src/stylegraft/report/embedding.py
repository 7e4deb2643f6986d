"""Images as text in a page: data addresses, and many pictures within a limit of size."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

_MAX_PX = 256
_PNG_PX = 128  # Up to this side PNG is small enough, and shows every pixel as it is.
_WIDTHS_PX = (1300, 900, 640, 420, 240)


@dataclass(frozen=True)
class Picture:
    """An image in the page.

    Attributes:
        uri: its bytes as a data address.
        caption: below it.
    """

    uri: str
    caption: str


def small_picture(image: np.ndarray, caption: str = "") -> Picture:
    """Returns one image of a sheet, uint8 [H, W, C], made smaller if it is large."""
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if max(picture.size) > _MAX_PX:
        picture.thumbnail((_MAX_PX, _MAX_PX), Image.Resampling.LANCZOS)
    kind = "PNG" if max(picture.size) <= _PNG_PX else "JPEG"
    return Picture(_address(_encoded(picture, kind)), caption)


def no_wider(image: Image.Image, width: int = _WIDTHS_PX[0]) -> Image.Image:
    """Returns an image of at most so many px across; by default, as wide as a page shows any."""
    if image.width <= width:
        return image
    size = (width, max(1, round(image.height * width / image.width)))
    return image.resize(size, Image.Resampling.LANCZOS)


def large_pictures(images: Sequence[Image.Image], max_bytes: int) -> list[str]:
    """Returns data addresses of JPEG files, all of them made smaller until together they are small enough.

    Args:
        images: at least one, mode "L" or "RGB".
        max_bytes: of all files together. The smallest width is taken even where it exceeds this.
    """
    files: list[bytes] = []
    for width in _WIDTHS_PX:
        files = []
        for image in images:
            files.append(_encoded(no_wider(image, width), "JPEG"))
            if sum(map(len, files)) > max_bytes and width != _WIDTHS_PX[-1]:
                break
        if len(files) == len(images) and sum(map(len, files)) <= max_bytes:
            break
    return [_address(file) for file in files]


def _encoded(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    # Full chroma: drawings and small images have colours that end at a pixel.
    picture.save(file, format=kind, quality=90, subsampling=0)
    return file.getvalue()


def _address(file: bytes) -> str:
    kind = "png" if file.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"

"""From the bytes of an image file to upright 8-bit pixels, grey or RGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from stylegraft.errors import DataError

DECODING_RULES = "stylegraft image set 1"
"""Changes with the pixels that files give, so that nothing kept of the old ones is taken for the new."""

# The size at which Pillow itself calls a file a bomb (twice its MAX_IMAGE_PIXELS).
MAX_PIXELS = 178_956_970

# EPS and WMF make Pillow start other programs on the file's content; the rest have no decoder.
_REFUSED_FORMATS = frozenset({"EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5"})
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
# PngImageFile.getexif decodes the whole image to look behind the pixels; only files with a mark need that.
_PNG_EXIF_MARKS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image before its pixels are decoded."""

    height: int
    """Height of the upright image, px."""
    width: int
    """Width of the upright image, px."""
    is_grey: bool
    """The format of the pixels has no colour."""
    has_alpha: bool
    """Some pixels may be transparent."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px."""
        return self.height, self.width


def read_header(data: bytes) -> Header:
    """Reads size and kind of an image without decoding its pixels (with few exceptions).

    Raises:
        DataError: no image that can be read, or over 178 megapixels; the message is the reason alone.
    """
    with _reasons(), _open(data) as image:
        quarter_turned = _orientation(image, data) >= 5
        if quarter_turned and image.format == "TIFF":
            # Pillow turns TIFFs upright on loading, and its releases differ in what they say before.
            image.load()
            quarter_turned = _orientation(image, data) >= 5
        width, height = image.size[::-1] if quarter_turned else image.size
        return Header(height, width, _is_grey(image), image.has_transparency_data)


def decode_image(data: bytes, num_channels: int, background: tuple[int, int, int]) -> Image.Image:
    """Decodes an image file: first frame, turned upright by its EXIF orientation, 8 bits a channel.

    Transparent pixels are composited on the background. Deep pixels are scaled to 0 to 255 by the range of
    their type, not by what the image happens to use: 16 bits by 65535; 32-bit integers by 65535 or, if any
    value is larger, by 2^31 - 1; floats by 1, 255 or 65535, the first that no value exceeds.

    Args:
        data: the file's bytes.
        num_channels: 1 gives mode "L" (ITU-R 601 luma), 3 gives mode "RGB".
        background: red, green, blue, 0 to 255.

    Raises:
        DataError: not an image, damaged, truncated or too large; the message is the reason alone.
    """
    with _reasons(), _open(data) as image:
        image.load()
        turn = _UPRIGHT.get(_orientation(image, data))
        flat = _flatten(image, background)
        if turn is not None:
            flat = flat.transpose(turn)
        return _in_mode(flat, "L" if num_channels == 1 else "RGB")


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_readable_formats())
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    if min(image.size) < 1:
        raise ValueError("has no pixels")
    return image


def _readable_formats() -> list[str]:
    Image.preinit()  # the common formats are tried first, those without a signature after them
    Image.init()
    return [name for name in Image.ID if name not in _REFUSED_FORMATS]


def _orientation(image: Image.Image, data: bytes) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 when there is none or it is damaged."""
    if image.format == "PNG" and not any(mark in data for mark in _PNG_EXIF_MARKS):
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is a hint: whatever a parser stumbles over in it, the pixels are still good.
        return 1
    return value if value in _UPRIGHT else 1


def _is_grey(image: Image.Image) -> bool:
    palette = image.palette
    if image.mode != "P" or palette is None:
        return image.mode in _GREY_MODES
    entry_bytes = len(palette.rawmode or palette.mode)  # "RGB", "RGBA", "BGRX"
    entries = np.frombuffer(bytes(palette.palette), np.uint8)
    entries = entries[: len(entries) // entry_bytes * entry_bytes].reshape(-1, entry_bytes)
    return bool((entries[:, :1] == entries[:, 1:3]).all())


def _flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Returns an opaque 8-bit image of mode L or RGB."""
    if image.mode in _DEEP_MODES:
        return _scale_to_8_bits(image)
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")
        opaque = Image.new("RGBA", image.size, (*background, 255))
        return Image.alpha_composite(opaque, image.convert("RGBA")).convert("RGB")
    return _in_mode(image, "L" if image.mode in ("1", "L") else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Converts, without the copy that Pillow makes of an image that has the mode already."""
    return image if image.mode == mode else image.convert(mode)


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F" and not np.isfinite(values).all():
        raise ValueError("contains NaN or infinite values")
    largest = float(values.max())
    if image.mode == "F":
        tops = (1.0, 255.0, 65535.0)
    elif image.mode == "I":
        tops = (65535.0, 2.0**31 - 1)
    else:
        tops = (65535.0,)
    top = next((top for top in tops if largest <= top), None)
    if top is None:
        raise ValueError(f"has float values up to {largest:g}, expected 0 to 1, to 255 or to 65535")
    scaled = np.clip(values.astype(np.float32), 0, top) * np.float32(255 / top)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


@contextmanager
def _reasons() -> Iterator[None]:
    """Turns whatever Pillow raises on a bad file into a `DataError` whose message is the reason."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise DataError(f"more than {MAX_PIXELS // 1_000_000} megapixels") from error
    except UnidentifiedImageError as error:
        raise DataError("not an image of a known format, or its header is damaged") from error
    except MemoryError as error:
        raise DataError("needs more memory than there is") from error
    except Exception as error:
        # Decoders raise nearly anything on damaged input (SyntaxError, struct.error, IndexError,
        # OverflowError...); all of it means that this one file is bad.
        raise DataError(" ".join(str(error).split()) or type(error).__name__) from error

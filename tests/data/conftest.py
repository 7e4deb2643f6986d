"""Small image files for the tests of the readers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _encode(pixels: np.ndarray | Image.Image, kind: str = "png", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """encode(pixels or image, kind="png", **options) -> the bytes of a file."""
    return _encode


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """noise(seed, height=16, width=16) -> uint8 [H, W, 3]."""

    def make(seed: int, height: int = 16, width: int = 16) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)

    return make


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """folder_of({name: bytes}) -> a new folder with these files."""

    def make(files: Mapping[str, bytes]) -> Path:
        root = tmp_path / "images"
        root.mkdir()
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        return root

    return make


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.fixture
def png_file() -> Callable[..., bytes]:
    """png_file(width, height, rows, depth=8, colour=2, after=()) -> a PNG made by hand.

    `rows` are the filtered rows (each begins with a zero byte); `after` are chunks behind the pixels.
    """

    def make(
        width: int,
        height: int,
        rows: bytes,
        depth: int = 8,
        colour: int = 2,
        after: Sequence[tuple[bytes, bytes]] = (),
    ) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)

    return make

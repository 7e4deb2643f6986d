"""Nearest pictures by pixels, whatever slight crop, zoom, noise or mirror image lies between them.

Two stages. Coarse: every reference is shrunk to 16 px in 38 variants (whole, and cut to parts of itself at
several places, each also mirrored); the references nearest to a query by any variant are its candidates.
Fine: the query, shrunk to what it would be if it were a part of the candidate, slides over the candidate at
32 px. The second stage matters: a drawing of thin lines is as far from itself, two pixels aside, as from any
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from stylegraft.metrics.pairwise import PointSet, tiles

_COARSE_PX, _COARSE_ZOOMS, _COARSE_OFFSETS = 16, (0.9, 0.8), (0.0, 0.5, 1.0)
_FINE_PX, _FINE_ZOOMS = 32, (1.0, 0.95, 0.9, 0.85, 0.8)
SEEN_PX = 2 * _FINE_PX
"""Nothing here looks at more: pictures that were `resized` to this give the same neighbours."""

_WHOLE = (0.0, 0.0, 1.0, 1.0)

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PixelNeighbours:
    """The nearest references of each query, nearest first, [Q, K] each.

    Attributes:
        indices: int64, into the references.
        distances: float32, root mean square over pixels and channels, on the scale 0..255.
        mirrored: bool, whether the query looks more like the mirror image.
    """

    indices: np.ndarray
    distances: np.ndarray
    mirrored: np.ndarray


def pixel_neighbours(queries: np.ndarray, references: np.ndarray, num: int = 10) -> PixelNeighbours:
    """Returns the nearest references of each query.

    Takes 4 Q N bytes.

    Args:
        queries: uint8 [Q, H, W, C].
        references: uint8 [N, H', W', C]; at least `num`.
        num: neighbours a query.
    """
    # Shrinking large pictures once saves doing it for each variant.
    queries, references = (resized(images, SEEN_PX) for images in (queries, references))
    candidates = _coarse_candidates(queries, references, num)
    distances, mirrored = _fine_distances(queries, references, candidates)
    order = np.argsort(distances, axis=1, kind="stable")
    return PixelNeighbours(*(np.take_along_axis(x, order, axis=1) for x in (candidates, distances, mirrored)))


def _coarse_candidates(queries: np.ndarray, references: np.ndarray, num: int) -> np.ndarray:
    shrunk = PointSet(_flat(resized(queries, _COARSE_PX)), "single")
    best = np.full((len(queries), len(references)), np.inf, np.float32)
    for variant in _variants(references):
        points = PointSet(_flat(variant), "single")
        for rows in tiles(len(queries), len(references)):
            np.minimum(best[rows], shrunk.distances_to(points, rows), out=best[rows])
    return np.argpartition(best, num - 1, axis=1)[:, :num]


def _variants(images: np.ndarray) -> Iterator[np.ndarray]:
    boxes: list[Box] = [_WHOLE]
    for zoom in _COARSE_ZOOMS:
        steps = [offset * (1 - zoom) for offset in _COARSE_OFFSETS]
        boxes += [(left, top, left + zoom, top + zoom) for top in steps for left in steps]
    for box in boxes:
        upright = resized(images, _COARSE_PX, box)
        yield upright
        yield upright[:, :, ::-1]


def _fine_distances(
    queries: np.ndarray, references: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns distances and whether mirrored, [Q, K] each, of queries to their candidates."""
    best = np.full(candidates.shape, np.inf, np.float32)
    mirrored = np.zeros(candidates.shape, bool)
    scenes = resized(references, _FINE_PX).transpose(0, 3, 1, 2).astype(np.float32)
    sizes = [round(_FINE_PX * zoom) for zoom in _FINE_ZOOMS]
    templates = [resized(queries, size).transpose(0, 3, 1, 2).astype(np.float32) for size in sizes]
    # A candidate's windows are laid out once for all queries that want it.
    for reference in np.unique(candidates):
        rows, columns = np.nonzero(candidates == reference)
        for size, template in zip(sizes, templates):
            parts = sliding_window_view(scenes[reference], (size, size), axis=(1, 2))
            parts = parts.transpose(1, 2, 0, 3, 4).reshape(-1, *template.shape[1:])
            windows = PointSet(_flat(parts), "single")
            for flipped in (False, True):
                seen = template[rows, :, :, ::-1] if flipped else template[rows]
                distances = PointSet(_flat(seen), "single").distances_to(windows).min(axis=1)
                distances /= np.sqrt(windows.values.shape[1])
                nearer = distances < best[rows, columns]
                best[rows[nearer], columns[nearer]] = distances[nearer]
                mirrored[rows[nearer], columns[nearer]] = flipped
    return best, mirrored


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32)


def resized(images: np.ndarray, size: int, box: Box = _WHOLE) -> np.ndarray:
    """Returns one box (left, top, right, bottom; shares of the sides) of each, uint8 [N, size, size, C]."""
    height, width, channels = images.shape[1:]
    pixels = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    result = np.empty((len(images), size, size, channels), np.uint8)
    for row, image in zip(result, images):
        picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
        # Bicubic shrinking averages over enough pixels not to alias.
        shrunk = picture.resize((size, size), Image.Resampling.BICUBIC, box=pixels)
        row[:] = np.asarray(shrunk).reshape(size, size, channels)
    return result

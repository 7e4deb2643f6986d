"""Progressive growing: which blocks are in use at a level of detail.

lod 0 is the full resolution, lod 1 half of it, and so on; between two whole numbers the larger block fades in
linearly.

Source: Karras et al. 2018, "Progressive Growing of GANs", section 2 and figure 2.
"""

from __future__ import annotations

from stylegraft.errors import InputError


def split_lod(lod: float, max_lod: int) -> tuple[int, float]:
    """Returns (number of unused blocks, share of the next smaller block) of a lod: 1.25 -> (1, 0.25).

    Raises:
        InputError: `lod` is outside 0 to `max_lod`.
    """
    if not 0 <= lod <= max_lod:
        raise InputError(f"lod: expected 0 (full resolution) to {max_lod} (the smallest block), got {lod}.")
    return int(lod), lod - int(lod)

"""A matrix product that stays on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# OpenBLAS, which numpy ships, starts threads above 4 * 65536 multiplications.
_MAX_MULTIPLICATIONS = 200_000


def product(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """`a @ b` in blocks of rows so small that the BLAS library does not start threads for them.

    Threads would make the last bits, and then the pixels, depend on how many there are; and for matrices this
    small, waiting for one another costs far more than they save, most of all beside a training process.
    """
    num_rows = max(1, _MAX_MULTIPLICATIONS // (a.shape[1] * b.shape[1]))
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    for start in range(0, len(a), num_rows):
        np.matmul(a[start : start + num_rows], b, out=out[start : start + num_rows])
    return out

"""The one gate for features handed to a metric: shape, count and finite values, or one clear line."""

from __future__ import annotations

import numpy as np

from stylegraft.errors import InputError, RunError


def check_features(metric: str, *, at_least: int, **sides: np.ndarray) -> None:
    """Refuses features that a metric cannot be computed from.

    Args:
        metric: what the message calls it.
        at_least: fewest samples a side.
        **sides: named arrays [N, dim] that must agree in dim, such as `real` and `fake`.

    Raises:
        InputError: a side with too few samples.
        RunError: features that are not finite.
        ValueError: shapes that do not fit together (an error of the caller, not of the user).
    """
    dims = set()
    for side, features in sides.items():
        if features.ndim != 2:
            raise ValueError(f"{metric}, {side} features: expected [N, dim], got {list(features.shape)}.")
        dims.add(features.shape[1])
        if len(features) < at_least:
            raise InputError(
                f"{metric}: expected at least {at_least} {side} images, got {len(features)}. Give more."
            )
        if not np.isfinite(features).all():
            raise RunError(
                f"{metric}, features of the {side} images: expected finite numbers, got NaN or infinity. "
                "If they were generated, the generator has diverged: use an earlier checkpoint."
            )
    if len(dims) > 1:
        raise ValueError(f"{metric}: expected features of one length, got {sorted(dims)}.")

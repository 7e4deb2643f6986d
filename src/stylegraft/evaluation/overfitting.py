"""After which moment did a run overfit? A rule for noisy curves.

RULE is what users are told. In symbols: with K checkpoints of held-out distances d_i with standard errors s_i
and b the lowest, checkpoint i is worse than b if d_i - d_b > z (s_i^2 + s_b^2)^(1/2). There are K (K - 1) / 2
pairs among which chance could have picked b and i, so z is the normal quantile of 1 - 0.05 / (K (K - 1) / 2).
The errors of two checkpoints are taken as independent though both met the same real images: that errs on the
side of silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import norm

from stylegraft.metrics.intervals import Interval

RULE = (
    "The mark is the last checkpoint before all later ones are worse. Worse means one of two things: the "
    "distance to the held-out images is above the lowest one of the run by more than the noise of both "
    "explains (so that a run that does not change is marked in 5 % of cases at most), or more fakes are too "
    "close to a training image than chance explains. If the distance to the training images has risen as "
    "well, training broke down; else the run overfits."
)
_FALSE_MARKS = 0.05

Why = Literal["held-out", "copying", "unstable"]


@dataclass(frozen=True)
class Moment:
    """What is known of one checkpoint.

    Attributes:
        kimg: when.
        train: distance to the training images.
        heldout: distance to the held-out images; None where there are none.
        copies: whether more fakes are too close to training images than chance explains.
    """

    kimg: float
    train: Interval
    heldout: Interval | None
    copies: bool


@dataclass(frozen=True)
class Finding:
    """Where the curve should have ended.

    Attributes:
        best: index of the checkpoint with the lowest distance, held out where there is one.
        mark: index of the last checkpoint before things get worse; None: they do not.
        why: what gets worse.
        sentence: the same in words.
    """

    best: int
    mark: int | None
    why: Why | None
    sentence: str


def find_overfitting(moments: Sequence[Moment]) -> Finding:
    """Returns where a run overfits, by RULE.

    Args:
        moments: the checkpoints from the first to the last; at least one, all with or all without held-out
            images.
    """
    num = len(moments)
    distances = [moment.heldout or moment.train for moment in moments]
    best = min(range(num), key=lambda index: distances[index].value)
    at_best = f"the lowest distance is at {moments[best].kimg:.1f} kimg"
    if moments[0].heldout is None:
        return Finding(best, None, None, f"Nothing is held out, so overfitting cannot be seen; {at_best}.")

    worse = [i > best and _is_above(distances[i], distances[best], num) for i in range(num)]
    first_worse = _start_of_tail(worse)
    first_copy = _start_of_tail([moment.copies for moment in moments])
    first = min(first_worse, first_copy)
    if first == num == 1:
        return Finding(best, None, None, "One checkpoint shows no course. Keep more: --num-checkpoints 10.")
    last_kimg = moments[-1].kimg
    if first == num:
        return Finding(best, None, None, f"No sign of overfitting up to {last_kimg:.1f} kimg; {at_best}.")

    mark = max(first - 1, 0)
    since = f"after {moments[mark].kimg:.1f} kimg" if first else "from the first checkpoint on"
    if first_copy <= first_worse:
        why, sentence = "copying", f"The generator copies training images {since}"
    elif _is_above(moments[-1].train, moments[best].train, num):
        why = "unstable"
        sentence = f"Training broke down {since}: the distances to held-out and to training images rise"
    else:
        why = "held-out"
        sentence = f"The run overfits {since}: its distance to held-out images rises, to training images not"
    return Finding(best, mark, why, f"{sentence}; {at_best}.")


def _is_above(later: Interval, best: Interval, num: int) -> bool:
    num_pairs = max(num * (num - 1) // 2, 1)
    z = float(norm.isf(_FALSE_MARKS / num_pairs))
    return later.value - best.value > z * math.hypot(later.standard_error, best.standard_error)


def _start_of_tail(flags: Sequence[bool]) -> int:
    """Returns the index from which on all flags are set; their number if the last one is not."""
    start = len(flags)
    while start and flags[start - 1]:
        start -= 1
    return start

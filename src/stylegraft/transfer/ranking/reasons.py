"""Why a source stands where it stands, and how sure that is, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stylegraft.metrics.settings import FD_EFFLITE0
from stylegraft.transfer.ranking.halving import Probes
from stylegraft.transfer.ranking.quick_score import QuickScore, Variability
from stylegraft.transfer.ranking.resampling import Resampled, differ, shares_first
from stylegraft.transfer.ranking.state import Probed
from stylegraft.transfer.study.config import SCRATCH

_VARIES_ENOUGH = 0.95
_LOW, _HIGH = 0.3, 0.5
_FEW_HELD_OUT = 50
_ORDINALS = ("closest", "second closest", "third closest", "fourth closest", "fifth closest")


def variability_in_words(distance: float, rank: float) -> str:
    """Returns how much images vary: low (one kind of thing), medium, or high (many kinds)."""
    level = "low" if distance < _LOW else "medium" if distance < _HIGH else "high"
    return f"{level} (D {distance:.2f}, E {rank:.0f})"


def why(
    name: str, quick: Mapping[str, QuickScore], target: Variability, probed: Probed | None, last_kimg: float
) -> str:
    """Returns one sentence on a source.

    Args:
        name: of the source.
        quick: the quick scores of all sources but scratch.
        target: of the target's images.
        probed: its probes, or None.
        last_kimg: of the last finished round of all probes; 0 without any.
    """
    parts = ["networks with random weights"] if name == SCRATCH else _from_features(name, quick, target)
    if probed is not None and probed.error is not None:
        parts.append(f"cannot be trained from: {probed.error.rstrip('.')}")
    elif probed is not None and probed.distances:
        kimg, distance = probed.distances[-1]
        fate = "" if kimg == last_kimg else ", then left out"
        parts.append(f"its probe comes to {FD_EFFLITE0.name} {distance.value:.1f} after {kimg:g} kimg{fate}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _from_features(name: str, quick: Mapping[str, QuickScore], target: Variability) -> list[str]:
    score = quick[name]
    order = sorted(quick, key=lambda other: -quick[other].parts.closeness)
    place = order.index(name)
    if len(order) == 1:
        near = "closeness"
    elif place == len(order) - 1:
        near = f"farthest of {len(order)} from your images:"
    else:
        ordinal = _ORDINALS[place] if place < len(_ORDINALS) else f"{place + 1}th closest"
        near = f"{ordinal} of {len(order)} to your images:"
    distance = score.variability.distance
    if score.parts.variety >= _VARIES_ENOUGH:
        varies = f"its samples vary enough (D {distance:.2f}, yours {target.distance:.2f})"
    else:
        varies = f"its samples vary less than your images (variety {score.parts.variety:.2f})"
    return [f"{near} {score.parts.closeness:.2f}, reach {score.parts.reach:.2f}", varies]


def sureness_of_scores(quick: Mapping[str, QuickScore]) -> list[str]:
    """Returns how sure the first place by the quick score is; nothing to say of a single source."""
    scores = {name: score.score for name, score in quick.items()}
    if len(scores) < 2:
        return []
    return _sureness("the quick score", scores, higher_is_better=True, drawn="images and samples")


def sureness_of_probes(probes: Probes, num_heldout: int) -> list[str]:
    """Returns how sure the first place by the last finished round is.

    Args:
        probes: with at least one round finished.
        num_heldout: images that distances were measured against; 0: the training images.
    """
    kimg = probes.last_kimg
    last = {
        name: probed.distances[-1][1]
        for name, probed in probes.probed.items()
        if probed.error is None and probed.distances and probed.distances[-1][0] == kimg
    }
    lines = []
    if len(last) > 1:
        lines = _sureness(
            f"the probes at {kimg:g} kimg", last, higher_is_better=False, drawn="held-out images and samples"
        )
    if min(last, key=lambda name: last[name].value) == SCRATCH:
        lines.append("None of the sources helps: random weights came first in the probes.")
    lines.append(
        "Each source was trained once; what another seed of training would change comes on top of that."
    )
    if not num_heldout:
        lines.append("Nothing is held out: distances are to the training images.")
    elif num_heldout < _FEW_HELD_OUT:
        lines.append(f"Only {num_heldout} images are held out, which makes probes coarse.")
    return lines


def _sureness(
    what: str, numbers: Mapping[str, Resampled], *, higher_is_better: bool, drawn: str
) -> list[str]:
    sign = -1 if higher_is_better else 1
    order = sorted(numbers, key=lambda name: sign * numbers[name].value)
    shares = dict(zip(numbers, shares_first(list(numbers.values()), higher_is_better=higher_is_better)))
    share = f"{100 * shares[order[0]]:.0f} of 100"
    lines = [f"By {what} {order[0]} comes first in {share} draws of other {drawn}."]
    tied = [name for name in order[1:] if not differ(numbers[order[0]], numbers[name])]
    if tied:
        lines.append(f"Not to be told from it: {_listed(tied)}.")
    return lines


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

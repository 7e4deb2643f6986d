"""Puts scores and probes together: the order of the sources, and what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stylegraft.data.dataset import ImageSet
from stylegraft.data.split import Split
from stylegraft.transfer.ranking.candidates import SCRATCH_CANDIDATE, Candidate
from stylegraft.transfer.ranking.halving import Probes
from stylegraft.transfer.ranking.quick_score import WEIGHTS, QuickScore
from stylegraft.transfer.ranking.reasons import sureness_of_probes, sureness_of_scores, why
from stylegraft.transfer.ranking.record import RankedSource, Ranking
from stylegraft.transfer.ranking.resampling import differ
from stylegraft.transfer.ranking.scoring import Scored
from stylegraft.transfer.ranking.state import Probed


def assemble(
    images: ImageSet,
    split: Split,
    by_score: Sequence[Candidate],
    scored: Scored,
    probes: Probes | None,
    settings: dict[str, Any],
    notes: Sequence[str],
    *,
    seconds: float,
) -> Ranking:
    """Returns the ranking.

    Args:
        images: the target.
        split: of it.
        by_score: the sources, the one with the highest score first.
        scored: their scores.
        probes: or None.
        settings: what was asked for.
        notes: what else there is to know.
        seconds: it took.
    """
    quick, target = scored.scores, scored.target
    probed: dict[str, Probed] = {} if probes is None else probes.probed
    candidates = [*by_score, *([SCRATCH_CANDIDATE] if SCRATCH_CANDIDATE.name in probed else [])]

    def place(candidate: Candidate) -> tuple[bool, float, float]:
        """By how far they came and by distance; those that cannot be trained from come last."""
        found = probed.get(candidate.name)
        if found is None or not found.distances:
            return found is not None and found.error is not None, 0.0, 0.0
        kimg, distance = found.distances[-1]
        return found.error is not None, -kimg, distance.value

    order = sorted(candidates, key=place)
    sureness = sureness_of_scores(quick)
    if probes is None:
        sureness = [*sureness, "The score is a forecast; short trainings (--minutes) put it to the test."]
    else:
        sureness = [*sureness_of_probes(probes, len(split.holdout_indices)), *sureness]
    last_kimg = 0.0 if probes is None else probes.last_kimg
    return Ranking(
        sources=tuple(
            RankedSource(
                name=candidate.name,
                path=candidate.given,
                sha256=scored.hashes.get(candidate.name),
                quick=quick[candidate.name].to_dict() if candidate.name in quick else None,
                probe=_probe_dict(probed.get(candidate.name)),
                error=probed[candidate.name].error if candidate.name in probed else None,
                is_tied=candidate is not order[0] and _tied(order[0].name, candidate.name, quick, probed),
                why=why(candidate.name, quick, target, probed.get(candidate.name), last_kimg),
            )
            for candidate in order
        ),
        data={
            "path": str(images.path),
            "content_hash": images.content_hash,
            "num_train": len(split.train_indices),
            "num_heldout": len(split.holdout_indices),
            "size": [images.height, images.width, images.num_channels],
            "variability": asdict(target),
        },
        settings=settings | {"weights": WEIGHTS},
        probes=None if probes is None else _plan_dict(probes),
        sureness=tuple(sureness),
        notes=(*notes, *([split.note] if split.note else [])),
        seconds=seconds,
    )


def _plan_dict(probes: Probes) -> dict[str, Any]:
    return {
        "rounds": [asdict(this) for this in probes.rounds],
        "num_finished": probes.num_finished,
        "costs": None if probes.costs is None else asdict(probes.costs),
        "spent_sec": probes.spent_sec,
    }


def _probe_dict(probed: Probed | None) -> dict[str, Any] | None:
    if probed is None or not probed.distances:
        return None
    rounds = [{"kimg": kimg, "distance": distance.interval.to_dict()} for kimg, distance in probed.distances]
    return {**rounds[-1], "rounds": rounds}


def _tied(best: str, other: str, quick: dict[str, QuickScore], probed: dict[str, Probed]) -> bool:
    """Whether a source cannot be told from the first one: by the last probe of both, else by the score."""
    if best not in probed and other not in probed:
        return not differ(quick[best].score, quick[other].score)
    if best not in probed or other not in probed or probed[other].error is not None:
        return False
    by_kimg = dict(probed[best].distances)
    if not probed[other].distances:
        return False
    kimg, distance = probed[other].distances[-1]
    return kimg in by_kimg and not differ(by_kimg[kimg], distance)

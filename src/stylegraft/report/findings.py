"""The answers to the four questions that an evaluation is for, in plain words, each with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stylegraft.report.numbers import percent, plain

Tone = Literal["good", "fair", "poor", "unknown"]

GOOD_RATIO, FAIR_RATIO = 1.25, 2.0  # of a distance to what real images score
_GOOD_SHARE, _POOR_SHARE = 0.8, 0.5


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes:
        question: what was asked.
        tone: how the answer sounds.
        verdict: the answer in a word or two.
        answer: the numbers it rests on, in a sentence or two.
        advice: what to do about it.
    """

    question: str
    tone: Tone
    verdict: str
    answer: str
    advice: str


def findings(result: Mapping[str, Any]) -> list[Finding]:
    """Returns the answers that a result of `stylegraft evaluate` gives.

    Args:
        result: with the default setting's "metrics", "memorisation", "duplicates"; "utility" and
            "over_time" where they were asked for. Without the default setting there are no answers.
    """
    if "metrics" not in result:
        return []
    found = [_quality(result), _diversity(result), _copying(result), _usefulness(result)]
    if result.get("by_class"):
        found.append(_classes(result["by_class"]))
    if result.get("over_time"):
        found.append(_over_time(result["over_time"]))
    return found


def _quality(result: Mapping[str, Any]) -> Finding:
    metrics = result["metrics"]
    question = "Do the images look real?"
    row = metrics.get("fd_heldout")
    if row is None:
        row = metrics["fd_train"]
        answer = (
            f"The distance to the training images is {_with_interval(row)}. Nothing is held out, so there is "
            "nothing to compare it with but other models measured alike."
        )
        return Finding(question, "unknown", "not calibrated", answer, "Hold images out: --holdout 0.1.")
    ratio = row["value"] / row["real_level"]["value"] if row["real_level"]["value"] > 0 else float("inf")
    answer = (
        f"The distance to held-out images is {_with_interval(row)}, {ratio:.1f} times what real images score "
        f"({plain(row['real_level']['value'])})."
    )
    share = 1.0
    if precision := metrics.get("precision"):
        share = _relative(precision)
        answer += (
            f" {percent(precision['value'])} of the generated images lie where training images lie; of real "
            f"images {percent(precision['real_level']['value'])} do."
        )
    if ratio <= GOOD_RATIO and share >= _GOOD_SHARE:
        return Finding(
            question, "good", "like real ones", answer, "These numbers do not ask for more training."
        )
    if ratio > FAIR_RATIO or share < _POOR_SHARE:
        advice = (
            "Look at the samples below. Train longer while the held-out distance still falls (--over-time "
            "shows it); if it has stopped, start from a trained network (train --from) or add images."
        )
        return Finding(question, "poor", "not yet", answer, advice)
    return Finding(question, "fair", "nearly", answer, "Train on while the held-out distance still falls.")


def _diversity(result: Mapping[str, Any]) -> Finding:
    metrics, duplicates = result["metrics"], result["duplicates"]
    question = "Do they show the whole variety?"
    if "coverage" not in metrics:
        answer = "Recall and coverage need more images than there are."
        return Finding(question, "unknown", "not measured", answer, "Look at the samples below.")
    coverage, recall = metrics["coverage"], metrics["recall"]
    answer = (
        f"They reach the neighbourhoods of {percent(coverage['value'])} of the training images (real images: "
        f"{percent(coverage['real_level']['value'])}); {percent(recall['value'])} of the training images lie "
        f"within their range (real: {percent(recall['real_level']['value'])})."
    )
    repeats = False
    if duplicates:
        repeats = duplicates["share"] > 3 * max(duplicates["expected_share"], 0.01)
        answer += (
            f" {percent(duplicates['share'])} of them nearly repeat another one; of training images "
            f"{percent(duplicates['expected_share'])} do."
        )
    share = min(_relative(coverage), _relative(recall))
    if share >= _GOOD_SHARE and not repeats:
        return Finding(question, "good", "nearly all of it", answer, "Nothing to do.")
    advice = "Train longer, or take an earlier checkpoint if coverage falls over time (--over-time)."
    if result["settings"]["psi"] < 1:
        advice = f"Truncation (psi {result['settings']['psi']:g}) costs variety: measure with --psi 1 first."
    if share < _POOR_SHARE or repeats:
        return Finding(question, "poor", "much is missing", answer, advice)
    return Finding(question, "fair", "some is missing", answer, advice)


def _copying(result: Mapping[str, Any]) -> Finding:
    question = "Are they new, or copies?"
    memorisation = result["memorisation"]
    if memorisation is None:
        return Finding(
            question, "unknown", "not measured", "There are too few training images.", "Add images."
        )
    verdict, answer = memorisation["verdict"], memorisation["sentence"]
    if (rate := memorisation["false_alarm_rate"]) is not None:
        answer += f" A generator that copies nothing is called so in at most {percent(rate)} of evaluations."
    tone, advice = _COPYING[verdict]
    return Finding(question, tone, verdict, answer, advice)


_COPYING: dict[str, tuple[Tone, str]] = {
    "copier": (
        "poor",
        "Do not pass its images off as new. Take an earlier checkpoint, or train with more images, "
        "--mirror or augmentation.",
    ),
    "suspicious": ("fair", "Look at the pairs below, and evaluate an earlier checkpoint too."),
    "no sign of copying": ("good", "Look at the nearest pairs below all the same."),
    "not calibrated": ("unknown", "Look at the pairs below; hold more images out for a verdict."),
}


def _usefulness(result: Mapping[str, Any]) -> Finding:
    question = "Do they help a classifier?"
    utility = result.get("utility")
    if not utility:
        return Finding(
            question, "unknown", "not measured", "Ask for it with --utility; it needs classes.", ""
        )
    answer = " ".join(utility["sentences"])
    if " do harm" in answer:
        return Finding(question, "poor", "they do harm", answer, "Train the classifier on real images.")
    if " images help" in answer:
        advice = "Add them to the real images in training, and test on real images only."
        return Finding(question, "good", "yes", answer, advice)
    return Finding(question, "fair", "no clear effect", answer, "Classical augmentation is the cheaper way.")


def _classes(by_class: Mapping[str, Any]) -> Finding:
    question = "Are the classes as asked?"
    rows, answer = by_class["rows"], by_class["sentence"]
    lowest = min(row["agreement"]["value"] for row in rows)
    if lowest >= _GOOD_SHARE:
        return Finding(question, "good", "yes", answer, "Look along the rows of each class all the same.")
    rare = [row for row in rows if row["agreement"]["value"] < _GOOD_SHARE]
    advice = "Train longer: classes come apart late."
    if max(row["share"] for row in rare) < 1 / len(rows):
        advice = "The rarer ones fail: train longer, with --balance-classes, or give more images of them."
    if lowest < _POOR_SHARE:
        return Finding(question, "poor", "not all of them", answer, advice)
    return Finding(question, "fair", "mostly", answer, advice)


def _over_time(over_time: Mapping[str, Any]) -> Finding:
    question = "When should training have stopped?"
    best, mark = over_time["best"], over_time["mark"]
    answer = over_time["sentence"]
    if mark:
        advice = f"Use checkpoint {mark['checkpoint']}."
        return Finding(question, "fair", f"at {mark['kimg']:.1f} kimg", answer, advice)
    advice = f"The best checkpoint so far is {best['checkpoint']}. Train on while its distance falls."
    return Finding(question, "good", "not yet", answer, advice)


def _relative(row: Mapping[str, Any]) -> float:
    real = row["real_level"]["value"]
    return row["value"] / real if real > 0 else 1.0


def _with_interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return plain(row["value"])
    return f"{plain(row['value'])} ({plain(row['low'])} to {plain(row['high'])})"

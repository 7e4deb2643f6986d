"""What a study's page says in words and tables: which source for which target, the numbers, the cost."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from stylegraft.report.findings import Finding
from stylegraft.report.numbers import plain
from stylegraft.report.reading import text
from stylegraft.report.run_facts import clock
from stylegraft.report.study_data import Start, TargetStarts
from stylegraft.transfer.study.config import SCRATCH
from stylegraft.transfer.study.record import StudyRecord


@dataclass(frozen=True)
class Row:
    """A row of the table of numbers; `is_first` begins a target, `is_best` leads it."""

    target: str
    source: str
    colour: str
    median: str
    spread: str
    against_floor: str
    best_time: str
    reach_time: str
    speed: str
    state: str
    is_first: bool
    is_best: bool


def study_title(record: StudyRecord) -> str:
    """Returns what was compared, in numbers."""
    settings = record.settings
    return (
        f"{_counted(len(settings.sources), 'source')} on {_counted(len(settings.targets), 'target')}, "
        f"{_counted(len(settings.seeds), 'seed')}"
    )


def study_subtitle(record: StudyRecord) -> str:
    """Returns the budget and how far the study is."""
    counts = {state: sum(cell.state == state for cell in record.cells) for state in _STATES}
    states = [f"{number} {state}" for state, number in counts.items() if number]
    return f"{_budget(record)} a cell; of {len(record.cells)} cells {', '.join(states)}"


def settings_rows(record: StudyRecord) -> dict[str, str]:
    """Returns what all cells have in common; the table of cells has the command of each."""
    settings = record.settings
    images = ["of their own size" if settings.size is None else f"{settings.size} px"]
    images += [settings.fit] if settings.fit else []
    images += ["mirrored half of the time"] if settings.mirror else []
    images += ["labels not used"] if settings.labels == "none" else []
    return {
        "budget": f"{_budget(record)} a cell",
        "seeds": ", ".join(map(str, settings.seeds)),
        "images": ", ".join(images),
        "training": text(" ".join(settings.train_flags), 1000) or "as stylegraft train chooses",
    }


def _budget(record: StudyRecord) -> str:
    settings = record.settings
    parts = [] if settings.kimg is None else [f"{settings.kimg:g} kimg"]
    parts += [] if settings.minutes is None else [f"{settings.minutes:g} min"]
    return " or ".join(parts)


_STATES = ("done", "running", "pending", "failed")


def study_findings(targets: Sequence[TargetStarts]) -> list[Finding]:
    """Returns an answer a target: the best source, how much better than scratch it is, how much sooner."""
    return [_finding(target) for target in targets]


def table_rows(targets: Sequence[TargetStarts]) -> list[Row]:
    """Returns the numbers, a source a row, the best first; sources without a distance at the end."""
    rows = []
    for target in targets:
        ordered = [*target.ranking, *(start for start in target.starts if start.median is None)]
        for place, start in enumerate(ordered):
            rows.append(_row(target, start, is_first=place == 0))
    return rows


def cost_rows(record: StudyRecord) -> dict[str, str]:
    """Returns what the study took, by source and in all."""
    finished = [cell for cell in record.cells if cell.state == "done" and cell.train_sec is not None]
    total = sum(cell.train_sec or 0.0 for cell in record.cells)
    rows = {"in all": f"{clock(total)} of training in {_counted(len(record.cells), 'cell')}"}
    for source in record.settings.sources:
        seconds = [cell.train_sec or 0.0 for cell in finished if cell.source == source]
        rates = [cell.img_per_sec for cell in record.cells if cell.source == source and cell.img_per_sec]
        if seconds:
            rate = f", {plain(statistics.median(rates))} images/s" if rates else ""
            span = f"({clock(min(seconds))} to {clock(max(seconds))})"
            name = source if source == SCRATCH else f"from {source}"
            rows[name] = f"{clock(statistics.median(seconds))} a cell {span}{rate}"
    return rows


def _finding(target: TargetStarts) -> Finding:
    question, ranking, scratch = f"Where to start for {target.name}?", target.ranking, target.scratch
    if not ranking:
        return Finding(question, "unknown", "not known yet", "No cell of it is finished.", "")
    best = ranking[0]
    answer = f"{_capital(best.source)} comes to {_with_range(best)}"
    answer += "" if target.floor is None else f"; real images score {plain(target.floor)}"
    answer += "."
    if scratch is not None and best is not scratch:
        answer += f" From scratch it is {_with_range(scratch)}"
        if best.reach_sec is not None and best.num_reached == len(best.best) and scratch.best_sec:
            reached = f"after {clock(best.reach_sec)}" if best.reach_sec > 0 else "from the start"
            answer += f", after {clock(scratch.best_sec)}; {best.source} is there {reached}"
        answer += "."
    advice, tone = "", "good"
    if best is scratch and len(ranking) > 1:
        tone, advice = "fair", "No source did better than random weights."
    elif len(ranking) > 1 and min(ranking[1].best) <= max(best.best):
        tone = "fair"
        advice = f"Its seeds and those of {ranking[1].source} overlap: more seeds would tell them apart."
    elif len(best.best) < 2:
        tone, advice = "fair", "One seed says little: --seeds 3 goes on where this study ended."
    return Finding(question, tone, best.source, answer, advice)


def _row(target: TargetStarts, start: Start, is_first: bool) -> Row:
    scratch = target.scratch
    reach = speed = ""
    if scratch is not None and start.median is not None and start is not scratch:
        reach, speed = _against_scratch(start, scratch)
    return Row(
        target=target.name,
        source=start.source,
        colour=start.colour,
        median="" if start.median is None else plain(start.median),
        spread="" if len(start.best) < 2 else f"{plain(min(start.best))} to {plain(max(start.best))}",
        against_floor=f"{start.median / target.floor:.2f}" if target.floor and start.median else "",
        best_time="" if start.best_sec is None else clock(start.best_sec),
        reach_time=reach,
        speed=speed,
        state=_state(start),
        is_first=is_first,
        is_best=is_first and start.median is not None,
    )


def _against_scratch(start: Start, scratch: Start) -> tuple[str, str]:
    """When a source was as good as scratch at its best, and how many times sooner than scratch that is."""
    if start.reach_sec is None:
        return "not reached", ""
    if start.num_reached < len(start.best):
        return f"{clock(start.reach_sec)} ({start.num_reached} of {len(start.best)} seeds)", ""
    if start.reach_sec == 0:
        return "at once", ""
    return clock(start.reach_sec), f"{(scratch.best_sec or 0.0) / start.reach_sec:.1f} x"


def _state(start: Start) -> str:
    counts = {state: sum(cell.state == state for cell in start.cells) for state in _STATES}
    if counts["done"] == len(start.cells):
        return _counted(counts["done"], "seed")
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number)


def _with_range(start: Start) -> str:
    if start.median is None:
        return "not measured"
    if len(start.best) < 2:
        return plain(start.median)
    return f"{plain(start.median)} ({plain(min(start.best))} to {plain(max(start.best))})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]

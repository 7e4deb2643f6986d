"""The two figures of a study as files: distance over time by source, and the best distances side by side."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegraft.curves import drawing, set_log_scale, written_by_drawing
from stylegraft.report.study_data import TargetStarts, is_log_better, median_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart, and two of Tol's; as in the page.
COLOURS = {
    "source0": "#0072b2",
    "source1": "#d55e00",
    "source2": "#009e73",
    "source3": "#cc79a7",
    "source4": "#e69f00",
    "source5": "#56b4e9",
    "source6": "#882255",
    "source7": "#8a8a1f",
    "scratch": "#8c8c8c",
}
_MARKERS = dict(zip(COLOURS, "os^Dv*PXd"))
_FLOOR: dict[str, Any] = {"color": "#8a8a8a", "linewidth": 1.0, "linestyle": (0, (5, 3))}
_MOST_LETTERS = 28


def draw_over_time(targets: Sequence[TargetStarts], path: Path) -> tuple[Path, Path]:
    """Writes the distance over the images shown, a panel a target, a line a source, its band over seeds.

    Args:
        targets: at least one has a curve.
        path: where to write, without suffix.

    Returns:
        The paths of the SVG and of the PNG.
    """
    shown = [target for target in targets if any(median_line(start, False) for start in target.starts)]
    columns, is_log = min(len(shown), 3), is_log_better(shown)
    num_rows = -(-len(shown) // columns)
    with _careful_drawing(path, 3.6 * columns + 0.6, 3.0 * num_rows + 0.7) as figure:
        panels = figure.subplots(num_rows, columns, squeeze=False).flat
        handles: dict[str, Any] = {}
        for axis, target in zip(panels, shown):
            for start in target.starts:
                line = median_line(start, by_minutes=False)
                if line is None:
                    continue
                colour, marker = COLOURS[start.colour], _MARKERS[start.colour]
                (handle,) = axis.plot(
                    line.x, line.y, color=colour, linewidth=1.7, marker=marker, markersize=3.5
                )
                handles.setdefault(start.source, handle)
                if line.low is not None and line.high is not None:
                    axis.fill_between(line.x, line.low, line.high, color=colour, alpha=0.16, linewidth=0)
            if target.floor is not None:
                handles["real images"] = axis.axhline(target.floor, **_FLOOR)
            axis.set_title(_short(target.name), loc="left", fontsize=11, parse_math=False)
            if is_log:
                set_log_scale(axis)
            else:
                axis.set_ylim(bottom=0)
            axis.set_xlim(left=0)
        for axis in list(panels)[len(shown) :]:
            axis.set_visible(False)
        figure.supxlabel("training images shown (thousands, kimg)", fontsize=10)
        figure.supylabel("FD-EffLite0, lower is better", fontsize=10)
        _legend(figure, handles)
    return written_by_drawing(path)


def draw_best(targets: Sequence[TargetStarts], path: Path) -> tuple[Path, Path]:
    """Writes the median best distance by source as bars in groups, a group a target, with the range of seeds.

    Args:
        targets: at least one has a distance.
        path: where to write, without suffix.

    Returns:
        The paths of the SVG and of the PNG.
    """
    shown = [target for target in targets if target.ranking]
    most = max(len(target.starts) for target in shown)
    with _careful_drawing(path, max(5.0, 0.42 * most * len(shown) + 1.5), 3.8) as figure:
        axis: Axes = figure.subplots()
        axis.grid(axis="x", visible=False)
        handles: dict[str, Any] = {}
        width = 0.84 / most
        for group, target in enumerate(shown):
            for place, start in enumerate(target.starts):
                x = group + (place - (len(target.starts) - 1) / 2) * width
                if start.median is None:
                    continue
                handle = axis.bar(x, start.median, width * 0.86, color=COLOURS[start.colour])
                handles.setdefault(start.source, handle)
                if len(start.best) > 1:
                    reach = [[start.median - min(start.best)], [max(start.best) - start.median]]
                    axis.errorbar(x, start.median, yerr=reach, color="#333333", capsize=3, linewidth=1.1)
                axis.plot([x] * len(start.best), start.best, **_SEED)
            if target.floor is not None:
                floor = axis.hlines(target.floor, group - 0.45, group + 0.45, **_FLOOR)
                handles["real images"] = floor
        axis.set_xticks(range(len(shown)), [_short(target.name) for target in shown], parse_math=False)
        axis.tick_params(axis="x", length=0)
        axis.set_ylabel("best FD-EffLite0, lower is better")
        axis.set_ylim(bottom=0)
        _legend(figure, handles)
    return written_by_drawing(path)


_SEED: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 3,
    "color": "white",
    "markeredgecolor": "#333333",
}


@contextmanager
def _careful_drawing(path: Path, width_in: float, height_in: float) -> Iterator[Figure]:
    """`drawing`, where names may have letters that the font has not: those become boxes, and that is all."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        with drawing(path, min(width_in, 40.0), min(height_in, 60.0)) as figure:
            yield figure


def _legend(figure: Figure, handles: dict[str, Any]) -> None:
    # matplotlib leaves out names that begin with an underscore.
    names = [f" {_short(name)}" if name.startswith("_") else _short(name) for name in handles]
    legend = figure.legend(
        list(handles.values()), names, loc="outside upper center", ncols=min(len(names), 6)
    )
    for label in legend.get_texts():
        label.set_parse_math(False)  # a dollar in a name begins no formula


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"

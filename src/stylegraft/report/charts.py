"""Line charts as inline SVG in the page's own font and colours, which follow its light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 14, 34
_NUM_TICKS = 4


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: in the legend.
        x: ascending.
        y: values.
        low: lower ends of intervals, or None.
        high: upper ends, or None.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    @classmethod
    def of(cls, name: str, curve: Mapping[str, Any]) -> Line:
        """Returns the line of a curve with the keys "kimg", "value", "low" and "high"."""
        return cls(name, curve["kimg"], curve["value"], curve.get("low"), curve.get("high"))


def line_chart(lines: Sequence[Line], mark: float | None = None, mark_name: str = "") -> str:
    """Returns a chart with x in kimg; y begins at 0.

    Args:
        lines: at least one with a point.
        mark: where a vertical line stands, or None.
        mark_name: written beside it.
    """
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for part in (line.y, line.high or ()) for y in part]
    x_ticks, y_ticks = _ticks(min(xs), max(xs)), _ticks(0.0, max(ys))
    first, last = min(*xs, x_ticks[0]), max(*xs, x_ticks[-1])
    top = max(y_ticks[-1], *ys) or 1.0

    def place(x: float, y: float) -> str:
        across = (x - first) / ((last - first) or 1.0)
        left = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
        return f"{left:.1f},{_HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    for y in y_ticks:
        (x1, at), (x2, _) = (place(x, y).split(",") for x in (first, last))
        parts.append(f'<line class="grid" x1="{x1}" x2="{x2}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at}" dy="4" text-anchor="end">{y:g}</text>')
    for x in x_ticks:
        at = place(x, 0).split(",")[0]
        parts.append(f'<text x="{at}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{x:g}</text>')
    if mark is not None:
        (at, foot), (_, head) = place(mark, 0).split(","), place(mark, top).split(",")
        parts.append(f'<line class="mark" x1="{at}" x2="{at}" y1="{foot}" y2="{head}"/>')
        end = "end" if float(at) > _WIDTH / 2 else "start"
        shift = -6 if end == "end" else 6
        parts.append(
            f'<text class="mark" x="{float(at) + shift}" y="{_TOP + 4}" text-anchor="{end}">'
            f"{escape(mark_name)}</text>"
        )
    for number, line in enumerate(lines):
        colour = f"line{number % 4}"
        if line.low and line.high:
            around = [*zip(line.x, line.high), *reversed([*zip(line.x, line.low)])]
            points = " ".join(place(x, max(y, 0.0)) for x, y in around)
            parts.append(f'<polygon class="{colour} band" points="{points}"/>')
        points = " ".join(place(x, max(y, 0.0)) for x, y in zip(line.x, line.y))
        parts.append(f'<polyline class="{colour}" points="{points}"/>')
        if len(line.x) <= 40:
            for point in points.split():
                x, y = point.split(",")
                parts.append(f'<circle class="{colour}" cx="{x}" cy="{y}" r="3"/>')
    parts.append("</svg>")
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Returns round numbers within low and high, about four of them."""
    span = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span / _NUM_TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (factor * step) <= _NUM_TICKS)
    first = math.ceil(low / step - 1e-9)
    last = math.floor((low + span) / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]

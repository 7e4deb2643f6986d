"""Line charts as inline SVG in the page's own font and colours, which follow its light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from stylegraft.report.numbers import plain

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 14, 34
_NUM_TICKS = 4
_SMALLEST = 1e-12  # what spans less is drawn as one value
_MOST_DOTS = 45  # with more points than that, dots would hide the line


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: in the legend.
        x: ascending.
        y: values.
        low: lower ends of intervals, or None.
        high: upper ends, or None.
        colour: class of its colour in the page, such as "source2"; empty: by its place among the lines.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    colour: str = ""

    @classmethod
    def of(cls, name: str, curve: Mapping[str, Any]) -> Line:
        """Returns the line of a curve with the keys "kimg", "value", "low" and "high"."""
        return cls(name, curve["kimg"], curve["value"], curve.get("low"), curve.get("high"))


@dataclass(frozen=True)
class Frame:
    """What is around the lines of a chart.

    Attributes:
        width: in units of the drawing; text is 12 of them high.
        height: likewise.
        x_unit: of the values that a pointer shows.
        name: what the chart shows, for readers who cannot see it.
        mark: where a vertical line stands, or None.
        mark_name: written beside it.
        mark_kind: class of both in the page: "mark" for a warning, "best" for the best moment.
        floor: where a dashed horizontal line stands, or None.
        is_log: whether the y axis is logarithmic; then the values are above 0.
        begins_at_zero: whether x begins at 0, rather than at the first point.
    """

    width: int = 640
    height: int = 220
    x_unit: str = "kimg"
    name: str = ""
    mark: float | None = None
    mark_name: str = ""
    mark_kind: Literal["mark", "best"] = "mark"
    floor: float | None = None
    is_log: bool = False
    begins_at_zero: bool = False


@dataclass(frozen=True)
class Chart:
    """A finished chart with its title and the names of its lines, in the order of their colours."""

    title: str
    names: tuple[str, ...]
    svg: str


def line_chart(lines: Sequence[Line], frame: Frame = Frame()) -> str:
    """Returns a chart; unless its y axis is logarithmic, it begins at 0 or at the lowest negative value.

    Args:
        lines: at least one with a point.
        frame: what is around them.
    """
    scales = _Scales(lines, frame)
    parts = [
        f'<svg class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'aria-label="{escape(frame.name)}" data-x="{scales.first:g} {scales.last:g}" '
        f'data-px="{_LEFT} {frame.width - _RIGHT}">'
    ]
    left, right, foot = _LEFT, frame.width - _RIGHT, frame.height - _BOTTOM
    for y in scales.y_ticks:
        at = scales.y(y)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{left - 8}" y="{at:.1f}" dy="4" text-anchor="end">{y:,g}</text>')
    for x in scales.x_ticks:
        parts.append(f'<text x="{scales.x(x):.1f}" y="{foot + 18}" text-anchor="middle">{x:,g}</text>')
    if frame.floor is not None:
        at = scales.y(frame.floor)
        parts.append(f'<line class="floor" x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
    for number, line in enumerate(lines):
        parts += _drawn(line, line.colour or f"line{number % 4}", scales, frame)
    if frame.mark is not None:
        parts += _mark(scales.x(frame.mark), foot, frame)
    parts.append(f'<line class="cursor" x1="0" x2="0" y1="{_TOP}" y2="{foot}" visibility="hidden"/></svg>')
    return "".join(parts)


class _Scales:
    """From values to places, and round numbers to write beside them."""

    def __init__(self, lines: Sequence[Line], frame: Frame) -> None:
        xs = [x for line in lines for x in line.x]
        ys = [y for line in lines for part in (line.y, line.low or (), line.high or ()) for y in part]
        ys += [] if frame.floor is None else [frame.floor]
        self._frame = frame
        self.x_ticks = ticks(0.0 if frame.begins_at_zero else min(xs), max(xs))
        self.first = min(*xs, self.x_ticks[0])
        self.last = max(*xs, self.x_ticks[-1])
        if frame.is_log:
            lowest = min(y for y in ys if y > 0)
            self._low, self._high = math.log(lowest / 1.1), math.log(max(ys) * 1.1)
            self.y_ticks = [y for y in _log_ticks(lowest, max(ys)) if self._low <= math.log(y) <= self._high]
        else:
            lowest = min(0.0, *(y for line in lines for y in line.y))
            self.y_ticks = ticks(lowest, max(ys))
            self._low, self._high = min(lowest, self.y_ticks[0]), max(self.y_ticks[-1], *ys)

    def x(self, x: float) -> float:
        """Returns where x is, in units of the drawing."""
        share = (x - self.first) / ((self.last - self.first) or 1.0)
        return _LEFT + share * (self._frame.width - _LEFT - _RIGHT)

    def y(self, y: float) -> float:
        """Returns where y is, in units of the drawing; what lies below the axis stands on it."""
        if self._frame.is_log:
            y = math.log(y) if y > 0 else self._low
        share = (max(y, self._low) - self._low) / ((self._high - self._low) or 1.0)
        return self._frame.height - _BOTTOM - share * (self._frame.height - _TOP - _BOTTOM)


def _drawn(line: Line, colour: str, scales: _Scales, frame: Frame) -> list[str]:
    parts = []
    if line.low and line.high:
        around = [*zip(line.x, line.high), *reversed([*zip(line.x, line.low)])]
        points = " ".join(f"{scales.x(x):.1f},{scales.y(y):.1f}" for x, y in around)
        parts.append(f'<polygon class="{colour} band" points="{points}"/>')
    points = " ".join(f"{scales.x(x):.1f},{scales.y(y):.1f}" for x, y in zip(line.x, line.y))
    parts.append(f'<polyline class="{colour}" points="{points}"/>')
    if len(line.x) <= _MOST_DOTS:
        for x, y in zip(line.x, line.y):
            shown = escape(f"{line.name}: {plain(y)} at {x:,.4g} {frame.x_unit}")
            parts.append(
                f'<circle class="{colour}" cx="{scales.x(x):.1f}" cy="{scales.y(y):.1f}" r="3">'
                f"<title>{shown}</title></circle>"
            )
    return parts


def _mark(at: float, foot: int, frame: Frame) -> list[str]:
    side, shift = ("end", -6) if at > frame.width / 2 else ("start", 6)
    return [
        f'<line class="{frame.mark_kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{foot}" y2="{_TOP}"/>',
        f'<text class="{frame.mark_kind}" x="{at + shift:.1f}" y="{_TOP + 4}" text-anchor="{side}">'
        f"{escape(frame.mark_name)}</text>",
    ]


def spans_more_than(factor: float, values: Iterable[float]) -> bool:
    """Returns whether values are all above 0 and the largest is more than so many times the smallest."""
    lowest, highest = math.inf, -math.inf
    for value in values:
        lowest, highest = min(lowest, value), max(highest, value)
    return 0 < factor * lowest < highest


def ticks(low: float, high: float) -> list[float]:
    """Returns round numbers within low and high, about four of them."""
    span = max(high - low, 0.0) or abs(high)
    span = span if span > _SMALLEST else 1.0
    step = 10.0 ** math.floor(math.log10(span / _NUM_TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (factor * step) <= _NUM_TICKS)
    first = math.ceil(low / step - 1e-9)
    last = math.floor((low + span) / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Returns 1, 2, 5 times powers of ten from about low to about high; of many, powers of ten alone."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= _NUM_TICKS else (1,)
    return [factor * 10.0**power for power in powers for factor in factors]

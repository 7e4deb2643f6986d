"""Grouped bars with whiskers as inline SVG, in the same style as the line charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from stylegraft.report.charts import ticks
from stylegraft.report.numbers import plain

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 320, 56, 12, 24, 40
_WIDEST_BAR = 64.0
_LETTER = 6.6  # mean width of a letter of 12 units


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: whose it is.
        colour: class of its colour in the page.
        value: its height; None where there is nothing yet.
        low: lower end of the whisker.
        high: upper end.
        dots: single values, drawn over the bar.
    """

    name: str
    colour: str
    value: float | None
    low: float | None = None
    high: float | None = None
    dots: Sequence[float] = ()


@dataclass(frozen=True)
class Group:
    """Bars beside each other, with a name below and a dashed line at `floor` across them."""

    name: str
    bars: Sequence[Bar]
    floor: float | None = None


def bar_chart(groups: Sequence[Group], *, name: str, width: int = 900) -> str:
    """Returns a chart whose y axis begins at 0.

    Args:
        groups: at least one, with at least one bar that has a value.
        name: what it shows, for readers who cannot see it.
        width: in units of the drawing; text is 12 of them high.
    """
    tops = [top for group in groups for bar in group.bars for top in (bar.value, bar.high) if top is not None]
    tops += [group.floor for group in groups if group.floor is not None]
    y_ticks = ticks(0.0, max(tops))
    highest = max(y_ticks[-1], *tops) or 1.0
    foot = _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        return foot - max(value, 0.0) / highest * (foot - _TOP)

    parts = [
        f'<svg class="chart wide-chart" viewBox="0 0 {width} {_HEIGHT}" role="img" '
        f'aria-label="{escape(name)}">'
    ]
    for tick in y_ticks:
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at}" dy="4" text-anchor="end">{tick:,g}</text>')
    step = (width - _LEFT - _RIGHT) / len(groups)
    for number, group in enumerate(groups):
        left = _LEFT + number * step
        bar_width = min(_WIDEST_BAR, 0.82 * step / len(group.bars))
        start = left + (step - bar_width * len(group.bars)) / 2
        for place, bar in enumerate(group.bars):
            parts += _bar(bar, start + place * bar_width, bar_width, foot, y)
        if group.floor is not None:
            at, right = f"{y(group.floor):.1f}", start + bar_width * len(group.bars)
            parts.append(
                f'<line class="floor" x1="{start - 4:.1f}" x2="{right + 4:.1f}" y1="{at}" y2="{at}">'
                f"<title>{escape(group.name)}: real images score {plain(group.floor)}</title></line>"
            )
        parts.append(
            f'<text class="group" x="{left + step / 2:.1f}" y="{foot + 22}" text-anchor="middle">'
            f"{escape(_shortened(group.name, step))}</text>"
        )
    return "".join([*parts, "</svg>"])


def _bar(bar: Bar, left: float, width: float, foot: float, y: Callable[[float], float]) -> list[str]:
    middle, inner = left + width / 2, width * 0.82
    if bar.value is None:
        return [f'<text x="{middle:.1f}" y="{foot - 6:.1f}" text-anchor="middle">–</text>']
    spread = "" if bar.low == bar.high else f" ({plain(bar.low or 0)} to {plain(bar.high or 0)})"
    top = y(bar.value)
    parts = [
        f'<rect class="{bar.colour}" x="{middle - inner / 2:.1f}" y="{top:.1f}" width="{inner:.1f}" '
        f'height="{foot - top:.1f}" rx="2">'
        f"<title>{escape(bar.name)}: {plain(bar.value)}{spread}</title></rect>"
    ]
    highest = top
    if bar.low is not None and bar.high is not None and bar.low != bar.high:
        highest, cap = y(bar.high), min(6.0, inner / 4)
        stroke = f"M{middle:.1f} {y(bar.low):.1f}V{highest:.1f}"
        caps = "".join(f"M{middle - cap:.1f} {end:.1f}h{2 * cap:.1f}" for end in (y(bar.low), highest))
        parts.append(f'<path class="whisker" d="{stroke}{caps}"/>')
    for dot in bar.dots:
        parts.append(f'<circle class="seed" cx="{middle:.1f}" cy="{y(dot):.1f}" r="2.4"/>')
    text = plain(bar.value)
    if len(text) * _LETTER <= width:
        parts.append(f'<text x="{middle:.1f}" y="{highest - 7:.1f}" text-anchor="middle">{text}</text>')
    return parts


def _shortened(name: str, width: float) -> str:
    letters = max(int(width / _LETTER), 4)
    return name if len(name) <= letters else f"{name[: letters - 1]}…"

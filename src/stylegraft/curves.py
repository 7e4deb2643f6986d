"""The curve of a run: distance to the real images over training time, with its best checkpoint and its floor.

matplotlib is imported inside the functions, because this module is imported by code that must start fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegraft.errors import InputError
from stylegraft.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[list[float], list[float]]  # kimg, value

_INK = "#444444"
_BEST = "#c8553d"
_FLOOR = "#8a8a8a"
_LINES = ("#2f5d8a", "#d08c3f", "#5b8c5a", "#8a5a83")
_STYLE: dict[str, Any] = {
    "font.size": 10.0,
    "text.color": _INK,
    "axes.edgecolor": "#b5b5b5",
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e9e9e9",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    # The same rows give the same bytes: identifiers in SVG come from this instead of a random number.
    "svg.hashsalt": "stylegraft",
}


def plot_distance_curve(
    rows: Sequence[Mapping[str, Any]],
    path: str | Path,
    *,
    distance_key: str = "fd_efflite0",
    distance_name: str = "FD-EffLite0",
    best_kimg: float | None = None,
    floor: float | None = None,
    panels: Mapping[str, Sequence[str]] | None = None,
    title: str | None = None,
) -> tuple[Path, Path]:
    """Draws the distance over kimg and writes it as SVG and as PNG, each atomically.

    Args:
        rows: scalars of the run, each with "kimg" and any of the keys drawn here; rows that lack a key, or
            have None or a non-finite number, are left out of that line.
        path: where to write; the suffix is replaced by .svg and .png.
        distance_key: key of the distance.
        distance_name: its name on the axis.
        best_kimg: moment of the checkpoint that was kept; None marks the lowest distance.
        floor: distance of real images to real images, drawn as a dashed line; None for none.
        panels: smaller panels below: axis name -> keys, for example {"loss": ("loss_g", "loss_d")}. A panel
            without any value is left out.
        title: a line above; None for none.

    Returns:
        The paths of the SVG and of the PNG.

    Raises:
        InputError: no row has a finite distance.
        RunError: a file cannot be written.
    """
    distance = _points(rows, distance_key)
    if not distance[0]:
        raise InputError(
            f"cannot draw a curve: expected at least one row with a finite {distance_key!r}, got none in "
            f"{len(rows)} rows. Evaluate the run first."
        )
    lines = {
        name: {key: points for key in keys if (points := _points(rows, key))[0]}
        for name, keys in (panels or {}).items()
    }
    lines = {name: drawn for name, drawn in lines.items() if drawn}

    with drawing(path, 7.0, 3.6 + 1.5 * len(lines)) as figure:
        heights = [3.4] + [1.5] * len(lines)
        axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        _draw_distance(axes[0], distance, distance_name, best_kimg, floor)
        for axis, (name, drawn) in zip(axes[1:], lines.items()):
            _draw_panel(axis, name, drawn)
        axes[-1].set_xlabel("training images shown (thousands, kimg)")
        if title is not None:
            axes[0].set_title(title, loc="left", fontsize=11)
    return written_by_drawing(path)


@contextmanager
def drawing(path: str | Path, width_in: float, height_in: float) -> Iterator[Figure]:
    """Gives an empty figure in the style of the library; when the block ends, writes it as SVG and as PNG.

    The same drawing gives the same bytes, and each file appears whole or not at all.

    Args:
        path: where to write; see `written_by_drawing`.
        width_in: width in inches, of 150 px in the PNG.
        height_in: height, likewise.

    Raises:
        RunError: a file cannot be written.
    """
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # The object interface: no pyplot, so no window system and no global list of figures.
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        svg, png = BytesIO(), BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    for file, data in zip(written_by_drawing(path), (svg, png)):
        write_bytes(file, data.getvalue())


def written_by_drawing(path: str | Path) -> tuple[Path, Path]:
    """Returns the paths of the SVG and of the PNG that `drawing` writes for a path."""
    return Path(path).with_suffix(".svg"), Path(path).with_suffix(".png")


def _draw_distance(
    axis: Axes, distance: Points, name: str, best_kimg: float | None, floor: float | None
) -> None:
    kimg, values = distance
    axis.plot(kimg, values, color=_LINES[0], linewidth=1.8, marker="o", markersize=3)
    _choose_scale(axis, [*values, *([] if floor is None else [floor])])
    axis.set_ylabel(f"{name} (lower is better)")
    axis.margins(y=0.16)

    if floor is not None:
        axis.axhline(floor, color=_FLOOR, linewidth=1.2, linestyle=(0, (5, 3)))
        axis.annotate(
            f"real to real {floor:.4g}",
            (0.0, floor),
            xycoords=("axes fraction", "data"),
            xytext=(6, 4),
            textcoords="offset points",
            color=_FLOOR,
            fontsize=9,
        )
    # The kept checkpoint is the evaluated moment nearest to the one named.
    wanted = kimg[values.index(min(values))] if best_kimg is None else best_kimg
    best = min(range(len(kimg)), key=lambda i: abs(kimg[i] - wanted))
    axis.plot([kimg[best]], [values[best]], marker="o", markersize=8, color=_BEST, linestyle="none", zorder=3)
    # The text leans away from the nearer edge; above the marker runs the curve, below it is room.
    share = (kimg[best] - kimg[0]) / max(kimg[-1] - kimg[0], 1e-9)
    axis.annotate(
        f"best {values[best]:.4g} at {kimg[best]:.4g} kimg",
        (kimg[best], values[best]),
        xytext=(0, -8),
        textcoords="offset points",
        ha="right" if share > 0.7 else "left" if share < 0.3 else "center",
        va="top",
        color=_BEST,
        fontsize=9,
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
    )


def _draw_panel(axis: Axes, name: str, drawn: Mapping[str, Points]) -> None:
    for (key, (kimg, values)), colour in zip(drawn.items(), _LINES * len(drawn)):
        axis.plot(kimg, values, color=colour, linewidth=1.2, label=key)
    axis.set_ylabel(name)
    if len(drawn) > 1:
        # Above the frame, where no line can run through it.
        axis.legend(
            loc="lower right", bbox_to_anchor=(1.0, 0.96), fontsize=8, ncols=len(drawn), borderpad=0.0
        )


def _choose_scale(axis: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis when the values span more than a factor of ten, else a linear one."""
    if min(values) > 0 and max(values) > 10 * min(values):
        set_log_scale(axis)


def set_log_scale(axis: Axes) -> None:
    """Makes the y axis logarithmic, with plain numbers at 1, 2 and 5 times powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> Points:
    """The finite values of one key in order of kimg."""
    found = [
        (float(row["kimg"]), float(row[key]))
        for row in rows
        if row.get("kimg") is not None and row.get(key) is not None and math.isfinite(row[key])
    ]
    found.sort()
    return [kimg for kimg, _ in found], [value for _, value in found]

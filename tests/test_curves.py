import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from stylegraft.curves import plot_distance_curve
from stylegraft.errors import InputError, RunError

ROWS = [
    {"kimg": 0.0, "loss_g": 1.0, "loss_d": 0.9, "fd_efflite0": 300.0},
    {"kimg": 10.0, "loss_g": 1.2, "loss_d": 0.8},
    {"kimg": 20.0, "loss_g": 1.1, "loss_d": 0.7, "fd_efflite0": 42.5},
    {"kimg": 30.0, "loss_g": float("nan"), "loss_d": None, "fd_efflite0": 60.0},
]
LOSSES = {"loss": ("loss_g", "loss_d"), "ADA p": ("ada_p",)}


@pytest.fixture
def drawn_figure(monkeypatch):
    """Keeps the figure of the last plot, so that a test can ask what was drawn."""
    from matplotlib.figure import Figure

    kept = []
    original = Figure.savefig

    def savefig(self, *args, **kwargs):
        kept.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return lambda: kept[-1]


def texts_of(axis):
    return [text.get_text() for text in axis.texts]


def test_curve_writes_svg_and_png(tmp_path):
    svg, png = plot_distance_curve(ROWS, tmp_path / "plots" / "curve.png", floor=5.0, panels=LOSSES)
    assert (svg.name, png.name) == ("curve.svg", "curve.png")
    assert b"<svg" in svg.read_bytes()
    with Image.open(png) as picture:
        assert picture.width > 600
        assert np.asarray(picture.convert("L")).std() > 5


def test_curve_is_the_same_bytes_each_time(tmp_path):
    for first, second in zip(
        plot_distance_curve(ROWS, tmp_path / "a", floor=5.0, panels=LOSSES),
        plot_distance_curve(ROWS, tmp_path / "b", floor=5.0, panels=LOSSES),
    ):
        assert first.read_bytes() == second.read_bytes()


def test_curve_marks_the_lowest_distance_and_the_floor(tmp_path, drawn_figure):
    plot_distance_curve(ROWS, tmp_path / "a", floor=5.0)
    assert texts_of(drawn_figure().axes[0]) == ["real to real 5", "best 42.5 at 20 kimg"]


def test_curve_marks_the_checkpoint_it_is_told(tmp_path, drawn_figure):
    plot_distance_curve(ROWS, tmp_path / "a", best_kimg=30.0)
    assert texts_of(drawn_figure().axes[0]) == ["best 60 at 30 kimg"]


@pytest.mark.parametrize(
    ("distances", "floor", "scale"),
    [
        ([300.0, 20.0], None, "log"),
        ([90.0, 10.0], None, "linear"),
        ([90.0, 10.0], 2.0, "log"),
        ([300.0, 0.0], None, "linear"),
    ],
)
def test_curve_is_logarithmic_beyond_a_factor_of_ten(tmp_path, drawn_figure, distances, floor, scale):
    rows = [{"kimg": kimg, "fd_efflite0": value} for kimg, value in enumerate(distances)]
    plot_distance_curve(rows, tmp_path / "a", floor=floor)
    assert drawn_figure().axes[0].get_yscale() == scale


def test_panels_draw_finite_values_and_leave_out_what_is_absent(tmp_path, drawn_figure):
    plot_distance_curve(ROWS, tmp_path / "a", panels=LOSSES)
    distance, losses = drawn_figure().axes
    assert losses.get_ylabel() == "loss"
    assert [line.get_xdata().tolist() for line in losses.lines] == [[0, 10, 20], [0, 10, 20]]
    assert distance.lines[0].get_xdata().tolist() == [0, 20, 30]


def test_curve_of_one_evaluation_is_drawn(tmp_path):
    svg, _ = plot_distance_curve([{"kimg": 1, "fd_efflite0": 5}], tmp_path / "one")
    assert svg.exists()


@pytest.mark.parametrize("rows", [[], [{"kimg": 1}], [{"kimg": 1, "fd_efflite0": float("nan")}]])
def test_curve_without_a_distance_is_one_clear_error(tmp_path, rows):
    with pytest.raises(InputError, match="finite 'fd_efflite0'"):
        plot_distance_curve(rows, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_curve_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        plot_distance_curve(ROWS, tmp_path / "file" / "a")


def test_importing_curves_is_cheap_and_drawing_needs_no_pyplot(tmp_path):
    code = (
        "import sys, stylegraft.curves as c; assert 'matplotlib' not in sys.modules; "
        "c.plot_distance_curve([{'kimg': 1, 'fd_efflite0': 5}], sys.argv[1]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=True)

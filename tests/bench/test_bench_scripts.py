"""The benchmark scripts' tables, and the pages they go into."""

import importlib.util
import re
from pathlib import Path

import pytest

from stylegraft.bench.results import result_header

ROOT = Path(__file__).parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def roofline_result() -> dict:
    rates = {"gemm_fp32_gflops": 200.0, "gemm_bf16_gflops": 900.0, "copy_gb_per_sec": 80.0}
    rows = [
        {
            "phase": "G.b4 forward",
            "gflop": 1.0,
            "mbytes": 2.0,
            "limit_sec": 0.001,
            "convolutions_sec": 0.0015,
            "measured_sec": 0.002,
        },
        {"phase": "losses and the rest", "measured_sec": 0.002},
    ]
    part = {"batch": 16, "step_sec": 0.5, "limit_sec": 0.25, "gflop_per_image": 16.0}
    compared = {
        "asked": 8,
        "yardstick_img_per_sec": 10.0,
        "img_per_sec": 35.0,
        "yardstick_fraction_of_fp32_gemm": 0.935,
        "fraction_of_gemm": 0.727,
        "asked_fraction_of_gemm": 1.66,
        "limit_img_per_sec": 64.0,
        "limit_times_yardstick": 6.4,
    }
    return result_header("roofline") | {
        "precision": "bf16",
        "rates": rates,
        "training": part | {"phases": rows},
        "sampling": part,
        "multiples": {"training": compared},
    }


def scaling_result(scaling) -> dict:
    run = {"img_per_sec": 30.0, "peak_memory_mb": 900.0}
    opened = {"open_sec": 2.0, "split_sec": 0.1, "first_order_sec": 0.1, "batch_sec": 0.001}
    return result_header("scaling") | {
        "gpus": scaling.exchange_table(),
        "resolution": [run | {"size_px": 64, "gflop_per_image": 16.0, "limit_img_per_sec": 50.0}],
        "batch": [run | {"batch": 16}],
        "sampling": [run | {"batch": 16}],
        "set": [opened | {"num_images": 1000, "memory_mb": 12.0, "pixels_mb": 0.8}],
        "processes": [
            {"processes": 2, "threads": 1, "img_per_sec": 30.0, "exchange_ms": 12.0, "sent_mbytes": 56.0}
        ],
    }


def busy_result() -> dict:
    speeds = {"passive": {"alone": 200.0, "beside": 120.0}, "default": {"alone": 200.0, "beside": 20.0}}
    return result_header("busy_neighbour") | {"img_per_sec": speeds}


def kernels_result() -> dict:
    row = {"name": "ToRGB, forward", "before_sec": 0.002, "after_sec": 0.0005, "bytes": 20e6}
    return result_header("kernels") | {"rows": [row]}


def all_tables() -> dict[str, str]:
    scaling = load("scaling")
    return (
        load("roofline").tables(roofline_result())
        | scaling.tables(scaling_result(scaling))
        | load("busy_neighbour").tables(busy_result())
        | load("kernels").tables(kernels_result())
    )


def test_tables_of_the_scripts_have_the_figures():
    parts = all_tables()
    assert "| G.b4 forward | 1.00 | 2.00 | 1.00 | 1.50 | 2.00 | 0.50 |" in parts["roofline-phases"]
    assert "| **all** | 1.00 | 2.00 | 1.00 | 1.50 | 4.00 | 0.25 |" in parts["roofline-phases"]
    assert "| training, bf16 | 16.0 | 64.0 | 32.0 | 0.50 |" in parts["roofline-summary"]
    assert "8 x 10.0 img/s x 18.7 GFLOP = 1496 GFLOP/s" in parts["roofline-multiples"]
    assert "| `OMP_WAIT_POLICY=passive` | 200 | 120 | 0.60 |" in parts["busy-neighbour"]
    assert "| ToRGB, forward | 2.00 | 0.50 | 4.00 | 40.0 |" in parts["kernels"]
    assert "| 1,000 | 2.00 | 2,000 | 0.10 | 0.10 | 1.00 | 12.0 | 0.80 |" in parts["scaling-set"]
    assert "| 2 x 1 | 30.0 | 12.0 | 56.0 |" in parts["scaling-processes"]


def test_multiples_are_fractions_of_the_machine(monkeypatch):
    roofline = load("roofline")
    speeds = {"yardstick": 10.0, "bf16": 35.0}

    def run_worker(arguments, environment):
        return {"img_per_sec": speeds[arguments[arguments.index("--which") + 1]]}

    monkeypatch.setattr(roofline, "run_worker", run_worker)
    console = roofline.Console(quiet=True)
    training = roofline._multiples(roofline_result(), "bf16", console)["training"]
    assert training["yardstick_fraction_of_fp32_gemm"] == pytest.approx(18.7 * 10 / 200)
    assert training["fraction_of_gemm"] == pytest.approx(18.7 * 35 / 900)
    assert training["asked_fraction_of_gemm"] == pytest.approx(18.7 * 80 / 900)
    assert training["limit_times_yardstick"] == pytest.approx(16 / 0.25 / 10)


def test_pages_have_a_place_for_every_table_and_a_table_for_every_place():
    places = []
    for page in load_render_pages():
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        places += re.findall(r"^<!-- (?!end -->)([\w-]+) -->$", text, flags=re.M)
    assert sorted(places) == sorted(all_tables())


def load_render_pages() -> tuple[str, ...]:
    text = (ROOT / "benchmarks" / "render.py").read_text(encoding="utf-8")
    return tuple(re.findall(r'"(\w+\.md)"', text))


def test_exchange_of_presets_grows_with_their_networks():
    rows = load("scaling").exchange_table()
    sizes = [row["parameters"] for row in rows]
    assert sizes == sorted(sizes)
    for row in rows:
        # All gradients once, and a share of them once more, in float32 and almost twice over in a ring.
        ratio = row["sent_mbytes"] * 1e6 / (4 * row["parameters"] * 2 * 7 / 8)
        assert 1.0 < ratio < 1.25


def test_opening_a_tiny_set_is_timed(tmp_path):
    scaling = load("scaling")
    path = tmp_path / "set.zip"
    scaling.write_tiny_set(path, 70)
    answer = scaling.open_set(path)
    assert answer["open_sec"] > 0
    assert answer["pixels_mb"] == pytest.approx(70 * 16 * 16 * 3 / 1e6)

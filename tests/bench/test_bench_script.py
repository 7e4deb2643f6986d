"""The benchmark script's arithmetic: medians, ratios, fractions and bars."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training_step.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("training_step_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fake_rounds(yardstick: float) -> dict:
    speeds = {
        ("training", "yardstick"): yardstick,
        ("training", "bf16"): 20.0,
        ("training", "fp32"): 6.0,
        ("sampling", "yardstick"): 50.0,
        ("sampling", "bf16"): 250.0,
        ("sampling", "fp32"): 80.0,
    }
    runs = [
        {"what": what, "which": which, "img_per_sec": speed * factor, "peak_memory_mb": 1600.0 * factor}
        for factor in (1.0, 0.5, 2.0)
        for (what, which), speed in speeds.items()
    ]
    rates = {"gemm_fp32_gflops": 320.0, "gemm_bf16_gflops": 1000.0, "copy_gb_per_sec": 20.0}
    return {"rates": [rates, rates], "runs": runs}


def test_summary_takes_medians_ratios_and_fractions(script):
    rows = {(row["what"], row["which"]): row for row in script.summarise(fake_rounds(4.0))["results"]}
    row = rows["training", "bf16"]
    assert (row["img_per_sec"], row["slowest"], row["fastest"]) == (20.0, 10.0, 40.0)
    assert row["times_yardstick"] == 5.0
    assert row["gemm_fraction"] == pytest.approx(18.7 * 20 / 1000)
    assert rows["sampling", "fp32"]["gemm_fraction"] == pytest.approx(1.40 * 80 / 320)


def test_summary_says_which_bars_hold(script):
    held = {bar["name"]: bar["held"] for bar in script.summarise(fake_rounds(4.0))["bars"]}
    assert held == {
        "yardstick training, img/s": False,  # 0.9 * 5.9 * 320 / 320 = 5.31 are asked for
        "training bf16, times yardstick": False,  # 5
        "sampling bf16, times yardstick": False,  # 5
        "training fp32, times yardstick": True,
        "sampling fp32, times yardstick": False,
        "training bf16, of GEMM": False,  # 18.7 * 20 / 1000
        "sampling bf16, of GEMM": True,  # 1.4 * 250 / 1000
        "training fp32, of GEMM": False,
        "training bf16, peak MB": False,
        "training fp32, peak MB": False,
    }
    assert script.summarise(fake_rounds(5.4))["bars"][0]["held"]

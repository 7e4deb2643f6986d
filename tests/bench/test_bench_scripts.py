"""The benchmark scripts' tables, and the pages they go into."""

import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stylegraft.bench.results import result_header
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.cli.main import main
from stylegraft.features import feature_network

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
    first = opened | {"memory_mb": 12.0, "pixels_mb": 0.8}
    return result_header("scaling") | {
        "gpus": scaling.exchange_table(),
        "resolution": [run | {"size_px": 64, "gflop_per_image": 16.0, "limit_img_per_sec": 50.0}],
        "batch": [run | {"batch": 16}],
        "sampling": [run | {"batch": 16}],
        "set": [{"num_images": 1000, "first": first, "later": first | {"open_sec": 0.5}}],
        "processes": [
            {"processes": 2, "threads": 1, "img_per_sec": 30.0, "exchange_ms": 12.0, "sent_mbytes": 56.0}
        ],
    }


def busy_result() -> dict:
    speeds = {"alone": 200.0, "beside": 120.0, "again": 190.0}
    ways = {way: {"img_per_sec": speeds} for way in ("adapting, brief", "adapting", "fixed, spinning")}
    return result_header("busy_neighbour") | {"ways": ways}


def kernels_result() -> dict:
    row = {"name": "ToRGB, forward", "before_sec": 0.002, "after_sec": 0.0005, "bytes": 20e6}
    return result_header("kernels") | {"precision": "fp32", "rows": [row]}


def generating_result() -> dict:
    ways = ("sample", "sample_again", "generate_folder", "generate_zip", "writing")
    return result_header("generating") | {
        "precision": "bf16",
        "num": 512,
        "side_px": 64,
        "sizes": [
            {"side_px": 64, "chosen": 32, "img_per_sec": {"1": 100.0, "32": 400.0}},
            {"side_px": 512, "chosen": 1, "img_per_sec": {"1": 10.0}},
        ],
        "img_per_sec": {"synthesis": 400.0} | dict.fromkeys(ways, 300.0),
    }


def startup_result() -> dict:
    found = {"begins_sec": 2.5, "first_step_sec": 5.5, "first_ever_sec": 9.0, "with_distances_sec": 20.0}
    return result_header("startup") | found | {"peak_memory_mb": 900.0, "precision": "bf16"}


def feature_result(feature_distance) -> dict:
    parts = {"features_sec": 100.0, "statistics_sec": 6.0, "comparison_sec": 1.0}
    return result_header("feature_distance") | {
        "precision": "bf16",
        "num": 10_000,
        "images": "beans",
        "img_per_sec": {"plain": 60.0, "ours": 180.0},
        "times_plain": 3.0,
        "distances": {"plain": 20.0, "ours": 20.02},
        "distance_change": 0.001,
        "whole": parts | {"whole_sec": 107.0, "whole_over_features": 1.07},
    }


def precision_result(precision_quality) -> dict:
    runs = []
    for seed, (fp32, bf16) in enumerate([(50.0, 51.0), (60.0, 49.0), (52.0, 58.0)]):
        for precision, final in (("fp32", fp32), ("bf16", bf16)):
            losses = [[kimg, 1.0 + seed / 10, 0.5] for kimg in range(4)]
            run = {
                "precision": precision,
                "seed": seed,
                "final": final,
                "best": final - 1,
                "train_sec": 100.0,
            }
            runs.append(run | {"losses": losses})
    close = {"cosine": 0.999, "relative_error": 0.04}
    row = {"bf16": close, "other_batch": {"cosine": 0.5, "relative_error": 1.0}}
    return result_header("precision_quality") | {
        "kimg": 16.0,
        "seeds": [0, 1, 2],
        "eval_fakes": 1000,
        "num_beans": 1200,
        "side_px": 32,
        "runs": runs,
        **precision_quality.summarise(runs),
        "losses": precision_quality.compare_losses(runs),
        "one_state": {"gradients": dict.fromkeys(precision_quality.GRADIENTS, row)},
    }


def all_tables() -> dict[str, str]:
    scaling = load("scaling")
    return (
        load("roofline").tables(roofline_result())
        | scaling.tables(scaling_result(scaling))
        | load("busy_neighbour").tables(busy_result())
        | load("kernels").tables(kernels_result())
        | load("generating").tables(generating_result())
        | load("startup").tables(startup_result())
        | (distance := load("feature_distance")).tables(feature_result(distance))
        | (quality := load("precision_quality")).tables(precision_result(quality))
    )


def test_tables_of_the_scripts_have_the_figures():
    parts = all_tables()
    assert "| G.b4 forward | 1.00 | 2.00 | 1.00 | 1.50 | 2.00 | 0.50 |" in parts["roofline-phases"]
    assert "| **all** | 1.00 | 2.00 | 1.00 | 1.50 | 4.00 | 0.25 |" in parts["roofline-phases"]
    assert "| training, bf16 | 16.0 | 64.0 | 32.0 | 0.50 |" in parts["roofline-summary"]
    assert "8 x 10.0 img/s x 18.7 GFLOP = 1496 GFLOP/s" in parts["roofline-multiples"]
    assert "| threads that adapt | 200 | 120 | 0.60 | 190 | 0.95 |" in parts["busy-neighbour"]
    assert "| ToRGB, forward | 2.00 | 0.50 | 4.00 | 40.0 |" in parts["kernels"]
    assert "| training, bf16 | 2.50 | 5.50 | 9.00 | 20.0 | 900 |" in parts["startup"]
    assert "| 64 | 100 | **400** |\n| 512 | **10.0** |  |" in parts["generating-batches"]
    assert "| `generate` into a zip | 300 | 0.75 |" in parts["generating-ways"]
    assert "| `stylegraft`, bf16 | 180 | 3.00 | 20.0200 |" in parts["feature-distance"]
    assert "moves by 0.10%. The whole of it takes 107 s, 1.07 times its features" in parts["feature-distance"]
    assert "| **median** | 52.0 | 51.0 | 51.0 | 50.0 |" in parts["precision-quality"]
    assert "| path length | 0.9990 | 0.0400 | 0.5000 | 1.0000 |" in parts["precision-quality"]
    assert (
        "| 1,000 | 0.80 | 2.00 | 2,000 | 0.10 | 12.0 | 0.50 | 0.10 | 12.0 | 0.10 | 1.00 |"
        in parts["scaling-set"]
    )
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


def test_startup_trains_at_the_yardsticks_settings(tmp_path, monkeypatch):
    """The flags give what the other benchmarks measure; the first step is what is waited for."""
    script = load("startup")
    images, run = tmp_path / "beans", tmp_path / "run"
    script.write_bean_set(images, 20, 64, seed=0)
    planned = {}

    class PlannedError(Exception):
        pass

    def new_state(config, device):
        planned["config"] = config
        raise PlannedError

    monkeypatch.setattr("stylegraft.training.run.new_state", new_state)
    monkeypatch.setattr("stylegraft.training.run.compile_kernels", lambda maps: None)
    with pytest.raises(PlannedError):
        main(script.train_arguments(images, run, "fp32"))
    expected, config = run_config(YardstickSettings(), "fp32"), planned["config"]
    for name in ("batch", "micro_batch", "precision", "lr", "r1_gamma", "r1_interval", "augment"):
        assert getattr(config, name) == getattr(expected, name), name
    for name in ("pl_weight", "pl_interval", "pl_batch_shrink", "mixing_prob"):
        assert getattr(config, name) == getattr(expected, name), name
    assert config.ada.p == expected.ada.p
    for network in ("generator", "discriminator"):
        assert getattr(config, network).channels == getattr(expected, network).channels
    for name in ("z_dim", "w_dim", "num_layers"):
        assert getattr(config.generator.mapping, name) == getattr(expected.generator.mapping, name), name
    assert [held for _, held in script.bars(startup_result())] == [True, True]


def test_multiples_are_asked_for_with_bf16_units_only():
    result = roofline_result() | {"precision": "fp32"}
    part = result["multiples"]["training"]
    del part["asked"], part["asked_fraction_of_gemm"]
    text = load("roofline").tables(result)["roofline-multiples"]
    assert "asked" not in text
    assert "| training | 10.0 | 0.94 | 35.0 | 0.73 | 3.50 | 6.40 |" in text


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


def test_bars_of_features_are_those_of_machines_with_bf16_units():
    script = load("feature_distance")
    result = feature_result(script)
    assert [held for _, held in script.bars(result)] == [True, True, True]
    slow = result | {"times_plain": 2.4, "distance_change": 0.005}
    assert [held for _, held in script.bars(slow)] == [True, False, False]
    assert len(script.bars(slow | {"precision": "fp32"})) == 1


def test_plain_forward_has_the_same_features():
    script = load("feature_distance")
    reals, fakes, said = script.bean_sets(3)
    assert reals.shape == fakes.shape == (3, 64, 64, 3)
    assert "blurred" in said
    plain, ours = script.PlainLite0()(fakes), feature_network()(fakes)
    # As in the tests of the network: float32 summed in another order.
    assert (plain - ours).abs().max() < 2e-5 * ours.abs().max()


def test_whole_distance_has_its_parts():
    script = load("feature_distance")
    images = np.random.RandomState(0).randint(0, 256, [2, 40, 8, 8, 3], dtype=np.uint8)

    class Mean:
        name, dim, sha256, is_published, precision = "mean", 3, "", False, "fp32"

        def __call__(self, images):
            return torch.from_numpy(images.mean(axis=(1, 2), dtype=np.float32))

    whole = script.measure_whole(Mean(), (images[0], images[1]))
    assert whole["distance"] > 0
    parts = [whole[f"{name}_sec"] for name in ("features", "statistics", "comparison")]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(whole["whole_sec"])
    assert whole["whole_over_features"] == pytest.approx(whole["whole_sec"] / parts[0])


def test_bf16_is_not_worse_within_what_seeds_change():
    script = load("precision_quality")
    summary = precision_result(script)
    assert summary["medians"]["fp32"]["final"] == 52
    assert summary["fp32_seed_spread"] == 10
    assert summary["held"]
    worse = [run | {"final": run["final"] + 20 * (run["precision"] == "bf16")} for run in summary["runs"]]
    assert not script.summarise(worse)["held"]
    assert summary["losses"]["loss_G"]["seeds"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "last", [{"kimg": 1.0, "distance": 3.0}, {"kimg": 0.5, "distance": 3.0}, {"kimg": 1.0}]
)
def test_run_is_finished_when_its_last_distance_is_there(tmp_path, monkeypatch, last):
    script = load("precision_quality")
    monkeypatch.setattr(script, "has_checkpoints", lambda run: True)
    monkeypatch.setattr(script, "read_config", lambda run: SimpleNamespace(total_kimg=1.0))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "log.jsonl").write_text(json.dumps({"kimg": 0.2, "distance": 4.0}) + "\n" + json.dumps(last))
    assert script.is_finished(tmp_path) == (last == {"kimg": 1.0, "distance": 3.0})

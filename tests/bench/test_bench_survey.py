"""`survey`: measured rows where it must, worked out rows elsewhere, and the arithmetic between them."""

import json

import pytest

from stylegraft.bench import survey as survey_module
from stylegraft.bench.survey import USUAL_KIMG, preset_config, survey
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.training.estimate import Estimate

RATES = {"gemm_fp32_gflops": 100.0, "gemm_bf16_gflops": 400.0, "copy_gb_per_sec": 50.0}
TINY = YardstickSettings(
    resolution_px=16, channel_base=64, channel_max=8, z_dim=8, w_dim=10, mapping_layers=2, batch=4
)


@pytest.fixture
def measured(monkeypatch) -> list[tuple[int, str]]:
    """The settings that were measured; each step is said to take a second, each sample 0.1 s."""
    done: list[tuple[int, str]] = []

    def measure(config, processes):
        done.append((config.generator.img_height, config.precision))
        return Estimate(step_sec=1.0, total_sec=60.0, total_kimg=1.0, sample_sec=0.1)

    monkeypatch.setattr(survey_module, "measure_rates", lambda: RATES)
    monkeypatch.setattr(survey_module, "measure", measure)
    return done


def test_quick_survey_measures_two_settings_and_works_out_the_rest(measured):
    result = json.loads(json.dumps(survey(quick=True, yardstick=TINY, sizes_px=(64, 128))))
    assert measured == [(16, "bf16"), (16, "fp32"), (64, "bf16"), (64, "fp32")]
    rows = {(row["settings"], row["size_px"], row["precision"]): row for row in result["rows"]}
    assert len(rows) == 2 * (1 + 2 * len(USUAL_KIMG))
    row = rows["lite", 64, "bf16"]
    assert row["measured"]
    assert row["train_img_per_sec"] == pytest.approx(8.0)
    assert row["sample_img_per_sec"] == pytest.approx(10.0)
    assert row["sec_per_kimg"] == pytest.approx(125.0)
    assert row["usual_hours"] == pytest.approx(100 * 125 / 3600)
    # Nearer to lite at 64 px than to the tiny yardstick; so it has its share of the limit.
    other = rows["paper", 128, "bf16"]
    assert not other["measured"]
    assert other["of_limit"] == row["of_limit"]
    assert other["train_img_per_sec"] < row["train_img_per_sec"]
    assert rows["yardstick", 16, "fp32"]["usual_hours"] is None


def test_survey_measures_more_while_there_is_time(measured):
    survey(yardstick=TINY, sizes_px=(32, 64), optional_sec=30.0)
    few = len(measured)
    measured.clear()
    survey(yardstick=TINY, sizes_px=(32, 64), optional_sec=1e9)
    assert few < len(measured)
    assert len(measured) % 3 == 0


def test_survey_forecasts_runs_of_the_length_asked_for(measured):
    result = survey(quick=True, kimg=10.0, yardstick=TINY, sizes_px=(64,))
    lite = next(row for row in result["rows"] if row["settings"] == "lite")
    assert lite["usual_hours"] == pytest.approx(10 * 125 / 3600)


def test_preset_config_is_what_training_would_do():
    config = preset_config("standard", 128, "bf16")
    assert (config.generator.img_height, config.batch, config.precision) == (128, 32, "bf16")
    assert config.generator.channels == (512, 512, 512, 256, 128, 64)
    assert config.pl_weight == 2.0
    assert preset_config("lite", 32, "fp32").pl_weight == 0.0


def test_tiny_survey_really_measures(monkeypatch):
    monkeypatch.setattr(survey_module, "measure_rates", lambda: RATES)
    result = survey(quick=True, yardstick=TINY, sizes_px=(16,))
    measured = [row for row in result["rows"] if row["measured"]]
    assert {row["settings"] for row in measured} == {"yardstick", "lite"}
    assert all(row["train_img_per_sec"] > 0 < row["sample_img_per_sec"] for row in result["rows"])

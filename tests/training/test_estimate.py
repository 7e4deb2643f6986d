"""The schedule of distances, a function of what was measured."""

from __future__ import annotations

import math

import pytest

from stylegraft.training import estimate as estimate_module
from stylegraft.training.config import TrainOptions
from stylegraft.training.estimate import Estimate, _forecast, measure, with_schedule
from stylegraft.training.growing import GrowingConfig, Stage


def scheduled(make_config, total_sec=1200.0, feature_sec=0.01, sample_sec=0.01, **flags):
    """20 minutes of 0.1 s steps of 8 images; ticks of 16 steps."""
    config = make_config(total_kimg=None, total_minutes=total_sec / 60, tick_steps=16)
    total_kimg = total_sec / 0.1 * 8 / 1000
    estimate = Estimate(0.1, total_sec, total_kimg, sample_sec)
    config = with_schedule(config, TrainOptions(**flags), estimate, feature_sec)
    num_ticks = total_sec / 0.1 / 16
    # One at step 0, one at each multiple of the interval, one at the end.
    num_distances = 1 + math.ceil(num_ticks / config.eval_ticks)
    return config, num_distances


@pytest.mark.parametrize("cost", [1e-5, 1e-3, 0.01, 0.03])
@pytest.mark.parametrize("share", [0.02, 0.08, 0.5])
def test_distances_cost_their_share_at_most(make_config, cost, share):
    config, num_distances = scheduled(
        make_config, feature_sec=cost / 2, sample_sec=cost / 2, eval_share=share
    )
    assert 256 <= config.eval_fakes <= 2000
    if num_distances > 2:  # the first and the last are always measured
        assert num_distances * config.eval_fakes * cost <= 1200 * share
    assert num_distances <= 49


def test_ample_time_gives_many_pictures_often(make_config):
    config, num_distances = scheduled(make_config, feature_sec=1e-5, sample_sec=1e-5)
    assert config.eval_fakes == 2000
    assert num_distances > 40


def test_scarce_time_gives_the_first_and_the_last_distance(make_config):
    config, num_distances = scheduled(make_config, total_sec=60, feature_sec=0.05, sample_sec=0.05)
    assert config.eval_fakes == 256
    assert num_distances == 2


def test_user_decides_interval_and_number(make_config):
    config, _ = scheduled(make_config, eval_kimg=1.0, eval_fakes=100)
    assert config.eval_fakes == 100
    assert config.eval_ticks == 8  # 1 kimg is 7.8 ticks of 0.128 kimg
    assert scheduled(make_config, eval_kimg=0.128)[0].eval_ticks == 1
    assert scheduled(make_config, eval_kimg=0.001)[0].eval_ticks == 1


@pytest.mark.parametrize(
    ("image_sec", "expected"), [(1.0, [0, 0, 1, 4]), (0.001, [0, 0, 0, 0, 1, 1, 1, 4, 4, 4])]
)
def test_slow_steps_are_measured_once_each_with_few_images(
    make_config, alone, monkeypatch, image_sec, expected
):
    clock, ran, batches = [0.0], [], []

    def train_step(state, context):
        ran.append(state.step)
        batches.append(state.config.batch)
        assert state.config.batch % (state.config.discriminator.mbstd_group_size or 1) == 0
        assert state.config.micro_batch <= 8
        clock[0] += image_sec * state.config.batch

    monkeypatch.setattr(estimate_module, "train_step", train_step)
    monkeypatch.setattr(estimate_module.time, "perf_counter", lambda: clock[0])
    config = make_config(pl_weight=2.0, pl_interval=4, r1_interval=16, batch=16, micro_batch=8)
    estimate = measure(config, alone)
    assert sorted(ran) == expected
    assert set(batches) == ({4} if image_sec == 1 else {4, 16})
    assert estimate.step_sec == pytest.approx(16 * image_sec)


def test_measuring_gives_times_and_leaves_nothing_behind(make_config, alone):
    for budget in ({"total_kimg": 0.8}, {"total_kimg": None, "total_minutes": 0.5}):
        estimate = measure(make_config(**budget), alone)
        assert estimate.step_sec > 0
        assert estimate.sample_sec > 0
        assert estimate.total_kimg == pytest.approx(estimate.total_sec / estimate.step_sec * 0.008)
        expected = 100 * estimate.step_sec if budget["total_kimg"] else 30
        assert estimate.total_sec == pytest.approx(expected)


def test_one_hiccup_does_not_spoil_the_forecast(make_config, alone, monkeypatch):
    """Steps of 0.1 s on a clock of their own; the second, the first that counts, is held up for 0.8 s."""
    now, num_steps = [0.0], [0]

    def step(state, context):
        num_steps[0] += 1
        now[0] += 0.9 if num_steps[0] == 2 else 0.1

    monkeypatch.setattr(estimate_module, "train_step", step)
    monkeypatch.setattr(estimate_module.time, "perf_counter", lambda: now[0])
    assert measure(make_config(), alone).step_sec == pytest.approx(0.1)
    assert num_steps[0] <= 1 + 3 * 3


def test_forecast_spends_the_budget_on_one_size_after_the_other(make_config):
    stage = Stage(batch=10, micro_batch=10, lr=0.001)
    growing = GrowingConfig(stages=(stage,) * 3, stable_kimg=1, fade_kimg=1)
    costs = list(zip(growing.spans(), (10, 10, 5), (0.1, 0.2, 0.5)))

    def forecast(**budget):
        config = make_config(**{"total_kimg": None, "total_minutes": None, "growing": growing} | budget)
        return _forecast(config, costs, 0.01)

    ends_early = forecast(total_kimg=2.0)
    assert (ends_early.total_sec, ends_early.total_kimg) == pytest.approx((10 + 20, 2.0))
    assert ends_early.grown_sec == pytest.approx(10 + 40 + 100)  # 4 kimg; the last is a fade
    assert ends_early.step_sec == pytest.approx(30 / 200)
    in_minutes = forecast(total_minutes=2.0)
    assert in_minutes.total_sec == pytest.approx(120)
    assert in_minutes.total_kimg == pytest.approx(3 + 70 / 0.5 * 5 / 1000)
    assert forecast(total_minutes=2.0, total_kimg=1.0).total_sec == pytest.approx(10)

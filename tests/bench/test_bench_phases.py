"""Measured phases: every phase of the formula is found in a real step, and nothing else."""

import time

import pytest
import torch

from stylegraft.bench import convolutions
from stylegraft.bench import phases as phases_module
from stylegraft.bench.convolutions import convolution_phases, convolution_seconds
from stylegraft.bench.costs import LayerCost
from stylegraft.bench.phases import OTHER, TurnClock, measure_phases
from stylegraft.bench.roofline import step_phases
from stylegraft.bench.shipped import run_config
from stylegraft.bench.worker import real_images
from stylegraft.bench.yardstick import YardstickSettings

TINY = YardstickSettings(
    resolution_px=16, channel_base=64, channel_max=8, z_dim=8, w_dim=10, mapping_layers=2, batch=4
)


def test_phases_are_those_of_the_formula():
    config = run_config(TINY, "fp32")
    seconds = measure_phases(config, real_images(TINY), steps=1)
    assert set(seconds) == {phase.name for phase in step_phases(config)} | {OTHER, "step"}
    # ADA moves images by chance; its backward pass is only there if one moved, which nearly all do.
    assert all(value > 0 for name, value in seconds.items() if name not in ("path length", "R1"))


def test_phases_leave_out_what_is_switched_off():
    config = run_config(TINY, "fp32").replace(augment=None, pl_weight=0.0, r1_gamma=0.0)
    seconds = measure_phases(config, real_images(TINY), steps=1)
    assert not {"ADA forward", "ADA backward", "path length", "R1"} & set(seconds)


def test_slow_discriminator_backward_is_found(monkeypatch):
    config = run_config(TINY, "fp32")
    delay_sec = 0.2

    class Slow(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            time.sleep(delay_sec)
            return gradient

    def new_state(config, device):
        state = original(config, device)
        block = state.D.get_submodule("b8")
        conv = block.conv0
        forward = conv.forward
        conv.forward = lambda x, gain=1.0: Slow.apply(forward(x, gain))
        return state

    original = phases_module.new_state
    monkeypatch.setattr(phases_module, "new_state", new_state)
    seconds = measure_phases(config.replace(pl_weight=0.0, r1_gamma=0.0), real_images(TINY), steps=1)
    # Backwards three times: for G, for D's fakes and for D's reals.
    assert seconds["D.b8 backward"] > 3 * delay_sec
    assert (
        max(value for name, value in seconds.items() if name not in ("D.b8 backward", "step")) < 3 * delay_sec
    )


def test_clock_gives_time_to_whose_turn_it_is(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 6.0, 10.0])
    monkeypatch.setattr(phases_module.time, "perf_counter", lambda: next(now))
    clock = TurnClock()
    clock.turn("a")
    clock.turn("b")
    clock.turn("a")
    assert clock.take() == {OTHER: 1.0, "a": 2.0 + 4.0, "b": 3.0}


@pytest.mark.parametrize("resample", ["none", "up", "down"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolutions_run_at_every_shape(resample, kernel):
    layer = LayerCost("b8.conv0", "conv", 4, 6, kernel, 5, 3, resample)
    assert all(seconds > 0 for seconds in convolution_seconds(layer, 2, "bf16", repeats=1))


def test_rates_have_those_of_convolutions(monkeypatch):
    measured = {"gemm_fp32_gflops": 100.0}
    monkeypatch.setattr(convolutions, "measure_machine", lambda: dict(measured))
    monkeypatch.setattr(convolutions, "convolution_seconds", lambda layer, n, type: (0.5, 1.0, 1.0))
    speed = 2 * 2 * 16 * 256 * 256 * 9 * 16 * 16 / 1e9
    assert convolutions.measure_rates() == measured | {"convolution_fp32_gflops": speed}
    measured["gemm_bf16_gflops"] = 400.0
    assert convolutions.measure_rates()["convolution_bf16_gflops"] == speed


def test_convolution_phases_are_phases_of_the_formula():
    config = run_config(TINY, "fp32")
    seconds = convolution_phases(config, repeats=1)
    blocks = {phase.name for phase in step_phases(config) if phase.name.startswith(("G.", "D."))}
    assert set(seconds) == blocks

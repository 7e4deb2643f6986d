"""What processes exchange: the formula against a real step that counts."""

from dataclasses import dataclass, field

import pytest
import torch

from stylegraft.bench.exchange import ring_bytes_a_process, summed_bytes_a_step
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.runtime.processes import Processes
from stylegraft.training.state import new_state
from stylegraft.training.step import StepContext, train_step

TINY = YardstickSettings(
    resolution_px=16, channel_base=64, channel_max=8, z_dim=8, w_dim=10, mapping_layers=2, batch=4
)


@dataclass(frozen=True)
class CountingProcesses(Processes):
    """One process that notes what it would have to sum if there were others."""

    summed: list[int] = field(default_factory=list)

    def sum_gradients(self, parameters):
        self.summed.append(sum(p.grad.numel() * 4 for p in parameters if p.grad is not None))

    def sum(self, values):
        self.summed.append(values.numel() * 4)
        return values


def test_summed_bytes_are_those_of_real_steps():
    config = run_config(TINY, "fp32")
    processes = CountingProcesses(0, 1, torch.device("cpu"))
    state = new_state(config, torch.device("cpu"))
    images = torch.zeros(TINY.batch, 3, 16, 16)
    context = StepContext(processes, None, lambda first, samples: (images[list(samples)], None), None)
    num_steps = TINY.r1_interval_steps
    for _ in range(num_steps):
        train_step(state, context)
    asked_by_the_loop = 2 * 4  # stop? save? are not part of the step
    counted = sum(processes.summed) / num_steps + asked_by_the_loop
    # The formula has all parameters; the last biases have no gradient from a regulariser.
    assert counted < summed_bytes_a_step(config) < 1.001 * counted


def test_ring_needs_nothing_alone_and_almost_twice_the_size_among_many():
    assert ring_bytes_a_process(100.0, 1) == 0
    assert ring_bytes_a_process(100.0, 2) == 100.0
    assert ring_bytes_a_process(100.0, 8) == pytest.approx(175.0)

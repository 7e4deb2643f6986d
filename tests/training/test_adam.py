"""Adam against torch's, bit for bit, and what it spares."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from stylegraft.training.adam import Adam


def parameters() -> list[nn.Parameter]:
    """A dense layer, a convolution in channels_last, a scalar, and one that never has a gradient."""
    torch.manual_seed(0)
    conv = torch.randn(6, 5, 3, 3).to(memory_format=torch.channels_last)
    return [nn.Parameter(t) for t in (torch.randn(70, 30), conv, torch.randn([]), torch.randn(4))]


def give_gradients(parameters: list[nn.Parameter], step: int) -> None:
    torch.manual_seed(step)
    for index, parameter in enumerate(parameters[:-1]):
        # The scalar's gradient comes only from the second step on.
        if index < 2 or step:
            parameter.grad = torch.randn_like(parameter)


def test_adam_moves_as_torchs_fused_one() -> None:
    ours, theirs = parameters(), parameters()
    groups = [{"params": ours[:1], "lr": 0.01}, {"params": ours[1:], "lr": 0.02}]
    optimizer = Adam(groups, betas=(0.0, 0.99), eps=1e-8)
    reference = torch.optim.Adam(
        [{"params": theirs[:1], "lr": 0.01}, {"params": theirs[1:], "lr": 0.02}],
        betas=(0.0, 0.99),
        eps=1e-8,
        fused=True,
    )
    for step in range(4):
        if step == 3:
            optimizer.param_groups[0]["lr"] = reference.param_groups[0]["lr"] = 0.005
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimizer.step()
        reference.step()
    for mine, other in zip(ours, theirs):
        assert torch.equal(mine, other)
        assert (mine in optimizer.state) == (other in reference.state)
        for name, value in optimizer.state.get(mine, {}).items():
            assert torch.equal(value, reference.state[other][name])
            assert value.stride() == reference.state[other][name].stride()
    assert [int(optimizer.state[parameter]["step"]) for parameter in ours[:3]] == [4, 4, 3]


def test_gradients_are_forgotten() -> None:
    ours = parameters()
    optimizer = Adam([{"params": ours, "lr": 0.01}], betas=(0.0, 0.99), eps=1e-8)
    give_gradients(ours, 1)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in ours)
    before = [parameter.detach().clone() for parameter in ours]
    optimizer.step()
    assert all(map(torch.equal, before, ours))
    assert not optimizer.state


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_loads_no_compiler(precision: str) -> None:
    """Not torch's own, not sympy, and not numba where its machine code lies on disk."""
    program = (
        "import sys\n"
        "from stylegraft.bench.shipped import build_shipped\n"
        "from stylegraft.bench.worker import real_images\n"
        "from stylegraft.bench.yardstick import YardstickSettings\n"
        "settings = YardstickSettings(resolution_px=8, channel_base=64, z_dim=8, w_dim=8, mapping_layers=1)\n"
        f"step, _ = build_shipped({precision!r}, settings, real_images(settings))\n"
        "step(0), step(1)\n"
        "print([name for name in ('torch._dynamo', 'sympy', 'numba', 'scipy') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program]
    subprocess.run(command, check=True, capture_output=True)  # may have to compile the kernels
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == ["[]"]

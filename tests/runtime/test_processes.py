"""One process alone: every collective returns at once. (Several are tested in training/.)"""

from __future__ import annotations

import pytest
import torch

from stylegraft.errors import InputError
from stylegraft.runtime.processes import Processes, join_processes


def test_one_process_is_first_and_changes_nothing():
    alone = Processes(0, 1, torch.device("cpu"))
    assert alone.is_first
    values = torch.randn(3)
    assert torch.equal(alone.sum(values), values)
    assert alone.any(True)
    assert not alone.any(False)
    box = {"a": 1}
    assert alone.from_first(box) is box
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    alone.sum_gradients([parameter, torch.nn.Parameter(torch.ones(1))])
    assert parameter.grad.tolist() == [1, 2]


@pytest.mark.parametrize("world_size", [None, "1"])
def test_joining_alone_starts_no_group(monkeypatch, world_size):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if world_size:
        monkeypatch.setenv("WORLD_SIZE", world_size)
    with join_processes("cpu") as processes:
        assert (processes.rank, processes.size) == (0, 1)
        assert not torch.distributed.is_initialized()


def test_joining_on_an_impossible_device_is_refused(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(InputError, match="--device"), join_processes("gpu"):
        pass

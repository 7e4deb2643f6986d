"""One process or many with the same mathematics: what is summed over processes, by hand and in the open.

`torchrun --nproc-per-node N` sets RANK and WORLD_SIZE; without them there is one process and every function
here returns at once. Gradients travel as one flat sum a phase.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from stylegraft.runtime.precision import pick_device


@dataclass(frozen=True)
class Processes:
    """This process's place among all."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replaces every gradient by its sum over the processes."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        first = 0
        for gradient in gradients:
            count = gradient.numel()
            gradient.copy_(flat[first : first + count].view_as(gradient))
            first += count

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Returns the sum of a tensor over the processes."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Returns whether `flag` is true in any process."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0)

    def from_first(self, value: object) -> object:
        """Returns the first process's value (any picklable object) in every process."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """Joins the group that torchrun started (gloo on the CPU, NCCL on GPUs), or stands alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(0, 1, pick_device(device))
        return
    rank = int(os.environ["RANK"])
    place = pick_device(device)
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Processes(rank, size, place)
        # The first process writes files after the last sum; the others must not hang up on it.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()

"""Where the time of a real training step goes, by the phases that `roofline` has formulas for.

The step itself is not touched. Hooks on its networks, augmentation, data and optimisers say whose turn it is,
and the time until the next hook is theirs. A hook on a tensor runs when its gradient is complete, which is
when the backward pass of what made it begins; the engine works in the reverse order of the forward pass, so
blocks do not overlap. The regularisers are measured as whole steps with and without them.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from stylegraft.augment.draws import Draws
from stylegraft.augment.pipe import AugmentPipe
from stylegraft.networks.config import GeneratorConfig
from stylegraft.runtime.processes import Processes
from stylegraft.training.config import RunConfig
from stylegraft.training.state import TrainState, new_state
from stylegraft.training.step import RealBatch, StepContext, train_step

OTHER = "losses and the rest"


class TurnClock:
    """Gives the time between two calls of `turn` to the phase named by the first."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._phase, self._since = OTHER, time.perf_counter()

    def turn(self, phase: str) -> None:
        """Ends the turn of one phase and begins that of another."""
        now = time.perf_counter()
        self.seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def take(self) -> dict[str, float]:
        """Returns the seconds so far and starts from nothing."""
        self.turn(OTHER)
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


class _TimedPipe(AugmentPipe):
    def __init__(self, pipe: AugmentPipe, clock: TurnClock) -> None:
        super().__init__(pipe.config)
        self._clock = clock

    def draw(self, *args: Any, **named: Any) -> Draws:
        self._clock.turn("ADA forward")
        return super().draw(*args, **named)

    def __call__(self, images: torch.Tensor, p: float | torch.Tensor, draws: Draws) -> torch.Tensor:
        self._clock.turn("ADA forward")
        augmented = super().__call__(images, p, draws)
        _at_gradient(augmented, lambda: self._clock.turn("ADA backward"))
        self._clock.turn(OTHER)
        return augmented


def measure_phases(config: RunConfig, real: torch.Tensor, steps: int = 8) -> dict[str, float]:
    """Returns seconds a step by phase: medians of plain steps, and each regulariser's share of a mean step.

    Args:
        config: a run of StyleGAN2 networks, without labels.
        real: a batch of images [batch, C, H, W] in [-1, 1] that every step copies from.
        steps: plain steps that count, and half as many with each regulariser.

    Returns:
        Named as in `roofline.step_phases`, plus `OTHER`; and "step", the mean step measured without hooks.
    """
    device = torch.device("cpu")
    state = new_state(config, device)
    context = _context(config, real)
    clock = TurnClock()

    def run(step: int, context: StepContext) -> float:
        state.step = step
        start = time.perf_counter()
        train_step(state, context)
        return time.perf_counter() - start

    both = 0
    path_length_only = config.pl_interval if config.pl_weight else 1
    for step in (both, 1):
        run(step, context)  # warms up, and gives both regularisers' optimisers their moments
    plain = statistics.median(run(1, context) for _ in range(steps))
    with_pl = statistics.median(run(path_length_only, context) for _ in range(max(steps // 2, 1)))
    with_both = statistics.median(run(both, context) for _ in range(max(steps // 2, 1)))

    turns: list[dict[str, float]] = []
    with _hooked(state, context, clock) as timed:
        for _ in range(steps):
            clock.take()
            run(1, timed)
            turns.append(clock.take())
    names = dict.fromkeys(name for taken in turns for name in taken)
    seconds = {name: statistics.median(taken.get(name, 0.0) for taken in turns) for name in names}
    if config.pl_weight:
        seconds["path length"] = max(with_pl - plain, 0.0) / config.pl_interval
    if config.r1_gamma:
        seconds["R1"] = max(with_both - with_pl, 0.0) / config.r1_interval
    step_sec = plain + seconds.get("path length", 0.0) + seconds.get("R1", 0.0)
    return {**seconds, "step": step_sec}


def _context(config: RunConfig, real: torch.Tensor) -> StepContext:
    def reals(first: int, samples: Sequence[int]) -> RealBatch:
        return real[list(samples)], None

    pipe = None if config.augment is None else AugmentPipe(config.augment)
    return StepContext(Processes(0, 1, torch.device("cpu")), pipe, reals, train_labels=None)


@contextmanager
def _hooked(state: TrainState, context: StepContext, clock: TurnClock) -> Iterator[StepContext]:
    """Lets the clock know of each turn while the block runs; gives out the context to step with."""
    handles: list[Any] = []
    assert isinstance(state.config.generator, GeneratorConfig)
    networks: list[tuple[str, nn.Module]] = [("mapping", state.G.get_submodule("mapping"))]
    for block in state.config.generator.block_names:
        networks.append((f"G.{block}", state.G.get_submodule(f"synthesis.{block}")))
    networks += [
        (f"D.{block}", state.D.get_submodule(block)) for block in state.config.discriminator.block_names
    ]
    for name, module in networks:
        handles += _hook_module(name, module, clock)
    optimizers = {"optimisers": state.optimizer_G, "averages": state.optimizer_D}
    for then, optimizer in optimizers.items():
        vars(optimizer)["step"] = _timed_step(optimizer.step, then, clock)

    def reals(first: int, samples: Sequence[int]) -> RealBatch:
        clock.turn("data")
        batch = context.reals(first, samples)
        clock.turn(OTHER)
        return batch

    pipe = None if context.pipe is None else _TimedPipe(context.pipe, clock)
    try:
        yield replace(context, pipe=pipe, reals=reals)
    finally:
        for handle in handles:
            handle.remove()
        for optimizer in optimizers.values():
            del vars(optimizer)["step"]  # and the class's is back


def _timed_step(step: Callable[[], None], then: str, clock: TurnClock) -> Callable[[], None]:
    def timed() -> None:
        clock.turn("optimisers")
        step()
        clock.turn(then)

    return timed


def _hook_module(name: str, module: nn.Module, clock: TurnClock) -> list[Any]:
    def before(module: nn.Module, args: Any) -> None:
        clock.turn(f"{name} forward")

    def after(module: nn.Module, args: Any, output: Any) -> None:
        for tensor in output if isinstance(output, tuple) else (output,):
            if tensor is not None:
                _at_gradient(tensor, lambda: clock.turn(f"{name} backward"))
        # The noise is drawn between mapping and synthesis.
        clock.turn("draws" if name == "mapping" else OTHER)

    return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]


def _at_gradient(tensor: torch.Tensor, act: Callable[[], None]) -> None:
    if tensor.requires_grad:
        tensor.register_hook(lambda gradient: act())

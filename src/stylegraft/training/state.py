"""All that a run is at one moment, and its way to disk and back: what a resume needs, and nothing else.

Random numbers are keyed by (seed, step, sample), so the position in the run is one integer, `step`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch

from stylegraft.augment.controller import AdaController
from stylegraft.checkpoints.building import fill_network
from stylegraft.checkpoints.native import Checkpoint
from stylegraft.errors import CheckpointError
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.protocol import Discriminator, Generator
from stylegraft.runtime.random import Key
from stylegraft.training.adam import Adam
from stylegraft.training.config import RunConfig
from stylegraft.training.fading import set_lod
from stylegraft.training.growing import Moment, blocks_at_image
from stylegraft.training.meters import Meters
from stylegraft.training.parts import FACTOR, discriminator_groups, freeze_parts, generator_groups

_ADAM_TENSORS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class TrainState:
    """Networks, optimisers, controllers and counters of a run.

    Attributes:
        config: the resolved settings.
        step: finished steps.
        num_images: real images shown to the discriminator so far; steps differ in size while networks grow.
        lod: that of the last step, or None before the first.
        lr_scale: factor on all learning rates (halved by a rollback).
        pl_mean: running mean of the path lengths, [].
        best: {"step", "kimg", "value"} of the lowest held-out distance so far, or None.
        train_sec: seconds spent in all sessions of the run.
        eval_sec: those of them spent on distances after the first, which looks at all real images too.
        measured_step: the step of the last distance, or -1.
        rolled_back: whether a divergence was answered once already.
        stopped: why the run stopped before its budget was spent, or None.
    """

    config: RunConfig
    G: Generator
    D: Discriminator
    G_ema: Generator
    optimizer_G: Adam
    optimizer_D: Adam
    ada: AdaController
    pl_mean: torch.Tensor
    step: int = 0
    num_images: int = 0
    lod: float | None = None
    lr_scale: float = 1.0
    best: dict[str, float] | None = None
    train_sec: float = 0.0
    eval_sec: float = 0.0
    measured_step: int = -1
    rolled_back: bool = False
    stopped: str | None = None
    meters: Meters = field(default_factory=Meters)

    @property
    def kimg(self) -> float:
        """Thousands of real images shown to the discriminator so far."""
        return self.num_images / 1000

    @property
    def ends_a_phase(self) -> bool:
        """Whether the next step has other blocks at the image than the last: it is time to look."""
        blocks = self.config.moment_at(self.num_images).blocks_at_image
        return self.lod is not None and blocks != blocks_at_image(self.lod)

    def scale_lr(self, factor: float) -> None:
        """Multiplies all learning rates."""
        self.lr_scale *= factor
        self._set_lr(self.config.moment_at(self.num_images))

    def begin_step(self) -> Moment:
        """Brings networks and optimisers to where the schedule is, and returns how the step trains."""
        moment = self.config.moment_at(self.num_images)
        if self.ends_a_phase:
            # Momentum of layers that were not in use, or not alone, says nothing of what follows.
            self.optimizer_G.state.clear()
            self.optimizer_D.state.clear()
        self.set_lod(moment.lod)
        self._set_lr(moment)
        self.lod = moment.lod
        return moment

    def set_lod(self, lod: float) -> None:
        """Tells all networks how far they have grown."""
        for network in (self.G, self.D, self.G_ema):
            set_lod(network, lod)

    def _set_lr(self, moment: Moment) -> None:
        for optimizer, interval in (
            (self.optimizer_G, _pl_interval(self.config)),
            (self.optimizer_D, _r1_interval(self.config)),
        ):
            for group in optimizer.param_groups:
                group["lr"] = moment.lr * group[FACTOR] * _lazy_ratio(interval) * self.lr_scale

    def to_checkpoint(self, info: dict[str, Any]) -> Checkpoint:
        """Returns the whole state as a checkpoint; tensors are shared, not copied."""
        return Checkpoint(
            generator=self.config.generator,
            discriminator=self.config.discriminator,
            networks=_named("G_ema", self.G_ema) | _named("D", self.D),
            training=_named("G", self.G)
            | _optimizer_tensors("optimizer_G", self.G, self.optimizer_G)
            | _optimizer_tensors("optimizer_D", self.D, self.optimizer_D)
            | {"pl_mean": self.pl_mean},
            info=info,
            state={
                "config": self.config.to_dict(),
                "step": self.step,
                "num_images": self.num_images,
                "lod": self.lod,
                "lr_scale": self.lr_scale,
                "best": self.best,
                "train_sec": self.train_sec,
                "eval_sec": self.eval_sec,
                "measured_step": self.measured_step,
                "rolled_back": self.rolled_back,
                "stopped": self.stopped,
                "ada": self.ada.state_dict(),
                "meters": self.meters.state_dict(),
            },
        )

    def load_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Takes over a state written by `to_checkpoint` under the same config.

        Raises:
            CheckpointError: tensors are missing, left over or of another shape.
        """
        for name, network in (("G_ema", self.G_ema), ("D", self.D)):
            fill_network(network, _part(name, checkpoint.networks), name)
        fill_network(self.G, _part("G", checkpoint.training), "G")
        try:
            _load_optimizer("optimizer_G", self.G, self.optimizer_G, checkpoint.training)
            _load_optimizer("optimizer_D", self.D, self.optimizer_D, checkpoint.training)
            with torch.no_grad():
                self.pl_mean.copy_(checkpoint.training["pl_mean"])
        except KeyError as error:
            raise CheckpointError(
                f"training state: expected a tensor {error}, found none. Use another checkpoint of the run."
            ) from error
        saved = checkpoint.state
        self.step, self.best = saved["step"], saved["best"]
        self.train_sec, self.eval_sec = saved["train_sec"], saved["eval_sec"]
        self.measured_step, self.rolled_back = saved["measured_step"], saved["rolled_back"]
        self.stopped = saved.get("stopped")  # runs of earlier versions could not stop early
        # Runs from before networks could grow had steps of one size.
        self.num_images = saved.get("num_images", self.step * self.config.batch)
        self.lod = saved.get("lod")
        self.lr_scale = saved["lr_scale"]
        self._set_lr(self.config.moment_at(self.num_images))
        self.ada.load_state_dict(saved["ada"])
        self.meters.load_state_dict(saved["meters"])


def new_state(config: RunConfig, device: torch.device) -> TrainState:
    """Returns the state at step 0: networks initialised from the seed, on `device`."""
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Key.of(config.seed).fold("init").value >> 1)
        G = make_generator(config.generator)
        D = make_discriminator(config.discriminator)
    for network in (G, D):
        network.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        network.set_compute_dtype(dtype)
    freeze_parts(G, D, config)
    G_ema = copy.deepcopy(G).eval().requires_grad_(False)
    state = TrainState(
        config=config,
        G=G,
        D=D,
        G_ema=G_ema,
        optimizer_G=_lazy_adam(generator_groups(G, config), config, _pl_interval(config)),
        optimizer_D=_lazy_adam(discriminator_groups(D, config), config, _r1_interval(config)),
        ada=AdaController(config.ada),
        pl_mean=torch.zeros([], device=device),
    )
    state.set_lod(config.moment_at(0).lod)
    return state


def _part(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors named `prefix.*`, without the prefix."""
    return {name[len(prefix) + 1 :]: t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def _pl_interval(config: RunConfig) -> int | None:
    """Steps between two steps of path length; None: there are none."""
    return config.pl_interval if config.pl_weight else None


def _r1_interval(config: RunConfig) -> int | None:
    """Steps between two steps of R1 of their own; None: there are none, or R1 is part of every step."""
    return config.r1_interval if config.r1_gamma and config.r1_interval > 1 else None


def _lazy_ratio(interval: int | None) -> float:
    return 1.0 if interval is None else interval / (interval + 1)


def _lazy_adam(groups: list[dict[str, Any]], config: RunConfig, interval: int | None) -> Adam:
    """Adam corrected for a regulariser that runs in steps of its own (Karras et al. 2020, appendix B)."""
    ratio = _lazy_ratio(interval)
    beta1, beta2 = config.adam_betas
    return Adam(
        [group | {"lr": config.lr * group[FACTOR] * ratio} for group in groups],
        betas=(beta1**ratio, beta2**ratio),
        eps=config.adam_eps,
    )


def _named(prefix: str, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in network.state_dict().items()}


def _optimizer_tensors(prefix: str, network: torch.nn.Module, optimizer: Adam) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.{key}.{name}": optimizer.state[parameter][key]
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for key in _ADAM_TENSORS
    }


def _load_optimizer(
    prefix: str, network: torch.nn.Module, optimizer: Adam, tensors: dict[str, torch.Tensor]
) -> None:
    for name, parameter in network.named_parameters():
        if f"{prefix}.step.{name}" not in tensors:
            optimizer.state.pop(parameter, None)
            continue
        state = {key: tensors[f"{prefix}.{key}.{name}"] for key in _ADAM_TENSORS}
        # Memory order must be the parameter's own, or the fused kernel would read another layout.
        optimizer.state[parameter] = {
            "step": state["step"].to(parameter.device),
            **{key: torch.empty_like(parameter).copy_(state[key]) for key in ("exp_avg", "exp_avg_sq")},
        }

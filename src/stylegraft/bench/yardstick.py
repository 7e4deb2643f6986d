"""The yardstick: a plain fp32 StyleGAN2-ADA training step and sampler, straight from the papers.

What the project gains in speed is measured against this. Its networks (`plain_networks`) use nothing of the
project; the augmentation is handed in, so that both sides of a comparison pay for the same one.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", sections 3.2 (path
length) and 3.1 with appendix B (lazy regularisation); Karras et al. 2019 (mixing, mean of G);
Mescheder et al. 2018 (R1); Karras et al. 2020, "Training GANs with Limited Data" (where to augment).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from stylegraft.bench.plain_networks import PlainDiscriminator, PlainGenerator
from stylegraft.config import Config
from stylegraft.networks.config import channels_per_block

AUGMENT_PRESET = "bgc"
Augment = Callable[[Tensor], Tensor]


class YardstickSettings(Config):
    """The settings at which speed is compared. The defaults are the fixed ones of the project's figures."""

    resolution_px: int = Field(default=64, ge=8, description="image side, px; a power of two")
    channel_base: int = Field(default=4096, ge=1, description="feature maps times resolution")
    channel_max: int = Field(default=256, ge=1, description="most feature maps of a block")
    z_dim: int = Field(default=512, ge=1, description="size of z")
    w_dim: int = Field(default=512, ge=1, description="size of w")
    mapping_layers: int = Field(default=8, ge=1, description="dense layers of the mapping network")
    batch: int = Field(default=16, ge=2, description="images a step")
    mbstd_group: int = Field(default=4, ge=1, description="minibatch-std group, samples")
    mixing_probability: float = Field(default=0.9, ge=0, le=1, description="how often two styles are mixed")
    ada_p: float = Field(default=0.3, ge=0, le=1, description="augmentation probability, held fixed")
    r1_interval_steps: int = Field(default=16, ge=1, description="steps between R1 penalties")
    pl_interval_steps: int = Field(default=4, ge=1, description="steps between path-length penalties")
    pl_batch_divisor: int = Field(default=2, ge=1, description="the path-length batch is this much smaller")
    pl_weight: float = Field(default=2.0, ge=0, description="weight of the path-length penalty")
    pl_decay: float = Field(default=0.01, gt=0, le=1, description="rate of the running mean of path lengths")
    learning_rate: float = Field(default=0.0025, gt=0, description="Adam's rate before the lazy correction")

    @property
    def channels(self) -> tuple[int, ...]:
        """Feature maps of each block, smallest first."""
        doublings = int(math.log2(self.resolution_px)) - 2
        return channels_per_block(doublings, self.channel_base, self.channel_max)

    @property
    def r1_gamma(self) -> float:
        """Weight of R1: 0.0002 * resolution^2 / batch, the rule of the presets."""
        return 0.0002 * self.resolution_px**2 / self.batch

    @property
    def ema_half_life_nimg(self) -> float:
        """Half-life of the mean generator in images: batch * 10 / 32 kimg."""
        return self.batch * 10_000 / 32


def lazy_adam(
    parameters: Sequence[torch.nn.Parameter], learning_rate: float, interval: int
) -> torch.optim.Adam:
    """Returns Adam (betas 0, 0.99) corrected for one extra regularisation step each `interval` steps."""
    ratio = interval / (interval + 1)
    betas = (0.0**ratio, 0.99**ratio)
    return torch.optim.Adam(parameters, lr=learning_rate * ratio, betas=betas, eps=1e-8)


class Yardstick:
    """Networks, optimisers and the running means of one training.

    Args:
        settings: sizes and schedules.
        augment: maps images [N, 3, H, W] to augmented ones, differentiably, twice (R1 goes through it).
        seed: of weights and draws; the yardstick uses torch's global generator.
    """

    def __init__(self, settings: YardstickSettings, augment: Augment, seed: int = 0):
        torch.manual_seed(seed)
        s = self.settings = settings
        self.augment = augment
        self.G = PlainGenerator(s.channels, s.z_dim, s.w_dim, s.mapping_layers)
        self.D = PlainDiscriminator(s.channels, s.mbstd_group)
        self.G_ema = copy.deepcopy(self.G).requires_grad_(False)
        self.G_optimizer = lazy_adam(list(self.G.parameters()), s.learning_rate, s.pl_interval_steps)
        self.D_optimizer = lazy_adam(list(self.D.parameters()), s.learning_rate, s.r1_interval_steps)
        self.pl_mean = torch.zeros([])
        self.losses: dict[str, float] = {}
        """The last value of each loss, for the curious and for tests."""

    def step(self, index: int, real: Tensor) -> None:
        """Trains on one batch: G, path length each 4th step, D, R1 each 16th step, mean of G.

        Args:
            index: number of the step from 0; step 0 has both regularisers.
            real: [batch, 3, H, W] in [-1, 1].
        """
        s = self.settings
        self.G.requires_grad_(True)
        self.D.requires_grad_(False)
        self._update(self.G_optimizer, {"G": self._generator_loss})
        if index % s.pl_interval_steps == 0:
            self._update(self.G_optimizer, {"path_length": self._path_length_loss})

        self.G.requires_grad_(False)
        self.D.requires_grad_(True)
        losses = {"D_fake": self._fake_loss, "D_real": lambda: self._real_loss(real)}
        self._update(self.D_optimizer, losses)
        if index % s.r1_interval_steps == 0:
            self._update(self.D_optimizer, {"R1": lambda: self._r1_loss(real)})

        self._average((index + 1) * s.batch)

    def sample(self, seeds: Sequence[int], psi: float = 0.7) -> Tensor:
        """Returns truncated images of the mean generator, uint8 [N, H, W, 3]."""
        z = np.concatenate([np.random.RandomState(seed).randn(1, self.settings.z_dim) for seed in seeds])
        with torch.no_grad():
            w = self.G_ema.mapping(torch.from_numpy(z).float())
            w = self.G_ema.mapping.w_avg.lerp(w, psi)
            ws = w[:, None].expand(-1, self.G_ema.num_ws, -1)
            img = self.G_ema.synthesis(ws, random_noise=False)
            return (img.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)

    def _update(self, optimizer: torch.optim.Adam, losses: dict[str, Callable[[], Tensor]]) -> None:
        optimizer.zero_grad(set_to_none=True)
        for name, loss in losses.items():
            value = loss()
            value.backward()
            self.losses[name] = value.item()
        optimizer.step()

    def _draw_ws(self, count: int) -> Tensor:
        """[count, num_ws, w_dim], mixed with other styles from a random layer on in most batches."""
        s = self.settings
        ws = self.G.mapping(torch.randn(count, s.z_dim), update_average=True)
        ws = ws[:, None].repeat(1, self.G.num_ws, 1)
        if torch.rand([]).item() < s.mixing_probability:
            other = self.G.mapping(torch.randn(count, s.z_dim))
            cutoff = int(torch.randint(1, self.G.num_ws, []).item())
            ws[:, cutoff:] = other[:, None]
        return ws

    def _generator_loss(self) -> Tensor:
        img = self.G.synthesis(self._draw_ws(self.settings.batch))
        return F.softplus(-self.D(self.augment(img))).mean()

    def _path_length_loss(self) -> Tensor:
        s = self.settings
        ws = self._draw_ws(s.batch // s.pl_batch_divisor)
        img = self.G.synthesis(ws)
        noise = torch.randn_like(img) / math.sqrt(img.shape[2] * img.shape[3])
        (grad,) = torch.autograd.grad((img * noise).sum(), ws, create_graph=True)
        lengths = grad.square().sum(dim=2).mean(dim=1).sqrt()
        mean = self.pl_mean.lerp(lengths.mean(), s.pl_decay)
        self.pl_mean = mean.detach()
        return (lengths - mean).square().mean() * s.pl_weight * s.pl_interval_steps

    def _fake_loss(self) -> Tensor:
        with torch.no_grad():
            img = self.G.synthesis(self._draw_ws(self.settings.batch))
            img = self.augment(img)
        return F.softplus(self.D(img)).mean()

    def _real_loss(self, real: Tensor) -> Tensor:
        return F.softplus(-self.D(self.augment(real))).mean()

    def _r1_loss(self, real: Tensor) -> Tensor:
        s = self.settings
        real = real.detach().requires_grad_(True)
        (grad,) = torch.autograd.grad(self.D(self.augment(real)).sum(), real, create_graph=True)
        penalty = grad.square().sum(dim=[1, 2, 3]).mean()
        return penalty * (s.r1_gamma / 2) * s.r1_interval_steps

    def _average(self, seen_nimg: int) -> None:
        """Moves the mean generator; its half-life grows with the run up to its final value (ramp-up 0.05)."""
        half_life = min(self.settings.ema_half_life_nimg, 0.05 * seen_nimg)
        beta = 0.5 ** (self.settings.batch / half_life)
        with torch.no_grad():
            for mean, value in zip(self.G_ema.parameters(), self.G.parameters()):
                mean.copy_(value.lerp(mean, beta))
            for mean, value in zip(self.G_ema.buffers(), self.G.buffers()):
                mean.copy_(value)

"""Progressive growing: how far networks have grown after so many images, and how they train there. No torch.

`lod` counts halvings below the full size: at lod 2 the networks make images of a quarter of the side, at 1.75
the next block has faded in by a quarter, at 0 they are grown. Training stays at a size for `stable_kimg`,
then fades the next block in over `fade_kimg`, and so on.

The original shows a minibatch several times before it looks at the schedule again (minibatch repeat 4); here
every step follows it, which is a repeat of 1.

Source: Karras et al. 2018, "Progressive Growing of GANs", section 2; StyleGAN 2019, appendix C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from pydantic import Field

from stylegraft.config import Config

DEFAULT_GROW_FROM_PX = 8
# What StyleGAN's tables of batches for one and for eight GPUs agree on: below 16 px the one, above 64 px the
# other goes on, for want of memory and of speed, which micro-batches take care of here.
_BATCH_AT_PX = {16: 128, 32: 64, 64: 32}
# The learning rate, relative to that of small images.
_LR_FACTOR_AT_PX = {64: 1.0, 128: 1.5, 256: 2.0, 512: 3.0}
_Value = TypeVar("_Value", int, float)
# lod takes steps of 2^-16, which the networks' float32 copy of it holds exactly.
_LOD_STEPS = 1 << 16


@dataclass(frozen=True)
class Moment:
    """How one step trains.

    Attributes:
        lod: halvings below the full size; the fraction is what the finer of two blocks lacks yet.
        batch: images of the step, over all processes.
        micro_batch: images at a time.
        lr: Adam's learning rate.
    """

    lod: float
    batch: int
    micro_batch: int
    lr: float

    @property
    def halvings(self) -> int:
        """Halvings from the full size to the images of this step."""
        return math.floor(self.lod)

    @property
    def blocks_at_image(self) -> tuple[int, int]:
        """See `blocks_at_image`."""
        return blocks_at_image(self.lod)


@dataclass(frozen=True)
class Span:
    """The part of a run that shows images of one size.

    Attributes:
        first_nimg: a moment of it, as images shown before, in which no fade is left to do if there is such.
        num_images: its length; the last has no end.
    """

    first_nimg: int
    num_images: float


class Stage(Config):
    """How to train at one size."""

    batch: int = Field(ge=1, description="images per step")
    micro_batch: int = Field(ge=1, description="images at a time")
    lr: float = Field(gt=0, description="Adam's learning rate")


class GrowingConfig(Config):
    """The schedule of a run that grows."""

    stages: tuple[Stage, ...] = Field(min_length=2, description="one a size; the full size comes first")
    stable_kimg: float = Field(default=600.0, ge=0, description="kimg at a size before the next fades in")
    fade_kimg: float = Field(default=600.0, ge=0, description="kimg in which a block fades in")

    @property
    def start_lod(self) -> int:
        """Halvings from the full size to the size at which training begins."""
        return len(self.stages) - 1

    @property
    def grown_nimg(self) -> int:
        """Images after which the networks have their full size."""
        return self.start_lod * sum(self._nimg)

    @property
    def _nimg(self) -> tuple[int, int]:
        """Images at a size before the next fades in, and of a fade; whole, so that phases end exactly."""
        return round(self.stable_kimg * 1000), round(self.fade_kimg * 1000)

    def moment_at(self, num_images: int) -> Moment:
        """Returns how the step trains that begins after so many images."""
        lod = self._lod_at(num_images)
        stage = self.stages[math.floor(lod)]
        return Moment(lod, stage.batch, stage.micro_batch, stage.lr)

    def spans(self) -> list[Span]:
        """Returns the parts of the run by size, a fade with the size that fades in; empty ones left out."""
        stable_nimg, fade_nimg = self._nimg
        spans = [Span(0, stable_nimg)]
        for phase in range(1, self.start_lod):
            spans.append(Span(phase * (stable_nimg + fade_nimg), fade_nimg + stable_nimg))
        spans.append(Span(self.grown_nimg, math.inf))
        return [span for span in spans if span.num_images]

    def _lod_at(self, num_images: int) -> float:
        if num_images >= self.grown_nimg:
            return 0.0
        stable_nimg, fade_nimg = self._nimg
        phase, position = divmod(num_images, stable_nimg + fade_nimg)
        lod_steps = max(position - stable_nimg, 0) * _LOD_STEPS // max(fade_nimg, 1)
        return self.start_lod - phase - lod_steps / _LOD_STEPS


def blocks_at_image(lod: float) -> tuple[int, int]:
    """Returns the lods of the blocks that reach the image; Adam starts anew when they change."""
    return math.floor(lod), math.ceil(lod)


def growing_stages(num_doublings: int, start_lod: int, full_size: Stage, lr_rises: bool) -> tuple[Stage, ...]:
    """Returns a stage for each size, with StyleGAN's batches and rates relative to those of the full size.

    Micro-batches grow with the batch: smaller images leave room for more of them, and every process keeps its
    share of whole micro-batches at every size.

    Args:
        num_doublings: from the smallest block to the image, which is counted as 4 px doubled so often.
        start_lod: halvings below the full size at which training begins.
        full_size: how to train at the end.
        lr_rises: whether the rate follows the size, by `lr_factor`; else it is the same throughout.
    """
    final = lr_factor(num_doublings)
    stages = []
    for lod in range(start_lod + 1):
        times = _at(_BATCH_AT_PX, num_doublings - lod) // _at(_BATCH_AT_PX, num_doublings)
        stages.append(
            Stage(
                batch=full_size.batch * times,
                micro_batch=full_size.micro_batch * times,
                lr=full_size.lr * (lr_factor(num_doublings - lod) / final if lr_rises else 1.0),
            )
        )
    return tuple(stages)


def lr_factor(num_doublings: int) -> float:
    """Returns StyleGAN's learning rate, relative to that of images below 128 px (4 px doubled so often)."""
    return _at(_LR_FACTOR_AT_PX, num_doublings)


def _at(table: dict[int, _Value], num_doublings: int) -> _Value:
    """The row of a table by px; sizes beyond either end have that end's row."""
    side_px = 4 << num_doublings
    return table[min(max(side_px, min(table)), max(table))]

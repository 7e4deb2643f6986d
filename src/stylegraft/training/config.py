"""What the user may choose about training, and the fully resolved form that a run is made from. No torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from stylegraft.augment.config import AdaConfig, AugmentConfig, AugmentPreset
from stylegraft.config import Config
from stylegraft.data.config import DataConfig
from stylegraft.networks.config import Architecture
from stylegraft.networks.families import DiscriminatorField, GeneratorField
from stylegraft.training.growing import GrowingConfig, Moment

Family = Literal["stylegan2", "stylegan1"]
PresetName = Literal["auto", "lite", "standard", "paper", "study-v1"]
AugmentMode = Literal["ada", "fixed", "none"]


class TrainOptions(Config):
    """The flags of `stylegraft train`. None means: the preset decides."""

    preset: PresetName = Field(
        default="auto",
        description="row of the preset table; auto: lite on a CPU, standard on a GPU; study-v1: StyleGAN v1 "
        "moved to another set at its full size, mirrored, lr 0.001, nothing augmented",
    )
    family: Family | None = Field(
        default=None, description="which networks; stylegan2 if left out, with --from those of the source"
    )
    kimg: float | None = Field(
        default=None, gt=0, description="stop after so many thousand real images shown to D"
    )
    minutes: float | None = Field(
        default=None, gt=0, description="stop after so many minutes (20 if --kimg is not given either)"
    )
    seed: int = Field(default=0, ge=0, description="everything random follows from this")

    batch: int | None = Field(default=None, ge=1, description="images per step, over all processes")
    micro_batch: int | None = Field(
        default=None,
        ge=1,
        description="images at a time; smaller needs less memory (gradients are accumulated)",
    )
    lr: float | None = Field(
        default=None,
        gt=0,
        description="Adam's learning rate of both networks, at every size; stylegan1's preset raises its own "
        "from 128 px on",
    )
    gamma: float | None = Field(default=None, ge=0, description="R1 weight; more: smoother D, for hard sets")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="number type of the convolutions; auto: bf16 where the processor has units for it",
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:1")
    threads: int | None = Field(
        default=None,
        ge=1,
        description="threads that compute, exactly; if left out, one a core, and fewer while other processes "
        "keep cores busy: faster then, but no longer the same bit for bit",
    )

    g_arch: Architecture = Field(default="skip", description="generator architecture")
    d_arch: Architecture = Field(default="resnet", description="discriminator architecture")
    channel_base: int | None = Field(
        default=None, ge=8, description="feature maps = channel_base / resolution"
    )
    channel_max: int | None = Field(default=None, ge=4, description="most feature maps of a layer")
    mapping_layers: int | None = Field(default=None, ge=1, description="dense layers from z to w")
    z_dim: int | None = Field(default=None, ge=1, description="size of z")
    w_dim: int | None = Field(default=None, ge=1, description="size of w")
    conv_clamp: float | None = Field(
        default=None, gt=0, description="clamp of convolution outputs; None: off"
    )
    freeze_d: int = Field(
        default=0,
        ge=0,
        description="with --from: highest-resolution D layers that stay as they are (FreezeD)",
    )
    freeze_mapping: bool = Field(default=False, description="with --from: the mapping network stays as it is")
    freeze_synthesis: int = Field(
        default=0, ge=0, description="with --from: coarsest blocks of the synthesis network that stay"
    )
    lr_mapping: float = Field(default=1.0, gt=0, description="rate of the mapping network, as a factor of lr")
    lr_synthesis: float = Field(
        default=1.0, gt=0, description="rate of the synthesis network, as a factor of lr"
    )
    lr_d: float = Field(default=1.0, gt=0, description="rate of the discriminator, as a factor of lr")
    change_widths: bool = Field(
        default=False,
        description="with --from: --channel-base and --channel-max may drop the source's least important "
        "feature maps, or add untrained ones",
    )
    match_tones: bool = Field(
        default=True,
        description="with --from: begin with the source's pictures as light and as contrasty as the images, "
        "swapped where one is dark on light and the other light on dark; --no-match-tones: as they are",
    )

    grow_from: int | None = Field(
        default=None, ge=1, description="stylegan1 begins with images of so many px (8) and grows"
    )
    start_lod: int | None = Field(
        default=None,
        ge=0,
        description="the same, counted in halvings from the full size; 0: no growing (0 with --from)",
    )
    stable_kimg: float = Field(default=600.0, ge=0, description="kimg at a size before the next fades in")
    fade_kimg: float = Field(default=600.0, ge=0, description="kimg in which a size fades in")

    aug: AugmentMode | None = Field(
        default=None,
        description="augmentation of what D sees: adaptive, of fixed strength, or none; ada if left out, "
        "with stylegan1 none",
    )
    aug_preset: AugmentPreset = Field(default="bgc", description="which transforms")
    aug_p: float | None = Field(
        default=None, ge=0, le=1, description="strength p: at the start with ada, throughout with fixed"
    )
    ada_target: float = Field(default=0.6, gt=-1, lt=1, description="mean sign(D(real)) that ada steers to")
    ada_kimg: float | None = Field(
        default=None, gt=0, description="ada moves p by 1 in so many kimg (preset; 100 on transfer)"
    )
    ada_p_max: float = Field(
        default=0.8, gt=0, le=1, description="ada's cap on p; above, transforms leak into samples"
    )

    mixing_prob: float | None = Field(
        default=None, ge=0, le=1, description="share of samples with two styles"
    )
    pl_weight: float | None = Field(default=None, ge=0, description="path-length weight; 0: off")
    ema_kimg: float | None = Field(default=None, gt=0, description="half-life of the generator average, kimg")
    ema_rampup: float | None = Field(
        default=None, ge=0, description="half-life at most this share of the images so far; 0: no ramp"
    )

    label_groups: bool = Field(
        default=True,
        description="images that D compares with each other (minibatch-std groups) share a class, so that it "
        "sees when a class has one picture only; --no-label-groups: mixed, as published",
    )
    balance_classes: bool = Field(
        default=False, description="train on every class equally often, whatever its number of images"
    )

    eval_share: float = Field(
        default=0.08,
        ge=0,
        le=0.5,
        description="share of the run's time for the distance; 0: never, and no forecast",
    )
    eval_kimg: float | None = Field(
        default=None, gt=0, description="kimg between distances, instead of a share of time"
    )
    eval_fakes: int | None = Field(
        default=None, ge=2, description="generated images a distance (chosen by eval-share)"
    )
    early_stop: float | None = Field(
        default=None,
        gt=0,
        description="stop when the held-out distance has not improved for so many kimg, or when more fakes "
        "resemble a training image than chance explains",
    )
    num_checkpoints: int = Field(default=2, ge=1, description="newest checkpoints kept, beside the best")
    save_minutes: float = Field(default=5.0, gt=0, description="a checkpoint at least this often, minutes")
    on_divergence: Literal["stop", "rollback"] = Field(
        default="stop",
        description="NaN: stop at the last good checkpoint, or go back to it once at half the rate",
    )
    tensorboard: bool = Field(
        default=False, description="also write TensorBoard events (pip install stylegraft[tensorboard])"
    )


class SourceConfig(Config):
    """The trained network that a run started from."""

    path: str
    sha256: str
    facts: dict[str, Any] = Field(
        default_factory=dict, description="what it says of itself: origin, licence, training data"
    )


class RunConfig(Config):
    """Everything a run does, resolved: saved as `config.json` and in each checkpoint.

    Steps are counted in optimiser steps of the main losses, images in real images shown to D.
    """

    family: Family = "stylegan2"
    data_path: str
    data: DataConfig
    data_hash: str
    generator: GeneratorField
    discriminator: DiscriminatorField
    source: SourceConfig | None = None
    seed: int = 0

    total_kimg: float | None = Field(default=None, gt=0)
    total_minutes: float | None = Field(default=None, gt=0)
    batch: int = Field(default=16, ge=1)
    micro_batch: int = Field(default=16, ge=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = Field(
        default=None, ge=1, description="of the CPU; None: one a core, fewer on a busy machine"
    )
    growing: GrowingConfig | None = Field(
        default=None, description="sizes below the full one; batch, micro_batch and lr are the full size's"
    )

    lr: float = Field(default=0.0025, gt=0)
    adam_betas: tuple[float, float] = (0.0, 0.99)
    adam_eps: float = 1e-8
    lr_mapping: float = Field(default=1.0, gt=0, description="factor of lr for the mapping network")
    lr_synthesis: float = Field(default=1.0, gt=0, description="factor of lr for the synthesis network")
    lr_d: float = Field(default=1.0, gt=0, description="factor of lr for D")
    freeze_d: int = Field(default=0, ge=0, description="convolutions of D, seen from the image")
    freeze_mapping: bool = False
    freeze_synthesis: int = Field(default=0, ge=0, description="blocks of G, the coarsest first")
    match_tones: bool = Field(default=False, description="of the source's pictures, before the first step")
    r1_gamma: float = Field(default=1.0, ge=0)
    r1_interval: int = Field(
        default=16, ge=1, description="steps between two R1 steps; 1: R1 is part of every step of D"
    )
    pl_weight: float = Field(default=2.0, ge=0)
    pl_interval: int = Field(default=4, ge=1)
    pl_decay: float = Field(default=0.01, gt=0, le=1)
    pl_batch_shrink: int = Field(default=2, ge=1)
    mixing_prob: float = Field(default=0.9, ge=0, le=1)
    ema_kimg: float = Field(default=5.0, gt=0)
    ema_rampup: float = Field(default=0.05, ge=0)
    label_groups: bool = Field(default=False, description="minibatch-std groups share a class")
    balance_classes: bool = Field(default=False, description="classes come equally often")

    augment: AugmentConfig | None = Field(description="transforms; None: no augmentation")
    ada: AdaConfig = Field(default_factory=AdaConfig)

    tick_steps: int = Field(default=16, ge=1, description="steps between two log lines")
    eval_ticks: int = Field(default=0, ge=0, description="ticks between two distances; 0: never")
    eval_fakes: int = Field(default=0, ge=0, description="generated images a distance")
    eval_share: float | None = Field(
        default=None,
        description="share of the time for distances; what is beyond is left out; None: nothing",
    )
    early_stop_kimg: float | None = Field(
        default=None, gt=0, description="stop after so long without a better distance; None: never"
    )
    save_minutes: float = Field(default=5.0, gt=0)
    num_checkpoints: int = Field(default=2, ge=1)
    on_divergence: Literal["stop", "rollback"] = "stop"
    tensorboard: bool = False

    def moment_at(self, num_images: int) -> Moment:
        """Returns how the step trains that begins after so many images."""
        if self.growing is not None:
            return self.growing.moment_at(num_images)
        return Moment(0.0, self.batch, self.micro_batch, self.lr)

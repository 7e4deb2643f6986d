"""The preset tables: one row a budget, with the evidence beside it. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stylegraft.augment.config import ADA_KIMG_FROM_SCRATCH
from stylegraft.data.config import DataConfig
from stylegraft.errors import InputError
from stylegraft.training.config import AugmentMode, Family, TrainOptions
from stylegraft.training.growing import lr_factor

EMA_RAMPUP_ON_TRANSFER = 0.2
"""With a half-life longer than the run so far the average would be half a picture of the source's domain."""


@dataclass(frozen=True)
class Preset:
    """Sizes and rates that go together.

    Attributes:
        channel_base: feature maps of a block = channel_base / its resolution...
        channel_max: ...but no more than this...
        top_features: ...and no more than this at the image's own resolution.
        latent_dim: z_dim and w_dim.
        mapping_layers: depth of the mapping network.
        batch: images per step.
        lr: Adam's rate.
        mixing_prob: style mixing.
        pl_weight: path-length weight from 64 px upwards.
        gamma_scale: R1 weight, as a multiple of StyleGAN2-ADA's rule.
        ada_kimg: augmentation p moves by 1 in so many kimg, from scratch.
        gamma: R1 weight at any size, in place of the rule; None: the rule.
        r1_interval: steps between two R1 steps.
        ema_kimg: half-life of the generator average; None: in proportion to the batch.
        ema_rampup: share of the images so far that the half-life is limited to, from scratch.
        aug: augmentation.
        lr_rises: the rate rises with the size, as StyleGAN's does.
        mirror: images are mirrored without being asked.
        grows: training begins at small images, from scratch.
    """

    channel_base: int
    channel_max: int
    top_features: int
    latent_dim: int
    mapping_layers: int
    batch: int
    lr: float
    mixing_prob: float
    pl_weight: float
    gamma_scale: float
    ada_kimg: float
    gamma: float | None = None
    r1_interval: int = 16
    ema_kimg: float | None = None
    ema_rampup: float = 0.05
    aug: AugmentMode = "ada"
    lr_rises: bool = False
    mirror: bool = False
    grows: bool = False


STYLEGAN2: dict[str, Preset] = {
    # For runs of 20 to 300 kimg, which is what a CPU shows in an evening; capacity is not what limits them.
    # With the rule's own R1 weight the discriminator wins within minutes on a few hundred images and shapes
    # do not vary; 20 times as much gave varied shapes after 16 kimg (docs/results, "R1 and short runs").
    # What counts in a short run is the number of steps: 8 images a step reach in 40 kimg what 16 reach in
    # 75 (docs/results, "Images a step"). p must be able to move within such a run, and path length has no
    # time to pay for its cost.
    "lite": Preset(
        channel_base=2048,
        channel_max=128,
        top_features=32,
        latent_dim=256,
        mapping_layers=2,
        batch=8,
        lr=0.0025,
        mixing_prob=0.5,
        pl_weight=0.0,
        gamma_scale=20.0,
        ada_kimg=200.0,
    ),
    # StyleGAN2-ADA's automatic set-up below 512 px (Karras et al. 2020, "Limited Data", appendix C), with the
    # feature maps halved, which is what fits 64 to 256 px on one GPU.
    "standard": Preset(
        channel_base=8192,
        channel_max=512,
        top_features=128,
        latent_dim=512,
        mapping_layers=2,
        batch=32,
        lr=0.0025,
        mixing_prob=0.9,
        pl_weight=2.0,
        gamma_scale=1.0,
        ada_kimg=ADA_KIMG_FROM_SCRATCH,
    ),
    # StyleGAN2's config F (Karras et al. 2020, "Analyzing", table 1): many GPU days.
    "paper": Preset(
        channel_base=32768,
        channel_max=512,
        top_features=512,
        latent_dim=512,
        mapping_layers=8,
        batch=32,
        lr=0.002,
        mixing_prob=0.9,
        pl_weight=2.0,
        gamma_scale=1.0,
        ada_kimg=ADA_KIMG_FROM_SCRATCH,
    ),
}


# StyleGAN's published set-up (Karras et al. 2019, appendix C): R1 of weight 10 in every step, no path length,
# an average with a half-life of 10 kimg, nothing augmented.
_STYLEGAN1 = Preset(
    channel_base=16384,
    channel_max=512,
    top_features=512,
    latent_dim=512,
    mapping_layers=8,
    batch=32,
    lr=0.001,
    mixing_prob=0.9,
    pl_weight=0.0,
    gamma_scale=0.0,
    gamma=10.0,
    r1_interval=1,
    ema_kimg=10.0,
    ema_rampup=0.0,
    ada_kimg=ADA_KIMG_FROM_SCRATCH,
    aug="none",
    lr_rises=True,
    grows=True,
)

STYLEGAN1: dict[str, Preset] = {
    # The sizes of StyleGAN2's row, and an average that forgets the untrained networks within a short run.
    "lite": replace(
        _STYLEGAN1,
        channel_base=2048,
        channel_max=128,
        top_features=32,
        latent_dim=256,
        mapping_layers=2,
        batch=16,
        ema_rampup=0.05,
        ada_kimg=200.0,
    ),
    "standard": replace(_STYLEGAN1, channel_base=8192, top_features=128),
    "paper": _STYLEGAN1,
    # How the industrial study that this project serves moved published networks to small sets: at the
    # source's full size from the first step, at one rate, images mirrored. The batch is that of StyleGAN's
    # table for one GPU at 256 px.
    "study-v1": replace(_STYLEGAN1, batch=8, lr_rises=False, mirror=True, grows=False),
}


def choose_preset(
    options: TrainOptions, source_family: Family | None, device_type: str
) -> tuple[Family, Preset]:
    """Returns the family to train and its row.

    Args:
        options: the user's flags.
        source_family: that of the networks to start from, if any; they decide.
        device_type: "cpu" or "cuda".

    Raises:
        InputError: the flags ask for one family, the source or the preset for another.
    """
    name = options.preset
    if name == "auto":
        name = "lite" if device_type == "cpu" else "standard"
    asked = options.family or ("stylegan2" if name in STYLEGAN2 else "stylegan1")
    family = source_family or asked
    if options.family not in (None, family):
        raise InputError(
            f"--family {options.family}: the source of --from is {family}, and no layer of one family does "
            "the work of a layer of the other. Leave --family out."
        )
    table = {"stylegan1": STYLEGAN1, "stylegan2": STYLEGAN2}[family]
    if name not in table:
        source = " of --from" if source_family else ""
        raise InputError(
            f"--preset {name}: expected one of {', '.join(table)} with networks{source} of {family}. "
            "Leave --preset out, or choose one of these."
        )
    return family, table[name]


def preset_data(options: TrainOptions, data: DataConfig) -> DataConfig:
    """Returns how images are read: as asked for, and mirrored where the preset says so."""
    row = STYLEGAN1.get(options.preset)
    return data.replace(mirror=True) if row is not None and row.mirror else data


def channel_base(preset: Preset, num_doublings: int) -> int:
    """Returns the preset's channel base, less for small images so that `top_features` holds."""
    return min(preset.channel_base, preset.top_features * (4 << num_doublings))


def r1_gamma(preset: Preset, height: int, width: int, batch: int) -> float:
    """Returns the R1 weight: the preset's, or StyleGAN2-ADA's rule 0.0002 * pixels / batch, scaled."""
    if preset.gamma is not None:
        return preset.gamma
    return preset.gamma_scale * 0.0002 * height * width / batch


def learning_rate(preset: Preset, num_doublings: int) -> float:
    """Returns the preset's rate at full size, the smallest block doubled so often."""
    return preset.lr * (lr_factor(num_doublings) if preset.lr_rises else 1.0)


def ema_half_life_kimg(preset: Preset, batch: int) -> float:
    """Returns the preset's, or 10 kimg at batch 32 and in proportion, as StyleGAN2-ADA's set-up does."""
    return batch * 10 / 32 if preset.ema_kimg is None else preset.ema_kimg


def path_length_weight(preset: Preset, height: int, width: int) -> float:
    """Returns the preset's weight from 64 px upwards and 0 below.

    StyleGAN2-ADA switches path length off for 32 px CIFAR-10, where it costs quality (appendix D).
    """
    return preset.pl_weight if max(height, width) >= 64 else 0.0

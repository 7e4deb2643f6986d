"""The preset table: one row a budget, with the evidence beside it. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from stylegraft.augment.config import ADA_KIMG_FROM_SCRATCH


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


PRESETS: dict[str, Preset] = {
    # For runs of 20 to 300 kimg, which is what a CPU shows in an evening; capacity is not what limits them.
    # With the rule's own R1 weight the discriminator wins within minutes on a few hundred images and shapes
    # do not vary; 40 times as much gave varied shapes after 16 kimg (docs/results, "R1 and short runs"). p
    # must be able to move within such a run, and path length has no time to pay for its cost.
    "lite": Preset(
        channel_base=2048,
        channel_max=128,
        top_features=32,
        latent_dim=256,
        mapping_layers=2,
        batch=16,
        lr=0.0025,
        mixing_prob=0.5,
        pl_weight=0.0,
        gamma_scale=40.0,
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


def channel_base(preset: Preset, num_doublings: int) -> int:
    """Returns the preset's channel base, less for small images so that `top_features` holds."""
    return min(preset.channel_base, preset.top_features * (4 << num_doublings))


def r1_gamma(preset: Preset, height: int, width: int, batch: int) -> float:
    """Returns the R1 weight: StyleGAN2-ADA's rule 0.0002 * pixels / batch, times the preset's scale."""
    return preset.gamma_scale * 0.0002 * height * width / batch


def ema_half_life_kimg(batch: int) -> float:
    """Returns 10 kimg at batch 32 and in proportion, as StyleGAN2-ADA's automatic set-up does."""
    return batch * 10 / 32


def path_length_weight(preset: Preset, height: int, width: int) -> float:
    """Returns the preset's weight from 64 px upwards and 0 below.

    StyleGAN2-ADA switches path length off for 32 px CIFAR-10, where it costs quality (appendix D).
    """
    return preset.pl_weight if max(height, width) >= 64 else 0.0

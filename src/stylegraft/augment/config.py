"""Which augmentations there are, how strong, and how p is chosen, as frozen configs. No torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stylegraft.config import Config
from stylegraft.errors import ConfigError

ADA_KIMG_FROM_SCRATCH = 500.0
ADA_KIMG_ON_TRANSFER = 100.0
"""The original moves p five times faster when it starts from a trained network."""


class AugmentConfig(Config):
    """Strengths of the transforms; each happens with probability p times its multiplier (0: never).

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
    """

    xflip: float = Field(
        default=0.0, ge=0, description="multiplier: mirror left-right, for half of the draws"
    )
    rotate90: float = Field(default=0.0, ge=0, description="multiplier: turn by a multiple of 90 degrees")
    xint: float = Field(default=0.0, ge=0, description="multiplier: move by whole pixels")
    xint_max: float = Field(
        default=0.125, ge=0, description="range of whole-pixel moves, fraction of the side"
    )

    scale: float = Field(default=0.0, ge=0, description="multiplier: isotropic scaling")
    rotate: float = Field(default=0.0, ge=0, description="multiplier: rotation by any angle")
    aniso: float = Field(default=0.0, ge=0, description="multiplier: anisotropic scaling")
    xfrac: float = Field(default=0.0, ge=0, description="multiplier: move by fractions of a pixel")
    scale_std: float = Field(default=0.2, ge=0, description="spread of isotropic scaling, octaves")
    rotate_max: float = Field(default=1.0, ge=0, description="range of rotation, half turns")
    aniso_std: float = Field(default=0.2, ge=0, description="spread of anisotropic scaling, octaves")
    xfrac_std: float = Field(
        default=0.125, ge=0, description="spread of fractional moves, fraction of the side"
    )

    brightness: float = Field(default=0.0, ge=0, description="multiplier: brightness")
    contrast: float = Field(default=0.0, ge=0, description="multiplier: contrast")
    lumaflip: float = Field(default=0.0, ge=0, description="multiplier: invert luma, for half of the draws")
    hue: float = Field(default=0.0, ge=0, description="multiplier: hue rotation (RGB only)")
    saturation: float = Field(default=0.0, ge=0, description="multiplier: saturation (RGB only)")
    brightness_std: float = Field(default=0.2, ge=0, description="spread of brightness, image range -1..1")
    contrast_std: float = Field(default=0.5, ge=0, description="spread of contrast, octaves")
    hue_max: float = Field(default=1.0, ge=0, description="range of hue rotation, half turns")
    saturation_std: float = Field(default=1.0, ge=0, description="spread of saturation, octaves")

    imgfilter: float = Field(default=0.0, ge=0, description="multiplier: image-space filtering")
    imgfilter_bands: tuple[float, float, float, float] = Field(
        default=(1.0, 1.0, 1.0, 1.0), description="multipliers of the bands, lowest frequencies first"
    )
    imgfilter_std: float = Field(default=1.0, ge=0, description="spread of each band's gain, octaves")

    noise: float = Field(default=0.0, ge=0, description="multiplier: additive RGB noise")
    cutout: float = Field(default=0.0, ge=0, description="multiplier: cutout")
    noise_std: float = Field(
        default=0.1, ge=0, description="spread of the noise's strength, image range -1..1"
    )
    cutout_size: float = Field(
        default=0.5, ge=0, description="side of the cut rectangle, fraction of the image's"
    )

    @property
    def moves_pixels(self) -> bool:
        """Whether pixel blitting or a geometric transform can happen."""
        names = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")
        return any(getattr(self, name) > 0 for name in names)

    @property
    def changes_color(self) -> bool:
        """Whether a colour transform can happen."""
        names = ("brightness", "contrast", "lumaflip", "hue", "saturation")
        return any(getattr(self, name) > 0 for name in names)


_BLIT = {"xflip": 1.0, "rotate90": 1.0, "xint": 1.0}
_GEOM = {"scale": 1.0, "rotate": 1.0, "aniso": 1.0, "xfrac": 1.0}
_COLOR = {"brightness": 1.0, "contrast": 1.0, "lumaflip": 1.0, "hue": 1.0, "saturation": 1.0}
_FILTER = {"imgfilter": 1.0}
_NOISE = {"noise": 1.0}
_CUTOUT = {"cutout": 1.0}

AugmentPreset = Literal[
    "blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"
]

_PRESETS: dict[str, dict[str, float]] = {
    "blit": _BLIT,
    "geom": _GEOM,
    "color": _COLOR,
    "filter": _FILTER,
    "noise": _NOISE,
    "cutout": _CUTOUT,
    "bg": _BLIT | _GEOM,
    "bgc": _BLIT | _GEOM | _COLOR,  # the paper's choice: what lies beyond hardly helps
    "bgcf": _BLIT | _GEOM | _COLOR | _FILTER,
    "bgcfn": _BLIT | _GEOM | _COLOR | _FILTER | _NOISE,
    "bgcfnc": _BLIT | _GEOM | _COLOR | _FILTER | _NOISE | _CUTOUT,
}


def augment_preset(name: str) -> AugmentConfig:
    """Returns a named group of transforms at strength 1.

    The letters stand for blit, geometry, colour, filter, noise, cutout.

    Raises:
        ConfigError: no such name.
    """
    if name not in _PRESETS:
        raise ConfigError(f"augmentation preset: expected one of {', '.join(_PRESETS)}, got {name!r}.")
    return AugmentConfig().replace(**_PRESETS[name])


class AdaConfig(Config):
    """How the augmentation probability p is chosen (Karras et al. 2020, section 3.1)."""

    mode: Literal["adaptive", "fixed"] = Field(
        default="adaptive", description="p follows overfitting, or stays"
    )
    p: float = Field(default=0.0, ge=0, le=1, description="p at the start; with mode fixed: throughout")
    target: float = Field(default=0.6, gt=-1, lt=1, description="wanted mean of sign(D(real))")
    interval_steps: int = Field(default=4, ge=1, description="steps between adjustments of p")
    kimg: float = Field(
        default=ADA_KIMG_FROM_SCRATCH,
        gt=0,
        description="thousands of images in which p moves by 1 (transfer: 100)",
    )
    cap: float = Field(
        default=0.8, ge=0, le=1, description="p is not raised beyond; augmentations leak from about 0.8"
    )

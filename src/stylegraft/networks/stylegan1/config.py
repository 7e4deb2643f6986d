"""What StyleGAN v1 networks are made of, as frozen configs. No torch here."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stylegraft.config import Config
from stylegraft.networks.config import MAX_FEATURES, MAX_LAYERS, MAX_SIDE_PX, ImageSizes

Activation = Literal["lrelu", "relu"]
# From this output side on, the original fuses resampling and convolution.
FUSED_FROM_PX = 128


class MappingConfig(Config):
    """The network from z and the class label to w (StyleGAN, figure 1b)."""

    z_dim: int = Field(default=512, ge=1, le=MAX_FEATURES, description="size of z")
    c_dim: int = Field(
        default=0, ge=0, le=MAX_FEATURES, description="size of the class label; 0 means unconditional"
    )
    w_dim: int = Field(default=512, ge=1, le=MAX_FEATURES, description="size of w")
    num_layers: int = Field(default=8, ge=1, le=MAX_LAYERS, description="dense layers")
    layer_features: int | None = Field(
        default=None, ge=1, le=MAX_FEATURES, description="width of the hidden layers; None: w_dim"
    )
    activation: Activation = Field(default="lrelu", description="activation of each layer")
    lr_multiplier: float = Field(default=0.01, gt=0, description="learning rate multiplier of these layers")
    normalize_latents: bool = Field(default=True, description="z and label are normalised, jointly")
    use_wscale: bool = Field(default=True, description="equalised learning rate")
    w_avg_beta: float | None = Field(
        default=0.995, ge=0, le=1, description="decay of w_avg; None: no w_avg is kept"
    )


class _StyleGan1Config(ImageSizes):
    """What generator and discriminator share."""

    activation: Activation = Field(default="lrelu", description="activation of the convolutions")
    use_wscale: bool = Field(default=True, description="equalised learning rate")
    blur_filter: tuple[float, ...] | None = Field(
        default=(1.0, 2.0, 1.0), description="taps of the blur beside each resampling; None: no blur"
    )

    @property
    def architecture(self) -> str:
        """How blocks reach the image: each has layers to and from RGB, faded in by `lod`."""
        return "progressive"

    @property
    def max_lod(self) -> int:
        """The lod at which only the smallest block is in use."""
        return len(self.channels) - 1

    @model_validator(mode="after")
    def _blur_keeps_the_size(self) -> Self:
        if self.blur_filter is not None and (len(self.blur_filter) % 2 == 0 or sum(self.blur_filter) <= 0):
            raise ValueError("blur_filter: expected an odd number of taps with a positive sum")
        return self


class GeneratorConfig(_StyleGan1Config):
    """A StyleGAN v1 generator (Karras et al. 2019, figure 1b)."""

    family: Literal["stylegan1"] = "stylegan1"
    mapping: MappingConfig = Field(default_factory=MappingConfig)
    fused_from_px: int | None = Field(
        default=FUSED_FROM_PX,
        ge=1,
        le=MAX_SIDE_PX,
        description="shorter side, px, from which upsampling and convolution are one; None: never",
    )
    use_noise: bool = Field(default=True, description="layers have noise inputs")
    use_pixel_norm: bool = Field(default=False, description="features are normalised at each pixel")
    use_instance_norm: bool = Field(default=True, description="feature maps are normalised")
    use_styles: bool = Field(default=True, description="layers are scaled and shifted by styles")
    truncation_psi: float | None = Field(
        default=0.7, description="psi the source samples with by default; None: no truncation"
    )
    truncation_cutoff: int | None = Field(
        default=8, ge=0, description="layers truncated unless the user says otherwise; None: all"
    )

    @property
    def c_dim(self) -> int:
        """Size of the class label; 0 means unconditional."""
        return self.mapping.c_dim

    def is_fused(self, block: int) -> bool:
        """Tells whether a block's upsampling is fused with its convolution, whose kernel is then flipped."""
        side = min(self.img_height, self.img_width) >> (self.max_lod - block)
        return self.fused_from_px is not None and side >= self.fused_from_px


class DiscriminatorConfig(_StyleGan1Config):
    """A StyleGAN v1 discriminator: that of progressive growing, with a blur before each downsampling.

    Whether the original fuses convolution and downsampling makes no difference here, so it is no setting.
    """

    family: Literal["stylegan1"] = "stylegan1"
    c_dim: int = Field(
        default=0, ge=0, le=MAX_FEATURES, description="size of the class label; 0 means unconditional"
    )
    mbstd_group_size: int | None = Field(
        default=4, ge=1, description="minibatch-std group, samples; None: the batch"
    )
    mbstd_num_channels: int = Field(
        default=1, ge=0, le=MAX_FEATURES, description="minibatch-std features; 0: off"
    )
    fc_features: int | None = Field(
        default=None, ge=1, le=MAX_FEATURES, description="width of the last hidden layer; None: channels[0]"
    )

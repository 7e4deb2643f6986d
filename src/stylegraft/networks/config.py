"""What a network is made of, as frozen configs. No torch: the command line and the readers use these."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stylegraft.config import Config
from stylegraft.errors import ConfigError

MIN_BASE_PX = 3
MAX_BASE_PX = 16
# Far above any published network; they keep a config from a stranger from asking for the impossible.
MAX_SIDE_PX = 8192
MAX_FEATURES = 16384
MAX_LAYERS = 64

Architecture = Literal["skip", "resnet", "orig"]
# Configs B to D of the StyleGAN2 paper grow like StyleGAN v1; no new network is made so.
AnyArchitecture = Literal["skip", "resnet", "orig", "progressive"]
LabelInput = Literal["embedded", "concatenated"]
Activation = Literal["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"]


def base_size(height: int, width: int) -> tuple[int, int, int]:
    """Returns the size of the smallest feature map and how often it is doubled.

    Args:
        height: image height, px.
        width: image width, px.

    Returns:
        (base_height, base_width, num_doublings) with the smallest base whose sides are 3 to 16 px;
        64x64 -> (4, 4, 4), 96x64 -> (6, 4, 4), 48x48 -> (3, 3, 4).

    Raises:
        ConfigError: no number of halvings gives such a base.
    """
    best = None
    h, w, doublings = height, width, 0
    while min(h, w) >= MIN_BASE_PX:
        if max(h, w) <= MAX_BASE_PX:
            best = (h, w, doublings)
        if h % 2 or w % 2:
            break
        h, w, doublings = h // 2, w // 2, doublings + 1
    if best is None:
        raise ConfigError(
            f"image size {height}x{width}: expected height and width that halve together, some whole number "
            f"of times, to sides of {MIN_BASE_PX} to {MAX_BASE_PX} px (such as 64x64, 96x64, 48x48). "
            f"Resize the images, for example with --size {_nearest_size(height, width)}."
        )
    return best


def _nearest_size(height: int, width: int) -> str:
    """Powers of two near the sides; the longer is at most four times the shorter, which always has a base."""
    sides = [_nearest_power_of_two(side) for side in (height, width)]
    return "x".join(str(min(side, 4 * min(sides))) for side in sides)


def _nearest_power_of_two(side: int) -> int:
    """The power of two nearest to `side`, at least 8."""
    lower = 8
    while lower * 2 <= side:
        lower *= 2
    return lower if side - lower <= lower * 2 - side else lower * 2


def channels_per_block(num_doublings: int, channel_base: int, channel_max: int) -> tuple[int, ...]:
    """Returns the feature maps of each block, smallest block first.

    The rule of the papers, min(channel_base / resolution, channel_max), with the resolution counted as
    4 * 2^block so that it does not depend on the base size.
    """
    return tuple(max(1, min(channel_base // (4 << block), channel_max)) for block in range(num_doublings + 1))


class MappingConfig(Config):
    """The network from z and the class label to w."""

    z_dim: int = Field(
        default=512, ge=0, le=MAX_FEATURES, description="size of z; 0 in a discriminator's label mapping"
    )
    c_dim: int = Field(
        default=0, ge=0, le=MAX_FEATURES, description="size of the class label; 0 means unconditional"
    )
    w_dim: int = Field(default=512, ge=1, le=MAX_FEATURES, description="size of w")
    num_layers: int = Field(default=8, ge=0, le=MAX_LAYERS, description="dense layers")
    embed_features: int | None = Field(
        default=None, ge=1, le=MAX_FEATURES, description="width of the embedded label; None: w_dim"
    )
    layer_features: int | None = Field(
        default=None, ge=1, le=MAX_FEATURES, description="width of the hidden layers; None: w_dim"
    )
    activation: Activation = Field(default="lrelu", description="activation of each layer")
    lr_multiplier: float = Field(default=0.01, gt=0, description="learning rate multiplier of these layers")
    label_input: LabelInput = Field(
        default="embedded",
        description="embedded: a dense layer, normalised on its own (StyleGAN2-ADA); concatenated: a matrix, "
        "normalised together with z (StyleGAN, StyleGAN2)",
    )
    w_avg_beta: float | None = Field(
        default=0.995, ge=0, le=1, description="decay of w_avg; None: no w_avg is kept"
    )

    @model_validator(mode="after")
    def _something_becomes_w(self) -> Self:
        if self.z_dim == self.c_dim == 0:
            raise ValueError("z_dim, c_dim: expected at least one of them above 0")
        width = self.z_dim + (self.embed_features or self.w_dim if self.c_dim else 0)
        if self.num_layers == 0 and width != self.w_dim:
            raise ValueError(f"num_layers: without layers, w_dim must be the input's width, {width}")
        return self


class ImageSizes(Config):
    """The sizes of images and feature maps, which all generators and discriminators have."""

    img_height: int = Field(default=64, ge=MIN_BASE_PX, le=MAX_SIDE_PX, description="image height, px")
    img_width: int = Field(default=64, ge=MIN_BASE_PX, le=MAX_SIDE_PX, description="image width, px")
    img_channels: int = Field(default=3, ge=1, le=4, description="1 grey, 3 RGB")
    channels: tuple[int, ...] = Field(description="feature maps of each block, smallest block first")

    @property
    def base_height(self) -> int:
        """Height of the smallest block, px."""
        return self.img_height >> (len(self.channels) - 1)

    @property
    def base_width(self) -> int:
        """Width of the smallest block, px."""
        return self.img_width >> (len(self.channels) - 1)

    @property
    def block_names(self) -> tuple[str, ...]:
        """Names of the blocks, smallest first: b and the shorter side in px (b4, b8, ... when square)."""
        side = min(self.base_height, self.base_width)
        return tuple(f"b{side << block}" for block in range(len(self.channels)))

    @model_validator(mode="after")
    def _blocks_fit_the_image(self) -> Self:
        doublings = len(self.channels) - 1
        if doublings < 0 or not 1 <= min(self.channels) <= max(self.channels) <= MAX_FEATURES:
            raise ValueError(
                f"channels: expected one block or more, each of 1 to {MAX_FEATURES} feature maps"
            )
        if self.img_height % (1 << doublings) or self.img_width % (1 << doublings):
            raise ValueError(
                f"channels: {len(self.channels)} blocks need sides that halve {doublings} times, "
                f"got {self.img_height}x{self.img_width}"
            )
        return self


class _StyleGan2Config(ImageSizes):
    """What StyleGAN2's generator and discriminator share."""

    activation: Activation = Field(default="lrelu", description="activation of the convolutions")
    conv_clamp: float | None = Field(
        default=None, gt=0, description="clamp of convolution outputs; None: off"
    )
    resample_filter: tuple[float, ...] | None = Field(
        default=(1.0, 3.0, 3.0, 1.0), description="FIR of up and down"
    )


class GeneratorConfig(_StyleGan2Config):
    """A StyleGAN2 generator (Karras et al. 2020, figure 7)."""

    family: Literal["stylegan2"] = "stylegan2"
    mapping: MappingConfig = Field(default_factory=MappingConfig)
    architecture: AnyArchitecture = Field(default="skip", description="how blocks reach the image")
    use_noise: bool = Field(default=True, description="layers have noise inputs")

    @property
    def c_dim(self) -> int:
        """Size of the class label; 0 means unconditional."""
        return self.mapping.c_dim

    @property
    def truncation_cutoff(self) -> None:
        """Layers that are truncated unless the user says otherwise: all."""
        return None


class DiscriminatorConfig(_StyleGan2Config):
    """A StyleGAN2 discriminator."""

    family: Literal["stylegan2"] = "stylegan2"
    architecture: AnyArchitecture = Field(default="resnet", description="how the image reaches the blocks")
    mapping: MappingConfig | None = Field(
        default=None, description="label mapping (z_dim 0, w_dim = cmap_dim); None: unconditional"
    )
    mbstd_group_size: int | None = Field(
        default=4, ge=1, description="minibatch-std group, samples; None: the batch"
    )
    mbstd_num_channels: int = Field(
        default=1, ge=0, le=MAX_FEATURES, description="minibatch-std features; 0: off"
    )
    class_outputs: int = Field(
        default=0,
        ge=0,
        le=MAX_FEATURES,
        description="outputs, one a class, of which the label picks (StyleGAN, StyleGAN2); 0: no such labels",
    )
    fc_features: int | None = Field(
        default=None, ge=1, le=MAX_FEATURES, description="width of the last hidden layer; None: channels[0]"
    )

    @property
    def c_dim(self) -> int:
        """Size of the class label; 0 means unconditional."""
        return self.class_outputs if self.mapping is None else self.mapping.c_dim

    @model_validator(mode="after")
    def _labels_enter_once(self) -> Self:
        if self.mapping is not None and self.class_outputs:
            raise ValueError("mapping, class_outputs: expected at most one of them")
        return self

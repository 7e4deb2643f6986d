"""StyleGAN v1 in TensorFlow pickles: the code of StyleGAN, and config A of the StyleGAN2 code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from stylegraft.checkpoints.foreign.nvidia_tensorflow_network import TensorflowNetwork
from stylegraft.checkpoints.foreign.nvidia_tensorflow_settings import (
    check_settings,
    choice,
    flag,
    number,
    optional_number,
    optional_whole,
    refused,
    taps,
)
from stylegraft.checkpoints.foreign.nvidia_tensorflow_tables import (
    CONV,
    DENSE,
    FIRST,
    PLANE,
    Row,
    block_scopes,
    dense_rows,
    expand,
    layer_rows,
    num_dense,
)
from stylegraft.networks.stylegan1.config import (
    FUSED_FROM_PX,
    Activation,
    DiscriminatorConfig,
    GeneratorConfig,
    MappingConfig,
)

_ACTIVATIONS = get_args(Activation)
_BLUR = (1.0, 2.0, 1.0)

_SHARED = {"nonlinearity", "use_wscale", "fused_scale", "blur_filter"}
_G_USED = _SHARED | {
    *("mapping_nonlinearity", "mapping_lrmul", "normalize_latents", "use_pixel_norm", "use_instance_norm"),
    *("dlatent_avg_beta", "truncation_psi", "truncation_cutoff"),
}
_G_FIXED: dict[str, object] = {"const_input_layer": True}
# A discriminator computes the same whether it fuses or not.
_D_USED = _SHARED | {"mbstd_group_size"}


def _styled(theirs: str, ours: str, noise: str) -> list[Row]:
    theirs, ours = f"synthesis/{theirs}", f"synthesis.{{block}}.{ours}"
    return [
        *layer_rows(theirs, ours, CONV),
        Row(f"{theirs}/Noise/weight", f"{ours}.noise_strength"),
        Row(f"synthesis/noise{{{noise}}}", f"{ours}.noise_const", PLANE),
        *layer_rows(f"{theirs}/StyleMod", f"{ours}.affine", DENSE),
    ]


_GENERATOR = [
    Row("dlatent_avg", "mapping.w_avg"),
    Row("mapping/LabelConcat/weight", "mapping.label_weight"),
    # The whole network sets the lod of its synthesis component before each use.
    Row("lod", "synthesis.lod"),
    Row("synthesis/lod", "synthesis.lod"),
    Row("synthesis/{scope}/Const/const", "synthesis.{block}.const", FIRST),
    *_styled("{scope}/Const", "layer0", "even"),
    *_styled("{scope}/Conv", "layer1", "odd"),
    *_styled("{scope}/Conv0_up", "layer0", "even"),
    *_styled("{scope}/Conv1", "layer1", "odd"),
    *layer_rows("synthesis/ToRGB_lod{lod}", "synthesis.{block}.torgb", CONV),
]
_DISCRIMINATOR = [
    Row("lod", "lod"),
    *layer_rows("FromRGB_lod{lod}", "{block}.fromrgb", CONV),
    *layer_rows("{scope}/Conv0", "{block}.conv0", CONV),
    *layer_rows("{scope}/Conv1_down", "{block}.conv1", CONV),
    *layer_rows("{scope}/Conv", "{block}.conv", CONV),
    *layer_rows("{scope}/Dense0", "{block}.fc", DENSE),
    *layer_rows("{scope}/Dense1", "{block}.out", DENSE),
]


def infer_generator(network: TensorflowNetwork) -> GeneratorConfig:
    """Returns the config of a generator.

    Raises:
        CheckpointError: its layout or a setting is unknown.
    """
    check_settings(network, _G_USED, _G_FIXED)
    scopes = block_scopes(network)
    names = [f"synthesis/{height}x{width}" for height, width in scopes]
    convs = [f"{names[0]}/Conv", *(f"{name}/Conv1" for name in names[1:])]
    _, _, height, width = network.axes(f"{names[0]}/Const/const", 4)
    psi, cutoff = default_truncation(network)
    return network.make(
        GeneratorConfig,
        img_height=height << (len(scopes) - 1),
        img_width=width << (len(scopes) - 1),
        img_channels=network.outputs("synthesis/ToRGB_lod0"),
        channels=tuple(map(network.outputs, convs)),
        activation=choice(network, "nonlinearity", "lrelu", _ACTIVATIONS),
        use_wscale=flag(network, "use_wscale", True),
        blur_filter=taps(network, "blur_filter", _BLUR),
        fused_from_px=_fused_from_px(network),
        use_noise=f"{convs[0]}/Noise/weight" in network.variables,
        use_pixel_norm=flag(network, "use_pixel_norm", False),
        use_instance_norm=flag(network, "use_instance_norm", True),
        use_styles=f"{convs[0]}/StyleMod/weight" in network.variables,
        truncation_psi=psi,
        truncation_cutoff=cutoff,
        mapping=_infer_mapping(network),
    )


def infer_discriminator(network: TensorflowNetwork) -> DiscriminatorConfig:
    """Returns the config of a discriminator.

    Raises:
        CheckpointError: its layout or a setting is unknown.
    """
    check_settings(network, _D_USED, {})
    scopes = block_scopes(network)
    names = [f"{height}x{width}" for height, width in scopes]
    convs = [f"{names[0]}/Conv", *(f"{name}/Conv0" for name in names[1:])]
    channels = tuple(map(network.outputs, convs))
    outputs = network.outputs(f"{names[0]}/Dense1")
    fc_features = network.outputs(f"{names[0]}/Dense0")
    group_size = optional_whole(network, "mbstd_group_size", 4)
    has_labels = outputs > 1 or network.settings.get("label_size") == 1
    return network.make(
        DiscriminatorConfig,
        img_height=scopes[-1][0],
        img_width=scopes[-1][1],
        img_channels=network.inputs("FromRGB_lod0"),
        channels=channels,
        activation=choice(network, "nonlinearity", "lrelu", _ACTIVATIONS),
        use_wscale=flag(network, "use_wscale", True),
        blur_filter=taps(network, "blur_filter", _BLUR),
        c_dim=outputs if has_labels else 0,
        fc_features=None if fc_features == channels[0] else fc_features,
        mbstd_group_size=None if group_size is None else max(group_size, 1),
        # What the convolution takes in beside the feature maps; group sizes up to 1 switch it off.
        mbstd_num_channels=network.inputs(convs[0]) - channels[0],
    )


def generator_rows(network: TensorflowNetwork, block_names: Sequence[str]) -> list[Row]:
    """Returns the table of a generator with the names of our blocks, smallest first."""
    blocks = expand(_GENERATOR, block_scopes(network), block_names)
    return blocks + dense_rows("mapping/Dense", num_dense(network, "mapping/Dense"))


def discriminator_rows(network: TensorflowNetwork, block_names: Sequence[str]) -> list[Row]:
    """Returns the table of a discriminator with the names of our blocks, smallest first."""
    return expand(_DISCRIMINATOR, block_scopes(network), block_names)


def default_truncation(network: TensorflowNetwork) -> tuple[float | None, int | None]:
    """Returns psi and cutoff the file samples with unless told otherwise."""
    return (
        optional_number(network, "truncation_psi", 0.7),
        optional_whole(network, "truncation_cutoff", 8),
    )


def _infer_mapping(network: TensorflowNetwork) -> MappingConfig:
    num_layers = num_dense(network, "mapping/Dense")
    if not num_layers:
        raise network.unknown_layout("no variable mapping/Dense0/weight")
    z_dim, c_dim = network.inputs("mapping/Dense0"), 0
    if "mapping/LabelConcat/weight" in network.variables:
        c_dim, embedded = network.axes("mapping/LabelConcat/weight", 2)
        z_dim -= embedded
    w_dim = network.outputs(f"mapping/Dense{num_layers - 1}")
    hidden = network.outputs("mapping/Dense0")
    beta = optional_number(network, "dlatent_avg_beta", 0.995)
    return network.make(
        MappingConfig,
        z_dim=z_dim,
        c_dim=c_dim,
        w_dim=w_dim,
        num_layers=num_layers,
        layer_features=None if hidden == w_dim else hidden,
        activation=choice(network, "mapping_nonlinearity", "lrelu", _ACTIVATIONS),
        lr_multiplier=number(network, "mapping_lrmul", 0.01),
        normalize_latents=flag(network, "normalize_latents", True),
        use_wscale=flag(network, "use_wscale", True),
        w_avg_beta=1.0 if beta is None else beta,
    )


def _fused_from_px(network: TensorflowNetwork) -> int | None:
    """The side from which resampling and convolution are one; the kernels are alike, so the setting tells."""
    value = network.settings.get("fused_scale", "auto")
    choices = {"auto": FUSED_FROM_PX, True: 1, False: None}
    if not isinstance(value, str | bool) or value not in choices:
        raise refused(network, "fused_scale", "auto, True and False are")
    return choices[value]

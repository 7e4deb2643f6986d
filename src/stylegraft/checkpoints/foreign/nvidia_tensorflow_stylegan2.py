"""StyleGAN2 in TensorFlow pickles: of the StyleGAN2 code (configs B to F) and of the TensorFlow code of ADA.

In configs B to D of the paper, which grow progressively, each block has layers to and from RGB, named by lod.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from stylegraft.checkpoints.foreign.nvidia_tensorflow_network import TensorflowNetwork
from stylegraft.checkpoints.foreign.nvidia_tensorflow_settings import (
    check_settings,
    choice,
    number,
    optional_number,
    optional_whole,
    taps,
)
from stylegraft.checkpoints.foreign.nvidia_tensorflow_tables import (
    CONV,
    CONV_REVERSED,
    DENSE,
    FIRST,
    PLANE,
    PLUS_ONE,
    Change,
    Row,
    block_scopes,
    dense_rows,
    expand,
    layer_rows,
    num_dense,
)
from stylegraft.networks.config import Activation, DiscriminatorConfig, GeneratorConfig, MappingConfig

_ACTIVATIONS = get_args(Activation)
_FIR = (1.0, 3.0, 3.0, 1.0)
_NEAREST = (1.0, 1.0)  # what that code resamples with where no filter is set
_ADA_DISCRIMINATOR = "D_main"
# How the code of StyleGAN2 truncates unless told otherwise.
_DEFAULT_PSI = {"G_synthesis_stylegan2": 0.5, "G_synthesis_stylegan_revised": 0.5}

_SHARED = {"nonlinearity", "mapping_nonlinearity", "mapping_lrmul", "resample_kernel", "conv_clamp"}
_G_USED = _SHARED | {"dlatent_avg_beta", "w_avg_beta", "truncation_psi", "truncation_cutoff"}
_G_FIXED: dict[str, object] = {"normalize_latents": True}
_D_USED = _SHARED | {"mbstd_group_size"}
_D_FIXED: dict[str, object] = {
    "use_spectral_norm": False,
    "adaptive_dropout": 0,
    "score_size": 1,
    "score_max": 1,
}


def _modulated(theirs: str, ours: str, change: Change = CONV) -> list[Row]:
    theirs, ours = f"synthesis/{theirs}", f"synthesis.{{block}}.{ours}"
    return [
        *layer_rows(theirs, ours, change),
        Row(f"{theirs}/mod_weight", f"{ours}.affine.weight", DENSE),
        Row(f"{theirs}/mod_bias", f"{ours}.affine.bias", PLUS_ONE),
        Row(f"{theirs}/noise_strength", f"{ours}.noise_strength"),
    ]


_GENERATOR = [
    Row("dlatent_avg", "mapping.w_avg"),
    Row("mapping/LabelConcat/weight", "mapping.embed.weight", DENSE),
    *layer_rows("mapping/LabelEmbed", "mapping.embed", DENSE),
    Row("lod", "synthesis.lod"),
    Row("synthesis/{scope}/Const/const", "synthesis.{block}.const", FIRST),
    *_modulated("{scope}/Conv", "conv1"),
    *_modulated("{scope}/Conv0_up", "conv0", CONV_REVERSED),
    *_modulated("{scope}/Conv1", "conv1"),
    Row("synthesis/noise{before}", "synthesis.{block}.conv0.noise_const", PLANE),
    Row("synthesis/noise{even}", "synthesis.{block}.conv1.noise_const", PLANE),
    Row("synthesis/{scope}/Skip/weight", "synthesis.{block}.skip.weight", CONV_REVERSED),
    *_modulated("{scope}/ToRGB", "torgb"),
    *_modulated("ToRGB_lod{lod}", "torgb"),
]
_DISCRIMINATOR = [
    Row("lod", "lod"),
    *layer_rows("{scope}/FromRGB", "{block}.fromrgb", CONV),
    *layer_rows("FromRGB_lod{lod}", "{block}.fromrgb", CONV),
    *layer_rows("{scope}/Conv0", "{block}.conv0", CONV),
    *layer_rows("{scope}/Conv1_down", "{block}.conv1", CONV),
    Row("{scope}/Skip/weight", "{block}.skip.weight", CONV),
    *layer_rows("{scope}/Conv", "{block}.conv", CONV),
    *layer_rows("{scope}/Dense0", "{block}.fc", DENSE),
    *layer_rows("Output", "{block}.out", DENSE),
    *layer_rows("LabelEmbed", "mapping.embed", DENSE),
]


def is_stylegan2(network: TensorflowNetwork) -> bool:
    """Whether a network is a StyleGAN2 generator: its convolutions are modulated."""
    return any(name.endswith("/mod_weight") for name in network.variables)


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
    architecture, to_rgb = "orig", f"{names[-1]}/ToRGB"
    if "synthesis/ToRGB_lod0/weight" in network.variables:
        architecture, to_rgb = "progressive", "synthesis/ToRGB_lod0"
    elif f"{names[-1]}/Skip/weight" in network.variables:
        architecture = "resnet"
    elif f"{names[0]}/ToRGB/weight" in network.variables:
        architecture = "skip"
    return network.make(
        GeneratorConfig,
        img_height=height << (len(scopes) - 1),
        img_width=width << (len(scopes) - 1),
        img_channels=network.outputs(to_rgb),
        channels=tuple(map(network.outputs, convs)),
        architecture=architecture,
        activation=choice(network, "nonlinearity", "lrelu", _ACTIVATIONS),
        conv_clamp=optional_number(network, "conv_clamp", None),
        use_noise=f"{convs[0]}/noise_strength" in network.variables,
        resample_filter=taps(network, "resample_kernel", _FIR) or _NEAREST,
        mapping=_infer_mapping(network),
    )


def infer_discriminator(network: TensorflowNetwork) -> DiscriminatorConfig:
    """Returns the config of a discriminator.

    Raises:
        CheckpointError: its layout or a setting is unknown.
    """
    check_settings(network, _D_USED, _D_FIXED)
    scopes = block_scopes(network)
    names = [f"{height}x{width}" for height, width in scopes]
    architecture, from_rgb = "orig", f"{names[-1]}/FromRGB"
    if "FromRGB_lod0/weight" in network.variables:
        architecture, from_rgb = "progressive", "FromRGB_lod0"
    elif f"{names[-1]}/Skip/weight" in network.variables:
        architecture = "resnet"
    elif f"{names[0]}/FromRGB/weight" in network.variables:
        architecture = "skip"
    convs = [f"{names[0]}/Conv", *(f"{name}/Conv0" for name in names[1:])]
    channels = tuple(map(network.outputs, convs))
    outputs = network.outputs("Output")
    fc_features = network.outputs(f"{names[0]}/Dense0")
    is_embedded = "LabelEmbed/weight" in network.variables
    # ADA compares with the whole batch unless told otherwise, the code before it with four samples.
    is_ada = is_embedded or _ADA_DISCRIMINATOR in network.functions
    group_size = optional_whole(network, "mbstd_group_size", None if is_ada else 4)
    has_labels = not is_embedded and (outputs > 1 or network.settings.get("label_size") == 1)
    return network.make(
        DiscriminatorConfig,
        img_height=scopes[-1][0],
        img_width=scopes[-1][1],
        img_channels=network.inputs(from_rgb),
        channels=channels,
        architecture=architecture,
        activation=choice(network, "nonlinearity", "lrelu", _ACTIVATIONS),
        conv_clamp=optional_number(network, "conv_clamp", None),
        resample_filter=taps(network, "resample_kernel", _FIR) or _NEAREST,
        mapping=_infer_label_mapping(network, outputs) if is_embedded else None,
        class_outputs=outputs if has_labels else 0,
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
    blocks = expand(_DISCRIMINATOR, block_scopes(network), block_names)
    return blocks + dense_rows("Mapping", num_dense(network, "Mapping"))


def default_truncation(network: TensorflowNetwork) -> tuple[float | None, int | None]:
    """Returns psi and cutoff the file samples with unless told otherwise; psi None where it does not say."""
    psi = next((_DEFAULT_PSI[name] for name in network.functions if name in _DEFAULT_PSI), None)
    psi = optional_number(network, "truncation_psi", psi)
    return psi, optional_whole(network, "truncation_cutoff", None)


def _infer_mapping(network: TensorflowNetwork) -> MappingConfig:
    num_layers = num_dense(network, "mapping/Dense")
    if not num_layers:
        raise network.unknown_layout("no variable mapping/Dense0/weight")
    width = network.inputs("mapping/Dense0")
    w_dim = network.outputs(f"mapping/Dense{num_layers - 1}")
    hidden = network.outputs("mapping/Dense0")
    c_dim, embedded, label_input = 0, 0, "embedded"
    for scope, how in (("LabelConcat", "concatenated"), ("LabelEmbed", "embedded")):
        if f"mapping/{scope}/weight" in network.variables:
            c_dim, embedded = network.axes(f"mapping/{scope}/weight", 2)
            label_input = how
    beta = optional_number(network, "dlatent_avg_beta", optional_number(network, "w_avg_beta", 0.995))
    return network.make(
        MappingConfig,
        z_dim=width - embedded,
        c_dim=c_dim,
        w_dim=w_dim,
        num_layers=num_layers,
        embed_features=None if embedded in (0, w_dim) else embedded,
        layer_features=None if hidden == w_dim else hidden,
        activation=choice(network, "mapping_nonlinearity", "lrelu", _ACTIVATIONS),
        lr_multiplier=number(network, "mapping_lrmul", 0.01),
        label_input=label_input,
        w_avg_beta=1.0 if beta is None else beta,
    )


def _infer_label_mapping(network: TensorflowNetwork, outputs: int) -> MappingConfig:
    num_layers = num_dense(network, "Mapping")
    c_dim, embedded = network.axes("LabelEmbed/weight", 2)
    hidden = network.outputs("Mapping0") if num_layers else outputs
    act = choice(network, "nonlinearity", "lrelu", _ACTIVATIONS)
    return network.make(
        MappingConfig,
        z_dim=0,
        c_dim=c_dim,
        w_dim=outputs,
        num_layers=num_layers,
        embed_features=None if embedded == outputs else embedded,
        layer_features=None if hidden == outputs else hidden,
        activation=choice(network, "mapping_nonlinearity", act, _ACTIVATIONS),
        lr_multiplier=number(network, "mapping_lrmul", 0.1),
        w_avg_beta=None,
    )

"""Starting from a trained network: which of its tensors a run takes over, and what it must agree on.

The networks are the source's unless images or flags ask for others: then they are operated on (see
`checkpoints.surgery`), or the pair is refused before anything is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

from stylegraft.checkpoints.building import check_network, fill_network
from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.checkpoints.provenance import carried_facts
from stylegraft.checkpoints.surgery import SurgeryReport, Target, Tones, operate
from stylegraft.checkpoints.surgery.target import (
    resized,
    widths,
    with_colour,
    with_discriminator_classes,
    with_generator_classes,
)
from stylegraft.data.dataset import ImageSet, images_to_tensor
from stylegraft.errors import CheckpointError, ConfigError, InputError
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.training.config import RunConfig, SourceConfig, TrainOptions
from stylegraft.training.new_networks import discriminator_beside
from stylegraft.training.state import TrainState

_Config = TypeVar("_Config", GeneratorConfig, DiscriminatorConfig)
_SHOWN = 3  # names of tensors in a line
_NUM_FOR_TONES = 256


def check_source(source: OpenedCheckpoint) -> None:
    """Compares a source's configs with its tensors and with each other, before networks are made from them.

    Raises:
        CheckpointError: tensors are missing, left over or of another shape, or D is not for G's images.
    """
    for name in [name for name in ("G_ema", "G") if name in source.tensors] or ["G_ema"]:
        check_network(
            make_generator, source.generator, source.tensors.get(name, {}), f"--from: source {name}"
        )
    if source.discriminator is None:
        return
    check_network(make_discriminator, source.discriminator, source.tensors.get("D", {}), "--from: source D")
    G_sees, D_sees = _seen_by(source.generator), _seen_by(source.discriminator)
    if G_sees != D_sees:
        raise CheckpointError(
            f"--from: expected D of the source to see (height, width, channels, classes) {G_sees} as G makes "
            f"them, got {D_sees}. Use another checkpoint."
        )


def _seen_by(config: GeneratorConfig | DiscriminatorConfig) -> tuple[int, int, int, int]:
    return config.img_height, config.img_width, config.img_channels, config.c_dim


def networks_from(
    source: OpenedCheckpoint, images: ImageSet, options: TrainOptions
) -> tuple[GeneratorConfig, DiscriminatorConfig]:
    """Returns the networks of a run: the source's, operated on where images or flags ask for others.

    Raises:
        InputError: the source cannot become what is asked for, or only at a loss that needs a permission.
    """
    _refuse_what_the_source_decides(source, options)
    generator = _with_widths(_for_images(source.generator, images), source.generator, options)
    with _told_with_fix(f"images of {images.c_dim} classes", "--labels none"):
        generator = with_generator_classes(generator, images.c_dim)
    beside = discriminator_beside(generator, options.d_arch)
    if source.discriminator is None:
        return generator, beside
    discriminator = _for_images(source.discriminator, images)
    discriminator = _with_widths(discriminator, source.discriminator, options)
    return generator, with_discriminator_classes(discriminator, images.c_dim, beside)


def _refuse_what_the_source_decides(source: OpenedCheckpoint, options: TrainOptions) -> None:
    G, D, mapping = source.generator, source.discriminator, source.generator.mapping
    default = TrainOptions()
    for name, own in (
        ("g_arch", G.architecture),
        ("d_arch", None if D is None else D.architecture),
        ("mapping_layers", mapping.num_layers),
        ("z_dim", mapping.z_dim),
        ("w_dim", mapping.w_dim),
        ("conv_clamp", getattr(G, "conv_clamp", None)),
    ):
        asked = getattr(options, name)
        if asked in (getattr(default, name), own) or (name == "d_arch" and D is None):
            continue
        flag = "--" + name.replace("_", "-")
        raise InputError(
            f"{flag} {asked}: the source of --from has {own}, and {_WHY_KEPT[name]}. Leave {flag} out."
        )


_OTHER_LAYERS = "its layers mean nothing in another architecture"
_OTHER_SIZE = "its synthesis network was trained on that space"
_WHY_KEPT = {
    "g_arch": _OTHER_LAYERS,
    "d_arch": _OTHER_LAYERS,
    "mapping_layers": "a layer more or less gives its synthesis network a w that it has never seen",
    "z_dim": _OTHER_SIZE,
    "w_dim": _OTHER_SIZE,
    "conv_clamp": "its layers were trained under that limit",
}


def _for_images(config: _Config, images: ImageSet) -> _Config:
    """The config for images of a set's size and colour."""
    own = config.img_height, config.img_width, config.img_channels
    with _told_with_fix(
        f"images of {images.height}x{images.width} px", f"--size {own[0]}x{own[1]} --fit crop"
    ):
        config = resized(config, images.height, images.width)
    with _told_with_fix(f"images of {images.num_channels} channels", f"--channels {own[2]}"):
        return with_colour(config, images.num_channels)


def _with_widths(config: _Config, source: _Config, options: TrainOptions) -> _Config:
    """The config with the feature maps that the flags ask for, if they may be changed."""
    channels = widths(config, options.channel_base, options.channel_max)
    shared = slice(0, len(source.channels))
    if channels[shared] != config.channels[shared]:
        names = [name for name in ("channel_base", "channel_max") if getattr(options, name) is not None]
        flags = ", ".join("--" + name.replace("_", "-") for name in names)
        has = f"{flags}: the source of --from has feature maps {_dashed(config.channels)}"
        if config.family == "stylegan1":
            raise InputError(f"{has}, and those of StyleGAN v1 cannot be changed. Leave {flags} out.")
        if not options.change_widths:
            raise InputError(
                f"{has}, not {_dashed(channels)}. Leave {flags} out, or add --change-widths: the most "
                "important maps are kept, and what others knew is lost; added ones have learned nothing."
            )
    return config.replace(channels=channels)


def _dashed(channels: Sequence[int]) -> str:
    return "-".join(map(str, channels))


@contextmanager
def _told_with_fix(wanted: str, fix: str) -> Iterator[None]:
    """Says of an operation that is not possible what it was for, and how to do without it."""
    try:
        yield
    except (InputError, ConfigError) as error:
        reason = str(error).rstrip(".")
        raise InputError(
            f"--from: the source cannot be made to fit {wanted}: {reason}. Use {fix}."
        ) from error


def source_config(source: OpenedCheckpoint) -> SourceConfig:
    """Returns what a run keeps of its source, licence and all: its networks are derived from it."""
    facts = carried_facts(source.info, None, None)
    kept = {name: facts[name] for name in ("source", "licence", "data_note") if name in facts}
    return SourceConfig(path=source.info["path"], sha256=source.info["sha256"], facts=kept)


def with_surgery(config: RunConfig, report: SurgeryReport) -> RunConfig:
    """Returns the settings with what was done to the source's networks among the facts on the source."""
    if config.source is None or report.is_plain_copy:
        return config
    facts = config.source.facts | {"surgery": report.to_dict()}
    return config.replace(source=config.source.replace(facts=facts))


def tones_of(images: ImageSet) -> Tones:
    """Measures light and dark of some of the images that are trained on, the same ones each time."""
    train_indices = images.split().train_indices
    chosen = np.linspace(0, len(train_indices) - 1, min(_NUM_FOR_TONES, len(train_indices))).astype(int)
    return Tones.of(images_to_tensor(images.pixels(train_indices[chosen])))


def take_over(
    state: TrainState, source: OpenedCheckpoint, images: ImageSet | None = None
) -> tuple[str, SurgeryReport]:
    """Copies the source's networks into a new state, operated on where the state's have another shape.

    G starts as the source's G, or as its average where only that was kept; D starts anew where there is none.

    Args:
        state: at step 0; what the source has nothing for stays as it is.
        source: where from.
        images: that will be trained on: their classes are looked for among the source's, and their tones are
            matched if the state's settings say so. None: nothing is known of them.

    Returns:
        A line that says what was copied, and the report of the operation.

    Raises:
        CheckpointError: tensors are missing, left over or of another shape.
    """
    fresh_G, fresh_D = _on_cpu(state.G), _on_cpu(state.D)
    class_names = None if images is None else images.class_names
    tones = tones_of(images) if images is not None and state.config.match_tones else None
    target = Target(state.config.generator, state.config.discriminator, fresh_G, fresh_D, class_names, tones)
    operated = operate(source, target)
    tensors = operated.tensors
    average = "G_ema" if "G_ema" in tensors else "G"
    trained = "G" if "G" in tensors else "G_ema"
    fill_network(state.G_ema, tensors[average], f"source {average}")
    fill_network(state.G, tensors[trained], f"source {trained}")
    parts = [f"G from {trained}", f"G_ema from {average}"]
    if "D" in tensors:
        fill_network(state.D, tensors["D"], "source D")
        parts.append("D from D")
    else:
        parts.append("D starts anew: the source has none")
    state.set_lod(state.config.moment_at(0).lod)  # the source's own was among the tensors
    line = f"{', '.join(parts)}; {sum(map(len, source.tensors.values()))} tensors read"
    for what in ("left_over", "missing"):
        words, names = what.replace("_", " "), source.info.get("load_report", {}).get(what, [])
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        line += f", {len(names)} {words} ({shown})" if names else f", none {words}"
    return line, operated.report


def _on_cpu(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}

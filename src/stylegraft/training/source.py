"""Starting from a trained network: which of its tensors a run takes over, and what it must agree on."""

from __future__ import annotations

from stylegraft.checkpoints.building import check_network, fill_network
from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.checkpoints.provenance import carried_facts
from stylegraft.data.dataset import ImageSet
from stylegraft.errors import CheckpointError, InputError
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.training.config import SourceConfig, TrainOptions
from stylegraft.training.state import TrainState

_GIVEN_BY_SOURCE = (
    "g_arch",
    "d_arch",
    "channel_base",
    "channel_max",
    "mapping_layers",
    "z_dim",
    "w_dim",
    "conv_clamp",
)


_SHOWN = 3  # names of tensors in a line


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


def check_fit(source: GeneratorConfig, images: ImageSet, options: TrainOptions) -> None:
    """Refuses a source that the images do not fit, saying which flag makes them fit.

    Raises:
        InputError: another size, number of channels or classes, or a flag that the source decides.
    """
    default = TrainOptions()
    ignored = [name for name in _GIVEN_BY_SOURCE if getattr(options, name) != getattr(default, name)]
    if ignored:
        flags = ", ".join("--" + name.replace("_", "-") for name in ignored)
        raise InputError(f"{flags}: with --from the networks are those of the source. Leave them out.")
    wanted, got = (source.img_height, source.img_width), (images.height, images.width)
    if wanted != got:
        raise InputError(
            f"--from: the source makes images of {wanted[0]}x{wanted[1]} px, the set has {got[0]}x{got[1]}. "
            f"Use --size {wanted[0]}x{wanted[1]} --fit crop."
        )
    if source.img_channels != images.num_channels:
        raise InputError(
            f"--from: the source makes images of {source.img_channels} channels, the set has "
            f"{images.num_channels}. Use --channels {source.img_channels}."
        )
    if source.mapping.c_dim != images.c_dim:
        hint = "Use --labels none." if source.mapping.c_dim == 0 else "Use a set with as many classes."
        raise InputError(
            f"--from: the source knows {source.mapping.c_dim} classes, the set has {images.c_dim}. {hint}"
        )


def source_config(source: OpenedCheckpoint) -> SourceConfig:
    """Returns what a run keeps of its source, licence and all: its networks are derived from it."""
    facts = carried_facts(source.info, None, None)
    kept = {name: facts[name] for name in ("source", "licence", "data_note") if name in facts}
    return SourceConfig(path=source.info["path"], sha256=source.info["sha256"], facts=kept)


def take_over(state: TrainState, source: OpenedCheckpoint) -> str:
    """Copies the source's networks into a new state; returns a line that says what was copied.

    G starts as the source's G, or as its average where only that was kept; D starts anew where there is none.

    Raises:
        CheckpointError: tensors are missing, left over or of another shape.
    """
    tensors = source.tensors
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
    line = f"{', '.join(parts)}; {sum(map(len, tensors.values()))} tensors read"
    for what in ("left_over", "missing"):
        words, names = what.replace("_", " "), source.info.get("load_report", {}).get(what, [])
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        line += f", {len(names)} {words} ({shown})" if names else f", none {words}"
    return line

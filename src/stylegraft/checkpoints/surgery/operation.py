"""From a source and the configs that a run wants to tensors of these configs, and a report.

The order of the steps: cut first, because the layers at the image are fitted with whole networks; then the
shape of images, colour, widths and classes of the blocks that the source has; then new blocks, because they
are a new network's, of the final shape; tones last, because they are measured on what the whole then paints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.checkpoints.surgery.classes import ClassMatch, match_classes
from stylegraft.checkpoints.surgery.colour import change_colour
from stylegraft.checkpoints.surgery.cut import cut_discriminator, cut_generator
from stylegraft.checkpoints.surgery.fitting import latents, pictures
from stylegraft.checkpoints.surgery.graft import Graft
from stylegraft.checkpoints.surgery.grow_discriminator import grow_discriminator
from stylegraft.checkpoints.surgery.grow_generator import grow_generator
from stylegraft.checkpoints.surgery.labels_discriminator import change_discriminator_classes
from stylegraft.checkpoints.surgery.labels_generator import change_generator_classes
from stylegraft.checkpoints.surgery.report import SurgeryReport
from stylegraft.checkpoints.surgery.shape import change_shape
from stylegraft.checkpoints.surgery.tones import (
    ToneChange,
    Tones,
    change_discriminator_tones,
    change_generator_tones,
    tone_change,
)
from stylegraft.checkpoints.surgery.widths import Kept, change_widths, choose_maps
from stylegraft.networks.config import ImageSizes
from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.making import make_discriminator, make_generator

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Operated:
    """The result of an operation.

    Attributes:
        tensors: for each of "G_ema", "G" and "D" that the source has, tensors of the new configs.
        report: what became of them.
    """

    tensors: dict[str, Tensors]
    report: SurgeryReport


@dataclass(frozen=True)
class Target:
    """What networks are wanted.

    Attributes:
        generator: config of G, made by `target` from the source's.
        discriminator: config of D.
        fresh_G: the state of a new G; what the source has nothing for is its.
        fresh_D: the state of a new D.
        class_names: of the images; None: not known, or there are none.
        tones: of the images; None: the source's tones stay.
    """

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    fresh_G: Tensors
    fresh_D: Tensors
    class_names: Sequence[str] | None
    tones: Tones | None = None


def operate(source: OpenedCheckpoint, target: Target) -> Operated:
    """Returns the source's networks in the shape of the target, and what became of each tensor.

    The result depends on nothing but the arguments.

    Args:
        source: checked against its own configs.
        target: what is wanted.
    """
    report = SurgeryReport()
    match = None
    if source.generator.c_dim and target.generator.c_dim:
        names = source.info.get("class_names")
        match = match_classes(source.generator.c_dim, names, target.generator.c_dim, target.class_names)
        if match.note:
            report.notes.append(match.note)
    if (widths := _widths_note(source.generator, target.generator)) is not None:
        report.notes.append(widths)

    tensors: dict[str, Tensors] = {}
    kept: Kept | None = None
    change: ToneChange | None = None
    averages = [name for name in ("G_ema", "G") if name in source.tensors]
    for name in averages:
        graft = Graft(make_generator, source.generator, dict(source.tensors[name]), target.fresh_G)
        kept = _operate_on_generator(graft, target, match, kept)
        if target.tones is not None and name == averages[0]:
            change = _change_of_tones(graft, target.tones)
        if change is not None:
            change_generator_tones(graft, change)
        tensors[name], report.networks["G"] = graft.tensors, graft.report()
    if source.discriminator is not None:
        graft = Graft(make_discriminator, source.discriminator, dict(source.tensors["D"]), target.fresh_D)
        _operate_on_discriminator(graft, source, target, match)
        if change is not None:
            change_discriminator_tones(graft, change)
        tensors["D"], report.networks["D"] = graft.tensors, graft.report()
    if change is not None:
        report.notes.append(change.note())
    return Operated(tensors, report)


@torch.no_grad()
def _change_of_tones(graft: Graft[GeneratorConfig], wanted: Tones) -> ToneChange | None:
    painted = torch.cat(list(pictures(graft.built(), latents(graft.config)).images))
    return tone_change(Tones.of(painted.clamp(-1, 1)), wanted)


def _widths_note(source: GeneratorConfig, target: GeneratorConfig) -> str | None:
    """What to say loudly where maps of the source are lost or joined by new ones."""
    pairs = list(zip(source.channels, target.channels))
    narrower = [f"{old} -> {new}" for old, new in pairs if new < old]
    wider = [f"{old} -> {new}" for old, new in pairs if new > old]
    parts = []
    if narrower:
        parts.append(f"{', '.join(narrower)} feature maps: what the others knew is LOST")
    if wider:
        parts.append(f"{', '.join(wider)} feature maps: the new ones have learned nothing")
    return f"widths: {'; '.join(parts)}" if parts else None


def _operate_on_generator(
    graft: Graft[GeneratorConfig], target: Target, match: ClassMatch | None, kept: Kept | None
) -> Kept | None:
    """Returns the maps that were kept, which G and its average must have in common."""
    wanted = target.generator
    if len(wanted.channels) < len(graft.config.channels):
        cut_generator(graft, len(wanted.channels))
    kept = _steps_of_both(graft, wanted, kept)
    change_generator_classes(graft, wanted.c_dim, match)
    for channels in wanted.channels[len(graft.config.channels) :]:
        grow_generator(graft, channels)
    return kept


def _operate_on_discriminator(
    graft: Graft[DiscriminatorConfig], source: OpenedCheckpoint, target: Target, match: ClassMatch | None
) -> None:
    wanted = target.discriminator
    if len(wanted.channels) < len(graft.config.channels):
        network = make_generator(source.generator)
        network.load_state_dict(source.tensors.get("G_ema") or source.tensors["G"])
        shown = pictures(network.eval(), latents(source.generator))
        cut_discriminator(graft, len(wanted.channels), shown)
    _steps_of_both(graft, wanted, None)
    label_mapping = wanted.mapping if wanted.family == "stylegan2" else None
    change_discriminator_classes(graft, wanted.c_dim, match, label_mapping)
    for channels in wanted.channels[len(graft.config.channels) :]:
        grow_discriminator(graft, channels)


def _steps_of_both(graft: Graft, wanted: ImageSizes, kept: Kept | None) -> Kept | None:
    change_shape(graft, wanted.base_height, wanted.base_width)
    change_colour(graft, wanted.img_channels)
    channels = wanted.channels[: len(graft.config.channels)]
    if channels != graft.config.channels:
        kept = choose_maps(graft, channels) if kept is None else kept
        change_widths(graft, channels, kept, "other feature maps")
    return kept

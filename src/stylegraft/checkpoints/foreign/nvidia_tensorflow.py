"""Reads the official TensorFlow pickles of StyleGAN v1, StyleGAN2 and the TensorFlow code of ADA.

A file is a tuple (G, D, Gs) of networks, where Gs is the moving average of G, or fewer of them, down to a
single network. What they are follows from their variables; the tables are in the modules of the two
families.
"""

from __future__ import annotations

from typing import Any

import torch

from stylegraft.checkpoints.foreign import nvidia_tensorflow_stylegan1 as stylegan1
from stylegraft.checkpoints.foreign import nvidia_tensorflow_stylegan2 as stylegan2
from stylegraft.checkpoints.foreign.contents import ForeignContents
from stylegraft.checkpoints.foreign.inert import Record
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.nvidia_tensorflow_network import TENSORFLOW_GLOBALS, TensorflowNetwork
from stylegraft.checkpoints.foreign.nvidia_tensorflow_tables import convert
from stylegraft.checkpoints.foreign.report import LoadReport
from stylegraft.checkpoints.foreign.unpickler import read_whole_pickle
from stylegraft.checkpoints.outline import outline
from stylegraft.errors import CheckpointError
from stylegraft.networks.making import make_discriminator, make_generator

_MAX_NETWORKS = 3
# The lod of networks that do not grow; counters that a widely used fork keeps in the file.
_WITHOUT_USE = ("lod", "synthesis/lod", "epochs", "epochs_1")


def read_nvidia_tensorflow(data: memoryview, reading: Reading) -> ForeignContents:
    """Reads the bytes of a file.

    Raises:
        UnsafeFileError: it asks for code.
        CheckpointError: it is damaged, or holds other networks than StyleGAN v1 or StyleGAN2 of that code.
    """
    root = read_whole_pickle(data, TENSORFLOW_GLOBALS, reading)
    generators, discriminator = _networks(root, reading)
    family = stylegan2 if stylegan2.is_stylegan2(generators[0]) else stylegan1
    configs = [family.infer_generator(network) for network in generators]
    config = configs[0]
    if config != configs[-1]:
        raise reading.refused("G and Gs of different architectures")
    report = LoadReport()
    tensors = {}
    ours = outline(make_generator, config)
    for network, name in zip(generators, _names(generators), strict=True):
        rows = family.generator_rows(network, config.block_names)
        tensors[name] = convert(network, ours, name, rows, _WITHOUT_USE, report, reading)
        _check_lod(network, tensors[name].get("synthesis.lod"), len(config.channels))
    d_config = None
    if discriminator is not None:
        d_config = family.infer_discriminator(discriminator)
        ours = outline(make_discriminator, d_config)
        rows = family.discriminator_rows(discriminator, d_config.block_names)
        tensors["D"] = convert(discriminator, ours, "D", rows, _WITHOUT_USE, report, reading)
        _check_lod(discriminator, tensors["D"].get("lod"), len(d_config.channels))
    info = _facts(generators, discriminator, family.default_truncation(generators[-1]))
    lod = tensors[_names(generators)[-1]].get("synthesis.lod")
    if lod:
        info["lod"] = lod.item()
    return ForeignContents(config.family, config, d_config, tensors, {}, report, info)


def _facts(
    generators: list[TensorflowNetwork],
    discriminator: TensorflowNetwork | None,
    truncation: tuple[float | None, int | None],
) -> dict[str, Any]:
    """What people want to know of the file; what is not known is left out."""
    networks = generators if discriminator is None else [*generators, discriminator]
    unknown = {name for network in networks for name in network.unknown_settings}
    facts: dict[str, Any] = {
        "truncation_psi": truncation[0],
        "truncation_cutoff": truncation[1],
        "licence": generators[-1].licence(),
        "built_by": ", ".join(generators[-1].functions),
        "settings_not_understood": sorted(unknown) or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _check_lod(network: TensorflowNetwork, lod: torch.Tensor | None, num_blocks: int) -> None:
    """Refuses a network that stopped growing where it has no block."""
    if lod is not None and not 0 <= lod.item() <= num_blocks - 1:
        raise network.unknown_layout(f"lod {lod.item()} where 0 to {num_blocks - 1} is possible")


def _networks(root: object, reading: Reading) -> tuple[list[TensorflowNetwork], TensorflowNetwork | None]:
    """Returns the generators, the averaged one last, and the discriminator of what the file holds."""
    items = [item for item in (root if isinstance(root, tuple | list) else [root]) if item is not None]
    if not 1 <= len(items) <= _MAX_NETWORKS or not all(isinstance(item, Record) for item in items):
        raise CheckpointError(
            f"cannot read {reading.source}: expected the networks (G, D, Gs) or one of them, got "
            f"{_describe(root)}. Check that this is a network checkpoint and not something saved beside it."
        )
    networks = [TensorflowNetwork(item, reading) for item in items]
    discriminators = [network for network in networks if network.is_discriminator]
    generators = [network for network in networks if not network.is_discriminator]
    if not 1 <= len(generators) <= 2 or len(discriminators) > 1:
        raise reading.refused(
            f"{len(generators)} generators and {len(discriminators)} discriminators in one file"
        )
    return generators, discriminators[0] if discriminators else None


def _names(generators: list[TensorflowNetwork]) -> list[str]:
    """What the generators are called here; of a single one, its own name tells."""
    if len(generators) == 2:
        return ["G", "G_ema"]
    return ["G_ema" if generators[0].name == "Gs" else "G"]


def _describe(root: object) -> str:
    if isinstance(root, tuple | list):
        return f"a {type(root).__name__} of {len(root)} objects"
    return f"a {type(root).__name__}"

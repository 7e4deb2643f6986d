"""Reads the `.pt` files of rosinality's stylegan2-pytorch.

    training files     g, d, g_ema, g_optim, d_optim, args (an argparse.Namespace), ada_aug_p
    converted files    g_ema, latent_avg, and g and d where they were kept
    bare files         the state dict of a generator alone

`rosinality_layout` has the table of names. Every tensor of a network must be in it, and all of it be there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from stylegraft.checkpoints.foreign.arrays import NUMPY_GLOBALS, TORCH_GLOBALS, TensorView
from stylegraft.checkpoints.foreign.contents import ForeignContents
from stylegraft.checkpoints.foreign.describe import describe
from stylegraft.checkpoints.foreign.inert import PYTHON_GLOBALS, Record, table
from stylegraft.checkpoints.foreign.legacy_storage import read_legacy_stream
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.plain import plain
from stylegraft.checkpoints.foreign.report import LoadReport
from stylegraft.checkpoints.foreign.rosinality_layout import discriminator_rows, generator_rows
from stylegraft.checkpoints.foreign.rosinality_network import (
    RosinalityNetwork,
    infer_discriminator,
    infer_generator,
)
from stylegraft.checkpoints.foreign.torch_zip import read_torch_zip
from stylegraft.checkpoints.outline import outline
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.mapping import Mapping as MappingNetwork
from stylegraft.networks.stylegan2 import Discriminator, Generator

_NETWORKS = {"g_ema": "G_ema", "g": "G", "d": "D"}
_OPTIMISERS = ("g_optim", "d_optim")
_MARK = "input.input"  # no other state dict has a tensor of this name
_AVERAGED_Z = 4096  # as many as the original's sampler averages over by default


def _namespace(reading: Reading, args: tuple[object, ...]) -> object:
    if args:
        raise reading.refused("an argparse.Namespace made from arguments")
    return Record("Namespace")


ALLOWED = {
    **PYTHON_GLOBALS,
    **NUMPY_GLOBALS,
    **TORCH_GLOBALS,
    **table(("argparse", "Namespace", _namespace)),
}


def read_rosinality_zip(data: memoryview, reading: Reading) -> ForeignContents:
    """Reads the bytes of a file in the zip form of `torch.save`.

    Raises:
        UnsafeFileError: it asks for code.
        CheckpointError: it is damaged, or holds other networks than StyleGAN2 of that code.
    """
    return _contents(read_torch_zip(data, reading, ALLOWED), reading)


def read_rosinality_legacy(data: memoryview, reading: Reading) -> ForeignContents:
    """Reads the bytes of a file in the form of `torch.save` before torch 1.6; errors as above."""
    return _contents(read_legacy_stream(data, reading, ALLOWED), reading)


def _contents(root: object, reading: Reading) -> ForeignContents:
    if isinstance(root, dict) and _MARK in root:
        root = {"g_ema": root}
    states = {ours: root.get(name) for name, ours in _NETWORKS.items()} if isinstance(root, dict) else {}
    networks = {
        name: RosinalityNetwork(state, name, reading)
        for name, state in states.items()
        if isinstance(state, dict) and (name == "D" or _MARK in state)
    }
    generators = [network for name, network in networks.items() if name != "D"]
    if not isinstance(root, dict) or not generators:
        raise CheckpointError(
            f"cannot read {reading.source}: expected a StyleGAN2 generator as rosinality's code saves it "
            f"(g_ema), got {describe(root)}. Check that this is the file you meant."
        )
    configs = [infer_generator(network, reading) for network in generators]
    if any(config != configs[0] for config in configs):
        raise reading.refused("g and g_ema of different architectures")
    config = configs[0]
    d_config = infer_discriminator(networks["D"], config, reading) if "D" in networks else None
    report, notes = LoadReport(), []

    tensors = {
        network.name: _generator_tensors(network, config, report, reading, notes) for network in generators
    }
    w_avg = _w_avg(root.get("latent_avg"), config, tensors[generators[0].name], report, reading, notes)
    for state in tensors.values():
        state["mapping.w_avg"] = w_avg.clone()
    if d_config is not None:
        tensors["D"] = _discriminator_tensors(networks["D"], d_config, report, reading)
    facts = _facts(root, report, reading)
    info = {name: value for name, value in (("saved_with", facts), ("notes", notes)) if value}
    strength = facts.get("ada_aug_p")
    extras = {**facts, "augment": None if strength is None else {"p": strength}}
    return ForeignContents("stylegan2", config, d_config, tensors, extras, report, info)


def _generator_tensors(
    network: RosinalityNetwork,
    config: GeneratorConfig,
    report: LoadReport,
    reading: Reading,
    notes: list[str],
) -> dict[str, torch.Tensor]:
    rows = generator_rows(len(config.channels), config.mapping.num_layers)
    noise_rows = [row for row in rows if row.ours.endswith(".noise_const")]
    without_noise = not any(row.theirs in network for row in noise_rows)
    shapes = _shapes(Generator, config)
    tensors = network.load(
        [row for row in rows if not (without_noise and row in noise_rows)], shapes, config, report, reading
    )
    if without_noise:
        # The first versions of that code drew noise anew for each picture and kept none.
        random = np.random.RandomState(0)
        for row in noise_rows:
            reading.spend_elements(math.prod(shapes[row.ours]))  # it is no smaller for being absent
            tensors[row.ours] = torch.from_numpy(random.randn(*shapes[row.ours]).astype(np.float32))
            report.missing.append(f"{network.name}.{row.theirs}")
        notes.append(f"{network.name} has no stored noise in the file: it was drawn here, always the same")
    return tensors


def _discriminator_tensors(
    network: RosinalityNetwork, config: DiscriminatorConfig, report: LoadReport, reading: Reading
) -> dict[str, torch.Tensor]:
    rows = discriminator_rows(len(config.channels))
    return network.load(rows, _shapes(Discriminator, config), config, report, reading)


def _shapes(make: Callable[[Any], torch.nn.Module], config: object) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in outline(make, config).state_dict().items()}


def _w_avg(
    stored: object,
    config: GeneratorConfig,
    tensors: dict[str, torch.Tensor],
    report: LoadReport,
    reading: Reading,
    notes: list[str],
) -> torch.Tensor:
    """The stored average of w; training files have none, and the original's sampler makes one as here."""
    w_dim = config.mapping.w_dim
    if stored is not None:
        if not isinstance(stored, TensorView) or stored.size not in ((w_dim,), (1, w_dim)):
            raise reading.refused(f"a latent_avg that is no tensor of {w_dim} numbers")
        report.copied.append("latent_avg")
        return stored.to_torch(reading).to(torch.float32).reshape(w_dim)
    report.missing.append("latent_avg")
    notes.append(
        f"w_avg is not in the file: it is the mean of {_AVERAGED_Z} w made here, "
        "so truncated pictures (psi below 1) differ a little from the original's"
    )
    return _mean_w(config.mapping, tensors)


@torch.no_grad()
def _mean_w(config: MappingConfig, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    mapping = MappingNetwork(config, num_ws=None)
    mapping.load_state_dict(
        {name.removeprefix("mapping."): value for name, value in tensors.items() if "mapping." in name}
    )
    z = np.random.RandomState(0).randn(_AVERAGED_Z, config.z_dim).astype(np.float32)
    return mapping(torch.from_numpy(z)).mean(dim=0)


def _facts(root: Mapping[Any, object], report: LoadReport, reading: Reading) -> dict[str, Any]:
    """What stands beside the networks, as plain data; what is of no use here goes to the report by name."""
    facts: dict[str, Any] = {}
    for key, value in root.items():
        if key in _NETWORKS or key == "latent_avg":
            continue
        name = printable(key)
        if key == "args":
            facts[name] = plain(value.state if isinstance(value, Record) else value, reading)
        elif key not in _OPTIMISERS and (value is None or isinstance(value, str | int | float | bool)):
            facts[name] = plain(value, reading)
        else:
            report.left_over.append(name)
    return facts

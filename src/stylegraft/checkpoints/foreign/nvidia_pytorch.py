"""Reads the official PyTorch pickles of StyleGAN2: stylegan2-ada-pytorch and the StyleGAN2 of stylegan3.

Files of projected-gan's StyleGAN2 are read too, without their discriminator (see `projected_gan`).

The file is a dict of networks and settings. Each network is a tree of modules with attributes. From these
the config is inferred, our own network of that config is laid out without memory, and the two trees are
compared: same modules, same tensor names and shapes, same attributes. Whatever computes differently here is
refused instead of being read to give other pictures.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from stylegraft.checkpoints.foreign.arrays import NUMPY_GLOBALS, TORCH_GLOBALS, TensorView
from stylegraft.checkpoints.foreign.contents import ForeignContents
from stylegraft.checkpoints.foreign.describe import describe
from stylegraft.checkpoints.foreign.filters import filter_matches
from stylegraft.checkpoints.foreign.inert import NVIDIA_GLOBALS, PYTHON_GLOBALS, Record
from stylegraft.checkpoints.foreign.legacy_storage import STORAGE_LOADER_GLOBALS
from stylegraft.checkpoints.foreign.licence import licence_of_pickle
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.nvidia_config import infer_discriminator, infer_generator
from stylegraft.checkpoints.foreign.nvidia_modules import ForeignModule
from stylegraft.checkpoints.foreign.plain import plain
from stylegraft.checkpoints.foreign.projected_gan import WithProjectedGan, is_fastgan, is_projected
from stylegraft.checkpoints.foreign.report import LoadReport
from stylegraft.checkpoints.foreign.unpickler import read_whole_pickle
from stylegraft.checkpoints.outline import outline
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.layers import Conv, Dense
from stylegraft.networks.mapping import Mapping
from stylegraft.networks.stylegan2 import (
    Discriminator,
    DiscriminatorBlock,
    DiscriminatorEpilogue,
    Generator,
    Synthesis,
    SynthesisBlock,
    SynthesisLayer,
    ToRGB,
)

ALLOWED = WithProjectedGan(
    {**PYTHON_GLOBALS, **NVIDIA_GLOBALS, **NUMPY_GLOBALS, **TORCH_GLOBALS, **STORAGE_LOADER_GLOBALS}
)

_FILTER = "resample_filter"
_CLASS_NAMES: dict[type[nn.Module], str] = {
    Generator: "Generator",
    Mapping: "MappingNetwork",
    Synthesis: "SynthesisNetwork",
    SynthesisBlock: "SynthesisBlock",
    SynthesisLayer: "SynthesisLayer",
    ToRGB: "ToRGBLayer",
    Dense: "FullyConnectedLayer",
    Conv: "Conv2dLayer",
    Discriminator: "Discriminator",
    DiscriminatorBlock: "DiscriminatorBlock",
    DiscriminatorEpilogue: "DiscriminatorEpilogue",
}
_MINIBATCH_STD = "MinibatchStdLayer"  # has no tensors; our last block does its work
# Attributes that change what a module computes; both code bases and ours call them the same.
_COMPUTING_ATTRIBUTES = (
    "activation",
    "act_gain",
    "architecture",
    "bias_gain",
    "conv_clamp",
    "down",
    "num_ws",
    "padding",
    "up",
    "use_noise",
    "weight_gain",
)


def read_nvidia_pytorch(data: memoryview, reading: Reading) -> ForeignContents:
    """Reads the bytes of a file.

    Raises:
        UnsafeFileError: it asks for code.
        CheckpointError: it is damaged, or holds other networks than StyleGAN2 of the official code.
    """
    root = read_whole_pickle(data, ALLOWED, reading)
    if not isinstance(root, dict) or not any(isinstance(root.get(name), Record) for name in ("G", "G_ema")):
        raise CheckpointError(
            f"cannot read {reading.source}: expected a dict with the networks G, D and G_ema, got "
            f"{describe(root)}. Check that this is a network checkpoint and not something saved beside it."
        )
    if any(is_fastgan(root.get(name)) for name in ("G", "G_ema")):
        raise CheckpointError(
            f"cannot read {reading.source}: expected a StyleGAN2 generator, got projected-gan's FastGAN, "
            "which is another network. Use a file that was trained with its config stylegan2."
        )
    report, info = LoadReport(), {}
    if licence := licence_of_pickle(data):
        info["licence"] = licence
    names = ["G", "D", "G_ema"]
    if is_projected(root.get("D")):
        names.remove("D")
        report.left_over.append("D")
        info["notes"] = [
            "D is projected-gan's, for which there is no counterpart here: it was not mapped, only G was"
        ]
    networks = {
        name: ForeignModule(root[name], name, reading) for name in names if root.get(name) is not None
    }
    generators = {name: networks[name] for name in ("G", "G_ema") if name in networks}
    configs = [infer_generator(network, reading) for network in generators.values()]
    if any(config != configs[0] for config in configs):
        raise reading.refused("G and G_ema of different architectures")
    d_config = infer_discriminator(networks["D"], configs[0], reading) if "D" in networks else None
    tensors = {
        name: _load(network, d_config if name == "D" and d_config else configs[0], report, reading)
        for name, network in networks.items()
    }
    extras = {
        str(key): plain(value, reading)
        for key, value in root.items()
        if key not in ("G", "D", "G_ema", "augment_pipe")
    }
    extras["augment"] = _augment_settings(root.get("augment_pipe"), report, reading)
    return ForeignContents("stylegan2", configs[0], d_config, tensors, extras, report, info)


def _load(
    network: ForeignModule,
    config: GeneratorConfig | DiscriminatorConfig,
    report: LoadReport,
    reading: Reading,
) -> dict[str, torch.Tensor]:
    """Compares a network of the file with ours of that config and returns its tensors."""
    is_generator = isinstance(config, GeneratorConfig)
    ours = outline(Generator, config) if is_generator else outline(Discriminator, config)
    theirs = dict(_walk(network))
    modules = dict(ours.named_modules())
    for path, module in modules.items():
        if path not in theirs:
            raise network.unknown_layout(f"no module {path}")
        _compare(theirs[path], module)
    for path, module in theirs.items():
        if path not in modules and module.class_name != _MINIBATCH_STD:
            raise module.unknown_layout("no counterpart here")
    expected = {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    found = {
        f"{path}.{name}" if path else name: view
        for path, module in theirs.items()
        for name, view in module.tensors.items()
    }
    _check_filters(network, found, ours, config, report, reading)
    shapes = {name: view.size for name, view in found.items()}
    wrong = [name for name in sorted(expected | shapes) if shapes.get(name) != expected.get(name)]
    if wrong:
        raise network.unknown_layout(
            f"tensor {printable(wrong[0])} of shape {shapes.get(wrong[0])} where {expected.get(wrong[0])} "
            f"belongs ({len(wrong)} such tensors)"
        )
    report.copied += [f"{network.path}.{name}" for name in expected]
    return {name: found[name].to_torch(reading).to(torch.float32) for name in expected}


def _walk(module: ForeignModule, path: str = "") -> Iterator[tuple[str, ForeignModule]]:
    """Yields a module and all modules below it with their paths; the depth was checked on reading."""
    yield path, module
    for name, child in module.children():
        yield from _walk(child, f"{path}.{name}" if path else name)


def _compare(theirs: ForeignModule, ours: nn.Module) -> None:
    """Refuses a module of another class, or one whose attributes make it compute something else."""
    if theirs.class_name != _CLASS_NAMES[type(ours)]:
        raise theirs.unknown_layout(f"the class where {_CLASS_NAMES[type(ours)]} belongs")
    for attribute in _COMPUTING_ATTRIBUTES:
        if not hasattr(ours, attribute) or not theirs.has(attribute):
            continue
        mine, other = getattr(ours, attribute), theirs.scalar(attribute)
        same = mine == other
        if isinstance(mine, float) and isinstance(other, int | float):
            same = abs(mine - other) <= 1e-6 * abs(mine)  # some were rounded on their way through numpy
        if not same:
            raise theirs.unknown_layout(f"{attribute} {printable(other)} where {printable(mine)} belongs")


def _check_filters(
    network: ForeignModule,
    found: dict[str, TensorView],
    ours: nn.Module,
    config: GeneratorConfig | DiscriminatorConfig,
    report: LoadReport,
    reading: Reading,
) -> None:
    """Takes the FIR buffers out of `found` after checking those that are in use against the config."""
    modules = dict(ours.named_modules())
    for name in [name for name in found if name.split(".")[-1] == _FILTER]:
        view = found.pop(name)
        module = modules.get(name.rpartition(".")[0])
        if module is None:
            raise network.unknown_layout(f"a filter {printable(name)} where none belongs")
        # A layer that does not resample carries the default filter of its class, which it never uses.
        in_use = isinstance(module, SynthesisBlock | DiscriminatorBlock) or (
            getattr(module, "up", 1) != 1 or getattr(module, "down", 1) != 1
        )
        if in_use and not filter_matches(view.to_torch(reading), config.resample_filter):
            raise network.unknown_layout(f"{printable(name)} unlike the filters of the other layers")
        report.verified.append(f"{network.path}.{name}")


def _augment_settings(pipe: object, report: LoadReport, reading: Reading) -> dict[str, object] | None:
    """The strength and the settings of the augmentation, as plain data; None without one."""
    if pipe is None:
        return None
    module = ForeignModule(pipe, "augment_pipe", reading)
    settings = module.settings()
    for name, view in module.tensors.items():
        if name == "p" and view.size == ():
            settings["p"] = view.to_torch(reading).item()
            report.copied.append("augment_pipe.p")
        else:
            report.left_over.append(f"augment_pipe.{printable(name)}")
    return settings

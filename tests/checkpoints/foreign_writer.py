"""Writes networks of ours in the object graph of official PyTorch pickles, to be read again in tests."""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.layers import Conv, Dense, register_filter
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

HARMLESS_SOURCE = "# source text\n"


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> object:
    raise AssertionError("the stand-in for the official function was called")


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


class Persistent:
    """A module as the official code pickles it: a call of one function with a dict."""

    def __init__(self, class_name: str, state: dict[str, Any], source: str = HARMLESS_SOURCE) -> None:
        self.class_name = class_name
        self.state = state
        self.source = source

    def __reduce__(self) -> tuple[Callable[..., object], tuple[dict[str, Any]]]:
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": self.class_name,
            "state": self.state,
        }
        return _reconstruct_persistent_obj, (meta,)

    def at(self, path: str) -> Persistent:
        """The module at a dotted path below this one."""
        module = self
        for name in path.split("."):
            module = module.state["_modules"][name]
        return module


_ATTRIBUTES: dict[type[nn.Module], tuple[str, tuple[str, ...]]] = {
    Generator: ("Generator", ("num_ws",)),
    Mapping: ("MappingNetwork", ("num_ws",)),
    Synthesis: ("SynthesisNetwork", ("num_ws",)),
    SynthesisBlock: ("SynthesisBlock", ("architecture", "num_conv")),
    SynthesisLayer: ("SynthesisLayer", ("up", "use_noise", "activation", "conv_clamp", "act_gain")),
    ToRGB: ("ToRGBLayer", ("conv_clamp", "weight_gain")),
    Dense: ("FullyConnectedLayer", ("activation", "weight_gain", "bias_gain")),
    Conv: (
        "Conv2dLayer",
        ("activation", "up", "down", "conv_clamp", "padding", "weight_gain", "act_gain"),
    ),
    Discriminator: ("Discriminator", ()),
    DiscriminatorBlock: ("DiscriminatorBlock", ("architecture",)),
    DiscriminatorEpilogue: ("DiscriminatorEpilogue", ()),
}


def official(module: nn.Module) -> Persistent:
    """Returns one of our networks, or a part of one, as the official code would pickle it."""
    class_name, attributes = _ATTRIBUTES[type(module)]
    state: dict[str, Any] = {
        "training": False,
        "_parameters": dict(module.named_parameters(recurse=False)),
        "_buffers": dict(module.named_buffers(recurse=False)),
        "_non_persistent_buffers_set": set(),
        "_forward_hooks": OrderedDict(),
        "_modules": {name: official(child) for name, child in module.named_children()},
    }
    state |= {name: getattr(module, name) for name in attributes}
    if isinstance(module, SynthesisLayer | Conv) and module.up == getattr(module, "down", 1) == 1:
        # The official layers hold the default filter of their class where they do not resample.
        register_filter(module, (1.0, 3.0, 3.0, 1.0))
        state["_buffers"]["resample_filter"] = module.get_buffer("resample_filter")
    if isinstance(module, Mapping):
        state |= {name: getattr(module.config, name) for name in ("z_dim", "c_dim", "w_dim", "w_avg_beta")}
    if isinstance(module, Generator):
        state |= {"z_dim": module.config.mapping.z_dim, "img_channels": module.config.img_channels}
    if isinstance(module, Discriminator):
        state |= {"img_channels": module.config.img_channels, "c_dim": 0}
        epilogue = state["_modules"]["b4"]
        epilogue.state["architecture"] = module.config.architecture
        if module.config.mbstd_num_channels:
            epilogue.state["_modules"]["mbstd"] = Persistent(
                "MinibatchStdLayer",
                {
                    "_parameters": {},
                    "_buffers": {},
                    "_modules": {},
                    "group_size": module.config.mbstd_group_size,
                    "num_channels": module.config.mbstd_num_channels,
                },
            )
    return Persistent(class_name, state)


def freeze(layer: Persistent) -> None:
    """Makes a layer's parameters buffers, as freezing does in the official code."""
    for name, parameter in layer.state["_parameters"].items():
        layer.state["_buffers"][name] = parameter.detach()
    layer.state["_parameters"] = {}


def random_networks(
    generator: GeneratorConfig, discriminator: DiscriminatorConfig, seed: int = 0
) -> dict[str, nn.Module]:
    """Returns G, D and G_ema with random values in every tensor."""
    torch.manual_seed(seed)
    networks = {"G": Generator(generator), "D": Discriminator(discriminator), "G_ema": Generator(generator)}
    for network in networks.values():
        for tensor in network.state_dict().values():
            tensor.normal_()
    return networks


def pickled(root: object, protocol: int = 4) -> bytes:
    """Returns the pickle of a root that holds `Persistent`s."""
    names = ("torch_utils", "torch_utils.persistence")
    home = types.ModuleType(names[1])
    home._reconstruct_persistent_obj = _reconstruct_persistent_obj  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules[names[0]] = types.ModuleType(names[0])
    sys.modules[names[1]] = home
    try:
        file = io.BytesIO()
        pickle.dump(root, file, protocol=protocol)
        return file.getvalue()
    finally:
        for name in names:
            del sys.modules[name]


def write_official(path: Path, root: dict[str, object], protocol: int = 4) -> Path:
    """Writes an official file and returns its path."""
    path.write_bytes(pickled(root, protocol))
    return path

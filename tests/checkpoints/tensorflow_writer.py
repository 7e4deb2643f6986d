"""Writes networks of ours in the object graph of official TensorFlow pickles, to be read again in tests.

The names and layouts are written down a second time here, the other way round. That both are right is shown
by the reference files: what was read from one is written with the bytes of the original.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig

Variables = dict[str, np.ndarray]
NVIDIA_HEADER = """# Copyright (c) 2019, NVIDIA Corporation. All rights reserved.
#
# This work is made available under the Nvidia Source Code License-NC.
# To view a copy of this license, visit
# https://nvlabs.github.io/stylegan2/license.html

import dnnlib
raise AssertionError("source text of the file was executed")
"""


class Network:
    """Stands for `dnnlib.tflib.network.Network` while pickling."""

    def __init__(self, name: str, function: str, settings: dict[str, Any], variables: Variables) -> None:
        self.state: dict[str, Any] = {
            "version": 4,
            "name": name,
            "static_kwargs": dict(settings),
            "components": {},
            "build_module_src": NVIDIA_HEADER,
            "build_func_name": function,
            # The original hands out scalars as numpy scalars, and arrays in C order.
            "variables": [
                (key, np.ascontiguousarray(value) if value.ndim else value[()])
                for key, value in variables.items()
            ],
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.state

    @property
    def variables(self) -> list[tuple[str, Any]]:
        """Pairs of name and value, which may be changed."""
        return self.state["variables"]


def conv(weight: np.ndarray) -> np.ndarray:
    """[out, in, kh, kw] -> [kh, kw, in, out]."""
    return weight.transpose(2, 3, 1, 0)


def conv_backwards(weight: np.ndarray) -> np.ndarray:
    """The same with the kernel read backwards along both sides."""
    return conv(weight[:, :, ::-1, ::-1])


def dense(weight: np.ndarray) -> np.ndarray:
    """[out, in] -> [in, out]."""
    return weight.T


class _State:
    """The tensors of a network of ours, each handed out once."""

    def __init__(self, network: nn.Module) -> None:
        self._left = {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    def has(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> np.ndarray:
        return self._left.pop(name)

    def layer(self, ours: str, theirs: str, change: Any) -> Variables:
        if not self.has(f"{ours}.weight"):
            return {}
        found = {f"{theirs}/weight": change(self.take(f"{ours}.weight"))}
        if self.has(f"{ours}.bias"):
            found[f"{theirs}/bias"] = self.take(f"{ours}.bias")
        return found

    def dense_layers(self, theirs: str) -> Variables:
        found: Variables = {}
        while self.has(f"mapping.fc{(index := len(found) // 2)}.weight"):
            found |= self.layer(f"mapping.fc{index}", f"{theirs}{index}", dense)
        return found

    def check_empty(self) -> None:
        assert not self._left, f"the writer forgot {sorted(self._left)}"


def _scopes(config: GeneratorConfig | DiscriminatorConfig) -> list[tuple[int, str, str]]:
    """(lod, our block, their scope), smallest first."""
    last = len(config.channels) - 1
    sizes = [(config.base_height << index, config.base_width << index) for index in range(last + 1)]
    return [
        (last - index, block, f"{h}x{w}")
        for index, (block, (h, w)) in enumerate(zip(config.block_names, sizes, strict=True))
    ]


def generator_network(
    network: Any, name: str = "G", settings: dict[str, Any] | None = None, functions: str = ""
) -> Network:
    """Returns a generator of either family as the official code would pickle it.

    `functions` are the names of the building functions of the whole, its synthesis and its mapping.
    """
    config, state = network.config, _State(network)
    whole: Variables = {"lod": np.zeros([], np.float32)}
    if state.has("synthesis.lod"):
        whole["lod"] = state.take("synthesis.lod")
    if state.has("mapping.w_avg"):
        whole["dlatent_avg"] = state.take("mapping.w_avg")
    label = {}
    if config.family == "stylegan1":
        synthesis = _stylegan1_synthesis(config, state) | {"lod": whole["lod"]}
        default = "G_style G_synthesis G_mapping"
        if config.mapping.c_dim:
            label = {"LabelConcat/weight": state.take("mapping.label_weight")}
    else:
        synthesis = _stylegan2_synthesis(config, state)
        default = "G_main G_synthesis_stylegan2 G_mapping"
        if config.mapping.c_dim:
            is_joint = config.mapping.label_input == "concatenated"
            label = state.layer("mapping.embed", "LabelConcat" if is_joint else "LabelEmbed", dense)
    mapping = label | state.dense_layers("Dense")
    state.check_empty()
    build = (functions or default).split()
    settings = settings or {}
    result = Network(name, build[0], settings, whole)
    result.state["components"] = {
        "synthesis": Network(f"{name}_synthesis", build[1], settings, synthesis),
        "mapping": Network(
            f"{name}_mapping", build[2], {"dlatent_broadcast": network.num_ws, **settings}, mapping
        ),
    }
    return result


def _stylegan1_synthesis(config: Any, state: _State) -> Variables:
    found: Variables = {}
    for index, (lod, block, scope) in enumerate(_scopes(config)):
        ours = f"synthesis.{block}"
        if index == 0:
            found[f"{scope}/Const/const"] = state.take(f"{ours}.const")[None]
        for layer, theirs in enumerate(("Conv0_up", "Conv1") if index else ("Const", "Conv")):
            name, scoped = f"{ours}.layer{layer}", f"{scope}/{theirs}"
            found |= state.layer(name, scoped, conv)
            if state.has(f"{name}.bias"):
                found[f"{scoped}/bias"] = state.take(f"{name}.bias")
            if state.has(f"{name}.noise_strength"):
                found[f"{scoped}/Noise/weight"] = state.take(f"{name}.noise_strength")
                found[f"noise{2 * index + layer}"] = state.take(f"{name}.noise_const")[None, None]
            found |= state.layer(f"{name}.affine", f"{scoped}/StyleMod", dense)
        found |= state.layer(f"{ours}.torgb", f"ToRGB_lod{lod}", conv)
    return found


def _stylegan2_synthesis(config: Any, state: _State) -> Variables:
    found: Variables = {}
    grows = config.architecture == "progressive"
    for index, (lod, block, scope) in enumerate(_scopes(config)):
        ours = f"synthesis.{block}"
        if index == 0:
            found[f"{scope}/Const/const"] = state.take(f"{ours}.const")[None]
        parts = [
            ("conv0", f"{scope}/Conv0_up", conv_backwards, 2 * index - 1),
            ("conv1", f"{scope}/Conv1" if index else f"{scope}/Conv", conv, 2 * index),
            ("torgb", f"ToRGB_lod{lod}" if grows else f"{scope}/ToRGB", conv, -1),
        ]
        for name, theirs, change, noise in parts:
            if not state.has(f"{ours}.{name}.weight"):
                continue
            found |= state.layer(f"{ours}.{name}", theirs, change)
            found[f"{theirs}/mod_weight"] = dense(state.take(f"{ours}.{name}.affine.weight"))
            found[f"{theirs}/mod_bias"] = state.take(f"{ours}.{name}.affine.bias") - np.float32(1)
            if state.has(f"{ours}.{name}.noise_strength"):
                found[f"{theirs}/noise_strength"] = state.take(f"{ours}.{name}.noise_strength")
                found[f"noise{noise}"] = state.take(f"{ours}.{name}.noise_const")[None, None]
        found |= state.layer(f"{ours}.skip", f"{scope}/Skip", conv_backwards)
    return found


def discriminator_network(
    network: Any, settings: dict[str, Any] | None = None, function: str = ""
) -> Network:
    """Returns a discriminator of either family as the official code would pickle it."""
    config, state = network.config, _State(network)
    grows = config.architecture == "progressive"
    found: Variables = {"lod": state.take("lod")} if grows else {}
    is_v1 = config.family == "stylegan1"
    for index, (lod, block, scope) in enumerate(_scopes(config)):
        found |= state.layer(f"{block}.fromrgb", f"FromRGB_lod{lod}" if grows else f"{scope}/FromRGB", conv)
        found |= state.layer(f"{block}.conv0", f"{scope}/Conv0", conv)
        found |= state.layer(f"{block}.conv1", f"{scope}/Conv1_down", conv)
        found |= state.layer(f"{block}.skip", f"{scope}/Skip", conv)
        if index == 0:
            found |= state.layer(f"{block}.conv", f"{scope}/Conv", conv)
            found |= state.layer(f"{block}.fc", f"{scope}/Dense0", dense)
            found |= state.layer(f"{block}.out", f"{scope}/Dense1" if is_v1 else "Output", dense)
    found |= state.layer("mapping.embed", "LabelEmbed", dense) | state.dense_layers("Mapping")
    state.check_empty()
    return Network("D", function or ("D_basic" if is_v1 else "D_stylegan2"), settings or {}, found)


def write_tensorflow(
    path: Path, root: object, protocol: int = 4, module: str = "dnnlib.tflib.network"
) -> Path:
    """Pickles networks, alone or in a tuple, as objects of the class `Network` of a module."""
    parts = module.split(".")
    names = [".".join(parts[: end + 1]) for end in range(len(parts))]
    before = {name: sys.modules.get(name) for name in names}
    home = (Network.__module__, Network.__qualname__)
    try:
        for name in names:
            sys.modules[name] = types.ModuleType(name)
        sys.modules[module].Network = Network  # pyright: ignore[reportAttributeAccessIssue]
        Network.__module__ = module
        file = io.BytesIO()
        pickle.dump(root, file, protocol=protocol)
        path.write_bytes(file.getvalue())
        return path
    finally:
        Network.__module__ = home[0]
        for name, known in before.items():
            if known is None:
                del sys.modules[name]
            else:
                sys.modules[name] = known


def randomize(network: Any, seed: int = 0) -> Any:
    """Gives every tensor of a network random values, except the state of growing."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.rpartition(".")[2] != "lod":
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return network.requires_grad_(False)

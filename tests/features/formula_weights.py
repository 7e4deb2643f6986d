"""Weights that follow from a tensor's name and shape: networks can be checked without published files."""

import zlib

import numpy as np
import torch

# Of u, the uniform numbers in (-1, 1) below: full rank, and activations that neither vanish nor explode.
KINDS = {
    "conv": lambda u, fan_in: u * np.sqrt(6 / fan_in),
    "linear": lambda u, fan_in: u * np.sqrt(3 / fan_in),
    "bn_weight": lambda u, fan_in: 1 + 0.1 * u,
    "bn_bias": lambda u, fan_in: 0.1 * u,
    "bn_mean": lambda u, fan_in: 0.1 * u,
    "bn_var": lambda u, fan_in: 1 + 0.2 * u,
    "bias": lambda u, fan_in: 0.1 * u,
    "lin": lambda u, fan_in: 0.25 * (1 + u),
}


def uniform(name, count):
    """Returns `count` numbers in (-1, 1): a hash of the position, mixed with the CRC-32 of the name."""
    x = (np.arange(1, count + 1, dtype=np.uint64) * 0x9E3779B1 + zlib.crc32(name.encode())) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    x = x * np.uint64(0x85EBCA6B) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(13)
    x = x * np.uint64(0xC2B2AE35) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x + 0.5) / 2.0**31 - 1


def kind_of(name, shape):
    words = name.split(".")
    if words[-2] == "bn":
        return "bn_" + words[-1].removeprefix("running_")
    if name.startswith("lin"):
        return "lin"
    if words[-1] == "bias":
        return "bias"
    return "conv" if len(shape) == 4 else "linear"


def formula_tensor(name, shape):
    count = int(np.prod(shape))
    values = KINDS[kind_of(name, shape)](uniform(name, count), count // shape[0])
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def formula_tensors(network):
    """Returns tensors for all parameters of a network that is not loaded yet, under the names it has here."""
    return {name: formula_tensor(name, list(tensor.shape)) for name, tensor in network.state_dict().items()}

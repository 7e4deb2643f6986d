"""Mutations of what a checkpoint holds rather than of its bytes: wrong shapes, values, names and links.

Such files are whole pickles, so that they get past the pickle machine to the readers of the formats, which
infer architectures from what they find.
"""

from __future__ import annotations

import random
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_TEXTS = (
    "", ".", "a.b", "x\n\x1b[2J", "\u202etxt", "\ud800", "t\u0435nsor", "0", "weight", "bias",
    "resample_filter", "__class__", "lrelu", "linear", "resnet", "orig", "skip", "y" * 300, "z" * 5_000,
)  # fmt: skip
_NUMBERS = (
    0, 1, -1, 2, 3, 4, 8, 64, 255, 16384, 65536, 1 << 31, 1 << 40, (1 << 47) + 1, 1 << 62, -(1 << 31),
    True, False, None, 0.0, 0.5, -1.5, 1e-40, 1e38, 1e308, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
_EXTENTS = (0, 0, 1, 1, 2, 3, 4, 5, 8, 64, 1 << 20, 1 << 40, 1 << 46)
_MOST_ELEMENTS = 512
_MOST_DEPTH = 40
_MOST_DIMENSIONS = 6
_TORCH_TYPES = (
    torch.float32,
    torch.float16,
    torch.float64,
    torch.bfloat16,
    torch.int64,
    torch.uint8,
    torch.bool,
)
_NUMPY_TYPES = ("<f4", ">f4", "<f2", "<f8", "<i4", ">i8", "|u1", "?")

Slot = tuple[Any, Any]  # a dict or list, and a key or index in it


class ObjectMutator:
    """Makes files from templates.

    Args:
        templates: (root object, how it is written). Roots are dicts, lists, tuples, tensors and plain values,
            and namespaces and objects that have an attribute `state`.
    """

    def __init__(self, templates: list[tuple[Any, Callable[[Any], bytes]]]) -> None:
        self._templates = templates

    def make(self, dice: random.Random) -> bytes:
        """Returns a file that differs in a few places from one of the templates."""
        root, write = dice.choice(self._templates)
        holder = [_copied(root, {})]
        try:
            for _ in range(dice.choice((1, 1, 2, 3, 6))):
                slots: list[Slot] = []
                dicts: list[dict[Any, Any]] = []
                _collect(holder, slots, dicts)
                if dicts and dice.random() < 0.25:
                    self._add(dice, slots, dice.choice(dicts))
                else:
                    self._change(dice, slots, *dice.choice(slots))
            return write(holder[0])
        except Exception:  # torch and pickle refuse some changes, each in its own way
            return write(root)

    def _add(self, dice: random.Random, slots: list[Slot], target: dict[Any, Any]) -> None:
        """Gives a dict something new, or what another one has under the same name."""
        holder, key = dice.choice(slots)
        if isinstance(holder, dict) and dice.random() < 0.6:
            target[key] = holder[key]
        else:
            target[dice.choice(_TEXTS)] = _value(dice)

    def _change(self, dice: random.Random, slots: list[Slot], container: Any, key: Any) -> None:
        what = dice.randrange(9)
        if what == 0 and len(container) > 1:
            del container[key]
        elif what == 1 and isinstance(container, dict):
            named = [other for holder, other in slots if isinstance(holder, dict)]
            container[dice.choice((dice.choice(named), dice.choice(_TEXTS)))] = container.pop(key)
        elif what == 2:
            holder, other = dice.choice(slots)
            container[key] = holder[other]  # the same object in two places
        elif what == 3:
            holder, other = dice.choice(slots)
            container[key], holder[other] = holder[other], container[key]
        elif what == 4:
            container[key] = dice.choice(
                ([], {}, (), [container[key]], (container[key], container[key]), {"a": 1})
            )
        else:
            container[key] = _like(dice, container[key])


def _copied(node: Any, done: dict[int, Any]) -> Any:
    """A copy of all containers and objects; what is in two places stays in two places."""
    if id(node) in done:
        return done[id(node)]
    if isinstance(node, dict):
        made: Any = {key: _copied(value, done) for key, value in node.items()}
    elif isinstance(node, list | tuple):
        made = type(node)(_copied(value, done) for value in node)
    elif _is_object(node):
        # Not by `copy`: these objects say themselves how they are pickled.
        made = type(node).__new__(type(node))
        vars(made).update(_copied(vars(node), done))
    else:
        return node  # numbers, texts and tensors are exchanged, never changed
    done[id(node)] = made
    return made


def _is_object(node: Any) -> bool:
    return hasattr(node, "state") or isinstance(node, Namespace)


def _collect(node: Any, slots: list[Slot], dicts: list[dict[Any, Any]], depth: int = 0) -> None:
    """Adds every place below a node that can be given another value, and every dict."""
    if _is_object(node):
        node = vars(node)
    if depth > _MOST_DEPTH or not isinstance(node, dict | list | tuple):
        return
    if isinstance(node, dict):
        dicts.append(node)
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        if not isinstance(node, tuple):
            slots.append((node, key))
        _collect(node[key], slots, dicts, depth + 1)


class FalseTensor:
    """A tensor whose pickle claims another shape than its storage has."""

    def __init__(self, tensor: torch.Tensor, offset: Any, size: Any, stride: Any) -> None:
        self.claims = (tensor, offset, size, stride)

    def __reduce__(self) -> tuple[Any, ...]:
        tensor, *claims = self.claims
        return torch._utils._rebuild_tensor_v2, (tensor._typed_storage(), *claims, False, OrderedDict())


class FalseArray:
    """An array whose pickle claims another shape or type than its data have."""

    def __init__(self, shape: Any, dtype: np.dtype[Any], data: bytes) -> None:
        self.claims = (shape, dtype, data)

    def __reduce__(self) -> tuple[Any, ...]:
        shape, dtype, data = self.claims
        made, args, _ = np.zeros(0).__reduce__()
        return made, args, (1, shape, dtype, False, data)


def _like(dice: random.Random, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, torch.Tensor):
        return _tensor(dice, value)
    if isinstance(value, np.ndarray):
        return _array(dice, value)
    if isinstance(value, str):
        return dice.choice(_TEXTS)
    if isinstance(value, tuple) and value:
        at = dice.randrange(len(value))
        return (*value[:at], _like(dice, value[at]), *value[at + 1 :])
    if isinstance(value, bool | int | float) or value is None:
        return dice.choice(_NUMBERS)
    return _value(dice)


def _value(dice: random.Random) -> Any:
    kind = dice.randrange(6)
    if kind == 0:
        return _tensor(dice, torch.zeros(2))
    if kind == 1:
        return _array(dice, np.zeros(2, np.float32))
    if kind == 2:
        return dice.choice((np.float32(2.5), np.int64(-3), np.bool_(True), b"bytes", {1, 2}, bytearray(3)))
    return dice.choice(_TEXTS) if kind == 3 else dice.choice(_NUMBERS)


def _shape(dice: random.Random, like: tuple[int, ...]) -> tuple[int, ...]:
    """A shape, mostly of as many axes as `like`, that needs next to no memory."""
    shape = list(like)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(len(shape) + 1)
        if at == len(shape) or dice.random() < 0.2:
            shape.insert(at, dice.choice(_EXTENTS))
        elif dice.random() < 0.2:
            del shape[at]
        else:
            shape[at] = dice.choice((*_EXTENTS, shape[at] * 2, shape[at] + 1))
    del shape[_MOST_DIMENSIONS:]
    while shape and 0 not in shape and int(np.prod([float(extent) for extent in shape])) > _MOST_ELEMENTS:
        shape[shape.index(max(shape))] = dice.choice((0, 1, 2))
    return tuple(shape)


def _claimed_shape(dice: random.Random, like: tuple[int, ...]) -> tuple[Any, ...]:
    """A shape that nothing checks before it is written."""
    shape: list[Any] = list(like)
    if dice.random() < 0.2:
        shape = [0, 1 << 46, 1 << 47]  # no elements, but their product overflows
        dice.shuffle(shape)
        return tuple(shape)
    for _ in range(dice.choice((1, 2, 2, 3))):
        at = dice.randrange(len(shape) + 1)
        extent = dice.choice((*_EXTENTS, 1 << 47, -1, 1 << 62, 2.0, True))
        shape[at : at + dice.randrange(2)] = [extent]
    return tuple(shape)


def _tensor(dice: random.Random, like: torch.Tensor) -> torch.Tensor | FalseTensor:
    kind = dice.randrange(7)
    if kind > 3:
        size = _claimed_shape(dice, tuple(like.shape))
        stride = tuple(dice.choice((0, 1, 1, 2, 1 << 46)) for _ in size)
        return FalseTensor(like.detach(), dice.choice((0, 0, 0, 1, 1 << 46)), size, stride)
    if kind == 0:
        return like.detach().to(dice.choice(_TORCH_TYPES))
    if kind == 1:
        return torch.full(like.shape, dice.choice((float("nan"), float("inf"), 1e38, -1.0, 0.0, 1e-45)))
    if kind == 2:
        return torch.zeros(()).expand([min(extent, 64) for extent in like.shape])  # more elements than stored
    try:
        return torch.zeros(_shape(dice, tuple(like.shape)))
    except RuntimeError:  # torch will not make this shape
        return torch.zeros(0)


def _array(dice: random.Random, like: np.ndarray) -> np.ndarray | FalseArray:
    kind = dice.randrange(7)
    if kind > 3:
        data = dice.choice((b"", like.tobytes()))
        return FalseArray(_claimed_shape(dice, like.shape), like.dtype, data)
    with np.errstate(all="ignore"):
        if kind == 0:
            return like.astype(dice.choice(_NUMPY_TYPES))
        if kind == 1 and like.dtype.kind == "f":
            return np.full_like(like, dice.choice((np.nan, np.inf, 6e4, -1.0)))
    if kind == 2:
        return np.asfortranarray(like)
    try:
        return np.zeros(_shape(dice, like.shape), like.dtype)
    except ValueError:  # numpy will not make this shape
        return np.zeros(0, like.dtype)

"""Tensors and arrays in foreign files: checked views of raw bytes, and the globals that describe them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stylegraft.checkpoints.foreign.inert import Allowed, Buildable, as_bytes, table
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.storages import Storage, never_called

if TYPE_CHECKING:
    import torch

_NUMPY_CODES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
_ARRAY_STATE_VERSION = 1
_MAX_EXTENTS = 1 << 48


@dataclass(frozen=True)
class TensorView:
    """A tensor as a file describes it: a view of a storage that is known to lie inside it.

    Attributes:
        storage: where the elements are.
        offset: index of the first element.
        size: shape.
        stride: elements between neighbours along each axis.
    """

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def to_torch(self, reading: Reading) -> torch.Tensor:
        """Returns a contiguous copy, charged to `reading`: floating types as float32, others as they are."""
        import torch

        numel = math.prod(self.size)
        reading.spend_elements(numel)
        if not numel:
            return torch.zeros(self.size)
        element_type = self.storage.element_type
        strides = [step * element_type.num_bytes for step in self.stride]
        view = np.lib.stride_tricks.as_strided(
            self.storage.elements()[self.offset :], self.size, strides, writeable=False
        )
        if element_type.is_bfloat16:
            # A bfloat16 is the upper half of the float32 of the same value.
            widened = view.astype(np.uint32, order="C")
            return torch.from_numpy(np.left_shift(widened, 16, out=widened).view(np.float32))
        if view.dtype.kind == "b":
            return torch.from_numpy(np.array(view.view(np.uint8) != 0, order="C"))  # any byte may be there
        kind = np.float32 if view.dtype.kind == "f" else view.dtype.newbyteorder("=")
        with np.errstate(all="ignore"):  # what float32 cannot hold becomes infinite, as in torch
            return torch.from_numpy(np.array(view, dtype=kind, order="C", copy=True))


def rebuild_tensor(reading: Reading, args: tuple[object, ...]) -> object:
    """Stands for `torch._utils._rebuild_tensor_v2`: checks the view and keeps it."""
    storage = args[0] if len(args) in (6, 7) else None
    if not isinstance(storage, Storage):
        raise reading.damaged("a tensor without a storage")
    _, offset, size, stride = args[:4]
    shape, steps = checked_shape(reading, size), whole_numbers(reading, stride)
    (start,) = whole_numbers(reading, (offset,))
    if len(shape) != len(steps):
        raise reading.damaged(f"a tensor of {len(shape)} dimensions with {len(steps)} strides")
    numel = math.prod(shape)
    last = start + sum((extent - 1) * step for extent, step in zip(shape, steps)) if numel else start
    if numel > storage.numel or start > storage.numel or (numel and last >= storage.numel):
        raise reading.damaged(
            f"a tensor of shape {list(shape)} that reaches element {last:,} of a storage of {storage.numel:,}"
        )
    return TensorView(storage, start, shape, steps)


def rebuild_parameter(reading: Reading, args: tuple[object, ...]) -> object:
    """Stands for `torch._utils._rebuild_parameter`: a parameter is its tensor."""
    if not args or not isinstance(args[0], TensorView):
        raise reading.damaged("a parameter without a tensor")
    return args[0]


def whole_numbers(reading: Reading, values: object) -> tuple[int, ...]:
    """Returns a shape or the like after checking that it is a short tuple of plain non-negative integers."""
    if not isinstance(values, tuple) or len(values) > reading.limits.tensor_dimensions:
        raise reading.damaged(
            f"a shape that is no tuple of at most {reading.limits.tensor_dimensions} numbers"
        )
    for value in values:
        # A bool is an int to Python, not to a shape.
        if type(value) is not int or not 0 <= value < 1 << 48:
            raise reading.damaged(f"a shape that holds {printable(value)}")
    return values


def checked_shape(reading: Reading, values: object) -> tuple[int, ...]:
    """Returns a shape whose extents, empty ones aside, multiply to what a machine could address."""
    shape = whole_numbers(reading, values)
    # No elements take no memory, but numpy and torch multiply the other extents all the same.
    if math.prod(extent or 1 for extent in shape) >= _MAX_EXTENTS:
        raise reading.damaged(f"a shape of {list(shape)}")
    return shape


class NumpyType(Buildable):
    """A `numpy.dtype` of plain numbers. BUILD tells its byte order."""

    __slots__ = ("byte_order", "code")

    def __init__(self, code: str) -> None:
        self.code = code
        self.byte_order = "="

    def set_state(self, reading: Reading, state: object) -> None:
        """Takes (version, byte order, subtype, names, fields, ...), the middle three all None."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise reading.refused("a structured numpy type")
        if not isinstance(state[1], str) or state[1] not in ("<", ">", "|", "="):
            raise reading.damaged("a numpy type without byte order")
        self.byte_order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type itself."""
        return np.dtype(self.byte_order + self.code)


class NumpyArray(Buildable):
    """A `numpy.ndarray`; BUILD gives it shape and data."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array: np.ndarray[Any, Any] = np.zeros(0, np.float32)

    def set_state(self, reading: Reading, state: object) -> None:
        """Takes (version, shape, dtype, whether it is in Fortran order, data)."""
        if not isinstance(state, tuple) or len(state) != 5 or state[0] != _ARRAY_STATE_VERSION:
            raise reading.damaged("a numpy array without shape or data")
        _, shape, dtype, is_fortran, data = state
        self.array = _array_of(reading, shape, dtype, bool(is_fortran), data)


def _array_of(
    reading: Reading, shape: object, dtype: object, is_fortran: bool, data: object
) -> np.ndarray[Any, Any]:
    extents = checked_shape(reading, shape)
    if not isinstance(dtype, NumpyType):
        raise reading.damaged("a numpy array without a type")
    raw = as_bytes(reading, data)
    numel = math.prod(extents)
    if numel * dtype.dtype.itemsize != len(raw):
        raise reading.damaged(f"a numpy array of shape {list(extents)} in {len(raw):,} bytes")
    flat = np.frombuffer(raw, dtype.dtype) if numel else np.zeros(0, dtype.dtype)
    return flat.reshape(extents, order="F" if is_fortran else "C")


def _numpy_type(reading: Reading, args: tuple[object, ...]) -> object:
    code = args[0] if args else None
    if not isinstance(code, str) or code not in _NUMPY_CODES:
        # An object array holds arbitrary pickled objects.
        raise reading.unsafe(f"a numpy array of type {printable(code)}")
    return NumpyType(code)


def _numpy_scalar(reading: Reading, args: tuple[object, ...]) -> object:
    if len(args) != 2:
        raise reading.damaged("a numpy number without type or data")
    return _array_of(reading, (), args[0], False, args[1]).item()


def _numpy_array(reading: Reading, args: tuple[object, ...]) -> object:
    if len(args) != 3:
        raise reading.damaged("a numpy array without a class")
    return NumpyArray()


def _numpy_array_of_buffer(reading: Reading, args: tuple[object, ...]) -> object:
    if len(args) != 4:
        raise reading.damaged("a numpy array without shape or data")
    data, dtype, shape, order = args
    result = NumpyArray()
    result.array = _array_of(reading, shape, dtype, order == "F", data)
    return result


# Numpy 2 moved `numpy.core` to `numpy._core`; files of both ages are around.
NUMPY_GLOBALS: Allowed = table(
    ("numpy", "dtype", _numpy_type),
    ("numpy", "ndarray", never_called),
    *(
        row
        for core in ("numpy.core", "numpy._core")
        for row in (
            (f"{core}.multiarray", "scalar", _numpy_scalar),
            (f"{core}.multiarray", "_reconstruct", _numpy_array),
            (f"{core}.numeric", "_frombuffer", _numpy_array_of_buffer),
        )
    ),
)
TORCH_GLOBALS: Allowed = table(
    ("torch._utils", "_rebuild_tensor_v2", rebuild_tensor),
    ("torch._utils", "_rebuild_parameter", rebuild_parameter),
)

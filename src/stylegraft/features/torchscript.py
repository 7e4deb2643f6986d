"""Tensors out of a TorchScript archive, without running anything of it.

`torch.jit.load` would compile and may run the program in such a file. Only its tensors are wanted here. They
are in the same zip archive: `data.pkl` is a pickle of the tree of modules, whose leaves refer to the raw
numbers in `data/0`, `data/1`, ... That pickle is read with a table of the few names it may use: the classes
of the file become empty boxes for attributes, tensors are assembled by a function below, all else is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from stylegraft.errors import InputError

_LARGEST_PICKLE_BYTES = 16 << 20

_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def is_torchscript(path: Path) -> bool:
    """Returns whether a file is a TorchScript archive: a zip with a pickle beside a folder of code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        parts = [PurePosixPath(name).parts[1:2] for name in archive.namelist()]
    return ("data.pkl",) in parts and ("code",) in parts


def read_torchscript(path: Path) -> dict[str, torch.Tensor]:
    """Returns the tensors of a TorchScript archive by their names in its tree of modules, like a state dict.

    Raises:
        InputError: the file is damaged, or asks for more than tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = _Reader(archive).read()
        return dict(_walk(root, "", set()))
    except (_RefusedError, pickle.UnpicklingError) as error:
        reason = str(error)
    except Exception as error:  # A damaged zip or pickle raises nearly anything.
        reason = f"{type(error).__name__} while reading it"
    raise InputError(
        f"weights {path}: expected the tensors of a TorchScript file, got {reason}. "
        "Fetch the published file anew."
    )


class _RefusedError(Exception):
    """The archive has something that no file of tensors needs."""


class _Module:
    """A module of the file: nothing but its attributes."""

    def __init__(self) -> None:
        self.attributes: dict[str, object] = {}

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
            raise _RefusedError("a module whose state is no table of names")
        self.attributes = state


class _Function:
    """A function that a pickle may call, and cannot give attributes."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *args: object) -> object:
        return self._call(*args)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("new attributes for a function")


class _Storage:
    """The raw numbers of one or more tensors."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values


class _Reader(pickle.Unpickler):
    """The pickle machine of Python, with nothing within its reach but the names in `find_class`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if PurePosixPath(name).parts[1:] == ("data.pkl",)]
        if len(pickles) != 1:
            raise _RefusedError(f"{len(pickles)} members data.pkl instead of one")
        self._archive, self._members = archive, members
        self._top = PurePosixPath(pickles[0]).parts[0]
        self._storages: dict[str, _Storage] = {}
        super().__init__(io.BytesIO(self._member("data.pkl", _LARGEST_PICKLE_BYTES)))

    def read(self) -> object:
        """Returns the tree of modules."""
        return self.load()

    def find_class(self, module: str, name: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Answers the names that such a pickle uses; everything else is refused."""
        if module.split(".")[0] == "__torch__":
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Function(_rebuild_tensor)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _Function(lambda tensor, *_: tensor)
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle" and name.startswith("build_"):
            return list
        raise _RefusedError(f"a call of {module}.{name}")

    def persistent_load(self, pid: object) -> _Storage:
        """Returns the numbers that a tensor refers to."""
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise _RefusedError("a reference to something other than numbers")
        _, dtype, key, _, count = pid
        if not isinstance(dtype, torch.dtype) or not isinstance(key, str) or not isinstance(count, int):
            raise _RefusedError("a reference to numbers of no known type")
        if key not in self._storages:
            num_bytes = count * dtype.itemsize
            data = bytearray(self._member(f"data/{key}", num_bytes))
            if count < 0 or len(data) != num_bytes:
                raise _RefusedError(f"{len(data):,} bytes in data/{key} instead of {num_bytes:,}")
            values = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            self._storages[key] = _Storage(values)
        return self._storages[key]

    def _member(self, name: str, largest: int) -> bytes:
        info = self._members.get(f"{self._top}/{name}")
        if info is None:
            raise _RefusedError(f"no member {name}")
        if info.file_size > largest or (info.compress_size < info.file_size // 1000):
            raise _RefusedError(f"{info.file_size:,} bytes in {name}")
        return self._archive.read(info)


def _rebuild_tensor(
    storage: object, offset: object, size: object, stride: object, *_: object
) -> torch.Tensor:
    """Returns the view of the numbers that a tensor is; its requires_grad and hooks are left out."""
    if not isinstance(storage, _Storage) or not isinstance(offset, int):
        raise _RefusedError("a tensor without numbers")
    shape, steps = _whole(size), _whole(stride)
    last = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    if math.prod(shape) and not last < len(storage.values):
        raise _RefusedError("a tensor that reaches beyond its numbers")
    return storage.values.as_strided(shape, steps, offset)


def _whole(numbers: object) -> tuple[int, ...]:
    if not isinstance(numbers, tuple) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise _RefusedError("a tensor whose shape is no row of whole numbers")
    return numbers


def _walk(node: object, name: str, seen: set[int]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields the tensors below a module; other attributes (flags, numbers, text) are passed over."""
    if isinstance(node, torch.Tensor):
        yield name, node
    elif isinstance(node, _Module):
        # A tree has each module once; a knot of them could be walked through without end.
        if id(node) in seen:
            raise _RefusedError("a module in two places")
        seen.add(id(node))
        for key, value in node.attributes.items():
            yield from _walk(value, f"{name}.{key}" if name else key, seen)

"""The storages of torch files: flat runs of elements, named by persistent ids, that tensors are views of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylegraft.checkpoints.foreign.inert import Allowed, Standin, check_keys, table
from stylegraft.checkpoints.foreign.limits import Reading


@dataclass(frozen=True)
class ElementType:
    """How the elements of a torch storage are stored. `is_bfloat16` marks the one type numpy lacks."""

    numpy_code: str
    is_bfloat16: bool = False

    @property
    def num_bytes(self) -> int:
        """Bytes an element takes."""
        return np.dtype(self.numpy_code).itemsize


STORAGE_TYPES: dict[str, ElementType] = {
    "FloatStorage": ElementType("f4"),
    "HalfStorage": ElementType("f2"),
    "DoubleStorage": ElementType("f8"),
    "BFloat16Storage": ElementType("u2", is_bfloat16=True),
    "LongStorage": ElementType("i8"),
    "IntStorage": ElementType("i4"),
    "ShortStorage": ElementType("i2"),
    "CharStorage": ElementType("i1"),
    "ByteStorage": ElementType("u1"),
    "BoolStorage": ElementType("b1"),
}


class Storage:
    """A flat run of elements.

    Attributes:
        element_type: how they are stored.
        numel: how many they are.
        byte_order: of each element, "<" or ">".
        load: gives the bytes. The stream or archive that holds them sets it, at the latest when it ends.
    """

    __slots__ = ("_data", "byte_order", "element_type", "load", "numel")

    def __init__(self, element_type: ElementType, numel: int, byte_order: str = "<") -> None:
        self.element_type = element_type
        self.numel = numel
        self.byte_order = byte_order
        self.load: Callable[[], memoryview] | None = None
        self._data: memoryview | None = None

    @property
    def data(self) -> memoryview:
        """The bytes, loaded once and only when a tensor that is of use here asks for them."""
        if self._data is None:
            assert self.load is not None, "a tensor was used before its storage was read"
            self._data = self.load()
        return self._data

    def elements(self) -> np.ndarray[Any, Any]:
        """Returns the elements as a flat array that shares the bytes; bfloat16 as the uint16 of its bits."""
        return np.frombuffer(self.data, np.dtype(self.byte_order + self.element_type.numpy_code))


class DeclaredStorages(dict[str, Storage]):
    """The storages that the persistent ids of one stream or archive have named so far, by key."""

    def __init__(self, reading: Reading, byte_order: str = "<") -> None:
        super().__init__()
        self._reading = reading
        self._byte_order = byte_order

    def declare(self, kind: object, key: object, numel: object) -> Storage:
        """Returns the storage of a persistent id after checking it against earlier ids of the same key.

        Raises:
            CheckpointError: the id is malformed, or contradicts an earlier one.
        """
        if not isinstance(kind, Standin) or not isinstance(key, str) or type(numel) is not int:
            raise self._reading.damaged("a torch storage that is not described")
        element_type = STORAGE_TYPES.get(kind.name.removeprefix("torch."))
        if element_type is None or numel < 0:
            raise self._reading.damaged("a torch storage of no known type or of negative length")
        check_keys(self._reading, (key,))
        known = self.setdefault(key, Storage(element_type, numel, self._byte_order))
        if known.element_type != element_type or known.numel != numel:
            raise self._reading.damaged("a torch storage that is described twice, differently")
        return known


def never_called(reading: Reading, args: tuple[object, ...]) -> object:
    """Stands for a class that files name but never call."""
    raise reading.unsafe("a call of a class that no checkpoint calls")


STORAGE_GLOBALS: Allowed = table(*(("torch", name, never_called) for name in STORAGE_TYPES))

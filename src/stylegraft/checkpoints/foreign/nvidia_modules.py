"""Walks the modules of an official PyTorch pickle, trusting none of their attributes."""

from __future__ import annotations

from collections.abc import Iterator

from stylegraft.checkpoints.foreign.arrays import TensorView
from stylegraft.checkpoints.foreign.inert import Record
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.plain import plain
from stylegraft.errors import CheckpointError

_MAX_TEXT_CHARS = 100
_MAX_MEMBERS = 256


class ForeignModule:
    """A module of the file: its tensors, its children and its attributes, each checked when asked for.

    Attributes:
        path: dotted path from the network, such as `G_ema.synthesis.b8.conv0`, for messages.
        class_name: the class as the file names it.
    """

    def __init__(self, record: object, path: str, reading: Reading) -> None:
        reading.spend_module()
        if not isinstance(record, Record) or record.state is None:
            raise reading.refused(f"{path} that is no network module")
        self.path = path
        self.class_name = record.class_name
        self._state = record.state
        self._reading = reading

    def __contains__(self, child: str) -> bool:
        return isinstance(self._group("_modules").get(child), Record)

    @property
    def tensors(self) -> dict[str, TensorView]:
        """Its own parameters and buffers by name; a frozen layer keeps its weights as buffers."""
        both = {**self._group("_parameters"), **self._group("_buffers")}
        return {name: view for name, view in both.items() if isinstance(view, TensorView)}

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Returns the shape of one of its tensors."""
        tensors = self.tensors
        if tensor not in tensors:
            raise self.unknown_layout(f"no tensor {tensor}")
        return tensors[tensor].size

    def child(self, name: str) -> ForeignModule:
        """Returns a child module."""
        if name not in self:
            raise self.unknown_layout(f"no module {name}")
        return ForeignModule(self._group("_modules")[name], f"{self.path}.{name}", self._reading)

    def children(self) -> Iterator[tuple[str, ForeignModule]]:
        """Yields the child modules by name."""
        for name in self._group("_modules"):
            if name in self:
                yield name, self.child(name)

    def has(self, attribute: str) -> bool:
        """Whether the attribute is set, be it to None."""
        return attribute in self._state

    def number(self, attribute: str) -> float:
        """Returns an attribute that must be a number."""
        value = self._state.get(attribute)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.unknown_layout(f"attribute {attribute} that is no number")
        return value

    def optional_number(self, attribute: str) -> float | None:
        """Returns an attribute that must be a number or None; absent counts as None."""
        return None if self._state.get(attribute) is None else self.number(attribute)

    def whole(self, attribute: str) -> int:
        """Returns an attribute that must be a whole number."""
        value = self.number(attribute)
        if not float(value).is_integer():
            raise self.unknown_layout(f"attribute {attribute} that is no whole number")
        return int(value)

    def text(self, attribute: str) -> str:
        """Returns an attribute that must be a short text."""
        value = self._state.get(attribute)
        if not isinstance(value, str) or len(value) > _MAX_TEXT_CHARS:
            raise self.unknown_layout(f"attribute {attribute} that is no short text")
        return value

    def scalar(self, attribute: str) -> str | int | float | bool | None:
        """Returns an attribute that must be a number, a text, a bool or None."""
        value = self._state.get(attribute)
        if value is None or isinstance(value, str | int | float | bool):
            return value
        raise self.unknown_layout(f"attribute {attribute} of type {type(value).__name__}")

    def settings(self) -> dict[str, object]:
        """Returns its public attributes as plain data."""
        return {
            str(name): plain(value, self._reading)
            for name, value in self._state.items()
            if not str(name).startswith("_") and name != "training"
        }

    def unknown_layout(self, got: str) -> CheckpointError:
        """Returns the error for a module that is not built as expected."""
        return CheckpointError(
            f"cannot read {self._reading.source}: expected a StyleGAN2 network of the official PyTorch code, "
            f"got {printable(self.path)} ({printable(self.class_name)}) with {got}. Networks of changed code "
            "are not supported; convert the file with the code that wrote it."
        )

    def _group(self, name: str) -> dict[str, object]:
        group = self._state.get(name)
        if not isinstance(group, dict):
            raise self.unknown_layout(f"no {name}")
        # Torch has no dots in names either; with them two modules could have one path.
        if len(group) > _MAX_MEMBERS or any(not isinstance(key, str) or "." in key for key in group):
            raise self.unknown_layout(f"{name} that are too many or have no plain names")
        return group

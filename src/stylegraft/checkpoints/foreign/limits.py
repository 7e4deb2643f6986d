"""What one foreign file may cost: limits, and the running account of a single reading."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from stylegraft.errors import CheckpointError, UnsafeFileError

_SHOWN_CHARS = 120


@dataclass(frozen=True)
class Limits:
    """Ceilings far above any published checkpoint and far below what a small machine can take.

    A 1024 px StyleGAN2 file holds about 60,000 opcodes, 10,000 objects, and nests 30 deep.
    """

    file_bytes: int = 4 << 30
    opcodes: int = 300_000
    objects: int = 250_000
    stack_items: int = 100_000
    open_marks: int = 500
    nesting: int = 100
    key_chars: int = 256
    number_line_bytes: int = 64
    string_bytes: int = 64 << 20
    line_bytes: int = 1 << 16
    integer_bytes: int = 16
    tensor_dimensions: int = 8
    modules: int = 5_000
    values: int = 10_000


class Reading:
    """The account of reading one file, shared by all streams nested in it.

    Amplification is what makes a small file expensive: the same bytes decoded or viewed many times over.
    Every element and every decoded byte is therefore charged against the size of the file itself.

    Attributes:
        source: name of the file, for messages.
        limits: the ceilings in force.
    """

    def __init__(self, source: str, num_bytes: int, limits: Limits | None = None) -> None:
        self.source = source
        self.limits = limits or Limits()
        if num_bytes > self.limits.file_bytes:
            raise CheckpointError(
                f"cannot read {source}: expected at most {self.limits.file_bytes:,} bytes, "
                f"got {num_bytes:,}. Check that this is a network checkpoint."
            )
        self._opcodes_left = self.limits.opcodes
        self._objects_left = self.limits.objects
        self._modules_left = self.limits.modules
        self._values_left = self.limits.values
        self._elements_left = num_bytes
        self._decoded_bytes_left = num_bytes

    def spend_opcode(self) -> None:
        """Charges one step of the pickle machine."""
        self._opcodes_left -= 1
        if self._opcodes_left < 0:
            raise self.refused(f"more than {self.limits.opcodes:,} pickle opcodes")

    def spend_objects(self, count: int = 1) -> None:
        """Charges containers or objects, or the items of a container that is made from another one."""
        self._objects_left -= count
        if self._objects_left < 0:
            raise self.refused(f"more than {self.limits.objects:,} objects")

    def spend_module(self) -> None:
        """Charges one visit to a module; an object that the file repeats is visited wherever it occurs."""
        self._modules_left -= 1
        if self._modules_left < 0:
            raise self.refused(f"more than {self.limits.modules:,} modules")

    def spend_value(self) -> None:
        """Charges one value of the settings kept beside the networks."""
        self._values_left -= 1
        if self._values_left < 0:
            raise self.refused(f"more than {self.limits.values:,} settings")

    def spend_elements(self, count: int) -> None:
        """Charges tensor elements that are copied; a file cannot honestly hold more elements than bytes."""
        self._elements_left -= count
        if self._elements_left < 0:
            raise self.refused("tensors with more elements than the file has bytes")

    def spend_decoded_bytes(self, count: int) -> None:
        """Charges bytes that had to be copied out of a text string."""
        self._decoded_bytes_left -= count
        if self._decoded_bytes_left < 0:
            raise self.refused("byte strings that decode to more bytes than the file has")

    def damaged(self, problem: str) -> CheckpointError:
        """Returns the error for a file whose bytes make no sense."""
        return CheckpointError(
            f"cannot read {self.source}: expected a whole and undamaged checkpoint, got {problem}. "
            "Download or copy the file again and compare its size or checksum with the source."
        )

    def refused(self, what: str) -> CheckpointError:
        """Returns the error for a file that is well formed but asks for too much or for the unusual."""
        return CheckpointError(
            f"refused to read {self.source}: expected a plain network checkpoint, got {what}. "
            "If you trust its origin, convert it to safetensors with the software that wrote it."
        )

    def unsafe(self, what: str) -> UnsafeFileError:
        """Returns the error for a file that asks for code; `what` is the global's name or the trick."""
        return UnsafeFileError(
            f"refused to read {self.source}: it asks for {printable(what)}, which is no part of a known "
            "network checkpoint; nothing was executed. Do not open this file with other software unless you "
            "trust its author; get the original checkpoint from its publisher."
        )


def printable(text: object) -> str:
    """Returns text from a file cut to a line, with control and non-ASCII characters escaped.

    A name in a hostile file may hold newlines or terminal commands.
    """
    shown = str(text) if text is None or isinstance(text, str | int | float) else type(text).__name__
    shown = shown[: _SHOWN_CHARS + 1]
    # Not `shown.encode(...)`: looking up this codec by name would import a module on first use.
    shown = codecs.unicode_escape_encode(shown)[0].decode("ascii")
    return shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "..."

"""The bytes of a pickle: every length is checked against what is left before anything is made of it.

Escapes are decoded by the functions of `codecs` itself: naming a codec would import a module on first use.
"""

from __future__ import annotations

import codecs
import re
import struct

from stylegraft.checkpoints.foreign.limits import Reading

_FIRST_LINE_WINDOW = 64
_INTEGER = re.compile(rb"-?[0-9]{1,39}")
_SURROGATE = re.compile("[\ud800-\udfff]")  # halves of characters, which no file or terminal can be given
_STRING_BODY = re.compile(rb"(?:[^\\]|\\(?:[nrt'\"\\]|x[0-9a-fA-F]{2}))*")  # what Python 2 writes


class PickleInput:
    """A cursor over the arguments of pickle opcodes.

    Attributes:
        position: bytes read so far.
    """

    def __init__(self, data: memoryview, reading: Reading) -> None:
        self.position = 0
        self._data = data
        self._size = len(data)
        self._reading = reading

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return self._size - self.position

    def byte(self) -> int:
        """Reads an unsigned byte."""
        position = self.position
        if position >= self._size:
            raise self._reading.damaged(f"the end of the data after {position:,} bytes")
        self.position = position + 1
        return self._data[position]

    def raw(self, count: int) -> memoryview:
        """Reads `count` bytes without copying them."""
        start, end = self.position, self.position + count
        if not start <= end <= self._size:
            raise self._reading.damaged(f"an item of {count:,} bytes where {self.left:,} bytes are left")
        self.position = end
        return self._data[start:end]

    def number(self, layout: str) -> int:
        """Reads one integer in the layout of `struct`."""
        return struct.unpack(layout, self.raw(struct.calcsize(layout)))[0]

    def float64(self) -> float:
        """Reads a big-endian double."""
        return struct.unpack(">d", self.raw(8))[0]

    def integer(self, count: int) -> int:
        """Reads a little-endian signed integer of `count` bytes."""
        if count > self._reading.limits.integer_bytes:
            raise self._reading.refused(f"an integer of {count:,} bytes")
        return int.from_bytes(self.raw(count), "little", signed=True)

    def text(self, count: int, encoding: str = "utf-8") -> str:
        """Reads text of `count` bytes."""
        if count > self._reading.limits.string_bytes:
            raise self._reading.refused(f"a string of {count:,} bytes")
        # Paths may hold invalid sequences. Replaced, they can equal no name on an allow-list.
        return str(self.raw(count), encoding, "replace")

    def line(self) -> bytes:
        """Reads up to a newline, which is dropped."""
        size = _FIRST_LINE_WINDOW
        while True:
            window = bytes(self._data[self.position : self.position + size])
            end = window.find(b"\n")
            if end >= 0:
                self.position += end + 1
                return window[:end]
            if size > min(self.left, self._reading.limits.line_bytes):
                raise self._reading.damaged("a text argument without an end")
            size *= 2  # so that all windows together copy no more than a few times the line

    def name_line(self) -> str:
        """Reads a line that names something."""
        return self.line().decode("utf-8", "replace")

    def integer_line(self) -> int:
        """Reads a decimal integer; the L of Python 2 may follow it."""
        digits = self.line().removesuffix(b"L")
        if not _INTEGER.fullmatch(digits):
            raise self._reading.damaged("a decimal integer that is none")
        return int(digits)

    def integer_or_bool_line(self) -> int:
        """Reads a decimal integer, where 00 and 01 mean false and true."""
        if bytes(self._data[self.position : self.position + 3]) in (b"00\n", b"01\n"):
            return self.line() == b"01"
        return self.integer_line()

    def float_line(self) -> float:
        """Reads a decimal floating-point number."""
        line = self.line()
        try:
            # The time to convert a decimal number grows with the square of its length.
            return float(line.decode("ascii") if len(line) <= self._reading.limits.number_line_bytes else "")
        except ValueError:
            raise self._reading.damaged("a decimal number that is none") from None

    def quoted_line(self) -> str:
        """Reads a Python 2 byte string literal, as latin-1 text."""
        line = self.line().strip()
        is_quoted = len(line) >= 2 and line[:1] == line[-1:] and line[:1] in (b"'", b'"')
        if not is_quoted or not _STRING_BODY.fullmatch(line[1:-1]):
            raise self._reading.damaged("a quoted string that is none")
        return codecs.unicode_escape_decode(line[1:-1])[0]

    def escaped_line(self) -> str:
        """Reads text with raw unicode escapes."""
        try:
            text = codecs.raw_unicode_escape_decode(self.line())[0]
        except UnicodeDecodeError:
            raise self._reading.damaged("a text with a broken escape") from None
        return _SURROGATE.sub("\ufffd", text)

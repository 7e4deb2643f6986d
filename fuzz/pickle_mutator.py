"""Mutations that keep most of a pickle intact: whole opcodes are dropped, repeated, exchanged or changed.

Random bytes break a pickle at once and never get past the first opcodes. Here a file is cut into tokens (an
opcode with its argument), tokens are changed, and what carries lengths or checksums is written anew: byte
strings that hold streams of their own, and the members of zip archives.
"""

from __future__ import annotations

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Callable

_FIXED = {
    **dict.fromkeys(b"\x80KhqC\x8cU\x82\x8a", 1),
    **dict.fromkeys(b"M\x83", 2),
    **dict.fromkeys(b"JrjXTB\x84\x8b", 4),
    **dict.fromkeys(b"G\x95\x8d\x8e\x96", 8),
}
_COUNTED = frozenset(b"C\x8cU\x8aXTB\x8b\x8d\x8e\x96")
_LINES = {**dict.fromkeys(b"FIgpLPSV", 1), **dict.fromkeys(b"ci", 2)}
_BYTES = frozenset(b"CB\x8e\x96")
_FRAME = b"\x95"
_ZIP = b"PK\x03\x04"
_PLAIN_OPCODES = b"()NRabdelostu}]012.QS\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"
_NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    255,
    256,
    65535,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 47),
    -1,
    -2,
    1 << 62,
)

Token = bytes


def tokens_of(data: bytes) -> list[Token]:
    """Cuts a pickle, or several in a row, into opcodes with their arguments; what is none, into bytes."""
    tokens, position = [], 0
    while position < len(data):
        end = min(_end_of(data, position), len(data))
        tokens.append(data[position:end])
        position = end
    return tokens


def _end_of(data: bytes, start: int) -> int:
    opcode, end = data[start], start + 1
    if opcode in _LINES:
        for _ in range(_LINES[opcode]):
            end = data.find(b"\n", end) + 1 or len(data)
        return end
    width = _FIXED.get(opcode, 0)
    if opcode in _COUNTED:
        return end + width + int.from_bytes(data[end : end + width], "little")
    return end + width


class Mutator:
    """Changes files at random.

    Args:
        seeds: whole files, from which pieces are taken.
        mutate_bytes: (data, longest result) -> data: the fuzzer's own mutation, for what has no tokens.
        make_file: makes a whole file with wrong contents, now and then taken in place of a changed one.
    """

    def __init__(
        self,
        seeds: list[bytes],
        mutate_bytes: Callable[[bytes, int], bytes],
        make_file: Callable[[random.Random], bytes],
    ) -> None:
        self._mutate_bytes = mutate_bytes
        self._make_file = make_file
        self._pool = [tokens_of(pickle) for seed in seeds for pickle in _pickles_of(seed) if pickle]

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Returns a changed file of at most `max_size` bytes."""
        dice = random.Random(seed)
        if dice.random() < 0.2:
            changed = self._make_file(dice)
        elif data[:4] == _ZIP and dice.random() < 0.7:
            changed = self._mutate_zip(data, dice)
        elif dice.random() < 0.15:
            changed = self._mutate_bytes(data, max_size)
        else:
            changed = self._mutate_pickle(data, dice)
        return bytes(changed[:max_size])

    def cross(self, data: bytes, other: bytes, max_size: int, seed: int) -> bytes:
        """Returns the beginning of one file's opcodes and the end of another's."""
        dice = random.Random(seed)
        a, b = tokens_of(data), tokens_of(other)
        changed = a[: dice.randint(0, len(a))] + b[dice.randint(0, len(b)) :]
        return b"".join(changed)[:max_size]

    def _mutate_pickle(self, data: bytes, dice: random.Random) -> bytes:
        tokens = tokens_of(data)
        if dice.random() < 0.5:
            # A frame's length is seldom right after a change, and most readers do not need frames.
            tokens = [token for token in tokens if token[:1] != _FRAME]
        for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
            self._change(tokens, dice)
        return b"".join(tokens)

    def _change(self, tokens: list[Token], dice: random.Random) -> None:
        at = dice.randrange(len(tokens)) if tokens else 0
        length = dice.choice((1, 1, 1, 2, 3, 8, 40))
        some = tokens[at : at + length]
        what = dice.randrange(8) if tokens else 7
        if what == 0:
            del tokens[at : at + length]
        elif what == 1:
            tokens[at:at] = some * dice.choice((1, 2, 3, 50))
        elif what == 2:
            to = dice.randrange(len(tokens))
            tokens[to : to + len(some)] = some
        elif what == 3:
            tokens[at] = _simple(dice)
        elif what == 4:
            tokens.insert(at, _simple(dice))
        elif what in (5, 6):
            tokens[at] = self._other_value(tokens[at], dice)
        else:
            donor = dice.choice(self._pool)
            begin = dice.randrange(len(donor))
            tokens[at : at + dice.randint(0, length)] = donor[begin : begin + dice.choice((1, 2, 4, 16, 60))]

    def _other_value(self, token: Token, dice: random.Random) -> Token:
        """The same opcode, or one of its kind, with another argument."""
        opcode = token[0]
        if opcode in _COUNTED and opcode not in b"\x8a\x8b":
            width = _FIXED[opcode]
            payload = token[1 + width :]
            if opcode in _BYTES and len(payload) > 16 and dice.random() < 0.8:
                payload = self._mutate_pickle(payload, dice)
            else:
                payload = self._mutate_bytes(payload, len(payload) + 16) if payload else b"x"
            length = len(payload) if dice.random() < 0.95 else dice.choice(_NUMBERS)
            return token[:1] + (length % (1 << 8 * width)).to_bytes(width, "little") + payload
        if opcode in _LINES:
            return token[:1] + self._mutate_bytes(token[1:-1] or b"1", len(token) + 16) + b"\n"
        if opcode in b"hjqr":
            return token[:1] + bytes([dice.randrange(64)]) + token[2:]
        if opcode in _FIXED:
            return _number(dice)
        return _simple(dice)

    def _mutate_zip(self, data: bytes, dice: random.Random) -> bytes:
        """Changes a member, or the directory, and writes the archive anew with right checksums."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        except Exception:  # whatever the archive is, only its bytes can be changed
            return self._mutate_bytes(data, len(data) + 64)
        if not members:
            return data
        at = dice.randrange(len(members))
        pickles = [index for index, (name, _) in enumerate(members) if name.endswith(".pkl")]
        if pickles and dice.random() < 0.7:
            at = dice.choice(pickles)
        name, content = members[at]
        what = dice.randrange(10)
        if what == 0:
            members[at] = (
                dice.choice(("../x", "/x", "data.pkl", "a/data.pkl", name + "/", name.upper())),
                content,
            )
        elif what == 1:
            del members[at]
        elif what == 2:
            members.insert(dice.randrange(len(members)), (name, content))
        elif what == 3 and content:
            members[at] = (name, self._mutate_bytes(content, len(content) + 16))
        else:
            members[at] = (name, self._mutate_pickle(content, dice))
        method = zipfile.ZIP_STORED if dice.random() < 0.95 else zipfile.ZIP_DEFLATED
        file = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
            warnings.simplefilter("ignore")  # a name that is there twice
            for member in members:
                archive.writestr(*member)
        return file.getvalue()


def _simple(dice: random.Random) -> Token:
    return _number(dice) if dice.random() < 0.3 else bytes([dice.choice(_PLAIN_OPCODES)])


def _number(dice: random.Random) -> Token:
    value = dice.choice(_NUMBERS)
    kind = dice.randrange(4)
    if kind == 0:
        return b"K" + bytes([value % 256])
    if kind == 1:
        return b"G" + struct.pack(
            ">d", dice.choice((0.0, -1.0, 1e308, float("nan"), float("inf"), float(value)))
        )
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def _pickles_of(seed: bytes) -> list[bytes]:
    """The pickles in a file: itself, or those in a zip archive."""
    if seed[:4] != _ZIP:
        return [seed]
    try:
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            return [archive.read(name) for name in archive.namelist() if name.endswith(".pkl")]
    except Exception:  # a hostile archive among the seeds
        return []

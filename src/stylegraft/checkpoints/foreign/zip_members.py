"""A strict reader of zip archives: the members of one and only one reading of the bytes.

A zip is found from its end, and says most things twice. Programs that trust different copies see different
archives, so whatever is said twice must agree here, members may not share bytes, and no name may repeat.

Source: PKWARE, APPNOTE.TXT - .ZIP File Format Specification, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from stylegraft.checkpoints.foreign.limits import Reading, printable

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_HEADER = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_ZIP64_EXTRA = 1
_IN_EXTRA = 0xFFFFFFFF  # a 32 bit size or offset of this value stands in the zip64 extra field
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_SIZES_FOLLOW = 1 << 3
_STORED, _DEFLATED = 0, 8
_MAX_EXTRA_FIELDS = 32
_MAX_INFLATION = 4  # weights hardly shrink; anything beyond is there to fill the memory


@dataclass(frozen=True)
class Member:
    """One file of the archive: where its bytes are, and what they should be."""

    name: str
    is_deflated: bool
    start: int
    stored_bytes: int
    num_bytes: int
    crc32: int


class ZipMembers:
    """The members of an archive by name.

    Args:
        data: the whole archive.
        reading: the account that pays for it.

    Raises:
        CheckpointError: it is damaged, encrypted, ambiguous, or of a kind that no checkpoint is.
    """

    def __init__(self, data: memoryview, reading: Reading) -> None:
        self._data = data
        self._reading = reading
        self._inflated_left = _MAX_INFLATION * len(data)
        self._members: dict[str, Member] = {}
        position, count, end = self._directory()
        directory_start, taken = position, []
        for _ in range(count):
            reading.spend_objects()
            member, header_start, position = self._entry(position, end)
            if member.name in self._members:
                raise reading.refused(f"a zip archive with two members {printable(member.name)}")
            self._members[member.name] = member
            taken.append((header_start, member.start + member.stored_bytes))
        if position != end:
            raise reading.damaged("a zip archive whose directory has another length than declared")
        taken.sort()
        for (_, stop), (start, _) in zip(taken, [*taken[1:], (directory_start, end)]):
            if stop > start:
                raise reading.refused("a zip archive whose members overlap")

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """Names of the members in the order of the directory."""
        return list(self._members)

    def size(self, name: str) -> int:
        """Returns the bytes of a member after unpacking."""
        return self._members[name].num_bytes

    def read(self, name: str) -> memoryview:
        """Returns the bytes of a member: a view where they are stored, a copy where they are deflated.

        Raises:
            CheckpointError: they are not what the directory says.
        """
        member = self._members[name]
        stored = self._data[member.start : member.start + member.stored_bytes]
        content = self._inflate(member, stored) if member.is_deflated else stored
        # torch writes 0 when it is told not to compute sums.
        if member.crc32 and zlib.crc32(content) != member.crc32:
            raise self._reading.damaged(f"another checksum of {printable(name)} than declared")
        return content

    def _inflate(self, member: Member, stored: memoryview) -> memoryview:
        self._inflated_left -= member.num_bytes
        if self._inflated_left < 0:
            raise self._reading.refused(f"a zip archive that unpacks to over {_MAX_INFLATION} times its size")
        stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        try:
            # One more byte than declared, so that a longer stream shows.
            content = stream.decompress(stored, member.num_bytes + 1)
        except zlib.error:
            raise self._reading.damaged(f"a broken stream in {printable(member.name)}") from None
        if len(content) != member.num_bytes or not stream.eof or stream.unused_data:
            raise self._reading.damaged(f"another size of {printable(member.name)} than declared")
        return memoryview(content)

    def _directory(self) -> tuple[int, int, int]:
        """Returns start, number of entries and end of the directory."""
        reading, stop = self._reading, len(self._data)
        signature, disk, first_disk, here, count, size, start, comment = self._unpack(
            _END, stop - _END.size, "end"
        )
        if signature != b"PK\x05\x06" or comment:
            raise reading.damaged("a zip archive without its end, or with bytes after it")
        end = stop - _END.size
        locator = end - _END64_LOCATOR.size
        if locator >= 0 and self._data[locator : locator + 4] == b"PK\x06\x07":
            _, disk64, at, disks = self._unpack(_END64_LOCATOR, locator, "end")
            fields = self._unpack(_END64, at, "end")
            if fields[0] != b"PK\x06\x06" or at + 12 + fields[1] != locator or (disk64, disks) != (0, 1):
                raise reading.damaged("a zip archive with a broken zip64 end")
            for small, large, unset in (
                (here, fields[6], 0xFFFF),
                (count, fields[7], 0xFFFF),
                (size, fields[8], _IN_EXTRA),
                (start, fields[9], _IN_EXTRA),
            ):
                if small not in (unset, large):
                    raise reading.refused("a zip archive with two directories")
            here, count, size, start = fields[6:10]
            end = at
        if disk or first_disk or here != count:
            raise reading.refused("a zip archive in several parts")
        if start + size != end or count * _ENTRY.size > size:
            raise reading.damaged("a zip archive whose directory is not where its end says")
        return start, count, end

    def _entry(self, position: int, end: int) -> tuple[Member, int, int]:
        """Returns a member, the start of its own header, and the position of the next directory entry."""
        reading = self._reading
        fields = self._unpack(_ENTRY, position, "directory")
        _, _, _, flags, method, _, _, crc32, stored, size, name_len, extra_len, comment_len, disk, *_ = fields
        header_start: int = fields[16]
        name_start = position + _ENTRY.size
        extra_start = name_start + name_len
        next_entry = extra_start + extra_len + comment_len
        if fields[0] != b"PK\x01\x02" or next_entry > end:
            raise reading.damaged("a zip archive with a broken directory")
        raw_name = bytes(self._data[name_start:extra_start])
        name = raw_name.decode("utf-8", "replace")
        if flags & _ENCRYPTED:
            raise reading.refused(f"a zip archive with the encrypted member {printable(name)}")
        if method not in (_STORED, _DEFLATED) or disk:
            raise reading.refused(f"a zip archive that packs {printable(name)} by method {method}")
        extra = self._data[extra_start : extra_start + extra_len]
        size, stored, header_start = self._zip64(extra, (size, stored, header_start))
        if method == _STORED and size != stored:
            raise reading.refused(f"a stored zip member {printable(name)} of two sizes")
        start = self._check_header(header_start, raw_name, flags, method, (size, stored), crc32)
        if start + stored > len(self._data):
            raise reading.damaged(f"the zip member {printable(name)}, which is cut short")
        return Member(name, method == _DEFLATED, start, stored, size, crc32), header_start, next_entry

    def _check_header(
        self, at: int, name: bytes, flags: int, method: int, sizes: tuple[int, int], crc32: int
    ) -> int:
        """Compares a member's own header with its directory entry; returns where its bytes start."""
        fields = self._unpack(_HEADER, at, "member")
        signature, _, own_flags, own_method, _, _, own_crc32, stored, size, name_len, extra_len = fields
        name_start = at + _HEADER.size
        start = name_start + name_len + extra_len
        own_name = bytes(self._data[name_start : name_start + name_len])
        same = signature == b"PK\x03\x04" and (own_name, own_flags, own_method) == (name, flags, method)
        if same and not flags & _SIZES_FOLLOW:
            own_sizes = self._zip64(self._data[name_start + name_len : start], (size, stored))
            same = (*own_sizes, own_crc32) == (*sizes, crc32)
        if not same:
            shown = printable(name.decode("utf-8", "replace"))
            raise self._reading.refused(f"a zip archive that describes {shown} twice, differently")
        return start

    def _zip64(self, extra: memoryview, values: tuple[int, ...]) -> tuple[int, ...]:
        """Replaces each value that stands in the zip64 extra field; the field holds these only, in order."""
        wide: list[int] | None = None
        for _ in range(_MAX_EXTRA_FIELDS):
            if len(extra) < _EXTRA.size:
                break
            kind, num_bytes = _EXTRA.unpack_from(extra)
            if kind == _ZIP64_EXTRA and (wide is not None or num_bytes % 8 or num_bytes > 24):
                raise self._reading.damaged("a zip archive with a broken zip64 field")
            body = extra[_EXTRA.size : _EXTRA.size + num_bytes]
            if kind == _ZIP64_EXTRA and len(body) == num_bytes:
                wide = [number for (number,) in struct.iter_unpack("<Q", body)]
            extra = extra[_EXTRA.size + num_bytes :]
        else:
            # The extra fields of many headers may be the same bytes, which would be walked again and again.
            raise self._reading.refused(f"a zip member with {_MAX_EXTRA_FIELDS} extra fields or more")
        queue = list(wide or ())
        result = tuple(queue.pop(0) if value == _IN_EXTRA and queue else value for value in values)
        if queue or _IN_EXTRA in result:
            raise self._reading.damaged("a zip archive with a broken zip64 field")
        return result

    def _unpack(self, layout: struct.Struct, at: int, what: str) -> tuple[Any, ...]:
        if at < 0 or at + layout.size > len(self._data):
            raise self._reading.damaged(f"a zip archive whose {what} is cut short")
        return layout.unpack_from(self._data, at)

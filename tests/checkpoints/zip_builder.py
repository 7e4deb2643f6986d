"""Builds zip archives by hand, so that each field can lie."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

CENTRAL_FIELDS = ("flags", "method", "crc32", "stored", "size", "offset", "disk", "extra", "comment")
LOCAL_FIELDS = ("name", "flags", "method", "crc32", "stored", "size", "extra")


@dataclass
class Entry:
    """One member; `local` and `central` replace fields in one of its two descriptions.

    Attributes:
        content: what the member unpacks to.
        raw: the bytes in the archive; None: the content, packed as `method` says.
        is_only_listed: whether it has no bytes of its own, only an entry in the directory.
    """

    name: str
    content: bytes = b""
    method: int = 0
    raw: bytes | None = None
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    is_only_listed: bool = False

    def facts(self, changes: dict[str, Any], fields: tuple[str, ...], offset: int = 0) -> dict[str, Any]:
        assert set(changes) <= set(fields)
        return {
            "name": self.name.encode(),
            "flags": 0,
            "method": self.method,
            "crc32": zlib.crc32(self.content),
            "stored": len(self.packed),
            "size": len(self.content),
            "offset": offset,
            "disk": 0,
            "extra": b"",
            "comment": b"",
        } | changes

    @property
    def packed(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.method == 8:
            packer = zlib.compressobj(wbits=-15)
            return packer.compress(self.content) + packer.flush()
        return self.content


def build(entries: list[Entry], tail: bytes = b"", zip64: dict[str, int] | None = None, **end: int) -> bytes:
    """Returns the archive. `zip64` adds a zip64 end with changes, `end` changes fields of the plain one."""
    data, directory = b"", b""
    for entry in entries:
        offset = len(data)
        f = entry.facts(entry.local, LOCAL_FIELDS)
        sizes = (f["crc32"], f["stored"], f["size"], len(f["name"]), len(f["extra"]))
        if not entry.is_only_listed:
            data += struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, f["flags"], f["method"], 0, 0, *sizes)
            data += f["name"] + f["extra"] + entry.packed
        f = entry.facts(entry.central, CENTRAL_FIELDS, offset)
        sizes = (f["crc32"], f["stored"], f["size"], len(f["name"]), len(f["extra"]), len(f["comment"]))
        directory += struct.pack("<4s6H3L3H", b"PK\x01\x02", 20, 20, f["flags"], f["method"], 0, 0, *sizes)
        directory += struct.pack("<2H2L", f["disk"], 0, 0, f["offset"])
        directory += f["name"] + f["extra"] + f["comment"]
    known = {"disk": 0, "count": len(entries), "size": len(directory), "start": len(data)}
    start_of_end = len(data) + len(directory)
    archive = data + directory
    if zip64 is not None:
        wide = known | {"at": start_of_end, "disks": 1, "length": 44} | zip64
        counts = (0, 0, wide["count"], wide["count"], wide["size"], wide["start"])
        archive += struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", wide["length"], 45, 45, *counts)
        archive += struct.pack("<4sLQL", b"PK\x06\x07", 0, wide["at"], wide["disks"])
    f = known | {"comment": 0} | end
    counts = (f["disk"], f["disk"], f["count"], f["count"], f["size"], f["start"], f["comment"])
    return archive + struct.pack("<4s4H2LH", b"PK\x05\x06", *counts) + tail

"""Hostile zip, tar and gzip files, and what `torch.save` makes of hostile objects."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile

from hostile.case import Hostile, unsafe
from hostile.opcodes import (
    BUILD,
    COMMAND,
    EMPTY_DICT,
    EMPTY_LIST,
    MARK,
    NONE,
    TUPLE2,
    call,
    doubled_lists,
    integer,
    mapping,
    old_global,
    pickle2,
    sequence,
    shape,
    stack_global,
    stream,
    text,
)
from zip_builder import Entry, build

SYSTEM = ("os", "system")
MEGABYTE = 1 << 20
DEFLATED = 8


def saved(body: bytes, *more: Entry) -> bytes:
    """What `torch.save` would write for the object that `body` makes."""
    return build([Entry("x/data.pkl", pickle2(body)), *more])


def described(**says: object) -> bytes:
    """An archive whose only member, a harmless pickle, is described otherwise than it is, in both places."""
    return build([Entry("x/data.pkl", pickle2(EMPTY_DICT), local=says, central=says)])


def storage_id(key: str = "0", numel: int = 4, kind: bytes | None = None) -> bytes:
    kind = old_global("torch", "FloatStorage") if kind is None else kind
    return sequence(text("storage"), kind, text(key), text("cpu"), integer(numel)) + b"Q"


def tensor(identifier: bytes, *size: int) -> bytes:
    parts = (identifier, integer(0), shape(*size), shape(*[1] * len(size)), b"\x89", EMPTY_DICT)
    return call(stack_global("torch._utils", "_rebuild_tensor_v2"), *parts)


def namespace(state: bytes) -> bytes:
    return call(old_global("argparse", "Namespace")) + state + BUILD


def overlapping() -> bytes:
    """A member that lies inside another one, so that its bytes count twice."""
    inner = Entry("x/data.pkl", pickle2(EMPTY_DICT))
    outer = Entry("x/version", build([inner]).partition(b"PK\x01\x02")[0])
    inner.is_only_listed, inner.central = True, {"offset": 30 + len(outer.name)}
    return build([outer, inner])


def tar(*members: tuple[str, bytes, str]) -> bytes:
    """A tar archive of (name, type, link) members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            packed.addfile(info)
    return file.getvalue()


# Each lie a zip can tell is tried in the tests of its reader; here are the known attacks, as whole files.
ZIPS: dict[str, Hostile] = {
    "zip_os_system": unsafe(lambda: saved(call(old_global(*SYSTEM), text(COMMAND))), "os.system"),
    "zip_module_class": unsafe(
        lambda: saved(call(old_global("torch.nn.modules.module", "Module"))), "torch.nn.modules.module.Module"
    ),
    "zip_nested_load": unsafe(
        lambda: saved(call(old_global("torch.storage", "_load_from_bytes"), EMPTY_LIST)), "_load_from_bytes"
    ),
    "zip_torch_script": unsafe(
        lambda: saved(EMPTY_DICT, Entry("x/code/__torch__.py", b"import os")), "TorchScript"
    ),
    "zip_bomb": Hostile(
        lambda: build([Entry("x/data.pkl", bytes(64 * MEGABYTE), method=DEFLATED)]), "over 4 times its size"
    ),
    "zip_inflates_beyond_its_size": Hostile(
        lambda: build([Entry("x/data.pkl", bytes(99), DEFLATED, local={"size": 2}, central={"size": 2})]),
        "another size of x/data.pkl",
    ),
    "zip_wrong_checksum": Hostile(lambda: described(crc32=7), "another checksum of x/data.pkl"),
    "zip_encrypted": Hostile(lambda: described(flags=1), "encrypted member x/data.pkl"),
    "zip_packed_by_lzma": Hostile(lambda: described(method=14), "by method 14"),
    "zip_beyond_its_end": Hostile(lambda: described(size=1 << 30, stored=1 << 30), "which is cut short"),
    "zip_other_name_inside": Hostile(
        lambda: build([Entry("x/data.pkl", pickle2(EMPTY_DICT), local={"name": b"x/version"})]),
        "twice, differently",
    ),
    "zip_name_twice": Hostile(
        lambda: saved(EMPTY_DICT, Entry("x/data.pkl", pickle2(NONE))), "two members x/data.pkl"
    ),
    "zip_members_overlap": Hostile(overlapping, "members overlap"),
    "zip_two_folders": Hostile(
        lambda: saved(EMPTY_DICT, Entry("y/data.pkl", pickle2(NONE))), "2 members data.pkl"
    ),
    "zip_without_data": Hostile(lambda: build([Entry("x/version", b"3")]), "0 members data.pkl"),
    "zip_climbs_out": Hostile(
        lambda: saved(EMPTY_DICT, Entry("../../canary", b"x"), Entry("/canary", b"x")), "an empty dict"
    ),
    "zip_of_a_link": Hostile(
        lambda: build([Entry("x/data.pkl", b"/etc/passwd")]), "unknown pickle opcode 0x2f"
    ),
    "zip_with_bytes_behind": Hostile(
        lambda: build([Entry("x/data.pkl", pickle2(EMPTY_DICT))], tail=bytes(9)), "bytes after it"
    ),
    "zip_cut": Hostile(lambda: saved(EMPTY_DICT)[:-1], "without its end"),
    "zip_of_65535_entries": Hostile(
        lambda: build([Entry("x/data.pkl", pickle2(EMPTY_DICT))], count=65535), "not where its end says"
    ),
    "zip64_other_count": Hostile(
        lambda: build([Entry("x/data.pkl", pickle2(EMPTY_DICT))], zip64={"count": 2}), "two directories"
    ),
    "zip64_size_2_62": Hostile(
        lambda: described(
            extra=struct.pack("<2H2Q", 1, 16, 1 << 62, 1 << 62), size=0xFFFFFFFF, stored=0xFFFFFFFF
        ),
        "which is cut short",
    ),
    # The extra fields of many headers may be the same bytes, and would be walked again for each.
    "zip_extra_fields_without_end": Hostile(lambda: described(extra=bytes(4_000)), "32 extra fields or more"),
    "zip64_field_of_8000_sizes": Hostile(
        lambda: described(extra=struct.pack("<2H", 1, 64_000) + bytes(64_000)), "a broken zip64 field"
    ),
    "zip_byte_order_of_text": Hostile(
        lambda: saved(EMPTY_DICT, Entry("x/byteorder", b"\x1b[2Jmiddle")), "the byte order \\x1b[2Jmiddle"
    ),
    "zip_storage_climbs_out": Hostile(
        lambda: saved(storage_id("../../../etc/passwd")), "without its zip member x/data/../../../etc/passwd"
    ),
    "zip_storage_of_2_60": Hostile(
        lambda: saved(storage_id(numel=1 << 60), Entry("x/data/0", bytes(16))), "elements in 16 bytes"
    ),
    "zip_storage_kind_is_code": unsafe(
        lambda: saved(storage_id(kind=old_global(*SYSTEM)), Entry("x/data/0", bytes(16))), "os.system"
    ),
    "zip_storage_key_of_a_megabyte": Hostile(
        lambda: saved(storage_id("0" * MEGABYTE)), "a key of 1,048,576 characters"
    ),
    "zip_tensor_beyond_storage": Hostile(
        lambda: saved(tensor(storage_id(), 5), Entry("x/data/0", bytes(16))), "storage of 4"
    ),
}

SAVED: dict[str, Hostile] = {
    "namespace_with_dunder_attributes": Hostile(
        lambda: saved(
            mapping(args=namespace(mapping(__class__=text("os"), __setstate__=text("eval"), __dict__=NONE)))
        ),
        "a dict with the keys args",
    ),
    "namespace_given_arguments": Hostile(
        lambda: saved(call(old_global("argparse", "Namespace"), text("x"))), "made from arguments"
    ),
    "namespace_built_twice": Hostile(
        lambda: saved(namespace(mapping(a=NONE)) + mapping(b=NONE) + BUILD), "a wrong state"
    ),
    "namespace_with_slots": Hostile(
        lambda: saved(namespace(NONE + mapping(_get_kwargs=NONE) + TUPLE2)), "a wrong state"
    ),
    "namespace_of_reduce": unsafe(
        lambda: saved(namespace(mapping(size=call(old_global(*SYSTEM), text(COMMAND))))), "os.system"
    ),
    "namespace_other_class": unsafe(
        lambda: saved(call(old_global("argparse", "ArgumentParser"))), "argparse.ArgumentParser"
    ),
    "network_of_numbers": Hostile(
        lambda: saved(mapping(g_ema=MARK + text("input.input") + integer(1) + b"d")), "which is no tensor"
    ),
    "network_without_end": Hostile(
        lambda: saved(mapping(g_ema=MARK + text("input.input") + doubled_lists(60) + b"d")),
        "which is no tensor",
    ),
    "network_of_one_tensor": Hostile(
        lambda: saved(
            mapping(g_ema=MARK + text("input.input") + tensor(storage_id(), 4) + b"d"),
            Entry("x/data/0", bytes(16)),
        ),
        "no tensor",
    ),
    "old_form_os_system": unsafe(lambda: stream(root=call(old_global(*SYSTEM), text(COMMAND))), "os.system"),
    "old_form_huge_storage": Hostile(lambda: stream(1 << 60), "16 bytes are left"),
    "old_form_with_bytes_behind": Hostile(lambda: stream(data=bytes(20)), "4 bytes after the end"),
    "old_form_of_a_storage": Hostile(lambda: stream(), "got a Storage"),
    "old_form_keys_are_code": unsafe(
        lambda: stream(keys=call(old_global("builtins", "eval"), text("1"))), "builtins.eval"
    ),
}

OTHERS: dict[str, Hostile] = {
    "tar_climbs_out": Hostile(
        lambda: tar(("../../canary", tarfile.REGTYPE, ""), ("/canary", tarfile.REGTYPE, "")),
        "got a tar archive",
    ),
    "tar_with_links": Hostile(
        lambda: tar(("x", tarfile.SYMTYPE, "/etc/passwd"), ("y", tarfile.LNKTYPE, "x")), "got a tar archive"
    ),
    "tar_of_torch": Hostile(
        lambda: tar(("sys_info", tarfile.REGTYPE, ""), ("pickle", tarfile.REGTYPE, "")),
        "the oldest form (tar",
    ),
    "tar_named_like_a_pickle": Hostile(
        lambda: tar(("cos\nsystem\n(S'echo'\ntR.", tarfile.REGTYPE, "")), "got a tar archive"
    ),
    "gzip_bomb": Hostile(lambda: gzip.compress(bytes(8 * MEGABYTE)), "got a gzip archive"),
    "gzip_of_a_pickle": Hostile(
        lambda: gzip.compress(pickle2(call(old_global(*SYSTEM), text(COMMAND)))), "got a gzip archive"
    ),
}

ARCHIVES = {**ZIPS, **SAVED, **OTHERS}

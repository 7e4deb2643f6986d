"""The zip form of torch.save: every number type and view as torch reads it, and no trick of the archive."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from zip_builder import Entry, build

from stylegraft.checkpoints.foreign.arrays import TensorView
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.rosinality import ALLOWED
from stylegraft.checkpoints.foreign.torch_zip import read_torch_zip
from stylegraft.errors import CheckpointError, UnsafeFileError


def read(data: bytes) -> tuple[Any, Reading]:
    reading = Reading("x.pt", len(data))
    return read_torch_zip(memoryview(data), reading, ALLOWED), reading


def saved(root: object) -> bytes:
    file = io.BytesIO()
    torch.save(root, file)
    return file.getvalue()


def tensors(data: bytes) -> dict[str, torch.Tensor]:
    root, reading = read(data)
    return {name: view.to_torch(reading) for name, view in root.items()}


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes], method: int = 0) -> bytes:
    return build([Entry(name, content, method) for name, content in members.items()])


NUMBERS = {
    "float32": torch.tensor([1.5, -2.25, float("inf")]),
    "float64": torch.tensor([1.5, -1e300, 0.1], dtype=torch.float64),
    "float16": torch.tensor([1.5, -65504.0, 6e-8], dtype=torch.float16),
    "bfloat16": torch.tensor([1.5, -3e38, 1e-40], dtype=torch.bfloat16),
    "int64": torch.tensor([1, -(2**60)]),
    "int32": torch.tensor([1, -(2**30)], dtype=torch.int32),
    "int16": torch.tensor([1, -30000], dtype=torch.int16),
    "int8": torch.tensor([1, -128], dtype=torch.int8),
    "uint8": torch.tensor([1, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "scalar": torch.tensor(7.5),
    "empty": torch.zeros(0, 3),
}


def expected(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("order", ["little", "big"])
def test_number_type_is_read_in_both_byte_orders(name: str, order: str) -> None:
    tensor = NUMBERS[name]
    members = members_of(saved({"a": tensor}))
    assert members["archive/byteorder"] == b"little"
    members["archive/byteorder"] = order.encode()
    if order == "big":
        kind = f"u{tensor.element_size()}"
        members["archive/data/0"] = (
            np.frombuffer(members["archive/data/0"], f"<{kind}").astype(f">{kind}").tobytes()
        )
    got = tensors(packed(members))["a"]
    assert got.dtype == expected(tensor).dtype
    assert got.shape == tensor.shape
    assert torch.equal(got, expected(tensor))


def test_bool_of_another_byte_than_0_and_1_is_true() -> None:
    members = members_of(saved({"a": torch.tensor([True, False])}))
    members["archive/data/0"] = b"\x02\x00"
    assert tensors(packed(members))["a"].tolist() == [True, False]


def test_views_share_a_storage_and_keep_offset_and_strides() -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    root = {"all": base, "part": base[1, 1:], "turned": base.permute(2, 0, 1), "steps": base[:, :, ::2]}
    data = saved(root)
    views, reading = read(data)
    assert len({id(view.storage) for view in views.values()}) == 1
    for name, tensor in root.items():
        got = views[name].to_torch(reading)
        assert got.is_contiguous()
        assert torch.equal(got, tensor)


def test_parameters_are_their_tensors() -> None:
    assert torch.equal(tensors(saved({"a": torch.nn.Parameter(torch.ones(3))}))["a"], torch.ones(3))


def test_archive_without_byte_order_is_little_endian() -> None:
    members = members_of(saved({"a": torch.arange(3.0)}))
    del members["archive/byteorder"]
    assert torch.equal(tensors(packed(members))["a"], torch.arange(3.0))


@pytest.fixture
def without_checksums() -> Iterator[None]:
    torch.serialization.set_crc32_options(False)
    yield
    torch.serialization.set_crc32_options(True)


@pytest.mark.usefixtures("without_checksums")
def test_archive_without_checksums_is_read() -> None:
    assert torch.equal(tensors(saved({"a": torch.arange(3.0)}))["a"], torch.arange(3.0))


def test_deflated_archive_is_read() -> None:
    random_numbers = torch.randn(500, generator=torch.Generator().manual_seed(0))
    members = members_of(saved({"a": random_numbers}))
    assert torch.equal(tensors(packed(members, method=8))["a"], random_numbers)


def test_zip64_ends_may_repeat_or_replace_the_plain_ones() -> None:
    entries = [Entry(name, content) for name, content in members_of(saved({"a": torch.ones(2)})).items()]
    assert torch.equal(tensors(build(entries, zip64={}))["a"], torch.ones(2))
    ends = {"count": 0xFFFF, "size": 0xFFFFFFFF, "start": 0xFFFFFFFF}
    assert torch.equal(tensors(build(entries, zip64={}, **ends))["a"], torch.ones(2))


def test_sizes_in_the_zip64_field_are_read() -> None:
    entries = [Entry(name, content) for name, content in members_of(saved({"a": torch.ones(2)})).items()]
    for entry in entries:
        wide = struct.pack("<2H2Q", 1, 16, len(entry.content), len(entry.content))
        unset = {"size": 0xFFFFFFFF, "stored": 0xFFFFFFFF}
        entry.local, entry.central = {**unset, "extra": wide}, {**unset, "extra": wide}
    assert torch.equal(tensors(build(entries))["a"], torch.ones(2))


def test_large_storage_is_copied_once() -> None:
    data = saved({"a": torch.zeros(4 << 20)})
    tracemalloc.start()
    got = tensors(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * got["a"].nbytes


# What archives may not do. Each trick changes the entries of a good archive, or how they are put together.

GOOD = members_of(saved({"a": torch.arange(4.0)}))
PICKLE, STORAGE = "archive/data.pkl", "archive/data/0"
Entries = dict[str, Entry]


def trick(change: Callable[[Entries], object], **ends: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        entries = {name: Entry(name, content) for name, content in GOOD.items()}
        changed = change(entries)
        return build(changed if isinstance(changed, list) else list(entries.values()), **ends)

    return make


def storage(**changes: Any) -> Callable[[], bytes]:
    """Changes the entry of the storage: its own fields, or those of one of its descriptions."""

    def change(entries: Entries) -> None:
        for name, value in changes.items():
            setattr(entries[STORAGE], name, value)

    return trick(change)


def member_inside_another() -> list[Entry]:
    """Each description of both is true; only that they share bytes is wrong."""
    inner = Entry("archive/inner", b"12345678")
    with_header = build([inner])[: 30 + len(inner.name) + 8]
    outer = Entry("archive/outer", with_header)
    inner.is_only_listed, inner.central = True, {"offset": 30 + len(outer.name)}
    return [outer, inner]


def with_pickle(data: bytes) -> Callable[[], bytes]:
    return trick(lambda entries: setattr(entries[PICKLE], "content", data))


def persistent(*parts: object) -> bytes:
    """The pickle of a persistent id; `Named` parts become globals."""
    file = io.BytesIO()
    pickler = _Pickler(file, 2)
    pickler.dump(_Persistent(parts))
    return file.getvalue()


class _Persistent:
    def __init__(self, parts: tuple[object, ...]) -> None:
        self.parts = parts


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return obj.parts if isinstance(obj, _Persistent) else None


class Bad:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("echo caught > canary",)


def extra64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


ZEROS = bytes(1 << 24)
CUT = build([Entry(name, content) for name, content in GOOD.items()])
TRICKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "two_members_of_a_name": (
        trick(lambda entries: [*entries.values(), Entry(STORAGE, bytes(16))]),
        f"two members {STORAGE}",
    ),
    "another_name_in_the_header": (storage(local={"name": b"archive/data/1"}), "describes .* twice"),
    "another_size_in_the_header": (storage(local={"size": 8}), "describes .* twice"),
    "another_checksum_in_the_header": (storage(local={"crc32": 1}), "describes .* twice"),
    "another_method_in_the_header": (storage(local={"method": 8}), "describes .* twice"),
    "encrypted": (storage(local={"flags": 1}, central={"flags": 1}), "encrypted member"),
    "encrypted_in_the_header": (storage(local={"flags": 1}), "describes .* twice"),
    "bzip2": (storage(method=12), "by method 12"),
    "other_disk": (storage(central={"disk": 1}), "by method"),
    "stored_in_two_sizes": (storage(local={"size": 8}, central={"size": 8}), "of two sizes"),
    "wrong_checksum": (storage(local={"crc32": 1}, central={"crc32": 1}), "another checksum"),
    "members_in_one_place": (
        trick(lambda entries: [*entries.values(), Entry("archive/data/1", is_only_listed=True)]),
        "member is cut short|describes .* twice",
    ),
    "member_inside_another": (
        trick(lambda entries: [*member_inside_another(), *entries.values()]),
        "overlap",
    ),
    "member_past_the_end": (
        storage(local={"stored": 9999, "size": 9999}, central={"stored": 9999, "size": 9999}),
        "cut short",
    ),
    "header_past_the_end": (storage(central={"offset": 1 << 30}), "member is cut short"),
    "header_elsewhere": (storage(central={"offset": 3}), "describes .* twice"),
    "bomb": (
        trick(lambda entries: vars(entries["archive/byteorder"]).update(method=8, content=ZEROS)),
        "unpacks to over 4 times",
    ),
    "large_storage": (storage(method=8, content=ZEROS), "4 elements in 16,777,216 bytes"),
    "stream_longer_than_declared": (
        storage(method=8, content=ZEROS, local={"size": 16}, central={"size": 16}),
        "another size",
    ),
    "stream_shorter_than_declared": (
        storage(method=8, content=bytes(8), local={"size": 16}, central={"size": 16}),
        "another size",
    ),
    "broken_stream": (storage(method=8, raw=b"\xff" * 16), "broken stream"),
    "cut_stream": (storage(method=8, raw=b"\x01\x10\x00\xef\xff" + bytes(3)), "another size"),
    "bytes_after_the_stream": (
        storage(method=8, raw=b"\x01\x10\x00\xef\xff" + GOOD[STORAGE] + b"more"),
        "another size",
    ),
    "bytes_after_the_archive": (trick(lambda entries: None, tail=b"x"), "bytes after it"),
    "comment": (trick(lambda entries: None, tail=b"abc", comment=3), "bytes after it"),
    "no_end": (lambda: CUT[:-30], "without its end"),
    "nothing_but_the_beginning": (lambda: CUT[:10], "end is cut short"),
    "too_many_members_declared": (trick(lambda entries: None, count=60000), "directory is not where"),
    "too_few_members_declared": (trick(lambda entries: None, count=1), "another length than declared"),
    "directory_elsewhere": (trick(lambda entries: None, start=5), "directory is not where"),
    "second_disk": (trick(lambda entries: None, disk=1), "in several parts"),
    "zip64_count_lies": (trick(lambda entries: None, zip64={"count": 1}), "two directories"),
    "zip64_start_lies": (trick(lambda entries: None, zip64={"start": 0}), "two directories"),
    "zip64_end_elsewhere": (trick(lambda entries: None, zip64={"at": 0}), "broken zip64 end"),
    "zip64_end_far_away": (trick(lambda entries: None, zip64={"at": 1 << 60}), "end is cut short"),
    "zip64_end_of_another_length": (trick(lambda entries: None, zip64={"length": 45}), "broken zip64 end"),
    "zip64_on_many_disks": (trick(lambda entries: None, zip64={"disks": 2}), "broken zip64 end"),
    "zip64_huge_start": (
        trick(lambda entries: None, zip64={"start": 1 << 62}, start=0xFFFFFFFF),
        "directory is not where",
    ),
    "zip64_size_without_field": (storage(central={"size": 0xFFFFFFFF}), "broken zip64 field"),
    "zip64_field_without_use": (storage(central={"extra": extra64(16)}), "broken zip64 field"),
    "zip64_field_twice": (storage(central={"extra": extra64() * 2}), "broken zip64 field"),
    "zip64_field_too_short": (
        storage(central={"size": 0xFFFFFFFF, "extra": struct.pack("<2HL", 1, 4, 16)}),
        "broken zip64 field",
    ),
    "zip64_field_cut": (
        storage(central={"size": 0xFFFFFFFF, "extra": struct.pack("<2HL", 1, 8, 16)}),
        "broken zip64 field",
    ),
    "zip64_size_is_huge": (
        storage(central={"size": 0xFFFFFFFF, "extra": extra64(1 << 60)}, local={}),
        "of two sizes",
    ),
    "two_pickles": (
        trick(lambda entries: [*entries.values(), Entry("other/data.pkl", GOOD[PICKLE])]),
        "2 members data.pkl",
    ),
    "no_pickle": (trick(lambda entries: entries.pop(PICKLE) and None), "0 members data.pkl"),
    "no_storage": (trick(lambda entries: entries.pop(STORAGE) and None), "without its zip member"),
    "storage_of_another_size": (storage(content=bytes(15)), "4 elements in 15 bytes"),
    "byte_order_of_another_kind": (
        trick(lambda entries: setattr(entries["archive/byteorder"], "content", b"middle\n")),
        r"byte order middle\\n",
    ),
    "bytes_after_the_pickle": (with_pickle(GOOD[PICKLE] + b"x"), "1 bytes after the end of the pickle"),
    "cut_pickle": (with_pickle(GOOD[PICKLE][:-5]), "whole and undamaged"),
    "storage_of_a_type_by_text": (with_pickle(persistent("storage", "f", "0", "cpu", 4)), "not described"),
    "storage_of_a_negative_length": (
        with_pickle(persistent("storage", torch.FloatStorage, "0", "cpu", -4)),
        "negative length",
    ),
    "storage_of_a_length_by_text": (
        with_pickle(persistent("storage", torch.FloatStorage, "0", "cpu", "4")),
        "not described",
    ),
    "storage_outside_the_folder": (
        with_pickle(persistent("storage", torch.FloatStorage, "../version", "cpu", 4)),
        "without its zip member archive/data/../version",
    ),
}
UNSAFE: dict[str, tuple[Callable[[], bytes], str]] = {
    "code_in_the_pickle": (with_pickle(pickle.dumps(Bad(), 2)), "system"),
    "id_of_another_kind": (
        with_pickle(persistent("module", torch.FloatStorage, "0", "cpu", 4)),
        "unknown kind",
    ),
    "id_of_another_length": (with_pickle(persistent("storage", torch.FloatStorage, "0")), "unknown kind"),
    "storage_class_called": (
        with_pickle(b"\x80\x02ctorch\nFloatStorage\n)R."),
        "a call of a class",
    ),
    "torchscript": (
        trick(lambda entries: [*entries.values(), Entry("archive/code/__torch__.py", b"import os")]),
        "TorchScript, a program",
    ),
    "torchscript_constants": (
        trick(lambda entries: [*entries.values(), Entry("archive/constants.pkl", b".")]),
        "TorchScript, a program",
    ),
}


@pytest.mark.parametrize("name", TRICKS)
def test_trick_is_refused(name: str) -> None:
    make, says = TRICKS[name]
    with pytest.raises(CheckpointError, match=says) as caught:
        use_all(make())
    assert type(caught.value) is CheckpointError
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", UNSAFE)
def test_code_is_refused(name: str) -> None:
    make, says = UNSAFE[name]
    with pytest.raises(UnsafeFileError, match=says):
        use_all(make())


def use_all(data: bytes) -> None:
    root, reading = read(data)
    if isinstance(root, dict):
        for view in root.values():
            if isinstance(view, TensorView):
                view.to_torch(reading)


def test_good_archive_of_the_builder_is_read() -> None:
    use_all(trick(lambda entries: None)())


def test_archive_cut_anywhere_is_refused() -> None:
    data = saved({"a": torch.arange(4.0), "b": torch.ones(2)})
    for end in range(0, len(data), 11):
        with pytest.raises(CheckpointError):
            use_all(data[:end])


def test_archive_with_changed_bytes_is_read_or_refused() -> None:
    """Never another exception, whatever is changed."""
    data = saved({"a": torch.arange(4.0), "b": torch.ones(2, dtype=torch.bfloat16)})
    choose = random.Random(0)
    for _ in range(500):
        changed = bytearray(data)
        for _ in range(choose.choice([1, 1, 2, 8])):
            changed[choose.randrange(len(data))] = choose.choice([0, 1, 0x7F, 0xFF, choose.randrange(256)])
        try:
            use_all(bytes(changed))
        except CheckpointError:
            continue

"""Reads torch's legacy stream, the form of `torch.save` before zip files.

Five pickles (magic number, protocol version, system information, the object, the keys of its storages in
order), then for each key an int64 element count and the raw little-endian elements. Inside official
StyleGAN pickles every storage is such a stream of its own. The original reads it by unpickling; here the
restricted machine does, with an allow-list that holds nothing but the names of the storage types.
"""

from __future__ import annotations

from functools import partial

from stylegraft.checkpoints.foreign.inert import Allowed, table
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.storages import STORAGE_GLOBALS, DeclaredStorages, Storage
from stylegraft.checkpoints.foreign.unpickler import read_pickle

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001


def read_legacy_stream(
    data: memoryview, reading: Reading, allowed: Allowed, is_nested: bool = False
) -> object:
    """Reads a whole stream.

    Args:
        data: the stream.
        reading: the account that pays for it.
        allowed: globals the object may name besides the storage types.
        is_nested: whether it is the stream of one storage inside another file.

    Returns:
        The object of the stream, with `Storage`s whose data are views of `data`.

    Raises:
        UnsafeFileError: it names other globals.
        CheckpointError: it is damaged, or no such stream.
    """
    storages = DeclaredStorages(reading)
    position = 0

    def next_pickle(names: Allowed) -> object:
        nonlocal position
        value, num_bytes = read_pickle(data[position:], names, reading, load_storage)
        position += num_bytes
        return value

    def load_storage(identifier: object) -> object:
        # ('storage', type, key, device, element count, None)
        if not isinstance(identifier, tuple) or len(identifier) != 6 or identifier[0] != "storage":
            raise reading.unsafe("a persistent id of an unknown kind")
        if identifier[5] is not None:
            raise reading.damaged("a torch storage that is not described")
        return storages.declare(kind=identifier[1], key=identifier[2], numel=identifier[4])

    if next_pickle({}) != MAGIC_NUMBER:
        raise reading.damaged("a torch storage without its magic number")
    if next_pickle({}) != _PROTOCOL_VERSION:
        raise reading.refused("a torch storage of an unknown protocol version")
    system = next_pickle({})
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise reading.refused("a torch storage of a big-endian machine")
    result = next_pickle({**STORAGE_GLOBALS, **allowed})
    if is_nested and not isinstance(result, Storage):
        raise reading.refused("a nested torch stream that holds something other than a storage")
    keys = next_pickle({})
    if not isinstance(keys, list) or any(not isinstance(key, str) for key in keys):
        raise reading.damaged("a torch storage without a list of keys")
    if len(keys) != len(storages) or set(keys) != set(storages):
        raise reading.damaged("a torch storage whose keys are not those of its tensors")
    for key in keys:
        storage = storages[key]
        end_of_count = position + 8
        if int.from_bytes(data[position:end_of_count], "little") != storage.numel:
            raise reading.damaged("a torch storage that is cut short or of another length than declared")
        position = end_of_count + storage.numel * storage.element_type.num_bytes
        if position > len(data):
            left = len(data) - end_of_count
            raise reading.damaged(
                f"a torch storage of {storage.numel:,} elements where {left:,} bytes are left"
            )
        storage.load = partial(data.__getitem__, slice(end_of_count, position))
    if position != len(data):
        raise reading.refused(f"{len(data) - position:,} bytes after the end of a torch storage")
    return result


def load_from_bytes(reading: Reading, args: tuple[object, ...]) -> object:
    """Stands for `torch.storage._load_from_bytes`, which gets a legacy stream that holds one storage."""
    stream = args[0] if len(args) == 1 else None
    if isinstance(stream, bytes):
        stream = memoryview(stream)
    if not isinstance(stream, memoryview):
        raise reading.damaged("a torch storage without data")
    return read_legacy_stream(stream, reading, {}, is_nested=True)


STORAGE_LOADER_GLOBALS: Allowed = table(("torch.storage", "_load_from_bytes", load_from_bytes))

"""Reads torch's legacy stream, the form of `torch.save` before zip files.

Five pickles (magic number, protocol version, system information, the object, the keys of its storages in
order), then for each key an int64 element count and the raw little-endian elements. Inside official
StyleGAN pickles every storage is such a stream of its own. The original reads it by unpickling; here the
restricted machine does, with an allow-list that holds nothing but the names of the storage types.
"""

from __future__ import annotations

from stylegraft.checkpoints.foreign.arrays import TORCH_STORAGES, Storage, never_called
from stylegraft.checkpoints.foreign.inert import Allowed, Standin, table
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.unpickler import read_pickle

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_STORAGE_GLOBALS: Allowed = table(*(("torch", name, never_called) for name in TORCH_STORAGES))


def read_legacy_stream(data: memoryview, reading: Reading, allowed: Allowed) -> object:
    """Reads a whole stream.

    Args:
        data: the stream.
        reading: the account that pays for it.
        allowed: globals the object may name besides the storage types.

    Returns:
        The object of the stream, with `Storage`s whose data are views of `data`.

    Raises:
        UnsafeFileError: it names other globals.
        CheckpointError: it is damaged, or no such stream.
    """
    storages: dict[str, Storage] = {}
    position = 0

    def next_pickle(names: Allowed) -> object:
        nonlocal position
        value, num_bytes = read_pickle(data[position:], names, reading, load_storage)
        position += num_bytes
        return value

    def load_storage(identifier: object) -> object:
        return _declare_storage(reading, identifier, storages)

    if next_pickle({}) != MAGIC_NUMBER:
        raise reading.damaged("a torch storage without its magic number")
    if next_pickle({}) != _PROTOCOL_VERSION:
        raise reading.refused("a torch storage of an unknown protocol version")
    system = next_pickle({})
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise reading.refused("a torch storage of a big-endian machine")
    result = next_pickle({**_STORAGE_GLOBALS, **allowed})
    keys = next_pickle({})
    if not isinstance(keys, list) or any(not isinstance(key, str) for key in keys):
        raise reading.damaged("a torch storage without a list of keys")
    if sorted(keys) != sorted(storages):
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
        storage.data = data[end_of_count:position]
    return result


def load_from_bytes(reading: Reading, args: tuple[object, ...]) -> object:
    """Stands for `torch.storage._load_from_bytes`, which gets a legacy stream that holds one storage."""
    stream = args[0] if len(args) == 1 else None
    if isinstance(stream, bytes):
        stream = memoryview(stream)
    if not isinstance(stream, memoryview):
        raise reading.damaged("a torch storage without data")
    result = read_legacy_stream(stream, reading, {})
    if not isinstance(result, Storage):
        raise reading.refused("a nested torch stream that holds something other than a storage")
    return result


def _declare_storage(reading: Reading, identifier: object, storages: dict[str, Storage]) -> Storage:
    """Answers a persistent id: ('storage', type, key, device, element count, None)."""
    if not isinstance(identifier, tuple) or len(identifier) != 6 or identifier[0] != "storage":
        raise reading.unsafe("a persistent id of an unknown kind")
    _, kind, key, _, numel, view = identifier
    if (
        not isinstance(kind, Standin)
        or not isinstance(key, str)
        or type(numel) is not int
        or view is not None
    ):
        raise reading.damaged("a torch storage that is not described")
    element_type = TORCH_STORAGES.get(kind.name.removeprefix("torch."))
    if element_type is None or numel < 0:
        raise reading.damaged("a torch storage of no known type or of negative length")
    known = storages.setdefault(key, Storage(element_type, numel))
    if known.element_type != element_type or known.numel != numel:
        raise reading.damaged("a torch storage that is described twice, differently")
    return known


STORAGE_LOADER_GLOBALS: Allowed = table(("torch.storage", "_load_from_bytes", load_from_bytes))

"""Reads the zip form of `torch.save`, the usual one since torch 1.6.

One folder holds `data.pkl`, a pickle whose persistent ids name storages, `data/KEY` with the raw elements of
each storage, and `byteorder`. Storages are read when a tensor needs them: those of an optimiser never are.
"""

from __future__ import annotations

from functools import partial

from stylegraft.checkpoints.foreign.inert import Allowed
from stylegraft.checkpoints.foreign.limits import Reading, printable
from stylegraft.checkpoints.foreign.storages import STORAGE_GLOBALS, DeclaredStorages, Storage
from stylegraft.checkpoints.foreign.unpickler import read_pickle
from stylegraft.checkpoints.foreign.zip_members import ZipMembers

_PICKLE = "data.pkl"
_BYTE_ORDERS = {b"little": "<", b"big": ">"}


def read_torch_zip(data: memoryview, reading: Reading, allowed: Allowed) -> object:
    """Reads a whole archive.

    Args:
        data: the archive.
        reading: the account that pays for it.
        allowed: globals the object may name besides the storage types.

    Returns:
        The object that was saved, with `Storage`s whose data are views of `data` where they are not deflated.

    Raises:
        UnsafeFileError: it names other globals, or is a TorchScript archive, which is code.
        CheckpointError: it is damaged, or no such archive.
    """
    members = ZipMembers(data, reading)
    pickles = [name for name in members.names if name.count("/") == 1 and name.endswith(f"/{_PICKLE}")]
    if len(pickles) != 1:
        raise reading.refused(f"a zip archive with {len(pickles)} members {_PICKLE} in a top folder")
    folder = pickles[0].removesuffix(_PICKLE)
    if any(name.startswith((f"{folder}constants.pkl", f"{folder}code/")) for name in members.names):
        raise reading.unsafe("TorchScript, a program")
    storages = DeclaredStorages(reading, _byte_order(members, f"{folder}byteorder", reading))

    def load_storage(identifier: object) -> Storage:
        # ('storage', type, key, device, element count)
        if not isinstance(identifier, tuple) or len(identifier) != 5 or identifier[0] != "storage":
            raise reading.unsafe("a persistent id of an unknown kind")
        storage = storages.declare(kind=identifier[1], key=identifier[2], numel=identifier[4])
        if storage.load is None:
            _find(storage, f"{folder}data/{identifier[2]}", members, reading)
        return storage

    pickle = members.read(pickles[0])
    result, num_bytes = read_pickle(pickle, {**STORAGE_GLOBALS, **allowed}, reading, load_storage)
    if num_bytes != len(pickle):
        raise reading.refused(f"{len(pickle) - num_bytes:,} bytes after the end of the pickle")
    return result


def _byte_order(members: ZipMembers, name: str, reading: Reading) -> str:
    """The order written beside the storages; before torch 2.1 none was, and files were little-endian."""
    if name not in members:
        return "<"
    written = bytes(members.read(name)[:16])
    if written not in _BYTE_ORDERS:
        raise reading.damaged(f"the byte order {printable(written.decode('latin1'))}")
    return _BYTE_ORDERS[written]


def _find(storage: Storage, name: str, members: ZipMembers, reading: Reading) -> None:
    """Ties a storage to its member, which must be exactly as long as the storage says it is."""
    needed = storage.numel * storage.element_type.num_bytes
    if name not in members:
        raise reading.damaged(f"a torch storage without its zip member {printable(name)}")
    if members.size(name) != needed:
        raise reading.damaged(
            f"a torch storage of {storage.numel:,} elements in {members.size(name):,} bytes "
            f"({printable(name)})"
        )
    storage.load = partial(members.read, name)

"""Kernels as machine code: compiled once, by numba, and from then on read from disk without it.

numba is a compiler written in Python. To load it takes half a second and 80 MB, which a training would hold
to its end; the machine code that it makes of this folder's `code` is some 30 kB. LLVM puts that in its place.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from stylegraft.errors import RunError
from stylegraft.files import cache_folder, write_bytes

_KERNELS = (
    *("epilogue.forward", "epilogue.backward", "scale.forward", "scale.backward"),
    *("spread.spread", "to_image.forward", "to_image.backward"),
)
# What LLVM turns loops into, of the C library of every process. Anything else would be numba's.
_LIBRARY_CALLS = frozenset(("memcpy", "memmove", "memset", "memset_pattern16"))
_DIGEST_BYTES = hashlib.sha256().digest_size

_log = logging.getLogger(__name__)
_engines: list[Any] = []  # machine code lives as long as its engine


@cache
def addresses(maps: str) -> dict[str, int]:
    """Returns where in memory the machine code of each kernel is, by "module.function" of `code`.

    Args:
        maps: type of the feature maps that kernels work on, "bf16" or "fp32". Each is compiled when needed.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    key = _key(maps)
    machine_code = _read(key)
    if machine_code is None:
        start = time.perf_counter()
        machine_code, compiled = _compile(maps)
        seconds = time.perf_counter() - start
        kept = machine_code is not None and _write(key, machine_code)
        fate = "kept for later runs" if kept else "for this process only"
        _log.info("kernels    for %s compiled in %.1f s, %s", maps, seconds, fate)
        if machine_code is None:
            return compiled
    # Also what was compiled just now is loaded, so that the first run computes what all others do.
    return _load(machine_code)


def _target_machine() -> Any:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )


def _key(maps: str) -> str:
    """Returns a hash of all that machine code depends on: its source, who compiles it, for what processor."""
    facts = [maps, version("numba"), version("llvmlite"), llvm.get_process_triple(), llvm.get_host_cpu_name()]
    digest = hashlib.sha256(repr([*facts, llvm.get_host_cpu_features().flatten()]).encode())
    for path in sorted(Path(__file__).with_name("code").glob("*.py")):
        digest.update(path.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _compile(maps: str) -> tuple[bytes | None, dict[str, int]]:
    """Returns all kernels as one object file, and where numba has put them meanwhile.

    The file is None if it would need numba to run: in none of the releases known, but who knows the next.
    """
    whole, compiled = llvm.parse_assembly(""), {}
    for kernel in _KERNELS:
        module, name = kernel.split(".")
        make = getattr(importlib.import_module(f"stylegraft.ops.kernels.code.{module}"), name)
        function = make(importlib.import_module("stylegraft.ops.kernels.code.memory").MAPS[maps])
        compiled[kernel] = function.address
        assembly = function.inspect_llvm().replace(function.native_name, _symbol(kernel))
        whole.link_in(llvm.parse_assembly(assembly))
    needed = {f.name for f in whole.functions if f.is_declaration and not f.name.startswith("llvm.")}
    if needed - _LIBRARY_CALLS:
        return None, compiled
    return _target_machine().emit_object(whole), compiled


def _load(machine_code: bytes) -> dict[str, int]:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    _engines.append(engine)
    return {kernel: engine.get_function_address(_symbol(kernel)) for kernel in _KERNELS}


def _symbol(kernel: str) -> str:
    return f"stylegraft.{kernel}"


def _places(key: str) -> tuple[Path, Path]:
    """Where machine code is kept: beside the compiled Python, which is as trusted, or in the user's cache."""
    name = f"kernels-{key[:32]}.o"
    return Path(cache_from_source(__file__)).with_name(name), cache_folder() / "kernels" / name


def _read(key: str) -> bytes | None:
    beside_python, in_cache = _places(key)
    for path in (beside_python, in_cache):
        with suppress(OSError), path.open("rb") as file:
            if path == in_cache and not _is_mine(file.fileno()):
                continue
            digest, machine_code = file.read(_DIGEST_BYTES), file.read()
            if hashlib.sha256(machine_code).digest() == digest:
                return machine_code
    return None


def _write(key: str, machine_code: bytes) -> bool:
    """Returns whether there was a place for it."""
    for path in _places(key):
        with suppress(RunError):
            write_bytes(path, hashlib.sha256(machine_code).digest() + machine_code)
            return True
    return False


def _is_mine(descriptor: int) -> bool:
    """Whether nobody but this user, or root, can have written an open file; the cache may lie anywhere."""
    if not hasattr(os, "getuid"):
        return True
    status = os.fstat(descriptor)
    return status.st_uid in (0, os.getuid()) and not status.st_mode & 0o002

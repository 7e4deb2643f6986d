"""Machine code on disk: found again, and never trusted when it is damaged or somebody else's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stylegraft.ops.kernels import machine_code

RUNS_A_KERNEL = (
    "import sys, torch; from stylegraft.ops.kernels.scale import scale_channels\n"
    "x = torch.ones(2, 8, 4, 4, dtype=torch.bfloat16).to(memory_format=torch.channels_last)\n"
    "assert (scale_channels(x, torch.full((2, 8), 3.0)) == 3).all()\n"
    "print('numba' in sys.modules)\n"
)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Both places where machine code is kept, empty, and the machine code of this process."""
    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path / "cache"))
    machine_code.addresses("bf16")
    code = machine_code._read(machine_code._key("bf16"))
    assert code is not None
    monkeypatch.setattr(machine_code, "cache_from_source", lambda path: str(tmp_path / "python" / "x.pyc"))
    return machine_code._places("k" * 64), code


def test_machine_code_is_compiled_once_and_then_loaded_without_the_compiler(tmp_path):
    environment = os.environ | {
        "PYTHONPYCACHEPREFIX": str(tmp_path),
        "STYLEGRAFT_CACHE": str(tmp_path / "no"),
    }
    said = [
        subprocess.run(
            [sys.executable, "-c", RUNS_A_KERNEL], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert said == [["True"], ["False"]]


def test_machine_code_comes_back(places):
    (beside, in_cache), code = places
    assert machine_code._read("k" * 64) is None
    machine_code._write("k" * 64, code)
    assert beside.exists()
    assert not in_cache.exists()
    assert machine_code._read("k" * 64) == code
    assert machine_code._read("other" * 13) is None
    assert set(machine_code._load(code)) == set(machine_code._KERNELS)


def test_machine_code_goes_to_the_cache_where_python_lies_out_of_reach(places):
    (beside, in_cache), code = places
    beside.parent.write_text("in the way")
    machine_code._write("k" * 64, code)
    assert in_cache.exists()
    assert machine_code._read("k" * 64) == code


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_damaged_machine_code_counts_as_absent(damage, places):
    (beside, _), code = places
    machine_code._write("k" * 64, code)
    data = bytearray(beside.read_bytes())
    data[100] ^= 1
    beside.write_bytes({"empty": b"", "cut": data[:50], "flipped": data}[damage])
    assert machine_code._read("k" * 64) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users are told apart by number")
def test_machine_code_that_others_may_write_is_not_run(places, monkeypatch):
    (beside, in_cache), code = places
    machine_code._write("k" * 64, code)
    in_cache.parent.mkdir(parents=True)
    beside.rename(in_cache)
    assert machine_code._read("k" * 64) == code
    in_cache.chmod(0o666)
    assert machine_code._read("k" * 64) is None
    in_cache.chmod(0o600)
    monkeypatch.setattr(machine_code.os, "getuid", lambda: 12345)
    if in_cache.stat().st_uid != 0:
        assert machine_code._read("k" * 64) is None


def test_key_follows_source_versions_and_processor(monkeypatch, tmp_path):
    key = machine_code._key("bf16")
    assert machine_code._key("bf16") == key
    assert machine_code._key("fp32") != key
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "version", lambda name: "0")
        assert machine_code._key("bf16") != key
    with monkeypatch.context() as patch:
        patch.setattr(machine_code.llvm, "get_host_cpu_name", lambda: "another")
        assert machine_code._key("bf16") != key
    home = Path(machine_code.__file__).parent
    (tmp_path / "code").mkdir()
    for path in (home / "machine_code.py", *home.glob("code/*.py")):
        (tmp_path / path.relative_to(home)).write_bytes(path.read_bytes())
    monkeypatch.setattr(machine_code, "__file__", str(tmp_path / "machine_code.py"))
    assert machine_code._key("bf16") == key
    with (tmp_path / "code" / "scale.py").open("a") as file:
        file.write("# changed\n")
    assert machine_code._key("bf16") != key


def test_machine_code_that_needs_the_compiler_is_not_kept(monkeypatch, places):
    """Some later release may leave calls of its own in it; then its addresses serve, in this process."""
    monkeypatch.setattr(machine_code, "_LIBRARY_CALLS", frozenset())
    compiled_code, compiled = machine_code._compile("bf16")
    if compiled_code is None:
        assert set(compiled) == set(machine_code._KERNELS)
    monkeypatch.setattr(machine_code, "_compile", lambda maps: (None, {"scale.forward": 5}))
    monkeypatch.setattr(machine_code, "_read", lambda key: None)
    monkeypatch.setattr(machine_code, "_write", lambda *_: pytest.fail("was kept"))
    assert machine_code.addresses.__wrapped__("bf16") == {"scale.forward": 5}


def test_compiling_is_said_and_timed(monkeypatch, places, caplog):
    _, code = places
    monkeypatch.setattr(machine_code, "_compile", lambda maps: (code, {}))
    with caplog.at_level("INFO", logger="stylegraft"):
        assert set(machine_code.addresses.__wrapped__("bf16")) == set(machine_code._KERNELS)
        machine_code.addresses.__wrapped__("bf16")
    # Once: the second time they come from disk.
    (line,) = caplog.messages
    assert re.fullmatch(r"kernels    for bf16 compiled in \d+\.\d s, kept for later runs", line)


def test_machine_code_that_nobody_keeps_is_not_said_to_be_kept(monkeypatch, places, caplog):
    monkeypatch.setattr(machine_code, "_compile", lambda maps: (places[1], {}))
    monkeypatch.setattr(machine_code, "_write", lambda *_: False)
    with caplog.at_level("INFO", logger="stylegraft"):
        machine_code.addresses.__wrapped__("bf16")
    assert caplog.messages[0].endswith("for this process only")

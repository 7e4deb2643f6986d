from __future__ import annotations

import errno
import hashlib
import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from stylegraft.errors import InputError, RunError
from stylegraft.files import (
    atomic_file,
    make_folder,
    safe_member_name,
    sha256_file,
    write_bytes,
    write_text,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_file_is_invisible_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.bin"
    with atomic_file(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"half"
    assert _names(path.parent) == ["a.bin"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_atomic_file_error_inside_keeps_the_old_file(tmp_path: Path, kind: type[BaseException]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write_half() -> NoReturn:
        with atomic_file(path) as file:
            file.write(b"new")
            raise kind

    with pytest.raises(kind):
        write_half()
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_atomic_file_full_disk_is_a_run_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(RunError, match="No space left on device") as caught:
        write_bytes(path, b"new")
    assert str(path) in str(caught.value)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.bin"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_full_device_fails_as_disks_do() -> None:
    # What the monkeypatched errors above stand for: the failure comes with flush or fsync, not with write.
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb") as file:
        file.write(b"x")


def test_atomic_file_under_a_file_is_a_run_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="cannot write"):
        write_bytes(tmp_path / "file" / "a.bin", b"x")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
def test_atomic_file_has_ordinary_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "atomic.txt", "ä")
    (tmp_path / "plain.txt").write_text("x")
    assert (tmp_path / "atomic.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
    assert (tmp_path / "atomic.txt").read_bytes() == "ä".encode()


def test_sha256_file_reads_past_one_chunk(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # 2.5 MB
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_make_folder_names_the_flag_of_an_impossible_place(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b", "--out").is_dir()
    assert _names(tmp_path / "a" / "b") == []
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "file/below"):
        with pytest.raises(InputError, match="--out"):
            make_folder(tmp_path / name, "--out")


@pytest.mark.parametrize("name", ["a.png", "b/c.png", "b/c..png", "..c/d", "ä b.png"])
def test_safe_member_name_passes_inside_names(name: str) -> None:
    assert safe_member_name(name, "x.zip") == name


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/passwd", "C:/a", "c:a", "a\\b", "..", "\\\\host\\a"]
)
def test_safe_member_name_refuses_names_that_leave(name: str) -> None:
    with pytest.raises(InputError, match=r"x\.zip"):
        safe_member_name(name, "x.zip")

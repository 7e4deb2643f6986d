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
    atomic_folder,
    check_free,
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


def test_atomic_folder_is_invisible_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a"
    for content in ("old", "new"):
        with atomic_folder(path) as folder:
            (folder / content).write_text(content)
            assert path.exists() == (content == "new")
        assert _names(path) == [content]
        assert _names(path.parent) == ["a"]


@pytest.mark.parametrize(("kind", "raised"), [(OSError, RunError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_atomic_folder_error_inside_keeps_the_old_one(
    tmp_path: Path, kind: type[BaseException], raised: type[BaseException]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()

    def write_half() -> NoReturn:
        with atomic_folder(tmp_path / "a") as folder:
            (folder / "new").touch()
            raise kind("No space left")

    with pytest.raises(raised, match="No space left"):
        write_half()
    assert _names(tmp_path) == ["a"]
    assert _names(tmp_path / "a") == ["old"]


def test_atomic_folder_that_cannot_be_renamed_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_folder(tmp_path / "a") as folder:
        (folder / "old").touch()
    rename = Path.rename

    def fail_for_the_new_one(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise PermissionError("in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(RunError, match="in use"), atomic_folder(tmp_path / "a"):
        pass
    assert _names(tmp_path) == ["a"]
    assert _names(tmp_path / "a") == ["old"]


def test_check_free_lets_pass_what_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "card").touch()
    (tmp_path / "file").touch()
    check_free(tmp_path / "nothing", overwrite=False)
    check_free(tmp_path / "empty", overwrite=False, own_names=("card",))
    check_free(tmp_path / "ours", overwrite=True, own_names=("card", "more"))
    check_free(tmp_path / "file", overwrite=True)


def test_check_free_refuses_what_would_be_lost(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "card").touch()
    (tmp_path / "mixed").mkdir()
    for name in ("card", "photo"):
        (tmp_path / "mixed" / name).touch()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"got a folder in use.*give --overwrite"):
        check_free(tmp_path / "ours", overwrite=False, own_names=("card",))
    with pytest.raises(InputError, match=r"a folder that holds photo in use\. Choose another\."):
        check_free(tmp_path / "mixed", overwrite=True, own_names=("card",))
    with pytest.raises(InputError, match=r"got a file in use\. Choose another, or give --overwrite"):
        check_free(tmp_path / "file", overwrite=False)
    with pytest.raises(InputError, match=r"got a file in use\. Choose another\."):
        check_free(tmp_path / "file", overwrite=True, own_names=("card",))
    with pytest.raises(InputError, match="a folder that holds card in use"):
        check_free(tmp_path / "ours", overwrite=True)


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

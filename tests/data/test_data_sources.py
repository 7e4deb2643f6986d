from __future__ import annotations

import os
import struct
import zipfile

import pytest

from stylegraft.data.sources import open_source
from stylegraft.errors import DataError


def make_zip(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def test_folder_lists_images_sorted_and_counts_the_rest(folder_of):
    root = folder_of(
        {
            "b/2.PNG": b"x",
            "a.jpg": b"x",
            "odd.heic": b"x",
            "LICENSE": b"x",
            "notes.txt": b"x",
            "dataset.json": b"{}",
            ".hidden.png": b"x",
            ".git/c.png": b"x",
            "__MACOSX/a.jpg": b"x",
        }
    )
    with open_source(root) as source:
        assert source.names == ["a.jpg", "b/2.PNG", "odd.heic"]
        assert source.num_ignored == 3
        assert source.has("dataset.json")
        assert not source.has("b")


def test_zip_lists_the_same_as_its_folder(tmp_path):
    files = [("b/2.png", b"two"), ("a.png", b"one"), ("README", b"x"), ("__MACOSX/._a.png", b"x")]
    with open_source(make_zip(tmp_path / "set.zip", files)) as source:
        assert source.names == ["a.png", "b/2.png"]
        assert source.num_ignored == 1
        assert source.read("b/2.png") == b"two"


def test_linked_folders_are_followed_but_not_in_circles(folder_of, tmp_path):
    root = folder_of({"a.png": b"x"})
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.png").write_bytes(b"x")
    try:
        (root / "linked").symlink_to(other, target_is_directory=True)
        (root / "circle").symlink_to(root, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    with open_source(root) as source:
        assert source.names == ["a.png", "linked/b.png"]


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"), open_source(tmp_path / "nowhere"):
        pass


def test_file_that_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match="expected a folder of images or a zip"), open_source(path):
        pass


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png"])
def test_zip_member_that_leaves_its_folder_is_refused(name, tmp_path):
    path = make_zip(tmp_path / "set.zip", [("a.png", b"x"), (name, b"x")])
    with pytest.raises(DataError, match="unsafe member name"), open_source(path):
        pass


@pytest.mark.parametrize("name", [b"\0bc.png", b"ab\0.png"])
def test_zip_member_with_a_hidden_name_is_refused(name, tmp_path):
    path = make_zip(tmp_path / "set.zip", [("abc.png", b"x")])
    path.write_bytes(path.read_bytes().replace(b"abc.png", name))
    with pytest.raises(DataError, match="unsafe member name"), open_source(path):
        pass


def test_encrypted_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "set.zip", [("a.png", b"x"), ("b.png", b"x")])
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1  # the flag "encrypted" of the first member
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"1 of 2 files .* are encrypted: a\.png"), open_source(path):
        pass


def test_doubled_zip_member_is_refused(tmp_path):
    path = tmp_path / "set.zip"
    with pytest.warns(UserWarning, match="Duplicate"):
        make_zip(path, [("a.png", b"x"), ("a.png", b"y")])
    with pytest.raises(DataError, match="more than once"), open_source(path):
        pass


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = make_zip(tmp_path / "set.zip", [("a.png", bytes(65 << 20))], zipfile.ZIP_DEFLATED)
    with open_source(path) as source, pytest.raises(DataError, match="zip bomb"):
        source.read("a.png")


@pytest.mark.parametrize("declared", [10, 5000])
def test_zip_member_that_declares_another_size_is_refused(declared, tmp_path):
    path = make_zip(tmp_path / "set.zip", [("a.png", bytes(1000))], zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, declared)
    path.write_bytes(data)
    with open_source(path) as source, pytest.raises(DataError, match=r"zip"):
        source.read("a.png")


def test_empty_file_is_refused(folder_of):
    with open_source(folder_of({"a.png": b""})) as source, pytest.raises(DataError, match="empty file"):
        source.read("a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipe_is_refused_without_waiting(folder_of):
    root = folder_of({"a.png": b"x"})
    os.mkfifo(root / "b.png")
    with open_source(root) as source, pytest.raises(DataError, match="not a regular file"):
        source.read("b.png")


def test_broken_link_is_refused(folder_of, tmp_path):
    root = folder_of({"a.png": b"x"})
    try:
        (root / "b.png").symlink_to(tmp_path / "gone.png")
    except OSError:
        pytest.skip("no links here")
    with open_source(root) as source, pytest.raises(DataError, match="No such file"):
        source.read("b.png")

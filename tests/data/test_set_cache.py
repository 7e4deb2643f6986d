"""Sets that come from disk: the same as those that were decoded, or none at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stylegraft.data import BadImagesError, DataConfig, ImageSet, open_image_set
from stylegraft.data import reader as reader_module
from stylegraft.data import set_cache as set_cache_module
from stylegraft.data import split_cache as split_cache_module
from stylegraft.data.set_cache import SetCache, StoredNames, set_key
from stylegraft.data.split import split_holdout
from stylegraft.data.split_cache import stored_split


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder for each test, in which files may be stored that were written just now."""
    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(set_cache_module, "_SETTLED_NS", 0)
    return tmp_path / "cache" / "sets"


@pytest.fixture
def folder(folder_of, encode, noise):
    """80 images of two classes and odd names, one of them damaged, and a text."""
    files = {f"{kind}/{i:03d}.png": encode(noise(i)) for kind in ("navy", "kidney") for i in range(40)}
    return folder_of(
        files | {"kidney/\u00fc \u4e2d.png": encode(noise(99)), "navy/bad.png": b"?", "a.txt": b"x"}
    )


def open_bad(path: Path, **settings: object) -> ImageSet:
    return open_image_set(path, DataConfig(skip_bad=True, **settings))  # pyright: ignore[reportArgumentType]


@pytest.fixture
def no_reading(monkeypatch):
    """Call it, and whoever looks at an image file from then on fails."""

    def forbid() -> None:
        def fail(*_):
            raise AssertionError("files were read")

        monkeypatch.setattr(reader_module, "open_source", fail)

    return forbid


def assert_same(second: ImageSet, first: ImageSet) -> None:
    assert second.array.dtype == np.uint8
    np.testing.assert_array_equal(second.array, first.array)
    assert second.names == first.names
    assert list(second.names) == list(first.names)
    assert (second.labels is None) == (first.labels is None)
    if first.labels is not None:
        np.testing.assert_array_equal(second.labels, first.labels)
    for name in ("path", "class_names", "skipped", "num_ignored", "content_hash"):
        assert getattr(second, name) == getattr(first, name), name
    for mine, its in zip(
        (second.split().train_indices, second.split().holdout_indices),
        (first.split().train_indices, first.split().holdout_indices),
    ):
        np.testing.assert_array_equal(mine, its)
    assert json.dumps(second.summary()) == json.dumps(first.summary())


def test_second_opening_equals_the_first_and_one_without_a_cache(folder, no_reading, cache):
    plain = open_bad(folder, disk_cache_mb=0)
    assert not cache.exists()
    first = open_bad(folder)
    no_reading()
    second = open_bad(folder)
    assert_same(first, plain)
    assert_same(second, plain)
    np.testing.assert_array_equal(second.pixels([3, 80]), plain.pixels([3, 80]))
    assert np.array_equal(second.batch([5], [True]).numpy(), plain.batch([5], [True]).numpy())
    with pytest.raises(ValueError, match="read-only"):
        second.array[0] = 0


def test_zip_comes_from_disk_too(tmp_path, encode, noise, no_reading):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for index in range(3):
            archive.writestr(f"{index}.png", encode(noise(index)[:, :, 0]))
        archive.writestr("dataset.json", json.dumps({"labels": [[f"{i}.png", [i, 0.5]] for i in range(3)]}))
    first = open_image_set(tmp_path / "set.zip")
    no_reading()
    assert_same(open_image_set(tmp_path / "set.zip"), first)
    assert first.num_channels == 1
    assert first.class_names is None
    assert first.c_dim == 2


def test_other_settings_of_training_share_the_stored_set(folder, no_reading, cache):
    open_bad(folder)
    no_reading()
    images = open_bad(folder, mirror=True, holdout=0.25, holdout_seed=3, max_cache_mb=1, disk_cache_mb=9)
    assert images.config.mirror
    assert len(images.split().holdout_indices) == 20
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"size": "8"},
        {"channels": 1},
        {"labels": "none"},
        {"size": "8", "fit": "pad", "background": "#123456"},
    ],
)
def test_settings_that_change_the_set_have_an_entry_of_their_own(folder, settings):
    default = open_bad(folder)
    other = open_bad(folder, **settings)
    assert other.content_hash != default.content_hash
    assert_same(open_bad(folder, **settings), open_bad(folder, **settings, disk_cache_mb=0))
    assert open_bad(folder).content_hash == default.content_hash


def test_damaged_files_are_told_also_when_the_set_is_stored(folder):
    open_bad(folder)
    for _ in range(2):
        with pytest.raises(BadImagesError, match=r"1 of 82 images .*navy/bad\.png"):
            open_image_set(folder)


@pytest.mark.parametrize(
    "change", ["pixels", "same times", "new file", "deleted file", "renamed file", "text"]
)
def test_changed_set_is_noticed(change, folder, encode, noise, no_reading):
    first = open_bad(folder)
    file = folder / "navy" / "007.png"
    if change == "pixels":
        file.write_bytes(encode(noise(1000)))
    elif change == "same times":
        before = file.stat()
        file.write_bytes(encode(noise(1000))[: before.st_size].ljust(before.st_size, b"\0"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "new file":
        (folder / "navy" / "100.png").write_bytes(encode(noise(100)))
    elif change == "deleted file":
        file.unlink()
    elif change == "renamed file":
        file.rename(file.with_name("700.png"))
    else:
        (folder / "dataset.json").write_text('{"labels": null}')
    second = open_bad(folder)
    assert second.content_hash != first.content_hash or change == "same times"
    assert second.content_hash == open_bad(folder, disk_cache_mb=0).content_hash
    no_reading()
    assert_same(open_bad(folder), second)


def test_file_that_was_changed_just_now_is_not_trusted(folder, cache, monkeypatch):
    """It could change again within the resolution of its times."""
    monkeypatch.setattr(set_cache_module, "_SETTLED_NS", 2_000_000_000)
    assert set_key(folder, DataConfig()) is None
    open_bad(folder)
    assert not cache.exists()
    now = time.time_ns()
    monkeypatch.setattr(set_cache_module.time, "time_ns", lambda: now + 3_000_000_000)
    assert set_key(folder, DataConfig()) is not None
    open_bad(folder)
    assert len(list(cache.iterdir())) == 1


def test_set_that_changes_while_it_is_read_is_not_stored(folder, cache, monkeypatch, encode, noise):
    read = reader_module.read_images

    def read_and_change(*args):
        result = read(*args)
        (folder / "navy" / "007.png").write_bytes(encode(noise(1000)))
        return result

    monkeypatch.setattr(reader_module, "read_images", read_and_change)
    open_bad(folder)
    assert not cache.exists()


def _tail_of(data: bytearray) -> slice:
    length = int.from_bytes(data[16:24], "little")
    return slice(len(data) - length, len(data))


def _with_facts(data: bytearray, **changes: object) -> bytearray:
    """A file of another header with a digest that fits, as somebody would make it who means harm."""
    import hashlib

    tail = data[_tail_of(data)]
    length = int.from_bytes(tail[:8], "little")
    facts = json.loads(tail[8 : 8 + length]) | changes
    text = json.dumps(facts).encode()
    rest = tail[8 + -(-length // 8) * 8 :]
    tail = len(text).to_bytes(8, "little") + text + bytes(-len(text) % 8) + rest
    body = data[: _tail_of(data).start]
    body[16:24] = len(tail).to_bytes(8, "little")
    body[24:56] = hashlib.sha256(tail).digest()
    return body + tail


DAMAGES = {
    "empty": lambda data: b"",
    "short": lambda data: data[:3000],
    "cut": lambda data: data[:-100],
    "longer": lambda data: data + b"x",
    "text": lambda data: b"no set at all" * 1000,
    "other version": lambda data: b"stylegraft set 9" + data[16:],
    "pixel": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
    "tail": lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:],
    "tail of 2^63 bytes": lambda data: data[:23] + b"\x80" + data[24:],
    "zeros": lambda data: bytes(len(data)),
    "huge shape": lambda data: _with_facts(data, shape=[1 << 60, 16, 16, 3]),
    "negative shape": lambda data: _with_facts(data, shape=[81, -16, -16, 3]),
    "shape of other size": lambda data: _with_facts(data, shape=[80, 16, 16, 3]),
    "shape no list": lambda data: _with_facts(data, shape="81"),
    "five channels": lambda data: _with_facts(data, shape=[81, 16, 16, 5]),
    "c_dim": lambda data: _with_facts(data, c_dim=1 << 40),
    "no tables": lambda data: _with_facts(data, bytes={}),
    "huge table": lambda data: _with_facts(data, bytes={"ends": 1 << 62}),
    "skipped": lambda data: _with_facts(data, skipped=[["a"]]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_or_hostile_file_counts_as_absent_and_is_replaced(damage, folder, cache, no_reading):
    first = open_bad(folder)
    (path,) = cache.iterdir()
    path.unlink()  # and not overwritten: `first` is mapped from it
    whole = open_bad(folder)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(DAMAGES[damage](bytearray(data)))
    key = set_key(folder, DataConfig(skip_bad=True))
    assert key is not None
    assert SetCache(1 << 30).load(key, folder, DataConfig()) is None
    assert_same(open_bad(folder), first)
    assert path.read_bytes() == data
    no_reading()
    assert_same(open_bad(folder), whole)


def test_large_sets_are_checked_by_sample(folder, cache, monkeypatch):
    open_bad(folder)
    (path,) = cache.iterdir()
    data = bytearray(path.read_bytes())
    data[4096:-10000] = bytes(len(data) - 4096 - 10000)
    path.unlink()
    path.write_bytes(data)
    monkeypatch.setattr(set_cache_module, "_CHECKED_WHOLE_BYTES", 0)
    key = set_key(folder, DataConfig(skip_bad=True))
    assert key is not None
    assert SetCache(1 << 30).load(key, folder, DataConfig()) is None


def test_folder_that_cannot_be_written_is_no_error(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path / "file"))
    assert len(open_bad(folder)) == len(open_bad(folder)) == 81


def test_set_without_room_on_disk_or_in_the_cache_is_not_stored(folder, cache, monkeypatch):
    monkeypatch.setattr(set_cache_module.shutil, "disk_usage", lambda path: type("", (), {"free": 1000}))
    assert len(open_bad(folder)) == 81
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    images = open_bad(folder, disk_cache_mb=0)
    SetCache(1000, cache).save("key", images, np.zeros((81, 32), np.uint8))
    assert list(cache.iterdir()) == []


def test_sets_beyond_the_limit_give_way(folder, cache, monkeypatch):
    open_bad(folder)
    (first,) = cache.iterdir()
    os.utime(first, (1, 1))
    monkeypatch.setattr(reader_module, "SetCache", lambda max_bytes: SetCache(100_000))
    open_bad(folder, channels=1)
    (second,) = cache.iterdir()
    assert second != first


def test_two_processes_at_once_open_the_same_set(folder, tmp_path):
    program = (
        "import sys, time\n"
        "from stylegraft.data import DataConfig, open_image_set, set_cache\n"
        "set_cache._SETTLED_NS = 0\n"
        "while time.time() < float(sys.argv[2]): pass\n"
        "images = open_image_set(sys.argv[1], DataConfig(skip_bad=True))\n"
        "print(images.content_hash, int(images.array.astype(int).sum()), len(images.split().train_indices))\n"
    )
    start = time.time() + 1.5
    command = [sys.executable, "-c", program, str(folder), str(start)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    plain = open_bad(folder, disk_cache_mb=0)
    expected = (
        f"{plain.content_hash} {int(plain.array.astype(int).sum())} {len(plain.split().train_indices)}\n"
    )
    assert said == [expected, expected]
    assert_same(open_bad(folder), plain)


def test_stored_names_behave_as_a_tuple_of_them():
    texts = ("a.png", "", "\u00fc/\u4e2d.png", "\udcff.png")
    encoded = [text.encode(errors="surrogateescape") for text in texts]
    names = StoredNames(np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([len(e) for e in encoded]))
    assert len(names) == 4
    assert tuple(names) == texts
    assert [names[0], names[-1], names[np.int64(2)]] == ["a.png", "\udcff.png", "\u00fc/\u4e2d.png"]
    assert names[1:3] == texts[1:3]
    assert names == texts
    assert texts == names
    assert names != texts[:3]
    assert names != (*texts[:3], "x")
    assert names != "a.png"
    assert "a.png" in names
    assert names.index("") == 1
    with pytest.raises(IndexError):
        names[4]


def test_split_of_a_large_set_comes_from_disk(folder, tmp_path, monkeypatch):
    images = open_bad(folder)
    plain = split_holdout(images, 0.2, 3, 20)
    first = stored_split(images, images.content_hash, 0.2, 3, 20)
    monkeypatch.setattr(split_cache_module, "split_holdout", lambda *_: pytest.fail("was made anew"))
    second = stored_split(images, images.content_hash, 0.2, 3, 20)
    for split in (first, second):
        np.testing.assert_array_equal(split.train_indices, plain.train_indices)
        np.testing.assert_array_equal(split.holdout_indices, plain.holdout_indices)
        assert split.note == plain.note
    for other in (
        ("other", 0.2, 3, 20),
        (images.content_hash, 0.3, 3, 20),
        (images.content_hash, 0.2, 4, 20),
    ):
        with pytest.raises(pytest.fail.Exception):
            stored_split(images, *other)


@pytest.mark.parametrize("holdout", [[5, 3], [-1, 3], [3, 81], [[1], [2]], [0.5, 2.0], None])
def test_split_that_cannot_be_one_counts_as_absent(holdout, folder, cache):
    images = open_bad(folder)
    plain = stored_split(images, images.content_hash, 0.2, 3, 20)
    (path,) = cache.with_name("splits").iterdir()
    if holdout is None:
        path.write_bytes(path.read_bytes()[:-30])
    else:
        np.savez(path, holdout=np.array(holdout), note=np.array(""))
    again = stored_split(images, images.content_hash, 0.2, 3, 20)
    np.testing.assert_array_equal(again.holdout_indices, plain.holdout_indices)


def test_large_sets_keep_their_split(folder, cache, monkeypatch):
    monkeypatch.setattr("stylegraft.data.dataset._QUICKLY_SPLIT", 50)
    plain = open_bad(folder, disk_cache_mb=0).split()
    assert not cache.with_name("splits").exists()
    for _ in range(2):
        np.testing.assert_array_equal(open_bad(folder).split().holdout_indices, plain.holdout_indices)
    assert len(list(cache.with_name("splits").iterdir())) == 1

from __future__ import annotations

import os
import time

import pytest

from stylegraft.disk_cache import DiskCache
from stylegraft.errors import RunError


@pytest.fixture
def cache(tmp_path):
    return DiskCache("unused", ".bin", 100, tmp_path / "cache")


def write(cache, key, num_bytes, age_sec=0):
    with cache.writing(key, num_bytes) as file:
        file.write(bytes(num_bytes))
    then = time.time() - age_sec
    os.utime(cache.folder / f"{key}.bin", (then, then))


def keys(cache):
    return {path.name for path in cache.folder.iterdir()}


def test_written_file_is_found_and_others_are_not(cache):
    write(cache, "a", 5)
    with cache.open("a") as file:
        assert file.read() == bytes(5)
    with pytest.raises(FileNotFoundError):
        cache.open("b")


def test_file_of_a_block_that_fails_does_not_appear(cache):
    def write_half():
        with cache.writing("a") as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert keys(cache) == set()


def test_least_recently_used_files_make_room(cache):
    for key, age_sec in (("a", 40), ("b", 30), ("c", 20)):
        write(cache, key, 30, age_sec)
    cache.open("a").close()
    write(cache, "d", 50)
    assert keys(cache) == {"a.bin", "d.bin"}


def test_files_of_unknown_size_make_room_afterwards(cache):
    write(cache, "a", 60, age_sec=9)
    with cache.writing("b") as file:
        file.write(bytes(60))
    assert keys(cache) == {"b.bin"}


def test_file_larger_than_all_may_be_is_refused_and_costs_no_other(cache):
    write(cache, "a", 10)
    with pytest.raises(RunError, match="more than the cache may hold"), cache.writing("b", 101):
        pass
    assert keys(cache) == {"a.bin"}


def test_only_its_own_files_and_old_unfinished_ones_are_deleted(cache):
    cache.folder.mkdir()
    for name, age_sec in (("other.txt", 1e6), (".a.bin.x.tmp", 1e6), (".b.bin.x.tmp", 60)):
        (cache.folder / name).write_bytes(bytes(200))
        os.utime(cache.folder / name, (time.time() - age_sec,) * 2)
    write(cache, "c", 100)
    assert keys(cache) == {"other.txt", ".b.bin.x.tmp", "c.bin"}

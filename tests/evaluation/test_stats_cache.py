import sys
from pathlib import Path

import numpy as np
import pytest

from stylegraft.evaluation.stats_cache import StatsCache, statistics_key
from stylegraft.files import cache_folder
from stylegraft.metrics import FeatureStats, stats_distance

FACTS = {
    "content_hash": "a" * 64,
    "indices": np.arange(5),
    "orientation": "as_is",
    "network": "effnet_lite0",
    "network_sha256": "b" * 64,
    "precision": "fp32",
}


@pytest.fixture
def stats():
    return FeatureStats.from_features(np.random.RandomState(0).randn(7, 12))


@pytest.fixture
def stored(tmp_path, stats):
    cache = StatsCache(tmp_path / "statistics")
    cache.save("key", stats)
    (path,) = cache.folder.iterdir()
    return cache, path


def test_stored_statistics_come_back_exactly(stored, stats):
    loaded = stored[0].load("key", 12)
    assert loaded.n == 7
    assert np.array_equal(loaded.mean, stats.mean)
    assert np.array_equal(loaded.root, stats.root)
    assert stats_distance(loaded, stats) == pytest.approx(0, abs=1e-12)


def test_unknown_key_has_no_statistics(stored):
    assert stored[0].load("another", 12) is None


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "text", "fields", "pickle"])
def test_damaged_file_counts_as_absent(stored, damage):
    cache, path = stored
    data = bytearray(path.read_bytes())
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[data.index(b"root.npy") + 200] ^= 1
        path.write_bytes(data)
    elif damage == "text":
        path.write_text("not an archive")
    elif damage == "fields":
        np.savez(path, n=7)
    else:
        np.savez(path, n=7, mean=np.array([object()], dtype=object), root=np.zeros([1, 12]))
    assert cache.load("key", 12) is None


def test_statistics_of_other_features_count_as_absent(stored):
    assert stored[0].load("key", 1280) is None


def test_stored_features_come_back_exactly_or_not_at_all(tmp_path):
    cache = StatsCache(tmp_path / "statistics")
    features = np.random.RandomState(0).randn(7, 12).astype(np.float32)
    cache.save_features("key", features)
    assert np.array_equal(cache.load_features("key", 7, 12), features)
    assert cache.load_features("key", 8, 12) is None
    assert cache.load_features("another", 7, 12) is None
    assert cache.load("key", 12) is None, "features are no statistics"
    (path,) = cache.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    assert cache.load_features("key", 7, 12) is None


def test_folder_that_cannot_be_written_is_no_error(tmp_path, stats):
    (tmp_path / "file").write_text("in the way")
    cache = StatsCache(tmp_path / "file" / "statistics")
    cache.save("key", stats)
    assert cache.load("key", 12) is None


@pytest.mark.parametrize(
    "change",
    [
        {"content_hash": "c" * 64},
        {"indices": np.arange(6)},
        {"indices": np.arange(5)[::-1]},
        {"orientation": "both"},
        {"network": "another"},
        {"network_sha256": "c" * 64},
        {"precision": "bf16"},
        {"kind": "features"},
    ],
)
def test_key_depends_on_every_fact(change):
    assert statistics_key(**FACTS | change) != statistics_key(**FACTS)


def test_key_does_not_depend_on_the_integer_type():
    assert statistics_key(**FACTS | {"indices": np.arange(5, dtype=np.int32)}) == statistics_key(**FACTS)


def test_cache_folder_is_named_by_environment_or_system(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert StatsCache().folder == tmp_path / "statistics"
    monkeypatch.delenv("STYLEGRAFT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    expected = {
        "linux": tmp_path / "xdg" / "stylegraft",
        "darwin": tmp_path / "home" / "Library" / "Caches" / "stylegraft",
        "win32": tmp_path / "local" / "stylegraft",
    }
    for platform, folder in expected.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder() == folder

"""study.json, who may go on with it, and the order of sources that it gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylegraft.errors import InputError
from stylegraft.transfer.study.progress import seconds_left
from stylegraft.transfer.study.record import (
    Cell,
    MeasuredPoint,
    RecordedSettings,
    SourceFile,
    StudyRecord,
    Target,
    check_same_study,
    read_record,
    write_record,
)
from stylegraft.transfer.study.summary import source_orders


def target(name: str, data_hash: str = "1") -> Target:
    return Target(name=name, path=name, num_images=10, num_holdout=1, data_hash=data_hash)


def settings(**changes: Any) -> RecordedSettings:
    fields: dict[str, Any] = {
        "sources": ("fashion", "scratch"),
        "source_files": (SourceFile(name="fashion", path="fashion", sha256="a"),),
        "targets": (target("beans"),),
        "seeds": (0, 1),
        "kimg": 40.0,
        "minutes": None,
        "size": None,
        "fit": None,
        "mirror": False,
        "labels": "auto",
        "train_flags": (),
    }
    return RecordedSettings(**fields | changes)


def cell(source: str, seed: int, best: float | None, **changes: Any) -> Cell:
    point = None if best is None else MeasuredPoint(kimg=10.0 * (seed + 1), train_sec=60.0, distance=best)
    fields: dict[str, Any] = {
        "id": f"beans/{source}/seed{seed}",
        "target": "beans",
        "source": source,
        "seed": seed,
        "folder": f"cells/beans/{source}/seed{seed}",
        "command": "stylegraft train",
        "state": "pending" if best is None else "done",
        "best": point,
    }
    return Cell(**fields | changes)


def record(*cells: Cell, **changes: Any) -> StudyRecord:
    return StudyRecord(
        version="1", command="c", machine={}, created="now", settings=settings(**changes), cells=cells
    )


def test_record_comes_back_from_disk(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    written = record(cell("fashion", 0, 12.5, floor=3.0), cell("scratch", 0, None))
    write_record(tmp_path, written)
    assert read_record(tmp_path) == written
    values = json.loads((tmp_path / "study.json").read_text())
    assert values["schema_version"] == 1
    assert values["settings"]["targets"][0]["num_holdout"] == 1
    assert values["cells"][0]["best"] == {"kimg": 10.0, "train_sec": 60.0, "distance": 12.5}


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 2}', '{"schema_version": 1}'])
def test_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(InputError, match=r"study\.json: expected the record of a study"):
        read_record(tmp_path)


def test_more_sources_targets_and_seeds_go_on_with_a_study() -> None:
    more = settings(
        sources=("emoji", "fashion", "scratch"),
        source_files=(
            SourceFile(name="emoji", path="emoji", sha256="b"),
            SourceFile(name="fashion", path="moved", sha256="a"),
        ),
        targets=(target("beans"), target("faces", "2")),
        seeds=(0, 1, 2),
    )
    check_same_study(settings(), more, Path("study"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kimg": 41.0}, "--kimg was 40, is 41"),
        ({"kimg": None, "minutes": 3.0}, "--kimg was 40, is not given; --minutes was not given, is 3"),
        ({"size": "64"}, "--size was not given, is 64"),
        ({"mirror": True}, "--mirror was False, is True"),
        ({"train_flags": ("--batch", "8")}, "flags for train were none, are --batch 8"),
        ({"sources": ("scratch",), "source_files": ()}, "--sources had fashion"),
        ({"targets": (target("faces"),)}, "--targets had beans"),
        ({"seeds": (0,)}, "--seeds had 1"),
        ({"targets": (target("beans", "2"),)}, "images of beans are not those"),
        (
            {"source_files": (SourceFile(name="fashion", path="fashion", sha256="b"),)},
            "fashion is not the network",
        ),
    ],
)
def test_other_settings_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_same_study(settings(), settings(**changes), Path("study"))


def test_sources_are_ordered_by_the_median_over_finished_seeds() -> None:
    study = record(
        cell("fashion", 0, 30.0, floor=2.0),
        cell("fashion", 1, 10.0, floor=4.0),
        cell("scratch", 0, 15.0),
        cell("scratch", 1, 1.0, state="failed", error="disk full"),
        cell("emoji", 0, None),
        sources=("emoji", "fashion", "scratch"),
    )
    (order,) = source_orders(study)
    assert (order.target, order.floor) == ("beans", 3.0)
    assert [place.source for place in order.places] == ["scratch", "fashion", "emoji"]
    scratch, fashion, emoji = order.places
    assert (scratch.median, scratch.num_seeds, scratch.num_failed) == (15.0, 1, 1)
    assert (fashion.median, fashion.low, fashion.high, fashion.kimg) == (20.0, 10.0, 30.0, 15.0)
    assert (emoji.median, emoji.num_left) == (None, 1)


def test_time_left_follows_the_pace_so_far() -> None:
    done = cell("fashion", 0, 1.0, kimg=40.0, train_sec=400.0)
    half = cell("fashion", 1, None, state="running", kimg=20.0, train_sec=200.0)
    left = cell("scratch", 0, None)
    assert seconds_left(record(left, half.replace(kimg=None, train_sec=None)), 1) is None
    assert seconds_left(record(done, half, left), 1) == pytest.approx(600)
    assert seconds_left(record(done, half, left), 2) == pytest.approx(400)  # no less than the longest cell
    assert seconds_left(record(done, done), 1) == 0

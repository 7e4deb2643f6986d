"""Runs and studies as they lie on disk, made of random pictures and smooth numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylegraft.pictures import save_grid
from stylegraft.transfer.study.record import (
    Cell,
    MeasuredPoint,
    RecordedSettings,
    SourceFile,
    StudyRecord,
    Target,
    write_record,
)

SHA = "ab" * 32
COLUMNS = 10


def write_run(
    run: Path,
    *,
    moments: Sequence[float] = (0.0, 1.0, 2.0, 4.0),
    class_names: Sequence[str] | None = None,
    source: dict[str, Any] | None = None,
    distances: bool = True,
    num_rows: int = 2,
) -> dict[float, np.ndarray]:
    """Writes a run of 16 px images; returns its samples by moment, uint8 [rows, columns, 16, 16, 3]."""
    run.mkdir(parents=True)
    config = {
        "schema_version": 1,
        "family": "stylegan2",
        "data_path": "photos.zip",
        "data_hash": "cd" * 32,
        "data": {"holdout": 0.1, "mirror": True},
        "generator": {"img_height": 16, "img_width": 16, "img_channels": 3, "mapping": {"c_dim": 0}},
        "source": source,
        "total_kimg": 4.0,
        "batch": 16,
    }
    (run / "config.json").write_text(json.dumps(config))
    rows = []
    for place, kimg in enumerate(moments):
        row = {"step": place * 10, "kimg": kimg, "train_sec": kimg * 30, "img_per_sec": 33.0 + place}
        rows.append(row | {"loss_G": 1.0 + place, "loss_D": 2.0, "augment_p": 0.1 * place})
        if distances:
            rows.append({"step": place * 10, "kimg": kimg, "train_sec": kimg * 30} | distance_of(kimg))
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 4')
    random = np.random.RandomState(0)
    samples = {}
    for kimg in moments:
        samples[kimg] = random.randint(0, 256, [num_rows, COLUMNS, 16, 16, 3], np.uint8)
        path = run / "samples" / f"kimg-{kimg:010.3f}.png"
        images = samples[kimg].reshape(-1, 16, 16, 3)
        save_grid(path, images, COLUMNS, row_captions=class_names, title=f"{kimg:.1f} kimg")
    save_grid(run / "samples" / "reals.png", images, COLUMNS)
    card = {
        "kind": "stylegraft-checkpoint",
        "sha256": {"networks.safetensors": SHA},
        "info": {
            "version": "0.1.0",
            "class_names": class_names and list(class_names),
            "num_training_images": 123,
            "kimg": moments[-1],
            "distance": 50.0,
        },
    }
    folder = run / "checkpoints" / f"kimg-{moments[-1]:010.3f}"
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_text(json.dumps(card))
    return samples


def distance_of(kimg: float) -> dict[str, float]:
    """A distance that falls from 200 towards 50, lowest at 2 kimg, beside a floor of 40."""
    return {"distance": 50 + 150 * math.exp(-kimg) + 5 * max(kimg - 2, 0), "eval_sec": 2.0, "floor": 40.0}


def cell(
    target: str,
    source: str,
    seed: int,
    distances: Sequence[float] = (),
    *,
    state: Any = "done",
    moments: Sequence[float] | None = None,
    error: str | None = None,
) -> Cell:
    """A cell that measured these distances at 0, 10, 20... kimg, of 30 s each."""
    moments = moments or [10.0 * place for place in range(len(distances))]
    points = tuple(
        MeasuredPoint(kimg=kimg, train_sec=3 * kimg, distance=distance)
        for kimg, distance in zip(moments, distances)
    )
    counted = [point for point in points if point.kimg > 0 or source != "scratch"]
    name = f"{target}/{source}/seed{seed}"
    return Cell(
        id=name,
        target=target,
        source=source,
        seed=seed,
        state=state,
        folder=f"cells/{name}",
        command=f"stylegraft train {target}.zip --out study/cells/{name} --seed {seed}",
        error=error,
        kimg=points[-1].kimg if points else None,
        train_sec=points[-1].train_sec if points else None,
        img_per_sec=40.0 if points else None,
        curve=points,
        floor=30.0 if points else None,
        best=min(counted, key=lambda point: point.distance, default=None),
        final=points[-1] if points else None,
    )


def record_of(cells: Sequence[Cell]) -> StudyRecord:
    """A study of these cells: targets, sources and seeds as they come."""
    sources = tuple(dict.fromkeys(one.source for one in cells))
    targets = tuple(dict.fromkeys(one.target for one in cells))
    return StudyRecord(
        version="0.1.0",
        command="stylegraft study --sources ... --out study",
        machine={"cpu": "a processor", "logical_cores": 2, "flags": ["avx2"]},
        created="2025-11-22T07:00:00+00:00",
        settings=RecordedSettings(
            sources=sources,
            source_files=tuple(
                SourceFile(name=name, path=f"zoo/{name}", sha256=SHA) for name in sources if name != "scratch"
            ),
            targets=tuple(
                Target(name=name, path=f"{name}.zip", num_images=900, num_holdout=90, data_hash="cd" * 32)
                for name in targets
            ),
            seeds=(0, 1),
            kimg=20.0,
            minutes=None,
            size=None,
            fit=None,
            mirror=False,
            labels="auto",
            train_flags=(),
        ),
        cells=tuple(cells),
    )


def write_study(folder: Path) -> StudyRecord:
    """Writes a study of three starts on two targets; one cell failed, one runs, two left pictures."""
    record = record_of(
        [
            cell("faces", "fashion", 0, [150.0, 90.0, 60.0]),
            cell("faces", "fashion", 1, [160.0, 92.0, 64.0]),
            cell("faces", "emoji", 0, [170.0, 95.0, 80.0]),
            cell("faces", "emoji", 1, [], state="failed", error="loss is nan <here>"),
            cell("faces", "scratch", 0, [400.0, 200.0, 100.0]),
            cell("faces", "scratch", 1, [420.0, 210.0, 90.0]),
            cell("coal", "fashion", 0, [300.0, 200.0], state="running"),
            cell("coal", "scratch", 0, [], state="pending"),
        ]
    )
    folder.mkdir(parents=True)
    write_record(folder, record)
    moments = (0.0, 1.0, 3.0, 8.0, 20.0)
    facts = {"path": "zoo/fashion", "sha256": SHA, "facts": {"licence": "CC0-1.0"}}
    write_run(folder / "cells/faces/fashion/seed0", moments=moments, source=facts)
    write_run(folder / "cells/faces/scratch/seed0", moments=moments)
    return record

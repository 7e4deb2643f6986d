"""The picture of a study's cells: networks of one colour show in which row they were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from ranking_cases import SIDE, write_pictures, write_source

from stylegraft.data.config import DataConfig
from stylegraft.data.reader import open_image_set
from stylegraft.pictures import grid_cells
from stylegraft.transfer.study.record import Cell, RecordedSettings, SourceFile, StudyRecord
from stylegraft.transfer.study.sheet import draw_sheet

BLUE, GREEN, CYAN = (30, 30, 230), (30, 200, 30), (0, 255, 255)


def test_sheet_shows_source_graft_scratch_and_real_images(tmp_path: Path) -> None:
    study = tmp_path / "study"
    source = write_source(tmp_path / "sky", BLUE, size=2 * SIDE)  # of another size than the images
    cells = []
    for name, colour in (("sky", GREEN), ("scratch", CYAN)):
        folder = f"cells/photos/{name}/seed0"
        write_source(study / folder, colour)
        cells.append(Cell(id=name, target="photos", source=name, seed=0, folder=folder, command=""))
    record = StudyRecord(
        version="",
        command="",
        machine={},
        created="",
        settings=RecordedSettings(
            sources=("sky", "scratch"),
            source_files=(SourceFile(name="sky", path=str(source), sha256=""),),
            targets=(),
            seeds=(0,),
            kimg=1,
            minutes=None,
            size=None,
            fit=None,
            mirror=False,
            labels="auto",
            train_flags=(),
        ),
        cells=tuple(cells),
    )
    images = open_image_set(write_pictures(tmp_path / "photos", number=8), DataConfig())
    path = draw_sheet(tmp_path / "sheet.png", study, record, record.cells, images)
    with Image.open(path) as sheet:
        rows = grid_cells(sheet, SIDE, SIDE, columns=8)
    assert rows is not None
    assert rows.shape[:2] == (4, 8)
    means = rows.mean(axis=(1, 2, 3))
    assert np.argmax(means[0]) == 2  # blue: the source
    assert np.argmax(means[1]) == 1  # green: what became of it
    assert np.argmin(means[2]) == 0  # cyan: from scratch
    assert np.argmax(means[3]) == 0  # red: the images
    real = images.pixels(np.sort(images.split().train_indices))
    shown = rows[3].reshape(8, SIDE, -1, SIDE, rows.shape[3] // SIDE, 3)[:, :, 0, :, 0]
    assert (np.sort(shown.mean(axis=(1, 2, 3))) == np.sort(real.mean(axis=(1, 2, 3)))).all()  # each one once

"""A zoo of two sources with empty networks, and the weights folder pointed at it."""

from __future__ import annotations

from pathlib import Path

import pytest
from zoo_cases import card, tiles

from stylegraft.pictures import image_grid, save_picture
from stylegraft.zoo import catalogue


@pytest.fixture
def two_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    weights = tmp_path / "weights"
    for name, level in (("boats", 10), ("goats", 200)):
        folder = weights / name
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(card(name, title=name).to_json(), encoding="utf-8")
        save_picture(folder / "grid.png", image_grid(tiles(level), 8, gap_px=2, scale=1))
    (weights / ".boats.half.tmp").mkdir()
    monkeypatch.setattr(catalogue, "WEIGHTS_FOLDER", weights)
    return weights

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from zoo_cases import card, tiles

from stylegraft import zoo
from stylegraft.errors import CheckpointError, ConfigError, InputError
from stylegraft.zoo.sheet import grid_pictures, zoo_sheet


def test_names_and_entries_are_those_of_whole_folders(two_sources: Path) -> None:
    assert zoo.names() == ["boats", "goats"]
    boats, goats = zoo.entries()
    assert (boats.name, boats.title, boats.folder) == ("boats", "boats", two_sources / "boats")
    assert goats.card["kimg"] == 80.0
    assert goats.card["licence_note"] is None
    assert boats.num_bytes == sum(file.stat().st_size for file in boats.folder.iterdir()) > 0


def test_resolve_takes_a_path_that_exists_before_a_source(
    two_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert zoo.resolve("goats") == two_sources / "goats"
    assert zoo.resolve(Path("goats")) == two_sources / "goats"
    (tmp_path / "goats").mkdir()
    assert zoo.resolve("goats") == Path("goats")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("boots", r"^boots: no such file or folder.*Did you mean boats or goats\?$"),
        ("Gaots", "Did you mean goats"),
        ("photos.zip", r"name one of boats, goats \(see stylegraft zoo\)"),
        ("elsewhere/boats", "no such file or folder"),
        (".boats.half.tmp", "no such file or folder"),
    ],
)
def test_resolve_of_something_unknown_names_the_nearest(two_sources: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        zoo.resolve(text)


def test_entry_of_an_unknown_name_is_refused_although_a_path_exists(
    two_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coats").mkdir()
    with pytest.raises(InputError, match=r"^coats: no source of the zoo.*Did you mean"):
        zoo.entry("coats")
    assert zoo.entry("boats").name == "boats"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema_version": 1}', card("boats").to_json().replace("80.0", "-1")]
)
def test_damaged_card_is_refused_in_one_line(two_sources: Path, text: str) -> None:
    (two_sources / "boats" / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"card\.json: expected the card of a source") as caught:
        zoo.entries()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"licence": ""}, {"licence": "a\nb"}, {"sha256": "12"}, {"rounding_levels": 1.5}]
)
def test_card_refuses_what_no_source_can_say(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        card("boats", **wrong)


def test_grid_is_cut_into_the_pictures_that_it_was_made_of(two_sources: Path) -> None:
    np.testing.assert_array_equal(grid_pictures(two_sources / "goats" / "grid.png"), tiles(200))


def test_missing_grid_is_refused(two_sources: Path) -> None:
    (two_sources / "goats" / "grid.png").write_bytes(b"no picture")
    with pytest.raises(CheckpointError, match=r"grid\.png: expected a grid"):
        zoo_sheet(zoo.entries())


def test_sheet_has_a_row_of_first_seeds_for_each_source(two_sources: Path) -> None:
    sheet = np.asarray(zoo_sheet(zoo.entries(), columns=5))
    scale = 4  # pictures of 16 px are shown at 64
    assert sheet.shape[0] == 2 * 16 * scale + 2
    left = sheet.shape[1] - (5 * 16 * scale + 4 * 2)
    assert sheet[5, left + 5].tolist() == [10, 0, 0]
    assert sheet[5, -5].tolist() == [10, 4, 0]
    assert sheet[-5, -5].tolist() == [200, 4, 0]


def test_zoo_is_listed_without_torch() -> None:
    code = "import sys, stylegraft.zoo as zoo; zoo.entries(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0

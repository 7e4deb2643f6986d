"""What a study trains: the settings and their file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stylegraft.errors import ConfigError, InputError
from stylegraft.transfer.study.config import StudySettings, read_plan, split_name

TOML = """
sources = ["fashion", "runs/old", "scratch"]
targets = ["beans.zip", "young=faces"]
seeds = 3
kimg = 40
size = 64
fit = "crop"
mirror = true
train_flags = ["--batch", "8"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "faces").mkdir()
    (tmp_path / "beans.zip").touch()
    return tmp_path


def test_file_and_flags_make_equal_settings(folder: Path) -> None:
    plan = folder / "plan.toml"
    plan.write_text(TOML)
    settings = StudySettings(
        sources=("fashion", str(folder / "runs" / "old"), "scratch"),
        targets=(str(folder / "beans.zip"), f"young={folder / 'faces'}"),
        seeds=3,
        kimg=40,
        size="64",
        fit="crop",
        mirror=True,
        train_flags=("--batch", "8"),
    )
    assert read_plan(plan) == settings
    as_json = folder / "plan.json"
    as_json.write_text(json.dumps(settings.model_dump(mode="json")))
    assert read_plan(as_json) == settings


def test_settings_become_the_words_of_train() -> None:
    settings = StudySettings(
        sources=("scratch",), targets=("beans",), kimg=40, minutes=2.5, mirror=True, train_flags=("--lr", "1")
    )
    assert settings.train_words() == ("--kimg", "40", "--minutes", "2.5", "--mirror", "--lr", "1")
    plain = StudySettings(sources=("scratch",), targets=("beans",), kimg=0.008, size="64x96", labels="none")
    assert plain.train_words() == ("--kimg", "0.008", "--size", "64x96", "--labels", "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources = [", "expected TOML"),
        ('sources = ["a"]\nkimg = 1', "targets: Field required"),
        ('sources = []\ntargets = ["b"]\nkimg = 1', "sources:"),
        ('sources = ["a"]\ntargets = ["b"]', "kimg or minutes"),
        ('sources = ["a"]\ntargets = ["b"]\nkimg = 0', "kimg:"),
        ('sources = ["a"]\ntargets = ["b"]\nkimg = 1\nseed = 3', "seed: is not a known key"),
        ('sources = ["a"]\ntargets = ["b"]\nkimg = 1\nsize = "big"', "size: expected"),
        ('sources = "a"\ntargets = ["b"]\nkimg = 1', "sources:"),
    ],
)
def test_file_that_is_wrong_is_refused_by_its_name(tmp_path: Path, text: str, message: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_plan(plan)
    assert str(plan) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_no_table_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("[1]")
    with pytest.raises(InputError, match="expected a table"):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "none.toml")


@pytest.mark.parametrize("flag", ["--seed", "--seed=3", "--out", "--resume", "--from", "--kimg", "--mirror"])
def test_train_flags_that_the_study_sets_are_refused(flag: str) -> None:
    with pytest.raises(ConfigError, match=f"{flag}: the study sets this"):
        StudySettings(sources=("a",), targets=("b",), kimg=1, train_flags=("--batch", "8", flag))


def test_name_before_equals_is_split_off_unless_the_path_has_it(tmp_path: Path) -> None:
    assert split_name("old=runs/a=b") == ("old", "runs/a=b")
    assert split_name("runs/a") == (None, "runs/a")
    (tmp_path / "a=b").mkdir()
    assert split_name(str(tmp_path / "a=b")) == (None, str(tmp_path / "a=b"))

"""`stylegraft sources` and `train --from auto` as users meet them; features are cheap, the zoo is tiny."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from ranking_cases import MeanColours, write_pictures, write_source

from stylegraft.cli.arguments import parse, words_of
from stylegraft.cli.main import main
from stylegraft.cli.train import train
from stylegraft.data.config import DataConfig
from stylegraft.data.reader import open_image_set
from stylegraft.training.config import TrainOptions
from stylegraft.transfer.launch import Outcome
from stylegraft.transfer.study.record import (
    Cell,
    MeasuredPoint,
    RecordedSettings,
    SourceFile,
    StudyRecord,
    Target,
    write_record,
)
from stylegraft.zoo import Entry

RunCli = Callable
QUICK = ("--minutes", 0, "--num", 50)
TINY = ("--batch", 4, "--precision", "fp32")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    write_pictures(folder / "photos")
    write_source(folder / "red", (200, 40, 40))
    write_source(folder / "blue", (30, 30, 230))
    return folder


@pytest.fixture(autouse=True)
def tiny_zoo(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry(name, name, place / name, {}) for name in ("blue", "red")]
    monkeypatch.setattr("stylegraft.zoo.entries", lambda: entries)
    monkeypatch.setattr("stylegraft.transfer.ranking.rank.feature_network", lambda *a, **b: MeanColours())


@pytest.fixture
def trains_here(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def train_here(arguments: Sequence[str], log: Path) -> Outcome:
        calls.append(list(arguments))
        log.parent.mkdir(parents=True, exist_ok=True)
        code = main(["train", *arguments])
        return Outcome(code, None if code == 0 else "it did not work", was_stopped=False)

    monkeypatch.setattr("stylegraft.transfer.ranking.probe.train_subprocess", train_here)
    monkeypatch.setattr("stylegraft.transfer.ranking.halving._CALIBRATION_KIMG", 0.008)
    return calls


def refused(run_cli: RunCli, *words: object) -> str:
    done = run_cli(*words)
    assert done.code == 2, done.err
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    return done.err


def test_sources_prints_order_reasons_and_what_is_next(run_cli: RunCli, place: Path) -> None:
    done = run_cli("sources", place / "photos", *QUICK, "--mirror")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{place / 'photos'}: 24 images to train on, 0 held out, 16x16; their variab")
    rows = [line.split() for line in lines if line.startswith(("1 ", "2 "))]
    assert [row[1] for row in rows] == ["red", "blue"]
    assert "probe" not in lines[2]
    assert any(line.startswith("red: Closest of 2 to your images: ") for line in lines)
    assert any("comes first in 100 of 100 draws" in line for line in lines)
    assert lines[-1] == f"next: stylegraft train {place / 'photos'} --mirror --from red --out run"


def test_sources_adds_named_ones_and_writes_json_and_a_sheet(
    run_cli: RunCli, place: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    words = ["--with", f"mine={place / 'red'}", "--out", tmp_path / "out", "--sheet", sheet, "--json"]
    done = run_cli("sources", place / "photos", *QUICK, *words)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert [source["name"] for source in result["sources"]] == ["red", "mine", "blue"]
    assert [source["is_tied"] for source in result["sources"]] == [False, True, False]
    assert result == json.loads((tmp_path / "out" / "sources.json").read_text())
    with Image.open(sheet) as picture:
        assert picture.height >= 4 * 64  # your images and three sources, enlarged


def test_sources_refuses_what_makes_no_sense(run_cli: RunCli, place: Path, tmp_path: Path) -> None:
    photos = place / "photos"
    assert "expected DATA" in refused(run_cli, "sources")
    assert "expected DATA" in refused(run_cli, "sources", photos, "--check", tmp_path)
    assert "no such file" in refused(run_cli, "sources", tmp_path / "nowhere", *QUICK)
    assert "Did you mean textures?" in refused(run_cli, "sources", photos, "--with", "textuers", *QUICK)
    assert "got --minutes -1, " in refused(run_cli, "sources", photos, "--minutes", -1)
    assert "the study says" in refused(run_cli, "sources", "--check", tmp_path, "--mirror")
    assert "with study.json, got none" in refused(run_cli, "sources", "--check", tmp_path)
    write_pictures(tmp_path / "few", number=5)
    assert "at least 10 images" in refused(run_cli, "sources", tmp_path / "few", *QUICK)
    (tmp_path / "none").mkdir()
    assert "at least two images" in refused(run_cli, "sources", tmp_path / "none", *QUICK)
    (tmp_path / "text.pkl").write_text("no network")
    assert "text.pkl" in refused(run_cli, "sources", photos, "--with", tmp_path / "text.pkl", *QUICK)


def write_study(folder: Path, place: Path, photos: Path, **finals: float) -> Path:
    """A finished study of the given sources on the photos."""
    names = [name for name in finals if name != "scratch"]
    settings = RecordedSettings(
        sources=tuple(finals),
        source_files=tuple(SourceFile(name=name, path=str(place / name), sha256="0") for name in names),
        targets=(
            Target(
                name="photos",
                path=str(photos),
                num_images=24,
                num_holdout=0,
                data_hash=open_image_set(photos).content_hash,
            ),
        ),
        seeds=(0,),
        kimg=0.008,
        minutes=None,
        size=None,
        fit=None,
        mirror=True,
        labels="none",
        train_flags=("--batch", "4", "--precision", "fp32", "--eval-kimg", "1"),
    )
    cells = tuple(
        Cell(
            id=f"photos/{name}/seed0",
            target="photos",
            source=name,
            seed=0,
            state="done",
            folder=name,
            command="",
            best=MeasuredPoint(kimg=1, train_sec=1, distance=distance),
        )
        for name, distance in finals.items()
    )
    folder.mkdir()
    record = StudyRecord(version="0", command="", machine={}, created="", settings=settings, cells=cells)
    write_record(folder, record)
    return folder


def test_sources_are_held_against_a_study(
    run_cli: RunCli, place: Path, tmp_path: Path, trains_here: list[list[str]]
) -> None:
    write_source(tmp_path / "violet", (120, 30, 160))
    for name in ("red", "blue"):
        shutil.copytree(place / name, tmp_path / name)
    photos = place / "photos"
    study = write_study(tmp_path / "study", tmp_path, photos, red=10.0, violet=20.0, blue=30.0, scratch=40.0)
    done = run_cli("sources", "--check", study, *QUICK)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("| order by | photos | mean | ")
    assert lines[2].startswith("| quick score | 1.00 | 1.00 | ")
    assert lines[2].endswith("| red | 0 % |")

    out = tmp_path / "rankings"
    done = run_cli("sources", "--check", study, "--num", 50, "--kimg", 0.008, "--out", out, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["agreement"][0]["name"] == "ranking with probes"
    assert result["agreement"][0]["targets"][0]["num_sources"] == 4
    assert (out / "photos" / "sources.json").exists()
    for words in trains_here:  # as the study trained, but for what it measured
        assert "--eval-kimg" not in words
        assert "--resume" in words or {"--mirror", "--batch", "--labels"} <= set(words)

    write_pictures(tmp_path / "others", number=24, colour=(0, 0, 0))
    values = json.loads((study / "study.json").read_text())
    values["settings"]["targets"][0]["path"] = str(tmp_path / "others")
    (study / "study.json").write_text(json.dumps(values))
    assert "expected the images of the study" in refused(run_cli, "sources", "--check", study, *QUICK)


def test_unfinished_study_has_nothing_to_hold_against(run_cli: RunCli, place: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", place, place / "photos", red=10.0, blue=30.0)
    assert "finished cells of at least three sources" in refused(run_cli, "sources", "--check", study, *QUICK)


def test_train_from_auto_takes_the_best_source_and_says_why(
    run_cli: RunCli, place: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["--from", "auto", "--kimg", 0.008, *TINY, "--eval-share", 0]
    done = run_cli("train", place / "photos", "--out", run, *words)
    assert done.code == 0, done.err
    assert "choosing   a source, of blue, red\n" in done.err
    assert "chosen     red: Closest of 2 to your images: " in done.err
    config = json.loads((run / "config.json").read_text())
    assert config["source"]["path"] == str(place / "red")
    chosen = config["source"]["facts"]["chosen"]
    assert chosen["order"] == ["red", "blue"]
    assert chosen["distances"] == {}
    assert chosen["scores"]["red"] > chosen["scores"]["blue"]
    assert config["total_kimg"] == 0.008
    card = json.loads((run / "checkpoints" / "kimg-000000.008" / "checkpoint.json").read_text())
    assert card["info"]["trained_from"]["chosen"] == chosen


def test_train_from_auto_probes_within_a_tenth_of_its_minutes(
    run_cli: RunCli, place: Path, tmp_path: Path, trains_here: list[list[str]], monkeypatch
) -> None:
    monkeypatch.setattr("stylegraft.transfer.ranking.schedule._KIMG_GRID", (0.008,))
    monkeypatch.setattr("stylegraft.transfer.ranking.schedule.SHORTEST_KIMG", 0.008)
    run = tmp_path / "run"
    words = ["--from", "auto", "--kimg", 0.008, "--minutes", 90, *TINY, "--aug", "none", "--eval-share", 0]
    words += ["--eval-kimg", 5]
    done = run_cli("train", place / "photos", "--out", run, "--size", 16, *words)
    assert done.code == 0, done.err
    first = trains_here[0]
    assert "--eval-kimg" not in first  # that is for the run
    for flag in ("--aug none", "--batch 4", "--precision fp32", "--size 16"):
        assert flag in " ".join(first)
    assert "--minutes" not in first
    config = json.loads((run / "config.json").read_text())
    assert 45 <= config["total_minutes"] < 90
    assert set(config["source"]["facts"]["chosen"]["distances"]) >= {"red", "blue"}


def test_train_from_auto_without_time_for_probes_uses_the_score(
    run_cli: RunCli, place: Path, tmp_path: Path, trains_here: list[list[str]]
) -> None:
    words = ["--from", "auto", "--kimg", 0.008, "--minutes", 0.01, *TINY, "--eval-share", 0]
    done = run_cli("train", place / "photos", "--out", tmp_path / "run", *words)
    assert done.code == 0, done.err
    assert len(trains_here) == 1
    assert "no probes: --minutes 0.001: expected at least" in done.err
    assert "chosen     red: " in done.err


def test_train_from_auto_looks_at_the_folder_first(run_cli: RunCli, place: Path, tmp_path: Path) -> None:
    photos = place / "photos"
    assert "outside of the images'" in refused(
        run_cli, "train", photos, "--out", photos / "run", "--from", "auto"
    )
    assert "--from and --resume" in refused(run_cli, "train", "--resume", tmp_path, "--from", "auto")


def test_train_from_auto_needs_a_zoo(
    run_cli: RunCli, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylegraft.zoo.entries", list)
    message = refused(run_cli, "train", place / "photos", "--out", tmp_path / "run", "--from", "auto")
    assert "the zoo of this installation is empty" in message


def test_words_of_a_config_are_parsed_to_the_same_config() -> None:
    training = TrainOptions(
        kimg=1.5, lr=0.001, aug="none", freeze_d=2, tensorboard=True, channel_base=64, ada_target=0.25
    )
    images = DataConfig(size="32x16", fit="crop", channels=1, mirror=True, holdout=0.2, background="#102030")
    bound = parse(train, "train", ["photos", "--out", "run", *words_of(training), *words_of(images)])
    assert bound is not None
    assert bound.keywords["training"] == training  # pyright: ignore
    assert bound.keywords["images"] == images  # pyright: ignore
    assert words_of(TrainOptions()) == []
    assert words_of(training, "kimg", "lr", "aug", "freeze_d", "tensorboard", "channel_base") == [
        "--ada-target",
        "0.25",
    ]

"""`stylegraft zoo`, and its names where other commands take a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegraft import zoo


def test_zoo_lists_the_sources_with_their_numbers(run_cli, two_sources: Path) -> None:
    done = run_cli("zoo")
    assert done.code == 0, done.err
    head, boats, goats = done.out.splitlines()[:3]
    assert head.split()[:2] == ["name", "images"]
    assert boats.split() == ["boats", "boats", "1,200", "80", "101.5", "60.2", "2%", "10%", "0.0", "CC0-1.0"]
    assert goats.startswith("goats")


def test_zoo_shows_a_card(run_cli, two_sources: Path) -> None:
    done = run_cli("zoo", "boats")
    assert done.code == 0, done.err
    lines = {" ".join(line.split()) for line in done.out.splitlines()}
    assert "training stylegraft train boats.zip --out boats" in lines
    assert "from Debian boats 1.0" in lines
    says = "FD-EffLite0 101.5 (90.0 to 113.0) to held-out images, psi 1; real training images score 60.2"
    assert says in lines
    assert any("2% of the generated images" in line and "10% of the held-out" in line for line in lines)


def test_zoo_as_json_has_every_fact(run_cli, two_sources: Path) -> None:
    listed = json.loads(run_cli("zoo", "--json").out)["sources"]
    assert [source["name"] for source in listed] == ["boats", "goats"]
    entry = zoo.entry("boats")
    assert listed[0] == entry.card | {
        "folder": str(entry.folder),
        "grid": str(entry.grid),
        "num_bytes": entry.num_bytes,
    }
    assert json.loads(run_cli("zoo", "goats", "--json").out)["sources"] == listed[1:]


def test_zoo_writes_a_sheet(run_cli, two_sources: Path, tmp_path: Path) -> None:
    done = run_cli("zoo", "--sheet", tmp_path / "sheet.png")
    assert done.code == 0, done.err
    assert str(tmp_path / "sheet.png") in done.out
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 2 * 64 + 2
    one = run_cli("zoo", "goats", "--sheet", tmp_path / "one.png", "--json")
    assert json.loads(one.out)["sources"][0]["name"] == "goats"
    with Image.open(tmp_path / "one.png") as sheet:
        assert sheet.height == 64


@pytest.mark.parametrize(
    "words",
    [
        ["zoo", "textres"],
        ["inspect", "textres"],
        ["convert", "textres", "--out", "copy"],
        ["generate", "textres", "--out", "images"],
        ["evaluate", "textres", "set"],
        ["train", "set", "--out", "run", "--from", "textres"],
    ],
    ids=lambda words: words[0],
)
def test_unknown_name_suggests_the_nearest_in_one_line(
    run_cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli(*words)
    assert done.code == 2
    assert "Did you mean textures?" in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_inspect_takes_a_name(run_cli) -> None:
    facts = json.loads(run_cli("inspect", "textures", "--json").out)
    assert facts["kind"] == "checkpoint"
    assert facts["licence"] == zoo.entry("textures").card["licence"]


def test_convert_takes_a_name_and_keeps_licence_and_source(run_cli, tmp_path: Path) -> None:
    done = run_cli("convert", "textures", "--out", tmp_path / "copy", "--json")
    assert json.loads(done.out)["networks"] == ["D", "G_ema"]
    facts = json.loads(run_cli("inspect", tmp_path / "copy", "--json").out)
    card = zoo.entry("textures").card
    assert facts["licence"] == card["licence"]
    assert facts["source"] == {"format": "stylegraft", "file": "textures", "sha256": card["sha256"]}


def test_generate_takes_a_name(run_cli, tmp_path: Path) -> None:
    words = ["--out", tmp_path / "images", "--num", 2, "--precision", "fp32", "--json"]
    done = json.loads(run_cli("generate", "textures", *words).out)
    assert done["checkpoint_sha256"] == zoo.entry("textures").card["sha256"]
    assert len(list((tmp_path / "images").glob("*.png"))) == 2


def test_train_starts_from_a_name(run_cli, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "set").mkdir()
    for name in "abcdefgh":
        pixels = random.integers(0, 256, [64, 64, 3], dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{name}.png")
    words = [
        "--out",
        tmp_path / "run",
        "--from",
        "textures",
        "--kimg",
        0.004,
        "--batch",
        4,
        "--eval-share",
        0,
    ]
    done = run_cli("train", tmp_path / "set", *words)
    assert done.code == 0, done.err
    source = json.loads((tmp_path / "run" / "config.json").read_text())["source"]
    card = zoo.entry("textures").card
    assert source["sha256"] == card["sha256"]
    assert source["facts"]["licence"] == card["licence"]
    assert source["facts"]["source"]["file"] == "textures"

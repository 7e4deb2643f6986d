"""`stylegraft quickstart` with few, small beans and seconds in place of minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from stylegraft.cli import quickstart as command


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylegraft.training import estimate

    monkeypatch.setattr(command, "_NUM_BEANS", 66)  # eleven of each kind: a held-out part, and rows of eight
    monkeypatch.setattr(command, "_SIZE_PX", 16)
    monkeypatch.setattr(estimate, "_MIN_FAKES", 4)
    monkeypatch.setattr(estimate, "_MAX_FAKES", 8)


@pytest.mark.usefixtures("small")
def test_quickstart_goes_all_the_way(run_cli, tmp_path: Path) -> None:
    out = tmp_path / "quick"
    done = run_cli("quickstart", "--out", out, "--minutes", 0.05, "--seed", 3)
    assert done.code == 0, done.err
    assert {path.name for path in out.iterdir()} == {"beans", "run", "before-after.png", "real.png"}
    assert len(list((out / "beans").glob("*/*.png"))) == 66
    config = json.loads((out / "run" / "config.json").read_text())
    assert (config["seed"], config["total_minutes"], config["data"]["mirror"]) == (3, 0.05, True)
    assert config["generator"]["mapping"]["c_dim"] == 6
    log = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text().splitlines()]
    assert any("distance" in row for row in log)
    assert (out / "run" / "curve.png").is_file()
    for name in ("before-after.png", "real.png"):
        with Image.open(out / name) as picture:
            picture.load()
            assert len(picture.convert("L").getcolors(256) or []) > 50  # a picture, no empty sheet
    steps = [line[:5] for line in done.err.splitlines() if line.startswith("[")]
    assert steps == ["[1/3]", "[2/3]", "[3/3]"]
    last = done.err.splitlines()[-6:]
    assert str(out / "before-after.png") in done.err
    assert str(out / "run" / "curve.png") in done.err
    assert [line.split()[1] for line in last[-3:]] == ["inspect", "train", "generate"]


def test_commands_that_quickstart_names_can_be_parsed(run_cli, tmp_path: Path, capsys) -> None:
    from rich.console import Console

    from stylegraft.cli import generate, inspect, train
    from stylegraft.cli.arguments import parse

    command._show_results(Console(stderr=True), tmp_path)
    lines = [line.split() for line in capsys.readouterr().err.splitlines() if line.startswith("  stylegraft")]
    functions = {"inspect": inspect.inspect, "train": train.train, "generate": generate.generate}
    assert [words[1] for words in lines] == list(functions)
    for _, name, *words in lines:
        assert parse(functions[name], f"stylegraft {name}", words) is not None


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("holds", ["a file", "nothing but is a file"])
def test_quickstart_refuses_an_out_in_use(run_cli, tmp_path: Path, holds: str) -> None:
    out = tmp_path / "quick"
    if holds == "a file":
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
    else:
        out.write_text("years of work")
    done = run_cli("quickstart", "--out", out, "--minutes", 0.05)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "--out" in done.err
    assert (out / "thesis.txt" if out.is_dir() else out).read_text() == "years of work"
    assert len(list(tmp_path.rglob("*"))) == 1 + out.is_dir()

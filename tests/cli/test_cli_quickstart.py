"""`stylegraft quickstart` with few, small beans and seconds in place of minutes, trained in this process."""

from __future__ import annotations

import json
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from stylegraft import zoo
from stylegraft.checkpoints.run_folder import has_checkpoints
from stylegraft.cli import quickstart as command
from stylegraft.cli.arguments import parse
from stylegraft.cli.main import main
from stylegraft.transfer.launch import Outcome
from stylegraft.transfer.study.cell import CellJob
from stylegraft.transfer.study.record import read_record

SOURCE = "textures"


class InProcess:
    """Trains each cell at once, in this process; `stops` makes it end as Ctrl-C would."""

    slots, threads = 2, 1

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.stops = False

    def submit(self, job: CellJob) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        code = 0
        if not self.stops:
            self.trained.append(job.id)
            code = main(["train", *(job.resume if has_checkpoints(job.folder) else job.arguments)])
        future.set_result(Outcome(code, None if code == 0 else "failed", was_stopped=self.stops))
        return future

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    from stylegraft.training import estimate

    engine = InProcess()
    monkeypatch.setattr(command, "_NUM_BEANS", 66)  # eleven of each kind: a held-out part, and two of each
    monkeypatch.setattr(command, "_NUM_SAMPLES", 50)
    monkeypatch.setattr(estimate, "_MIN_FAKES", 4)
    monkeypatch.setattr(estimate, "_MAX_FAKES", 8)
    monkeypatch.setattr("stylegraft.zoo.entries", lambda: [zoo.entry(SOURCE)])
    monkeypatch.setattr("stylegraft.transfer.study.run.make_engine", lambda name, jobs, threads: engine)
    return engine


@pytest.mark.slow
@pytest.mark.timeout(900)  # a busy machine is no failure
def test_quickstart_goes_all_the_way(run_cli, tmp_path: Path, small: InProcess) -> None:
    out = tmp_path / "quick"
    words = ("quickstart", "--out", out, "--minutes", 0.02, "--seed", 3)

    # Stopped while it trains: it says how to go on, and the same command does.
    small.stops = True
    stopped = run_cli(*words)
    assert stopped.code == 130
    assert "2 of 2 cells are left: the same command goes on" in stopped.err
    assert not (out / "side-by-side.png").exists()
    small.stops = False
    done = run_cli(*words)
    assert done.code == 0, done.err
    assert [line[:5] for line in done.err.splitlines() if line.startswith("[")] == ["[2/4]", "[3/4]", "[4/4]"]
    assert small.trained == [f"beans/{SOURCE}/seed0", "beans/scratch/seed0"]
    names = {"beans", "study", "side-by-side.png", "report.html", "report-figures"}
    assert {path.name for path in out.iterdir()} == names
    assert len(list((out / "beans").glob("*/*.png"))) == 66

    # Both trainings differ in their start, and what follows from it by default.
    record = read_record(out / "study")
    assert record is not None
    settings = [
        json.loads((out / "study" / cell.folder / "config.json").read_text()) for cell in record.cells
    ]
    grafted, scratch = settings
    assert (grafted["source"]["path"], scratch["source"]) == (str(zoo.entry(SOURCE).folder), None)
    networks, images = ("generator", "discriminator"), ("data_hash", "data")
    for name in (*networks, *images, "seed", "total_minutes", "batch", "lr", "ema_kimg"):
        assert grafted[name] == scratch[name], name
    assert (grafted["total_minutes"], grafted["data"]["mirror"]) == (0.02, True)
    assert (grafted["match_tones"], scratch["match_tones"]) == (True, False)
    assert grafted["generator"]["mapping"]["c_dim"] == 6

    # What there is to look at: a row for the source, each run and real beans; both curves in one figure.
    with Image.open(out / "side-by-side.png") as picture:
        assert picture.height == 4 * (64 + 2) - 2
        assert len(picture.convert("L").getcolors(256) or []) > 50  # a picture, no empty sheet
    figure = (out / "report-figures" / "distance_over_time.svg").read_text()
    assert figure.count("<!-- scratch -->") == 1
    assert figure.count(f"<!-- {SOURCE} -->") == 1

    # What it says: why this source, what the graft gained, where to look, what is next.
    assert f"chosen     {SOURCE}: Closeness " in done.err
    assert sum(line.startswith("The graft gained") for line in done.err.splitlines()) == 1
    for name in ("side-by-side.png", "report-figures/distance_over_time.png", "report.html"):
        assert str(out / name) in done.err
        assert (out / name).is_file()
    named = [
        line[line.index("stylegraft ") :].split() for line in done.err.splitlines() if "stylegraft " in line
    ][-4:]
    assert [words[1] for words in named] == ["study", "inspect", "train", "generate"]
    for _, name, *rest in named:
        assert parse(getattr(import_module(f"stylegraft.cli.{name}"), name), f"stylegraft {name}", rest)

    # Once more: nothing is trained again. With other settings it is another quickstart.
    small.trained.clear()
    assert run_cli(*words).code == 0
    assert small.trained == []
    assert "exists already" in run_cli("quickstart", "--out", out, "--minutes", 0.01, "--seed", 3).err


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


def test_quickstart_without_time_is_refused_before_anything_is_made(run_cli, tmp_path: Path) -> None:
    done = run_cli("quickstart", "--out", tmp_path / "quick", "--minutes", 0)
    assert done.code == 2
    assert "--minutes 0: expected more than 0" in done.err
    assert not list(tmp_path.iterdir())

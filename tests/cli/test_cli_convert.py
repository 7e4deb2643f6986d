"""`stylegraft convert`: what comes out is what went in and says where it is from; no slip costs files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stylegraft
from stylegraft.checkpoints.opening import open_checkpoint

Run = Callable[..., Any]
OFFICIAL = Path(__file__).parents[1] / "reference" / "nvidia_pytorch" / "sg2ada_uncond_skip_r32.pkl"


def converted(run_cli: Run, source: Path, out: Path, *words: object) -> dict[str, Any]:
    done = run_cli("convert", source, "--out", out, *words, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def same_tensors(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_native_keeps_every_network_and_the_origin(run_cli: Run, tmp_path: Path) -> None:
    result = converted(
        run_cli, OFFICIAL, tmp_path / "native", "--licence", "cc-by-nc-4.0", "--data-note", "two photos"
    )
    assert (result["format"], result["source_format"]) == ("native", "nvidia-pytorch")
    assert result["networks"] == ["D", "G", "G_ema"]
    assert result["bytes"] == sum(path.stat().st_size for path in (tmp_path / "native").iterdir())
    before = open_checkpoint(OFFICIAL, with_training=True)
    after = open_checkpoint(tmp_path / "native", with_training=True)
    assert (after.generator, after.discriminator) == (before.generator, before.discriminator)
    assert after.tensors.keys() == before.tensors.keys()
    for network, tensors in before.tensors.items():
        assert same_tensors(after.tensors[network], tensors)
    assert after.info["source"] == {
        "format": "nvidia-pytorch",
        "file": OFFICIAL.name,
        "sha256": before.info["sha256"],
    }
    assert (after.info["licence"], after.info["data_note"]) == ("cc-by-nc-4.0", "two photos")
    assert after.info["load_report"] == before.info["load_report"]
    # Where the source lay is the user's own business.
    assert str(OFFICIAL.parent) not in (tmp_path / "native" / "checkpoint.json").read_text()


def test_copies_of_copies_name_the_first_file(run_cli: Run, tmp_path: Path) -> None:
    converted(run_cli, OFFICIAL, tmp_path / "a", "--licence", "mit")
    converted(run_cli, tmp_path / "a", tmp_path / "b", "--to", "hub", "--data-note", "a note")
    converted(run_cli, tmp_path / "b", tmp_path / "c", "--licence", "isc")
    pictures = stylegraft.load(OFFICIAL).sample(range(3))
    for name, licence, note in (("a", "mit", None), ("b", "mit", "a note"), ("c", "isc", "a note")):
        model = stylegraft.load(tmp_path / name)
        assert model.info["source"]["file"] == OFFICIAL.name
        assert (model.info["licence"], model.info.get("data_note")) == (licence, note)
        assert np.array_equal(model.sample(range(3)), pictures)
        assert model.discriminator is not None


def test_rosinality_file_opens_with_the_same_pictures(run_cli: Run, tmp_path: Path, square: Path) -> None:
    result = converted(run_cli, square, tmp_path / "g.pt")
    assert result["format"] == "rosinality"
    assert result["notes"]
    found = stylegraft.load(tmp_path / "g.pt").sample(range(3)).astype(int)
    assert np.abs(found - stylegraft.load(square).sample(range(3))).max() <= 1


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the kind of network that rosinality's code makes."""
    from stylegraft.checkpoints.foreign.rosinality_layout import stock_generator
    from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
    from stylegraft.networks.making import make_generator

    torch.manual_seed(0)
    config = stock_generator((8, 8, 8), 8, 2, (1.0, 3.0, 3.0, 1.0))
    tensors = {f"G_ema.{name}": tensor for name, tensor in make_generator(config).state_dict().items()}
    path = tmp_path_factory.mktemp("square") / "checkpoint"
    write_checkpoint(path, Checkpoint(config, None, tensors))
    return path


def test_onnx_file_computes_what_the_model_samples(run_cli: Run, tmp_path: Path, class_run: Path) -> None:
    import onnxruntime

    done = run_cli("convert", class_run, "--out", tmp_path / "g.onnx", "--noise", "none")
    assert (done.code, done.err) == (0, "")
    assert "z [batch, 8], c [batch, 2], psi []" in done.out
    model = stylegraft.load(class_run)
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    z = np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in range(5)]).astype(np.float32)
    c = np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0]]
    (image,) = session.run(None, {"z": z, "c": c, "psi": np.array(0.7, dtype=np.float32)})
    pixels = np.clip(image * 127.5 + 128, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    assert np.abs(pixels.astype(int) - model.sample(range(5), noise_mode="none")).max() <= 1


@pytest.mark.parametrize("to", ["native", "hub", "rosinality"])
def test_name_in_use_is_refused_unless_told(run_cli: Run, tmp_path: Path, square: Path, to: str) -> None:
    out = tmp_path / "out"
    converted(run_cli, square, out, "--to", to)
    done = run_cli("convert", square, "--out", out, "--to", to)
    assert (done.code, done.out) == (2, "")
    assert "expected a free name" in done.err
    assert "give --overwrite" in done.err
    converted(run_cli, square, out, "--to", to, "--overwrite")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert stylegraft.load(out).info["img_height"] == 16


@pytest.mark.parametrize("to", ["native", "hub", "rosinality", "onnx"])
def test_folder_with_other_things_is_never_overwritten(
    run_cli: Run, tmp_path: Path, square: Path, to: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    done = run_cli("convert", square, "--out", tmp_path / "out", "--to", to, "--overwrite")
    assert done.code == 2
    assert "thesis.txt" in done.err
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--out", "model.v2"], "expected a name that ends with .onnx or .pt"),
        (["--out", "a", "--noise", "input"], "--noise input: only ONNX files have a choice of noise"),
        (["--out", "a.pt", "--licence", "mit"], "a rosinality file has no place for them"),
        (["--out", "a", "--to", "tensorflow"], "invalid choice"),
        (["--out", "a.pt"], "cannot be written as a rosinality file"),
    ],
)
def test_impossible_wishes_are_one_line(
    run_cli: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    class_run: Path,
    words: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli("convert", class_run, *words)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_inspect_shows_what_a_converted_model_says_of_itself(run_cli: Run, tmp_path: Path) -> None:
    converted(run_cli, OFFICIAL, tmp_path / "a", "--licence", "terms of mine", "--to", "hub")
    converted(run_cli, OFFICIAL, tmp_path / "b")
    shown = run_cli("inspect", tmp_path / "a").out
    assert shown.startswith("checkpoint")
    for words in ("terms of mine", "stylegan2", OFFICIAL.name, "w avg norm", "generator parameters"):
        assert words in shown
    shown = run_cli("inspect", tmp_path / "b").out
    assert "tensors left over  2: augment_pipe.Hz_geom, augment_pipe.Hz_fbank" in shown
    facts = json.loads(run_cli("inspect", tmp_path / "b", "--json").out)
    assert facts["load_report"]["left_over"] == ["augment_pipe.Hz_geom", "augment_pipe.Hz_fbank"]
    assert facts["format"] == "stylegraft"


def test_damaged_source_leaves_nothing(run_cli: Run, tmp_path: Path, square: Path) -> None:
    shutil.copytree(square, tmp_path / "source")
    (tmp_path / "source" / "networks.safetensors").write_bytes(b"")
    for to in ("native", "hub", "onnx", "rosinality"):
        done = run_cli("convert", tmp_path / "source", "--out", tmp_path / "out", "--to", to)
        assert done.code == 2
        assert "SHA-256" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["source"]

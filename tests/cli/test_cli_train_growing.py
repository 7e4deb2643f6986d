"""`stylegraft train --family stylegan1`: growing as users meet it, and starting from networks that grew."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

OFFICIAL = Path(__file__).parents[1] / "reference" / "nvidia_tensorflow" / "sg1_uncond_r32.pkl"
SMALL = ["--channel-base", 64, "--channel-max", 8, "--z-dim", 8, "--w-dim", 8, "--batch", 4]
GROWING = ["--family", "stylegan1", "--stable-kimg", 0.016, "--fade-kimg", 0.016, *SMALL, "--eval-share", 0]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("growing") / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(16):
        Image.fromarray(random.integers(0, 256, [16, 16, 3], dtype=np.uint8)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def grown(images: Path) -> Path:
    """A run that grew from 8 to 16 px."""
    from stylegraft.cli.main import main

    run = images.parent / "grown"
    words = ["train", images, "--out", run, "--kimg", 0.04, *GROWING]
    assert main([str(word) for word in words]) == 0
    return run


def settings(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


def networks(run: Path, name: str) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run / "checkpoints" / name / "networks.safetensors")


def test_growing_is_announced_logged_and_drawn_at_each_stage(run_cli, images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = run_cli("train", images, "--out", run, "--kimg", 0.1, *GROWING)
    assert done.code == 0, done.err
    assert "networks   StyleGAN v1 progressive, feature maps 8-8-4" in done.err
    expected = "0.016 kimg at a size, 0.016 kimg to fade in the next; full size at 0.032 kimg"
    assert f"growing    8 -> 16 px, batch 4 -> 4: {expected}\n" in done.err
    assert re.search(r"note       fewer than \d+ images, and no augmentation .*--aug ada", done.err)
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert (rows[0]["lod"], rows[0]["side_px"]) == (0, 16)
    # At the start, when a fade begins and when it ends, at the end.
    names = sorted(path.name for path in (run / "samples").glob("kimg-*.png"))
    assert names == [f"kimg-000000.{kimg}.png" for kimg in ("000", "020", "032", "100")]


def test_budget_that_ends_before_full_size_is_announced(run_cli, images: Path, tmp_path: Path) -> None:
    words = ["train", images, "--out", tmp_path / "run", "--kimg", 0.02, *GROWING]
    assert "note       the budget ends before full size" in run_cli(*words).err


def test_run_that_stopped_while_it_grew_samples_as_it_stood(run_cli, images: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    assert run_cli("train", images, "--out", run, "--kimg", 0.012, *GROWING).code == 0
    done = run_cli("generate", run, "--out", out, "--num", 2, "--psi", 1)
    assert done.code == 0, done.err
    for path in sorted(out.glob("*.png")):
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
        assert pixels.shape == (16, 16, 3)
        assert np.array_equal(pixels, pixels[::2, ::2].repeat(2, 0).repeat(2, 1))  # 8 px, each repeated


def test_from_a_grown_run_starts_at_full_size_with_its_networks(
    run_cli, images: Path, grown: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["--from", grown, "--preset", "study-v1", "--kimg", 0.008, "--batch", 4, "--eval-share", 0]
    words.append("--no-match-tones")
    done = run_cli("train", images, "--out", run, *words)
    assert done.code == 0, done.err
    assert "G from G, G_ema from G_ema, D from D" in done.err
    config = settings(run)
    assert (config["family"], config["growing"], config["lr"]) == ("stylegan1", None, 0.001)
    assert (config["r1_gamma"], config["r1_interval"], config["augment"]) == (10, 1, None)
    assert config["data"]["mirror"]
    newest = sorted(path.name for path in (grown / "checkpoints").iterdir())[-1]
    source, start = networks(grown, newest), networks(run, "kimg-000000.000")
    assert all(torch.equal(start[name], tensor) for name, tensor in source.items())


def test_from_an_official_v1_pickle_trains_all_three_networks(run_cli, images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["--from", OFFICIAL, "--preset", "study-v1", "--size", 32, "--kimg", 0.008, "--eval-share", 0]
    done = run_cli("train", images, "--out", run, *words)
    assert done.code == 0, done.err
    assert "source     G from G, G_ema from G_ema, D from D; " in done.err
    assert "none left over" in done.err
    assert settings(run)["source"]["path"] == str(OFFICIAL)
    start, end = networks(run, "kimg-000000.000"), networks(run, "kimg-000000.008")
    moved = {name.split(".")[0] for name, tensor in start.items() if not torch.equal(tensor, end[name])}
    assert moved == {"G_ema", "D"}


def test_from_a_half_grown_run_grows_on(run_cli, images: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    assert run_cli("train", images, "--out", half, "--kimg", 0.024, *GROWING).code == 0
    assert networks(half, "kimg-000000.024")["G_ema.synthesis.lod"] == 0.75
    for flags, growing in (([], True), (["--start-lod", 0], False)):
        run = tmp_path / f"run{growing}"
        words = ["--from", half, "--kimg", 0.004, "--batch", 4, "--eval-share", 0, *flags]
        assert run_cli("train", images, "--out", run, *words).code == 0
        assert bool(settings(run)["growing"]) == growing
        start = networks(run, "kimg-000000.000")
        assert start["G_ema.synthesis.lod"] == start["D.lod"] == int(growing)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--family", "stylegan2"], "--family stylegan2: the source of --from is stylegan1"),
        (["--start-lod", 7], "--start-lod 7: expected at most 2"),
    ],
)
def test_flags_that_the_source_contradicts_are_refused(
    run_cli, images: Path, grown: Path, tmp_path: Path, flags: list, message: str
) -> None:
    done = run_cli("train", images, "--out", tmp_path / "run", "--from", grown, *flags)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "run").exists()

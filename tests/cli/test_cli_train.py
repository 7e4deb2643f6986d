"""`stylegraft train` as users meet it: what it writes and prints, resuming, starting from other networks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

OFFICIAL = Path(__file__).parents[1] / "reference" / "nvidia_pytorch" / "sg2ada_uncond_skip_r32.pkl"
CURVE_OFF = ["--eval-share", 0]
SHORT = ["--kimg", 0.008, "--batch", 4, *CURVE_OFF]
SMALL = ["--channel-base", 64, "--channel-max", 8, "--mapping-layers", 1, "--z-dim", 8, "--w-dim", 8]
TINY = ["--batch", 4, *SMALL, *CURVE_OFF]

Run = Callable[..., Path]


def write_images(folder: Path, number: int = 16, size: int = 16, channels: int = 3) -> Path:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for index in range(number):
        pixels = random.integers(0, 256, [size, size, 3][: 2 if channels == 1 else 3], dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture{chr(97 + index // 26)}{chr(97 + index % 26)}.png")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("train") / "photos")


@pytest.fixture(scope="module")
def finished(images: Path) -> Path:
    """A run of 0.1 kimg; tests that change it take a copy."""
    from stylegraft.cli.main import main

    run = images.parent / "finished"
    words = ["train", images, "--out", run, "--kimg", 0.1, *TINY]
    assert main([str(word) for word in words]) == 0
    return run


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def settings(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


def log(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def checkpoint_tensors(run: Path, name: str) -> dict[str, torch.Tensor]:
    """Networks and G of a checkpoint."""
    folder = run / "checkpoints" / name
    tensors = safetensors.torch.load_file(folder / "networks.safetensors")
    return tensors | safetensors.torch.load_file(folder / "training.safetensors")


def refused(run_cli, *words: object) -> str:
    done = run_cli("train", *words)
    assert done.code == 2, done.err
    assert done.err.count("\n") == 1, done.err
    return done.err


def test_train_writes_the_files_of_the_guide(run_cli, images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = run_cli("train", images, "--out", run, "--kimg", 0.1, *TINY)
    assert done.code == 0, done.err
    assert done.out == ""
    assert {path.name for path in run.iterdir()} == {
        "config.json",
        "log.jsonl",
        "sessions.jsonl",
        "samples",
        "checkpoints",
    }
    samples = {path.name for path in (run / "samples").iterdir()}
    assert samples == {"reals.png", "kimg-000000.000.png", "kimg-000000.100.png"}
    names = {path.name for path in (run / "checkpoints").iterdir()}
    assert names == {"kimg-000000.000", "kimg-000000.100"}
    config = settings(run)
    assert config["generator"]["channels"] == [8, 8, 4]
    assert config["generator"]["mapping"]["z_dim"] == 8
    assert (config["batch"], config["total_kimg"], config["source"]) == (4, 0.1, None)
    assert (config["ada"]["kimg"], config["ema_rampup"]) == (200, 0.05)
    assert [row["step"] for row in log(run)] == [16]  # 25 steps of 4 images; a line each 16 steps
    assert {"loss_G", "loss_D", "augment_p", "img_per_sec"} <= log(run)[0].keys()


def test_train_prints_settings_before_and_what_is_next_after(run_cli, images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run[bold]"  # brackets are no markup
    lines = run_cli("train", images, "--out", run, "--kimg", 0.02, *TINY).err.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("images", "networks", "training", "note"),
        *("trained", "pictures", "next"),
    ]
    assert "16 to train on, 0 held out, 16x16, 3 channels" in lines[0]
    assert "8-8-4" in lines[1]
    assert "batch 4" in lines[2]
    assert lines[-1].startswith(f"next       stylegraft generate {run} ")  # and no curve, for there is none


def test_resume_goes_on_to_a_new_total(run_cli, copy: Path) -> None:
    done = run_cli("train", "--resume", copy, "--kimg", 0.2, "--threads", 1)
    assert done.code == 0, done.err
    assert settings(copy)["threads"] == 1  # of the machine, not of the run: may change
    assert f"resuming {copy} from kimg-000000.100 (0.1 kimg)" in done.err
    assert settings(copy)["total_kimg"] == 0.2
    assert [row["step"] for row in log(copy)] == [16, 32, 48]
    names = {path.name for path in (copy / "checkpoints").iterdir()}
    assert names == {"kimg-000000.100", "kimg-000000.200"}


def test_resume_of_a_finished_run_leaves_it_as_it_is(run_cli, copy: Path) -> None:
    before = checkpoint_tensors(copy, "kimg-000000.100")
    assert run_cli("train", "--resume", copy).code == 0
    after = checkpoint_tensors(copy, "kimg-000000.100")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [row["step"] for row in log(copy)] == [16]


def test_resume_finds_images_that_moved_and_refuses_others(
    run_cli, copy: Path, images: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(images, tmp_path / "moved")
    assert run_cli("train", moved, "--resume", copy, "--kimg", 0.11).code == 0
    others = write_images(tmp_path / "others", number=15)
    assert "expected the images this run was started with" in refused(run_cli, others, "--resume", copy)


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["--batch", 8], "--batch:"),
        (["--lr", 0.1, "--gamma", 2], "--gamma, --lr:"),
        (["--mirror"], "--mirror:"),
        (["--channel-max", 16, "--size", 32], "--channel-max, --size:"),
        (["--from", "other"], "--from and --resume exclude each other"),
    ],
)
def test_resume_refuses_flags_that_it_would_ignore(run_cli, copy: Path, words: list, flags: str) -> None:
    before = settings(copy)
    assert flags in refused(run_cli, "--resume", copy, "--kimg", 0.2, *words)
    assert settings(copy) == before


def test_train_wants_one_of_out_and_resume(run_cli, images: Path, copy: Path, tmp_path: Path) -> None:
    for words in ([images], [images, "--out", tmp_path / "run", "--resume", copy], []):
        assert "--out RUN for a new run, or --resume RUN" in refused(run_cli, *words)
    assert "expected DATA" in refused(run_cli, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_out_that_holds_a_run_is_refused(run_cli, images: Path, copy: Path) -> None:
    before = checkpoint_tensors(copy, "kimg-000000.100")
    assert f"--resume {copy}" in refused(run_cli, images, "--out", copy, "--kimg", 0.1, *TINY)
    after = checkpoint_tensors(copy, "kimg-000000.100")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("name", [".", "run", "below/run"])
def test_out_among_the_images_is_refused(run_cli, tmp_path: Path, name: str) -> None:
    photos = write_images(tmp_path / "photos")
    assert "outside of the images'" in refused(run_cli, photos, "--out", photos / name, *TINY)
    assert {path.suffix for path in photos.iterdir()} == {".png"}


def test_from_a_run_copies_all_networks_with_the_defaults_of_transfer(
    run_cli, images: Path, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["--from", finished, "--no-match-tones", "--kimg", 0.02, "--batch", 4, *CURVE_OFF]
    done = run_cli("train", images, "--out", run, *words)
    assert done.code == 0, done.err
    start = checkpoint_tensors(finished, "kimg-000000.100")
    tensors = {name: tensor for name, tensor in start.items() if name.split(".")[0] in ("G", "G_ema", "D")}
    copied = f"G from G, G_ema from G_ema, D from D; {len(tensors)} tensors read"
    assert f"source     {copied}, none left over, none missing\n" in done.err
    config = settings(run)
    assert (config["ada"]["kimg"], config["ema_rampup"]) == (100, 0.2)
    assert config["generator"]["channels"] == [8, 8, 4]
    assert config["source"]["path"] == str(finished / "checkpoints" / "kimg-000000.100")
    first = checkpoint_tensors(run, "kimg-000000.000")
    assert all(torch.equal(first[name], tensor) for name, tensor in tensors.items())


def test_from_an_official_pickle_trains(run_cli, tmp_path: Path) -> None:
    photos = write_images(tmp_path / "photos", number=4, size=32)
    run = tmp_path / "run"
    done = run_cli(
        "train", photos, "--out", run, "--from", OFFICIAL, "--kimg", 0.008, "--batch", 2, *CURVE_OFF
    )
    assert done.code == 0, done.err
    assert "source     G from G, G_ema from G_ema, D from D; " in done.err
    assert settings(run)["source"]["path"] == str(OFFICIAL)
    assert (run / "checkpoints" / "kimg-000000.008").is_dir()


def test_from_a_checkpoint_without_d_starts_d_anew(
    run_cli, images: Path, plain_checkpoint: Path, tmp_path: Path
) -> None:
    words = ["--out", tmp_path / "run", "--from", plain_checkpoint, *SHORT]
    done = run_cli("train", images, *words)
    assert done.code == 0, done.err
    assert "G from G_ema, G_ema from G_ema, D starts anew: the source has none; " in done.err


def test_from_refuses_flags_that_the_source_decides(
    run_cli, images: Path, finished: Path, tmp_path: Path
) -> None:
    words = [images, "--out", tmp_path / "run", "--from", finished, "--mapping-layers", 8]
    message = refused(run_cli, *words)
    assert "--mapping-layers 8: the source of --from has 1, and a layer more or less" in message
    assert not (tmp_path / "run").exists()


def test_distance_goes_into_log_card_and_curve(run_cli, tmp_path: Path) -> None:
    photos = write_images(tmp_path / "photos", number=64)
    run = tmp_path / "run"
    words = ["--kimg", 0.07, "--batch", 4, "--eval-fakes", 4, *SMALL]
    done = run_cli("train", photos, "--out", run, *words)
    assert done.code == 0, done.err
    assert "44 to train on, 20 held out" in done.err
    assert "distance   FD-EffLite0 of 4 fakes" in done.err
    measured = [row for row in log(run) if "distance" in row]
    assert {0, 18} <= {row["step"] for row in measured}  # before the first step and at the end
    for row in measured:
        assert row["distance"] > 0
        assert row["floor"] > 0
    best = min(row["distance"] for row in measured)
    assert f"best       FD-EffLite0 {best:.2f} at" in done.err
    assert f"curve      {run / 'curve.png'}\n" in done.err
    assert (run / "curve.svg").read_text().lstrip().startswith("<?xml")
    with Image.open(run / "curve.png") as curve:
        assert min(curve.size) > 100
    card = json.loads((run / "checkpoints" / "kimg-000000.072" / "checkpoint.json").read_text())
    assert card["info"]["distance"] == measured[-1]["distance"]


def test_distance_is_measured_in_the_precision_of_the_processor(images: Path) -> None:
    from stylegraft.cli.train import make_evaluator
    from stylegraft.data import DataConfig, open_image_set
    from stylegraft.runtime.precision import compute_dtype

    photos = open_image_set(images, DataConfig())
    measured = make_evaluator(photos, photos.split())
    distance = measured.evaluator(lambda start, count: photos.pixels(np.arange(start, start + count)), 4)
    fast = compute_dtype("auto", torch.device("cpu")) == torch.bfloat16
    assert distance.to_dict()["precision"] == ("bf16" if fast else "fp32")


def test_copies_are_watched_for_without_drawing_fakes_again(tmp_path: Path) -> None:
    from stylegraft.cli.train import make_evaluator
    from stylegraft.data import DataConfig, open_image_set, write_image_set

    pictures = np.random.RandomState(0).randint(0, 256, [66, 8, 8, 3], np.uint8)
    photos = open_image_set(write_image_set(tmp_path / "photos.zip", pictures), DataConfig(holdout=0.35))
    measured = make_evaluator(photos, photos.split())
    asked = []

    def sample(start: int, count: int) -> np.ndarray:
        asked.append((start, count))
        return pictures[start : start + count]

    measured.evaluator(sample, 12)
    assert measured.copy_watch is not None
    look = measured.copy_watch(sample, 12)
    assert look is not None
    assert 0 <= look.share <= 1
    assert asked == [(0, 12)]

"""`stylegraft train --from` where images or flags ask for other networks than the source's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

SHORT = ["--kimg", 0.008, "--batch", 4, "--eval-share", 0]
SMALL = ["--channel-base", 128, "--channel-max", 8, "--mapping-layers", 1, "--z-dim", 8, "--w-dim", 8]


def write_images(
    folder: Path, number: int = 16, size: tuple[int, int] = (16, 16), grey: bool = False
) -> Path:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for index in range(number):
        pixels = random.integers(0, 256, [*size, 3], dtype=np.uint8)
        name = f"picture{chr(97 + index // 26)}{chr(97 + index % 26)}.png"
        Image.fromarray(pixels[:, :, 0] if grey else pixels).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two classes on 16 px."""
    from stylegraft.cli.main import main

    folder = tmp_path_factory.mktemp("surgery")
    for name in ("cats", "dogs"):
        write_images(folder / "photos" / name)
    words = ["train", folder / "photos", "--out", folder / "run", *SHORT, *SMALL]
    assert main([str(word) for word in words]) == 0
    return folder / "run"


def networks(run: Path, checkpoint: str = "kimg-000000.000") -> dict[str, torch.Tensor]:
    folder = run / "checkpoints" / checkpoint
    tensors = safetensors.torch.load_file(folder / "networks.safetensors")
    return tensors | safetensors.torch.load_file(folder / "training.safetensors")


def settings(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


def test_all_at_once_trains_resumes_and_samples(run_cli, source: Path, tmp_path: Path) -> None:
    photos, run, out = tmp_path / "photos", tmp_path / "run", tmp_path / "out"
    for name in ("dogs", "emus", "cats"):
        write_images(photos / name, number=6, size=(48, 32), grey=True)
    done = run_cli("train", photos, "--out", run, "--from", source, *SHORT)
    assert done.code == 0, done.err
    for text in (
        "source     G from G, G_ema from G_ema, D from D; ",
        "surgery    classes: 2 of 3 go on by name (cats, dogs); 1 new start as the source's average class\n",
        "surgery    G: 2 reinitialised, new block, adds nothing to the picture at first ",
        "surgery    D: 1 reshaped, smallest feature map 4x4 -> 6x4 (b4.fc.weight)\n",
    ):
        assert text in done.err
    config = settings(run)
    assert (config["generator"]["img_height"], config["generator"]["img_width"]) == (48, 32)
    assert (config["generator"]["img_channels"], config["generator"]["mapping"]["c_dim"]) == (1, 3)
    changed = config["source"]["facts"]["surgery"]["networks"]["G"]["changed"]
    assert {"reshaped", "reinitialised"} <= {change["what"] for change in changed}
    first, old = networks(run), networks(source, "kimg-000000.008")
    for name in ("G.synthesis.b16.conv0.weight", "G_ema.mapping.fc0.weight", "D.b8.conv0.weight"):
        assert torch.equal(first[name], old[name])
    assert run_cli("train", "--resume", run, "--kimg", 0.012).code == 0
    assert run_cli("generate", run, "--out", out, "--num", 2).code == 0
    with Image.open(next(out.rglob("*.png"))) as picture:
        assert picture.size == (32, 48)


def test_cut_to_fewer_pixels_without_classes(run_cli, source: Path, tmp_path: Path) -> None:
    photos, run = write_images(tmp_path / "photos", size=(8, 8)), tmp_path / "run"
    done = run_cli("train", photos, "--out", run, "--from", source, *SHORT)
    assert done.code == 0, done.err
    assert "fitted to the old picture, downsampled" in done.err
    assert "of larger pictures" in done.err
    config = settings(run)
    assert config["generator"]["channels"] == [8, 8]
    assert config["discriminator"]["mapping"] is None


def test_widths_are_refused_without_permission_and_changed_loudly_with_it(
    run_cli, source: Path, tmp_path: Path
) -> None:
    photos, run = write_images(tmp_path / "photos"), tmp_path / "run"
    words = ["train", photos, "--out", run, "--from", source, "--channel-max", 4, *SHORT]
    done = run_cli(*words)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "--channel-max: the source of --from has feature maps 8-8-8, not 4-4-4. Leave" in done.err
    assert not run.exists()
    done = run_cli(*words, "--change-widths")
    assert done.code == 0, done.err
    assert (
        "surgery    widths: 8 -> 4, 8 -> 4, 8 -> 4 feature maps: what the others knew is LOST\n" in done.err
    )
    assert settings(run)["discriminator"]["channels"] == [4, 4, 4]


def test_strategies_reach_the_run(run_cli, source: Path, tmp_path: Path) -> None:
    photos, run = write_images(tmp_path / "photos"), tmp_path / "run"
    flags = ["--freeze-mapping", "--freeze-synthesis", 2, "--freeze-d", 1, "--lr-synthesis", 0.5, "--lr-d", 2]
    done = run_cli("train", photos, "--out", run, "--from", source, *SHORT, *flags)
    assert done.code == 0, done.err
    first, last = networks(run), networks(run, "kimg-000000.008")
    moved = {name for name in first if not torch.equal(first[name], last[name]) and name.startswith("G.")}
    assert {name.split(".")[1] for name in moved if "w_avg" not in name} == {"synthesis"}
    assert {name.split(".")[2] for name in moved if name.startswith("G.syn")} == {"b16"}
    assert not {"D.b16.fromrgb.weight", "D.b16.fromrgb.bias"} & {
        n for n in first if (first[n] != last[n]).any()
    }
    config = settings(run)
    assert (config["lr_mapping"], config["lr_synthesis"], config["lr_d"]) == (1, 0.5, 2)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--freeze-d", 1], "--freeze-d 1: D's layers at the image are new"),
        (["--freeze-synthesis", 4], "--freeze-synthesis 4: expected at most 3 blocks"),
        (["--family", "stylegan1"], "no layer of one family does the work"),
        (["--d-arch", "skip"], "--d-arch skip: the source of --from has resnet"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    run_cli, source: Path, tmp_path: Path, flags: list, says: str
) -> None:
    photos, run = write_images(tmp_path / "photos", size=(32, 32)), tmp_path / "run"
    done = run_cli("train", photos, "--out", run, "--from", source, *SHORT, *flags)
    assert done.code == 2, done.err
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not run.exists()


@pytest.mark.parametrize("flag", [["--freeze-mapping"], ["--freeze-d", 1]])
def test_flags_of_transfer_want_a_source(run_cli, tmp_path: Path, flag: list) -> None:
    photos = write_images(tmp_path / "photos")
    done = run_cli("train", photos, "--out", tmp_path / "run", *SHORT, *SMALL, *flag)
    assert done.code == 2
    assert f"{flag[0]}: expected --from" in done.err


def test_stylegan1_grows_from_where_its_source_ends(run_cli, tmp_path: Path) -> None:
    photos = write_images(tmp_path / "photos", size=(32, 32))
    common = [*SHORT, "--channel-base", 64, "--channel-max", 8, "--preset", "study-v1"]
    first = ["--size", 16, "--fit", "stretch", "--mapping-layers", 1, "--z-dim", 8, "--w-dim", 8]
    assert run_cli("train", photos, "--out", tmp_path / "old", *common, *first).code == 0
    words = ["--from", tmp_path / "old", *SHORT, "--stable-kimg", 0.008, "--fade-kimg", 0.008]
    done = run_cli("train", photos, "--out", tmp_path / "run", *words, "--preset", "study-v1")
    assert done.code == 0, done.err
    assert "growing    16 -> 32 px" in done.err
    start = networks(tmp_path / "run")
    assert start["G.synthesis.lod"] == start["D.lod"] == 1


def test_pictures_begin_with_the_tones_of_the_images_unless_told(
    run_cli, source: Path, tmp_path: Path
) -> None:
    for name in ("cats", "dogs"):
        for photo in write_images(tmp_path / "dark" / name).iterdir():
            Image.fromarray(np.asarray(Image.open(photo)) // 8).save(photo)
    for run, words in (("matched", []), ("kept", ["--no-match-tones"])):
        done = run_cli("train", tmp_path / "dark", "--out", tmp_path / run, "--from", source, *words, *SHORT)
        assert done.code == 0, done.err
        assert ("surgery    tones: contrast x 0." in done.err) == (run == "matched")
        assert settings(tmp_path / run)["match_tones"] == (run == "matched")
    trained = networks(source, "kimg-000000.008").items()
    old = {name: tensor for name, tensor in trained if name.split(".")[0] in ("G", "G_ema", "D")}
    new = {run: networks(tmp_path / run) for run in ("matched", "kept")}
    changed = {name for name, tensor in old.items() if not torch.equal(new["matched"][name], tensor)}
    at_the_image = ("torgb.weight", "torgb.bias", "fromrgb.weight", "fromrgb.bias")
    assert changed == {name for name in old if name.endswith(at_the_image)}
    assert all(torch.equal(new["kept"][name], tensor) for name, tensor in old.items())

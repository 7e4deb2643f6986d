"""The maintainer's script that turns a run into an entry, on networks of 16 px."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from zoo_cases import FACTS, MEASURED

import make_zoo_entry
from make_zoo_entry import main
from stylegraft import zoo
from stylegraft.checkpoints.native import Checkpoint, read_checkpoint, write_checkpoint
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.checkpoints.run_folder import checkpoint_path
from stylegraft.data import DataConfig, open_image_set, write_image_set
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.training.config import RunConfig, TrainOptions
from stylegraft.training.plan import plan_run
from stylegraft.zoo import catalogue
from stylegraft.zoo.sheet import grid_pictures

FLAGS = "--kimg 8 --batch 4 --channel-base 64 --channel-max 8 --z-dim 8 --w-dim 8 --mirror"
OPTIONS = {"kimg": 8, "batch": 4, "channel_base": 64, "channel_max": 8, "z_dim": 8, "w_dim": 8}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels = np.random.RandomState(0).randint(0, 256, size=[70, 16, 16, 3], dtype=np.uint8)
    names = [f"boat{index:02d}x.png" for index in range(70)]
    return write_image_set(tmp_path_factory.mktemp("boats") / "boats.zip", pixels, names)


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints at 4 and 8 kimg, the first the better."""
    reading = DataConfig(mirror=True)
    opened = open_image_set(images, reading)
    config = plan_run(TrainOptions(**OPTIONS), opened, opened.split(), reading, "cpu", "fp32")
    config = config.replace(tick_steps=7, data_path="/somewhere/else.zip")
    folder = tmp_path_factory.mktemp("runs") / "run"
    for seed, distance in ((1, 20.0), (2, 30.0)):
        torch.manual_seed(seed)
        networks = {
            "G_ema": make_generator(config.generator),
            "D": make_discriminator(config.discriminator),
        }
        tensors = {
            f"{name}.{key}": tensor
            for name, network in networks.items()
            for key, tensor in network.state_dict().items()
        }
        info = {"step": seed, "kimg": 4.0 * seed, "train_sec": 60.0, "distance": distance}
        state = {"config": config.to_dict()}
        write_checkpoint(
            checkpoint_path(folder, 4000 * seed),
            Checkpoint(config.generator, config.discriminator, tensors, info=info, state=state),
        )
    (folder / "config.json").write_text(config.to_json())
    return folder


@pytest.fixture
def make(
    run: Path,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Runs the script with a measurement that takes no time; gives its exit code and complaint."""
    measured = {name: value for name, value in MEASURED.items() if name != "data_hash"}
    monkeypatch.setattr(
        make_zoo_entry, "measure", lambda model, opened, config: measured | {"data_hash": opened.content_hash}
    )
    monkeypatch.setattr(catalogue, "WEIGHTS_FOLDER", tmp_path / "weights")

    def call(*words: object, run: Path = run, data: Path = images, **changes: Any) -> tuple[int, str]:
        facts = {"name": "boats", **FACTS, "command": f"stylegraft train boats.zip --out boats {FLAGS}"}
        lines = [
            f"{name} = {json.dumps(list(value) if isinstance(value, tuple) else value)}"
            for name, value in (facts | changes).items()
        ]
        (tmp_path / "facts.toml").write_text("\n".join(lines), encoding="utf-8")
        given = [
            run,
            "--facts",
            tmp_path / "facts.toml",
            "--data",
            data,
            "--out",
            tmp_path / "weights",
            *words,
        ]
        return main([str(word) for word in given]), capsys.readouterr().err

    return call


def test_entry_is_the_best_checkpoint_in_half_precision(make, run: Path, images: Path) -> None:
    assert make() == (0, "")
    (entry,) = zoo.entries()
    original = read_checkpoint(checkpoint_path(run, 4000)).networks
    stored = load_file(entry.folder / "networks.safetensors")
    assert stored.keys() == original.keys()
    for name, tensor in stored.items():
        assert tensor.dtype == torch.float16
        torch.testing.assert_close(tensor, original[name].half(), rtol=0, atol=0)
    kept = read_checkpoint(entry.folder)
    assert kept.info["licence"] == FACTS["licence"]
    assert kept.info["data_note"].startswith("70 images: sails. From Debian boats 1.0 (CC0-1.0; a sailor).")
    assert kept.state == {}
    assert "somewhere" not in (entry.folder / "checkpoint.json").read_text()


def test_card_has_facts_of_the_maintainer_the_run_and_the_measurement(make, images: Path) -> None:
    make("--psi", 0.5)
    card = zoo.entry("boats").card
    assert (card["title"], card["kimg"], card["train_sec"]) == ("boats", 4.0, 60.0)
    assert card["data_hash"] == open_image_set(images).content_hash
    assert card["distance"] == MEASURED["distance"]
    assert 0 < card["rounding_levels"] < 1
    assert card["grid_psi"] == 0.5


def test_grid_shows_seeds_0_to_63_of_what_is_shipped(make) -> None:
    import stylegraft

    make("--psi", 0.5)
    entry = zoo.entry("boats")
    drawn = stylegraft.load(entry.folder, device="cpu").sample(range(64), psi=0.5)
    shown = grid_pictures(entry.grid)
    np.testing.assert_array_equal(shown[:, ::4, ::4], drawn)  # 16 px are shown at 64


def test_kimg_chooses_the_nearest_checkpoint(make) -> None:
    assert make("--kimg", 7)[0] == 0
    assert zoo.entry("boats").card["kimg"] == 8.0


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"stylegraft train x --out y {FLAGS} --batch 8", "batch 8 instead of 4"),
        (f"stylegraft train x --out y {FLAGS} --seed 3", "seed 3 instead of 0"),
        (f"stylegraft train x --out y {FLAGS.replace('--mirror', '')}", "data "),
        ("stylegraft generate x --out y", "expected a command"),
        (f"stylegraft train x --out y {FLAGS} --from textures", "expected a run from scratch"),
        (f"stylegraft train x --out y {FLAGS} --sede 3", "--sede"),
    ],
)
def test_command_that_would_train_another_run_is_refused(make, command: str, says: str) -> None:
    code, error = make(command=command)
    assert code == 2
    assert says in error
    assert zoo.names() == []


@pytest.fixture
def grafted(run: Path, make, images: Path, tmp_path: Path) -> Path:
    """A run from boats, an entry of the zoo by then, on the same images."""
    make()
    source = open_checkpoint(zoo.entry("boats").folder)
    opened = open_image_set(images, DataConfig(mirror=True))
    options = TrainOptions(kimg=8, batch=4)
    config = plan_run(options, opened, opened.split(), opened.config, "cpu", "fp32", source)
    checkpoint = read_checkpoint(checkpoint_path(run, 4000))
    checkpoint.state["config"] = config.to_dict()
    folder = tmp_path / "grafted"
    write_checkpoint(checkpoint_path(folder, 4000), checkpoint)
    (folder / "config.json").write_text(config.to_json())
    return folder


def graft_command(source: str) -> str:
    return f"stylegraft train x.zip --out rafts --from {source} --kimg 8 --batch 4 --mirror"


def test_source_that_was_grafted_from_the_zoo_names_both_licences(make, grafted: Path) -> None:
    changes = {"name": "rafts", "command": graft_command("boats")}
    code, error = make(run=grafted, licence="CC-BY-4.0", **changes)
    assert code == 2
    assert f"expected {FACTS['licence']!r} in it" in error
    both = f"CC-BY-4.0, {FACTS['licence']}"
    assert make(run=grafted, licence=both, **changes) == (0, "")
    assert zoo.entry("rafts").card["licence"] == both


def test_source_that_was_grafted_from_what_nobody_has_is_refused(
    make, grafted: Path, run: Path, tmp_path: Path
) -> None:
    for command in (
        graft_command(str(run)),
        graft_command("textures"),
        f"stylegraft train x.zip --out y {FLAGS}",
    ):
        code, error = make(run=grafted, name="rafts", command=command)
        assert code == 2
        assert "from a source of the zoo that the command names" in error
    checkpoint = read_checkpoint(checkpoint_path(grafted, 4000))
    checkpoint.state["config"]["source"]["sha256"] = "0" * 64
    older = tmp_path / "older"
    write_checkpoint(checkpoint_path(older, 4000), checkpoint)
    (older / "config.json").write_text((grafted / "config.json").read_text())
    code, error = make(run=older, name="rafts", command=graft_command("boats"))
    assert code == 2
    assert "was not the zoo's boats as it is now" in error


def test_source_that_was_grafted_from_the_run_of_an_entry_names_its_checkpoint(
    make, grafted: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--from boats` means it where the folder of that run is; it is the zoo's boats but for rounding."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "boats")
    better, other = (checkpoint_path(Path("boats"), nimg) for nimg in (4000, 8000))
    checkpoint = read_checkpoint(checkpoint_path(grafted, 4000))
    checkpoint.state["config"]["source"]["sha256"] = open_checkpoint(better).info["sha256"]
    graft = tmp_path / "graft"
    write_checkpoint(checkpoint_path(graft, 4000), checkpoint)
    (graft / "config.json").write_text((grafted / "config.json").read_text())
    code, error = make(run=graft, name="rafts", command=graft_command(str(other)))
    assert code == 2
    assert f"{other}: expected the checkpoint that the zoo's boats was made from" in error
    assert make(run=graft, name="rafts", command=graft_command(str(better))) == (0, "")
    assert zoo.entry("rafts").card["command"] == graft_command(str(better))


def test_other_images_than_those_of_the_run_are_refused(make, tmp_path: Path) -> None:
    pixels = np.zeros([70, 16, 16, 3], np.uint8)
    code, error = make(data=write_image_set(tmp_path / "others.zip", pixels))
    assert code == 2
    assert "expected the images of" in error


def test_folder_that_is_no_run_is_refused(make, tmp_path: Path) -> None:
    code, error = make(run=tmp_path)
    assert code == 2
    assert "expected the folder of a finished run" in error


def test_unknown_fact_is_refused(make) -> None:
    code, error = make(colour="blue")
    assert code == 2
    assert "colour" in error


def _with_networks(run: Path, tmp_path: Path, change) -> Path:
    """A copy of the run whose one checkpoint has other tensors."""
    source = read_checkpoint(checkpoint_path(run, 4000))
    copy = tmp_path / "copy"
    change(source.networks)
    write_checkpoint(checkpoint_path(copy, 4000), source)
    (copy / "config.json").write_text((run / "config.json").read_text())
    return copy


def test_values_beyond_half_precision_are_refused(make, run: Path, tmp_path: Path) -> None:
    name = next(
        name for name in load_file(checkpoint_path(run, 4000) / "networks.safetensors") if "D." in name
    )
    copy = _with_networks(run, tmp_path, lambda networks: networks[name].fill_(70_000.0))
    code, error = make(run=copy)
    assert code == 2
    assert name in error
    assert "beyond half precision" in error
    assert zoo.names() == []


def test_rounding_that_moves_pictures_is_refused(make, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_zoo_entry, "_MAX_LEVELS", 1e-6)
    code, error = make()
    assert code == 2
    assert "moves pictures by" in error
    assert zoo.names() == []


def test_rounding_that_moves_logits_is_refused(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_zoo_entry, "_MAX_LOGITS", 1e-9)
    code, error = make()
    assert code == 2
    assert "logits of D" in error


def test_measured_fields_are_those_of_the_evaluation(monkeypatch: pytest.MonkeyPatch, images: Path) -> None:
    closeness = {"share": 0.02, "expected_share": 0.1}
    result = {
        "metrics": {"fd_heldout": {"value": 9.0, "low": 8.0, "high": 10.0, "real_level": {"value": 5.0}}},
        "memorisation": {
            "pixels": closeness,
            "features": closeness | {"share": 0.06},
            "verdict": "no sign of copying",
        },
        "settings": {"num": 250},
    }
    seen = {}

    def evaluate(model, opened, *, split, mirror):
        seen["mirror"] = mirror
        return result

    monkeypatch.setattr(make_zoo_entry, "evaluate_model", evaluate)
    reading = DataConfig(mirror=True)
    opened = open_image_set(images, reading)
    config = plan_run(TrainOptions(**OPTIONS), opened, opened.split(), reading, "cpu", "fp32")
    assert isinstance(config, RunConfig)
    measured = make_zoo_entry.measure(None, opened, config)  # pyright: ignore[reportArgumentType]
    assert seen == {"mirror": True}
    assert (measured["distance"], measured["floor"], measured["num_fakes"]) == (9.0, 5.0, 250)
    assert (measured["copier_share"], measured["false_alarm_rate"]) == (0.06, 0.1)
    assert measured["num_images"] == 70
    assert measured["num_heldout"] == len(opened.split().holdout_indices) > 0

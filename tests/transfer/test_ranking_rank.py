"""Whole rankings of tiny networks, with probes that are real trainings in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from ranking_cases import MeanColours, write_pictures, write_source

from stylegraft.checkpoints.surgery.tones import ToneChange
from stylegraft.cli.main import main
from stylegraft.data.config import DataConfig
from stylegraft.data.dataset import images_to_tensor
from stylegraft.errors import CheckpointError, DataError, InputError, RunError
from stylegraft.evaluation.stats_cache import StatsCache
from stylegraft.transfer.launch import Outcome
from stylegraft.transfer.ranking import Candidate, Ranking, find_candidates, rank_sources
from stylegraft.transfer.ranking import probe as probe_module
from stylegraft.transfer.ranking.features import Shape, fit_samples, toned
from stylegraft.transfer.ranking.record import RESULT_NAME
from stylegraft.transfer.ranking.schedule import BudgetTooSmallError

RED, BLUE = (200, 40, 40), (30, 30, 230)
WORDS = ("--batch", "4", "--precision", "fp32")
SMALL = (
    "--channel-base",
    "64",
    "--channel-max",
    "8",
    "--mapping-layers",
    "1",
    "--z-dim",
    "8",
    "--w-dim",
    "8",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red pictures, and sources that make red, violet and blue ones."""
    folder = tmp_path_factory.mktemp("ranking")
    write_pictures(folder / "photos")
    write_source(folder / "red", RED)
    write_source(folder / "violet", (120, 30, 160))
    write_source(folder / "blue", BLUE)
    return folder


def candidates(place: Path, *names: str) -> list[Candidate]:
    return [Candidate(name, place / name, str(place / name)) for name in names]


def rank(place: Path, *, names: Sequence[str] = ("blue", "violet", "red"), **options: object) -> Ranking:
    settings: dict = {"minutes": 0, "num": 50, "precision": "fp32", **options}
    data = settings.pop("data", place / "photos")
    return rank_sources(
        data,
        candidates(place, *names),
        network=MeanColours(),
        cache=StatsCache(place / "cache"),
        **settings,
    )


@pytest.fixture
def trains_here(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Trainings run in this process; the words of each are kept."""
    calls: list[list[str]] = []

    def train(arguments: Sequence[str], log: Path) -> Outcome:
        calls.append(list(arguments))
        log.parent.mkdir(parents=True, exist_ok=True)
        is_scratch = not {"--resume", "--from"} & set(arguments)
        code = main(["train", *arguments, *(SMALL if is_scratch else ())])
        return Outcome(code, None if code == 0 else "it did not work", was_stopped=False)

    monkeypatch.setattr(probe_module, "train_subprocess", train)
    return calls


def order(ranking: Ranking) -> list[str]:
    return [source.name for source in ranking.sources]


def comparable(ranking: Ranking) -> dict:
    """All but times and places."""
    values = ranking.to_dict()
    del values["seconds"]
    for part in (values["probes"] or {}, values["settings"]):
        part.pop("spent_sec", None)
    return json.loads(json.dumps(values))


def test_quick_ranking_puts_the_nearest_source_first(place: Path) -> None:
    ranking = rank(place)
    assert order(ranking) == ["red", "violet", "blue"]
    assert ranking.best.path == str(place / "red")
    assert ranking.probes is None
    scores = [source.quick["score"]["value"] for source in ranking.sources if source.quick]
    assert scores == sorted(scores, reverse=True)
    assert ranking.sources[0].why.startswith("Closest of 3 to your images: ")
    assert "second closest" not in ranking.sources[2].why
    assert ranking.sources[2].why.startswith("Farthest of 3 from your images: ")
    assert ranking.sureness[0].startswith("By the quick score red comes first in 100 of 100 draws")
    assert ranking.data["num_train"] == 24
    assert "nothing is held out" in ranking.notes[0]


def test_equal_sources_are_tied(place: Path) -> None:
    shutil.copytree(place / "red", place / "twin", dirs_exist_ok=True)
    ranking = rank(place, names=("red", "twin", "blue"))
    assert [source.is_tied for source in ranking.sources] == [False, True, False]
    assert "Not to be told from it: twin." in ranking.sureness


def test_quick_ranking_is_the_same_again_and_for_other_seeds_another(place: Path) -> None:
    first = rank(place)
    assert comparable(first) == comparable(rank(place))
    other = rank(place, seed=1)
    assert first.best.quick != other.best.quick
    assert first.best.sha256 == other.best.sha256


def test_features_are_kept(place: Path, tmp_path: Path) -> None:
    class Counting(MeanColours):
        num_images = 0

        def __call__(self, images: np.ndarray):
            self.num_images += len(images)
            return super().__call__(images)

    counts = []
    for seed in (0, 0, 1):
        network = Counting()
        rank_sources(
            place / "photos",
            candidates(place, "red", "blue"),
            minutes=0,
            num=50,
            seed=seed,
            network=network,
            cache=StatsCache(tmp_path / "cache"),
        )
        counts.append(network.num_images)
    assert counts == [124, 0, 100]


def test_sources_of_other_sizes_and_channels_are_brought_to_the_images(place: Path) -> None:
    write_source(place / "large", RED, size=32)
    write_source(place / "grey", (90, 90, 90), channels=1)
    assert order(rank(place, names=("grey", "large", "blue")))[0] == "large"
    assert order(rank(place, names=("grey", "blue"), reading=DataConfig(channels=1)))


def test_samples_are_scored_with_the_tones_that_training_begins_with() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, [2, 8, 8, 3], dtype=np.uint8)
    change = ToneChange(-0.5, (0.2, 0.0, -0.9))
    expected = images_to_tensor(pixels) * change.factor + torch.tensor(change.offset)[:, None, None]
    got = images_to_tensor(toned(pixels, change))
    assert (got - expected.clamp(-1, 1)).abs().max() <= 0.51 / 127.5
    assert toned(pixels, None) is pixels


def test_fit_samples_stretches_and_turns_grey() -> None:
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[..., 0] = 200
    assert fit_samples(pixels, Shape(8, 8, 3)) is pixels
    grey = fit_samples(pixels, Shape(16, 4, 1))
    assert grey.shape == (2, 16, 4, 1)
    assert np.all(abs(grey.astype(int) - 60) <= 1)  # 0.299 of 200
    assert np.array_equal(fit_samples(grey, Shape(16, 4, 3))[..., 2], grey[..., 0])


def test_probes_train_as_the_plain_command_and_the_best_goes_on(
    place: Path, tmp_path: Path, trains_here: list[list[str]]
) -> None:
    notes: list[str] = []
    ranking = rank(place, first_kimg=0.016, out=tmp_path / "out", words=WORDS, seed=3, on_note=notes.append)
    first = trains_here[0]
    assert first[:6] == [
        str(place / "photos"),
        "--out",
        f"{tmp_path / 'out' / 'probes' / 'red'}",
        "--from",
        str(place / "red"),
        "--kimg",
    ]
    assert first[6:9] == ["0.016", "--seed", "3"]
    assert first[-4:] == list(WORDS)
    assert ["--resume" in words for words in trains_here] == [False] * 4 + [True] * 2
    assert [words[1] for words in trains_here[4:]] == [words[1] for words in trains_here[4:]]
    assert set(order(ranking)) == {"red", "violet", "blue", "scratch"}
    rounds = {source.name: len(source.probe["rounds"]) for source in ranking.sources if source.probe}
    assert sorted(rounds.values()) == [1, 1, 2, 2]
    last = [source.probe["distance"]["value"] for source in ranking.sources[:2] if source.probe]
    assert last == sorted(last)
    written = json.loads((tmp_path / "out" / RESULT_NAME).read_text())
    assert written == json.loads(json.dumps(ranking.to_dict()))
    assert written["schema_version"] == 1
    assert len(notes) == 6
    assert notes[0].startswith("red: FD-EffLite0 ")


def test_ranking_that_was_killed_ends_as_if_it_had_not_been(
    place: Path, tmp_path: Path, trains_here: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict = {"first_kimg": 0.016, "words": WORDS, "names": ("red", "blue")}
    whole = rank(place, out=tmp_path / "whole", **settings)
    num_trainings = len(trains_here)
    train = probe_module.train_subprocess

    def dies_later(arguments: Sequence[str], log: Path) -> Outcome:
        outcome = train(arguments, log)
        if len(trains_here) == num_trainings + 4:  # the training is there, its distance is not
            raise KeyboardInterrupt
        return outcome

    monkeypatch.setattr(probe_module, "train_subprocess", dies_later)
    with pytest.raises(KeyboardInterrupt):
        rank(place, out=tmp_path / "killed", **settings)
    assert not (tmp_path / "killed" / RESULT_NAME).exists()
    again = rank(place, out=tmp_path / "killed", **settings)
    assert len(trains_here) == 2 * num_trainings
    assert comparable(again) == comparable(whole)


def test_source_that_training_refuses_comes_last_with_the_reason(
    place: Path, tmp_path: Path, trains_here: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = probe_module.train_subprocess

    def refuses_red(arguments: Sequence[str], log: Path) -> Outcome:
        if str(place / "red") in arguments:
            return Outcome(2, "--from: another family.", was_stopped=False)
        return train(arguments, log)

    monkeypatch.setattr(probe_module, "train_subprocess", refuses_red)
    ranking = rank(place, first_kimg=0.016, words=WORDS, names=("red", "blue"))
    assert order(ranking)[-1] == "red"
    assert ranking.sources[-1].error == "--from: another family."
    assert ranking.sources[-1].why.endswith("cannot be trained from: --from: another family.")


@pytest.mark.parametrize(
    "outcome", [Outcome(-9, "training was killed by SIGKILL", False), Outcome(0, None, False)]
)
def test_probe_that_was_stopped_from_outside_is_no_verdict(
    place: Path,
    tmp_path: Path,
    trains_here: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome,
) -> None:
    settings: dict = {"first_kimg": 0.016, "words": WORDS, "names": ("red",), "out": tmp_path / "out"}
    with monkeypatch.context() as patch:
        patch.setattr(probe_module, "train_subprocess", lambda arguments, log: outcome)
        with pytest.raises(RunError, match="The same command goes on"):
            rank(place, **settings)
    assert all(source.error is None for source in rank(place, **settings).sources)


def test_no_time_for_probes_is_an_error_or_a_note(
    place: Path, trains_here: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylegraft.transfer.ranking.halving._CALIBRATION_KIMG", 0.008)
    with pytest.raises(BudgetTooSmallError, match=r"--minutes 1.7e-05: expected at least"):
        rank(place, minutes=1e-3 / 60, words=WORDS)
    ranking = rank(place, minutes=1e-3 / 60, words=WORDS, quick_if_too_short=True)
    assert order(ranking) == ["red", "violet", "blue"]
    assert ranking.notes[0].startswith("no probes: --minutes")


def test_probes_of_a_set_with_held_out_images_are_measured_against_those(
    place: Path, trains_here: list[list[str]]
) -> None:
    photos = place / "many"
    if not photos.exists():
        write_pictures(photos, number=80)
    ranking = rank(
        place,
        data=photos,
        reading=DataConfig(mirror=True),
        names=("red",),
        first_kimg=0.016,
        words=("--mirror", *WORDS),
    )
    assert ranking.data["num_heldout"] == 20
    assert "Only 20 images are held out, which makes probes coarse." in ranking.sureness


def test_summary_is_what_a_run_keeps(place: Path) -> None:
    summary = rank(place).summary()
    assert summary["order"] == ["red", "violet", "blue"]
    assert list(summary["scores"]) == summary["order"]
    assert summary["distances"] == {}
    assert summary["why"].startswith("Closest")


def test_few_images_are_refused(place: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "few", number=9)
    with pytest.raises(DataError, match="expected at least 10 images to choose a source by, got 9"):
        rank(place, data=tmp_path / "few")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="expected at least two images, got no image"):
        rank(place, data=tmp_path / "none")


def test_wrong_values_are_refused(place: Path, tmp_path: Path) -> None:
    for wrong in ({"minutes": -1}, {"num": 49}, {"first_kimg": 0}):
        with pytest.raises(InputError, match="--minutes of 0 or more, --kimg above 0 and --num of 50"):
            rank(place, **wrong)
    with pytest.raises(InputError, match="outside of the images'"):
        rank(place, out=place / "photos" / "ranking")
    assert not (place / "photos" / "ranking").exists()
    (tmp_path / "file.pkl").write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        rank_sources(place / "photos", [Candidate("file", tmp_path / "file.pkl", "file")], minutes=0)


def test_candidates_are_the_zoo_and_named_ones(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylegraft.zoo.entries", list)
    found = find_candidates([str(place / "red"), f"mine={place / 'blue'}"])
    assert [(item.name, item.path) for item in found] == [
        ("red", place / "red"),
        ("mine", place / "blue"),
    ]
    with pytest.raises(InputError, match="the zoo of this installation is empty"):
        find_candidates([])
    with pytest.raises(InputError, match=r"expected a name of its own, got red.*Write OTHER-NAME="):
        find_candidates([str(place / "red"), f"red={place / 'blue'}"])
    with pytest.raises(InputError, match="no such file or folder"):
        find_candidates(["nowhere"])
    with pytest.raises(InputError, match="scratch means networks with random weights"):
        find_candidates([f"scratch={place / 'blue'}"])
    with pytest.raises(InputError, match="expected a name of letters"):
        find_candidates([f"a/b={place / 'blue'}"])

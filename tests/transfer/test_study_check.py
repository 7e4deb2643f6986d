"""What is wrong with a study is found before anything trains, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_cases import TINY, read_options, write_images

from stylegraft.cli.main import main
from stylegraft.cli.study import parse_train
from stylegraft.errors import InputError
from stylegraft.transfer.study.check import StudyProblemsError, check_study
from stylegraft.transfer.study.config import StudySettings


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check")


@pytest.fixture(scope="module")
def photos(root: Path) -> Path:
    return write_images(root / "photos")


@pytest.fixture(scope="module")
def trained(root: Path, photos: Path) -> Path:
    run = root / "trained"
    words = ["train", photos, "--out", run, "--kimg", 0.008, "--eval-share", 0, *TINY]
    assert main([str(word) for word in words]) == 0
    return run


def problems(root: Path, sources: list[object], targets: list[object]) -> list[tuple[str, str]]:
    settings = StudySettings(sources=tuple(map(str, sources)), targets=tuple(map(str, targets)), kimg=0.032)
    with pytest.raises(StudyProblemsError) as caught:
        check_study(settings, root / "study", read_options)
    assert "\n" not in str(caught.value)
    assert not (root / "study").exists()
    return caught.value.problems


def test_good_study_knows_its_sources_and_targets(root: Path, photos: Path, trained: Path) -> None:
    settings = StudySettings(
        sources=(f"mine={trained}", "scratch"), targets=(str(photos),), seeds=3, kimg=0.032
    )
    checked = check_study(settings, root / "study", read_options)
    assert checked.settings.sources == ("mine", "scratch")
    assert checked.settings.seeds == (0, 1, 2)
    (source,) = checked.settings.source_files
    assert (source.name, source.path, len(source.sha256)) == ("mine", str(trained), 64)
    (target,) = checked.settings.targets
    assert (target.name, target.num_images, target.num_holdout) == ("photos", 16, 0)
    assert checked.source_paths == {"mine": trained / "checkpoints" / "kimg-000000.008"}


def test_unknown_source_and_target_without_images_are_named_together(root: Path, photos: Path) -> None:
    (root / "empty").mkdir()
    found = dict(problems(root, ["no-such-source", "scratch"], [photos, root / "empty", root / "nowhere"]))
    assert found.keys() == {"no-such-source", "empty", "nowhere"}
    assert "expected at least two images, got no image" in found["empty"]


def test_damaged_source_is_named(root: Path, photos: Path) -> None:
    damaged = root / "damaged.pkl"
    damaged.write_bytes(b"nothing of use")
    assert [what for what, _ in problems(root, [damaged], [photos])] == ["damaged"]


def test_pair_that_does_not_fit_is_named(root: Path, photos: Path, trained: Path) -> None:
    odd = write_images(root / "odd", size=17)  # half of which is no size
    ((what, reason),) = problems(root, [trained], [photos, odd])
    assert what == "odd from trained"
    assert "17" in reason


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        (["scratch", "scratch"], ["photos"], "both called scratch. Leave one out"),
        (["a=trained", "A=other"], ["photos"], "trained and other are both called A. Write OTHER-NAME="),
        (["scratch=trained"], ["photos"], "scratch means networks with random weights"),
        (["a/b=trained"], ["photos"], "expected a name that a folder can have, got 'a/b'"),
        (["scratch"], ["photos", "../photos"], "both called photos"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(
    root: Path,
    photos: Path,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    sources: list[object],
    targets: list[object],
    message: str,
) -> None:
    monkeypatch.chdir(root)
    reasons = " ".join(reason for _, reason in problems(root, sources, targets))
    assert message in reasons


def test_folder_among_the_images_is_refused(root: Path, photos: Path) -> None:
    settings = StudySettings(sources=("scratch",), targets=(str(photos),), kimg=1)
    with pytest.raises(StudyProblemsError, match="outside of the images'"):
        check_study(settings, photos / "study", read_options)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--no-such-flag", "3"), "--no-such-flag"),
        (("--batch", "many"), "--batch"),
        (("--batch", "-4"), "batch: Input should be greater"),
        (("--batch", "8", "--micro-batch", "3"), "--micro-batch 3: expected a divisor"),
    ],
)
def test_flags_that_train_refuses_are_refused(
    root: Path, photos: Path, flags: tuple[str, ...], message: str
) -> None:
    settings = StudySettings(sources=("scratch",), targets=(str(photos),), kimg=1, train_flags=flags)
    with pytest.raises(InputError, match=message):
        check_study(settings, root / "study", parse_train)


def test_flags_reach_the_check_as_train_reads_them() -> None:
    options, data = parse_train(["DATA", "--out", "RUN", "--batch", "8", "--mirror", "--size", "32"])
    assert (options.batch, data.mirror, data.size) == (8, True, "32")

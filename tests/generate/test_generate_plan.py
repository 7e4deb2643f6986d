from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylegraft.errors import ConfigError, DataError, InputError
from stylegraft.generate import GenerateConfig, parse_seeds, plan_images

NAMES = ["boots", "bags", "7", "x=2"]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", [5]), ("0-3,85", [0, 1, 2, 3, 85]), (" 9 , 2-2", [9, 2]), ("4294967295", [2**32 - 1])],
)
def test_seeds_are_read_in_the_order_written(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "1,,2", "a", "-3", "3-1", "1.5", "0-3-5", "4294967296", "0-99999999", "1,0-4", "٣x"]
)
def test_seeds_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--seeds"):
        parse_seeds(text)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, unique=True))
def test_seeds_round_trip(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == seeds


def test_plan_without_classes_counts_seeds_from_zero() -> None:
    images = plan_images(GenerateConfig(num=3), 0, None)
    assert [image.file for image in images] == ["seed000000.png", "seed000001.png", "seed000002.png"]
    assert [image.seed for image in images] == [0, 1, 2]
    assert {image.class_index for image in images} == {None}
    assert len(plan_images(GenerateConfig(), 0, None)) == 16


def test_plan_class_of_a_seed_depends_on_the_seed_only() -> None:
    of_seed = {image.seed: image.class_name for image in plan_images(GenerateConfig(num=10), 4, NAMES)}
    few = plan_images(GenerateConfig(seeds="9,2,5"), 4, NAMES)
    assert [image.seed for image in few] == [9, 2, 5]
    assert all(of_seed[image.seed] == image.class_name for image in few)
    assert sorted(set(of_seed.values())) == sorted(NAMES)


@pytest.mark.parametrize(
    ("request_", "classes"),
    [
        ({"classes": "bags", "num": 2}, [1, 1]),
        ({"classes": "1", "num": 2}, [1, 1]),
        ({"classes": "7", "num": 1}, [2]),  # a name wins over an index
        ({"classes": "boots,1", "num": 3}, [0, 1, 0]),
        ({"classes": "bags=2,boots=1"}, [1, 1, 0]),
        ({"classes": "x=2", "num": 2}, [3, 3]),  # the name of a class may look like a count
        ({"classes": "x=2=1"}, [3]),
        ({"classes": "bags,boots", "per_class": 2}, [1, 1, 0, 0]),
        ({"per_class": 1}, [0, 1, 2, 3]),
    ],
)
def test_plan_gives_classes_as_asked(request_: dict[str, object], classes: list[int]) -> None:
    images = plan_images(GenerateConfig(**request_), 4, NAMES)
    assert [image.class_index for image in images] == classes
    assert [image.class_name for image in images] == [NAMES[index] for index in classes]
    assert len({image.file for image in images}) == len(images)
    assert len({image.seed for image in images}) == len(images)


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        ({"classes": "hats"}, "boots, bags"),
        ({"classes": "Bag=2"}, "Did you mean bags"),
        ({"classes": "4"}, "index below 4"),
        ({"classes": "bags,1"}, "once"),
        ({"classes": "bags=2,boots"}, "with each class or with none"),
        ({"classes": "bags=0"}, "count"),
        ({"classes": "bags=-1"}, "count from 1"),
        ({"classes": "bags=many"}, "count"),
        ({"per_class": 400_000}, "at most"),
        ({"classes": "bags=2", "seeds": "0-3"}, "no counts beside --seeds"),
    ],
)
def test_plan_refuses_classes_that_are_not_there(request_: dict[str, object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        plan_images(GenerateConfig(**request_), 4, NAMES)


def test_plan_balances_a_set(tmp_path: Path) -> None:
    data = write_set(tmp_path, {"bags": 5, "boots": 3, "7": 1})
    images = plan_images(GenerateConfig(balance=data), 4, NAMES)
    assert Counter(image.class_name for image in images) == {"boots": 2, "7": 4, "x=2": 5}
    assert [image.seed for image in images] == list(range(11))
    some = plan_images(GenerateConfig(balance=data, classes="7,bags"), 4, NAMES)
    assert Counter(image.class_name for image in some) == {"7": 4}


@pytest.mark.parametrize(
    ("counts", "request_", "match"),
    [
        ({"bags": 2, "boots": 2, "7": 2, "x=2": 2}, {}, "nothing to generate"),
        ({"bags": 2, "boots": 1}, {"classes": "bags"}, "nothing to generate"),
        ({"bagz": 2, "boots": 1}, {}, "--balance .*got 'bagz'. Did you mean bags"),
        ({"bags": 2}, {}, "images with classes, got none"),
        ({"bags": 2, "boots": 1}, {"classes": "7=3"}, "no counts beside --balance"),
        ({}, {}, "no-such-place|no images"),
    ],
)
def test_plan_refuses_to_balance(
    tmp_path: Path, counts: dict[str, int], request_: dict[str, str], match: str
) -> None:
    data = write_set(tmp_path, counts)
    with pytest.raises((InputError, DataError), match=match):
        plan_images(GenerateConfig(balance=data, **request_), 4, NAMES)


def write_set(tmp_path: Path, counts: dict[str, int]) -> str:
    for name, count in counts.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(count):
            (tmp_path / "data" / name / f"{index}.png").touch()  # pixels are not looked at
    return str(tmp_path / ("data" if counts else "no-such-place"))


@pytest.mark.parametrize(
    "request_", [{"classes": "0"}, {"per_class": 2}, {"balance": "set"}, {"truncation_centre": "class"}]
)
def test_plan_refuses_classes_of_an_unconditional_model(request_: dict[str, object]) -> None:
    with pytest.raises(InputError, match="unconditional"):
        plan_images(GenerateConfig(**request_), 0, None)


@pytest.mark.parametrize(
    "request_",
    [
        {"num": 2, "seeds": "0"},
        {"num": 2, "per_class": 2},
        {"num": 2, "balance": "set"},
        {"noise_mode": "white"},
        {"num": 0},
        {"psi": -1},
    ],
)
def test_config_refuses_contradictions(request_: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        GenerateConfig(**request_)


def test_plan_folders_are_safe_and_different() -> None:
    names = ["a/b", "../up", "Same", "same", "..", "ünï códe", "CON" + "x" * 200]
    images = plan_images(GenerateConfig(per_class=1), len(names), names)
    folders = [image.file.split("/")[0] for image in images]
    assert all(image.file.count("/") == 1 for image in images)
    assert len({folder.lower() for folder in folders}) == len(names)
    assert all(folder.strip(".") and len(folder) <= 80 for folder in folders)
    assert [image.class_name for image in images] == names


def test_plan_without_class_names_uses_indices() -> None:
    images = plan_images(GenerateConfig(classes="2", num=1), 3, None)
    assert images[0].file == "2/seed000000.png"
    assert images[0].class_name == "2"

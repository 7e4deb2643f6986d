from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from stylegraft.data.split import group_key, group_keys, split_holdout


@dataclass
class Images:
    names: list[str]
    class_indices: np.ndarray | None = None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("00012_rock3_q1.png", "rock3"),
        ("00760_tex_ctp1_dirt_b_3_full0.png", "tex_ctp1_dirt_b_3"),
        ("tex_buildings_tile001_q2.png", "tex_buildings_tile001"),
        ("00032_rock_crop3_flip.png", "rock"),
        ("pikachu_shiny.png", "pikachu"),
        ("00243_1f469_1f3fe_200d_1f9b3.png", "1f469_200d_1f9b3"),
        ("people-body_1F9D1-1F3FB-200D-1F680.png", "people-body_1F9D1-200D-1F680"),
        ("01213_34_20e3.png", "34_20e3"),
        ("01959_extras-unicode_2657.png", "extras-unicode_2657"),
        ("00449_Scopia_Living_room_armchair1.png", "Scopia_Living_room_armchair1"),
        ("00000/img00000001.png", "00000/img00000001"),
        ("00012.png", "00012"),
        ("00012_q1.png", "00012"),
        ("2024-01-05_12.33.jpg", "2024-01-05_12.33"),
        ("IMG_0001.JPG", "IMG_0001"),
        ("cat/7_rock.png", "cat/rock"),
        ("_q1.png", "_q1"),
    ],
)
def test_group_key_is_the_source(name, key):
    assert group_key(name) == key


def test_copies_belong_to_a_bare_name_only_if_there_is_one():
    names = ["rock.png", "rock-2.png", "rock (3).png", "door-01.png", "door-02.png"]
    assert group_keys(names) == ["rock", "rock", "rock", "door-01", "door-02"]


def texture_names(num_sources: int) -> list[str]:
    names = []
    for source in range(num_sources):
        for part in ["q0", "q1", "q2", "q3", "full0"][: 1 + source % 5]:
            names.append(f"{len(names):05d}_tex_wall{source:03d}_{part}.png")
    return names


def test_split_keeps_the_parts_of_a_source_on_one_side():
    names = texture_names(200)
    split = split_holdout(Images(names), 0.1, seed=3)
    keys = np.array(group_keys(names))
    assert not set(keys[split.train_indices]) & set(keys[split.holdout_indices])
    assert sorted([*split.train_indices, *split.holdout_indices]) == list(range(len(names)))
    assert 60 <= len(split.holdout_indices) <= 64  # 10 % of 600, and at most a part of the last source more
    assert split.note is None


def test_split_depends_on_the_seed_only():
    images = Images(texture_names(100))
    first, again, other = (split_holdout(images, 0.1, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.holdout_indices, again.holdout_indices)
    assert set(first.holdout_indices) != set(other.holdout_indices)


def test_split_holds_out_each_class_in_proportion():
    names = [f"{index:05d}.png" for index in range(1000)]
    classes = np.repeat([0, 1, 2], [700, 200, 100])
    split = split_holdout(Images(names, classes), 0.1, seed=0)
    assert Counter(classes[split.holdout_indices].tolist()) == {0: 70, 1: 20, 2: 10}


def test_split_holds_out_twenty_at_least():
    split = split_holdout(Images([f"{index}.png" for index in range(60)]), 0.1, seed=0)
    assert len(split.holdout_indices) == 20


def test_split_of_a_tiny_set_is_off_with_a_note():
    split = split_holdout(Images([f"{index}.png" for index in range(59)]), 0.1, seed=0)
    assert len(split.holdout_indices) == 0
    assert len(split.train_indices) == 59
    assert "59 images are fewer than 60" in str(split.note)


def test_split_of_fraction_zero_is_off_without_a_note():
    split = split_holdout(Images([f"{index}.png" for index in range(600)]), 0, seed=0)
    assert len(split.holdout_indices) == 0
    assert split.note is None


def test_split_falls_back_to_images_where_names_tell_classes():
    names = [f"{index:03d}_{'cat' if index % 2 else 'dog'}.png" for index in range(200)]
    split = split_holdout(Images(names), 0.1, seed=0)
    assert len(split.holdout_indices) == 20
    assert "do not tell sources apart" in str(split.note)


def test_split_leaves_large_sources_in_training():
    names = [f"{index:03d}_cat.png" for index in range(100)] + texture_names(50)
    split = split_holdout(Images(names), 0.1, seed=0)
    assert min(split.holdout_indices) >= 100
    assert split.note is None

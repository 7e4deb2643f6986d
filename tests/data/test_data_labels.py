from __future__ import annotations

import json

import numpy as np
import pytest

from stylegraft.data.labels import read_labels
from stylegraft.data.sources import open_source
from stylegraft.errors import DataError


@pytest.fixture
def labels_of(folder_of):
    """labels_of(names, dataset.json content or None) -> Labels or None."""

    def make(names, content=None, label_file="dataset.json"):
        files = dict.fromkeys(names, b"x")
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            files[label_file] = text.encode()
        with open_source(folder_of(files)) as source:
            return read_labels(source)

    return make


NAMES = ["a.png", "b.png", "c.png"]


def test_class_folders_are_classes_in_sorted_order(labels_of):
    names = ["dog/1.png", "cat/1.png", "cat/2.png"]
    labels = labels_of(names)
    assert labels.class_names == ("cat", "dog")
    np.testing.assert_array_equal(labels.array(names), [[0, 1], [1, 0], [1, 0]])


def test_class_folders_inside_one_wrapping_folder_are_classes(labels_of):
    assert labels_of(["set/cat/1.png", "set/dog/1.png"]).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "b.png"],
        ["only/a.png", "only/b.png"],
        ["cat/1.png", "2.png"],
        ["cat/1.png", "dog/deep/1.png"],
        ["00000/img00000000.png", "00001/img00001000.png"],
    ],
)
def test_other_layouts_have_no_labels(names, labels_of):
    assert labels_of(names) is None


def test_digit_folders_are_classes(labels_of):
    assert labels_of(["0/a.png", "1/a.png"]).class_names == ("0", "1")


@pytest.mark.parametrize("as_object", [False, True])
def test_class_numbers_become_one_hot(as_object, labels_of):
    pairs = [["c.png", 3], ["a.png", 0], ["b.png", 1]]
    labels = labels_of(NAMES, {"labels": dict(pairs) if as_object else pairs})
    assert labels.c_dim == 4
    assert labels.class_names == ("0", "1", "2", "3")
    array = labels.array(NAMES)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.eye(4)[[0, 1, 3]])


def test_class_names_are_kept(labels_of):
    pairs = [[name, index % 2] for index, name in enumerate(NAMES)]
    labels = labels_of(NAMES, {"labels": pairs, "class_names": ["kidney", "navy", "none yet"]})
    assert labels.c_dim == 3
    assert labels.class_names == ("kidney", "navy", "none yet")


def test_vectors_are_kept(labels_of):
    labels = labels_of(NAMES, {"labels": [["a.png", [0.5, 1]], ["b.png", [2, 3]], ["c.png", [0, -1]]]})
    assert labels.class_names is None
    np.testing.assert_array_equal(labels.array(NAMES), [[0.5, 1], [2, 3], [0, -1]])


def test_label_file_wins_over_class_folders(labels_of):
    assert labels_of(["cat/1.png", "dog/1.png"], {"labels": None}) is None


def test_label_file_in_the_wrapping_folder_is_read(labels_of):
    names = ["set/a.png", "set/b.png"]
    labels = labels_of(names, {"labels": [["a.png", 0], ["b.png", 1]]}, "set/dataset.json")
    np.testing.assert_array_equal(labels.array(names), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": [["a.png", 0], ["b.png", 1]]}, r"1 of 3 images have no label: c\.png.*--labels none"),
        ({"labels": [["a.png", 0], ["b.png", 1], ["c.png", None]]}, r"1 of 3 images have no label"),
        ({"labels": [[name, 0] for name in [*NAMES, "x.png"]]}, r"1 of 4 labels name images .*: x\.png"),
        (
            {"labels": [["a.png", [1, 2]], ["b.png", [1]], ["c.png", [1, 2]]]},
            r"labels of 2 values.*b\.png \(1\)",
        ),
        ({"labels": [["a.png", 0.5], ["b.png", 1.0], ["c.png", 2.0]]}, r"Write a single number as \[0\.5\]"),
        (
            {"labels": [["a.png", 0], ["b.png", [1.0]], ["c.png", 2]]},
            r"class numbers for all images or lists",
        ),
        ({"labels": [["a.png", -1], ["b.png", 0], ["c.png", 0]]}, r"class numbers of 0 to 9999, got a\.png"),
        ({"labels": [["a.png", 10**9], ["b.png", 0], ["c.png", 0]]}, r"class numbers of 0 to 9999"),
        ({"labels": [["a.png", True], ["b.png", 0], ["c.png", 0]]}, r"whole class numbers"),
        ({"labels": [["a.png", [float("nan")]], ["b.png", [0]], ["c.png", [0]]]}, r"lists of numbers"),
        ({"labels": [["a.png", "cat"], ["b.png", "dog"], ["c.png", "cat"]]}, r"whole class numbers"),
        ({"labels": [["a.png", 0], ["a.png", 1]]}, r"a\.png has two labels, 0 and 1"),
        ({"labels": ["a.png"]}, r"expected \[name, label\]"),
        ({"labels": 7}, r"expected \"labels\" to be a list"),
        ([], r"expected an object"),
        ("{", r"not valid JSON"),
        ("[" * 100_000, r"not valid JSON"),
        ({"labels": [[name, 1] for name in NAMES], "class_names": ["one"]}, r"to hold 2 or more"),
        ({"labels": [[name, 1] for name in NAMES], "class_names": "cat"}, r"list of texts"),
    ],
)
def test_bad_label_file_is_refused_on_one_line(content, message, labels_of):
    with pytest.raises(DataError, match=message) as caught:
        labels_of(NAMES, content)
    assert "\n" not in str(caught.value)
    assert "dataset.json" in str(caught.value)

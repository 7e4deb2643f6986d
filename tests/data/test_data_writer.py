from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from stylegraft.data import DataConfig, open_image_set, write_image_set
from stylegraft.errors import InputError


@pytest.fixture
def images(noise):
    return [noise(seed, 8, 12) for seed in range(4)]


def test_official_zip_round_trip(tmp_path, images):
    path = write_image_set(tmp_path / "set.zip", iter(images), labels=[0, 2, 1, 2])
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"00000/img{i:08d}.png" for i in range(4)] + ["dataset.json"]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        labels = json.loads(archive.read("dataset.json"))["labels"]
        assert labels[1] == ["00000/img00000001.png", 2]
    read = open_image_set(path)
    np.testing.assert_array_equal(read.pixels(range(4)), np.stack(images))
    np.testing.assert_array_equal(read.labels, np.eye(3)[[0, 2, 1, 2]])


@pytest.mark.parametrize("target", ["set.zip", "folder"])
def test_grey_images_names_vectors_and_extra_files_round_trip(target, tmp_path, images):
    grey = [image[:, :, :1] for image in images]
    vectors = np.array([[0.5, 1], [2, 3], [4, 5], [6, 7]], np.float32)
    names = [f"sub/{i}.png" for i in range(4)]
    path = write_image_set(tmp_path / target, grey, names, vectors, extra_files={"manifest.json": b"{}"})
    read = open_image_set(path)
    assert read.names == tuple(names)
    assert read.num_channels == 1
    np.testing.assert_array_equal(read.pixels(range(4)), np.stack(grey))
    np.testing.assert_array_equal(read.labels, vectors)
    assert read.num_ignored == 2


def test_class_names_round_trip(tmp_path, images):
    path = write_image_set(tmp_path / "set.zip", images, labels=[0, 1, 0, 1], class_names=["kidney", "navy"])
    assert open_image_set(path).class_names == ("kidney", "navy")


def test_same_images_give_the_same_bytes(tmp_path, images):
    first = write_image_set(tmp_path / "1.zip", images).read_bytes()
    assert first == write_image_set(tmp_path / "2.zip", images).read_bytes()


def test_folder_and_zip_have_the_same_content_hash(tmp_path, images):
    config = DataConfig()
    hashes = {
        open_image_set(write_image_set(tmp_path / name, images), config).content_hash
        for name in ("a", "b.zip")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("target", ["set.zip", "folder"])
def test_failure_in_the_middle_leaves_nothing(target, tmp_path, images):
    def broken():
        yield images[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_image_set(tmp_path / target, broken())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a.png"]}, "more images than the 1 names"),
        ({"names": [f"{i}.png" for i in range(5)]}, "4 images for 5 names"),
        ({"names": ["a.png"] * 4}, "given twice"),
        ({"labels": [0, 1]}, "4 images for 2 labels"),
        ({"images": [np.zeros((4, 4, 3))]}, "expected uint8"),
        ({"images": [np.zeros((4, 4, 2), np.uint8)]}, "expected uint8"),
    ],
)
def test_wrong_arguments_are_refused_and_leave_nothing(changes, message, tmp_path, images):
    with pytest.raises(ValueError, match=message):
        write_image_set(tmp_path / "set.zip", **({"images": images} | changes))
    assert list(tmp_path.iterdir()) == []


def test_name_that_leaves_the_folder_is_refused(tmp_path, images):
    with pytest.raises(InputError, match="unsafe member name"):
        write_image_set(tmp_path / "folder", images[:1], ["../a.png"])


def test_full_folder_is_not_touched(folder_of, images):
    root = folder_of({"mine.txt": b"x"})
    with pytest.raises(InputError, match="new or empty folder"):
        write_image_set(root, images)
    assert [file.name for file in root.iterdir()] == ["mine.txt"]


def test_empty_folder_is_filled(tmp_path, images):
    (tmp_path / "folder").mkdir()
    assert len(open_image_set(write_image_set(tmp_path / "folder", images))) == 4

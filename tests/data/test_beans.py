import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from stylegraft.data.beans import CLASS_NAMES, render_bean, render_beans, write_bean_set
from stylegraft.errors import InputError, RunError

NUM = 120


@pytest.fixture(scope="module")
def beans():
    images, labels, _ = render_beans(NUM, size=32, seed=3)
    return images, labels


def colour_features(images):
    """Mean and spread of colour in the middle of the picture, where the bean is, over that of the border."""
    pixels = images.astype(np.float64) / 255
    middle = pixels[:, 8:24, 8:24].reshape(len(images), -1, 3)
    border = pixels[:, [0, -1]].reshape(len(images), -1, 3).mean(axis=1)
    relative = middle / border[:, None]
    return np.concatenate([relative.mean(axis=1), relative.std(axis=1)], axis=1)


def test_beans_have_the_promised_shapes_and_types():
    images, labels, names = render_beans(7, size=40, seed=1, supersample=1)
    assert images.shape == (7, 40, 40, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert names == CLASS_NAMES
    assert len(names) >= 5
    assert list(names) == sorted(names), (
        "class folders are read in sorted order: labels must survive a round trip"
    )


def test_bean_depends_on_seed_and_index_only(beans):
    images, labels = beans
    again, label = render_bean(17, size=32, seed=3)
    np.testing.assert_array_equal(again, images[17])
    assert label == labels[17]
    other, _ = render_bean(17, size=32, seed=4)
    assert np.abs(other.astype(int) - again.astype(int)).mean() > 1


def test_bean_does_not_depend_on_the_number_of_threads():
    code = (
        "import hashlib; from stylegraft.data.beans import render_beans; "
        "print(hashlib.sha256(render_beans(12, size=64)[0].tobytes()).hexdigest())"
    )
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **dict.fromkeys(names, threads)},
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(hashes) == 1


def test_bean_at_another_size_is_the_same_bean():
    small, _ = render_bean(5, size=32, seed=0)
    large, _ = render_bean(5, size=64, seed=0)
    reduced = large.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    # Means of sRGB values and of light differ at hard edges; over the picture this is below two grey levels.
    assert np.abs(reduced - small).mean() < 2


def test_every_bean_is_a_visible_object_inside_the_picture(beans):
    images, _ = beans
    grey = images.astype(np.float64).mean(axis=3)
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    assert border.std(axis=1).max() < 12, "a bean touches the border"
    assert grey.std(axis=(1, 2)).min() > 3 * border.std(axis=1).min()
    assert grey.std(axis=(1, 2)).min() > 5, "a bean cannot be told from its ground"


def test_classes_are_told_apart_by_colour(beans):
    images, labels = beans
    features = colour_features(images)
    train, held = slice(0, NUM // 2), slice(NUM // 2, NUM)
    scale = features[train].std(axis=0)
    centroids = np.stack([features[train][labels[train] == k].mean(axis=0) for k in range(len(CLASS_NAMES))])
    distance = np.linalg.norm((features[held][:, None] - centroids) / scale, axis=2)
    assert (distance.argmin(axis=1) == labels[held]).mean() > 0.8


def test_beans_of_one_class_vary(beans):
    images, labels = beans
    for label, name in enumerate(CLASS_NAMES):
        own = images[labels == label].astype(np.float64)
        apart = np.abs(own[1:] - own[:-1]).mean(axis=(1, 2, 3))
        assert apart.min() > 4, name


def test_bean_set_on_disk_equals_the_arrays(tmp_path):
    path = write_bean_set(tmp_path / "new" / "beans", num=8, size=16, seed=2)
    images, labels, names = render_beans(8, size=16, seed=2)
    assert sorted(folder.name for folder in path.iterdir()) == sorted(names)
    for index in range(8):
        file = path / names[labels[index]] / f"bean_{index:05d}.png"
        np.testing.assert_array_equal(np.asarray(Image.open(file)), images[index])
    assert [entry.name for entry in path.parent.iterdir()] == ["beans"], "the scratch folder must be gone"


def test_bean_set_fills_an_empty_folder(tmp_path):
    assert len(list(write_bean_set(tmp_path, num=6, size=8).rglob("*.png"))) == 6


def test_bean_set_refuses_a_folder_in_use(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="new or empty folder"):
        write_bean_set(tmp_path, num=2, size=8)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_bean_set_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write beans"):
        write_bean_set(tmp_path / "file" / "beans", num=2, size=8)


def test_interrupted_bean_set_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(RunError, match="No space left"):
        write_bean_set(tmp_path / "beans", num=2, size=8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("argument", "value"), [("num", 0), ("size", 4), ("seed", -1), ("supersample", 0)])
def test_beans_refuse_arguments_out_of_range(argument, value):
    with pytest.raises(InputError, match=f"expected {argument} of"):
        render_beans(**{"num": 1, "size": 8, "seed": 0, "supersample": 1, argument: value})

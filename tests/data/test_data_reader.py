from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from stylegraft.data import BadImagesError, DataConfig, open_image_set
from stylegraft.data import cache as cache_module
from stylegraft.errors import DataError, RunError


@pytest.fixture
def many(encode, noise):
    """many(count) -> {name: png bytes} of different 16x16 colour images."""
    return lambda count: {f"{index:03d}.png": encode(noise(index)) for index in range(count)}


def test_set_has_the_pixels_in_the_order_of_names(folder_of, encode, noise):
    files = {name: encode(noise(seed)) for seed, name in enumerate(["b.png", "a.png", "sub/c.bmp"])}
    images = open_image_set(folder_of(files))
    assert images.names == ("a.png", "b.png", "sub/c.bmp")
    assert (len(images), images.height, images.width, images.num_channels) == (3, 16, 16, 3)
    np.testing.assert_array_equal(images.pixels([2, 0]), np.stack([noise(2), noise(1)]))
    assert images.labels is None
    assert images.c_dim == 0
    assert images.class_indices is None


def test_zip_reads_as_its_folder(folder_of, many, tmp_path):
    files = many(5)
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    from_zip, from_folder = open_image_set(tmp_path / "set.zip"), open_image_set(folder_of(files))
    np.testing.assert_array_equal(from_zip.array, from_folder.array)
    assert from_zip.content_hash == from_folder.content_hash


def test_class_folders_give_labels(folder_of, encode, noise):
    files = {f"{kind}/{i}.png": encode(noise(i)) for kind in ("navy", "kidney") for i in range(3)}
    root = folder_of(files)
    images = open_image_set(root)
    assert images.class_names == ("kidney", "navy")
    np.testing.assert_array_equal(images.class_indices, [0, 0, 0, 1, 1, 1])
    labels = images.label_batch([0, 5])
    assert labels is not None
    assert labels.tolist() == [[1, 0], [0, 1]]
    assert open_image_set(root, DataConfig(labels="none")).labels is None


@pytest.mark.parametrize(("modes", "expected"), [(("L", "L"), 1), (("L", "RGB"), 3), (("1", "LA"), 1)])
def test_channels_are_inferred(modes, expected, folder_of, encode):
    files = {f"{index}.png": encode(Image.new(mode, (8, 8))) for index, mode in enumerate(modes)}
    assert open_image_set(folder_of(files)).num_channels == expected


def test_coloured_background_of_grey_images_needs_three_channels(folder_of, encode):
    root = folder_of({f"{index}.png": encode(Image.new("LA", (8, 8))) for index in range(2)})
    images = open_image_set(root, DataConfig(background="#ff0000"))
    np.testing.assert_array_equal(images.pixels([0])[0, 0, 0], [255, 0, 0])


def test_channels_can_be_told(folder_of, many):
    assert open_image_set(folder_of(many(2)), DataConfig(channels=1)).array.shape == (2, 16, 16, 1)


def test_size_and_fit_are_applied(folder_of, encode, noise):
    root = folder_of({"a.png": encode(noise(0, 30, 50)), "b.png": encode(noise(1, 50, 30))})
    images = open_image_set(root, DataConfig(size="8x12", fit="crop"))
    assert images.array.shape == (2, 8, 12, 3)


def test_batch_maps_to_minus_one_to_one_and_mirrors(folder_of, many):
    images = open_image_set(folder_of(many(3)))
    batch = images.batch([2, 0], flips=[False, True])
    expected = images.pixels([2, 0]).astype(np.float64).transpose(0, 3, 1, 2) / 127.5 - 1
    expected[1] = expected[1][:, :, ::-1]
    assert batch.dtype == torch.float32
    assert batch.shape == (2, 3, 16, 16)
    assert batch.is_contiguous()
    np.testing.assert_allclose(batch.numpy(), expected, rtol=0, atol=1e-6)
    assert torch.equal(images.batch([2, 0])[0], batch[0])


def test_file_backed_set_equals_the_one_in_memory(folder_of, many):
    files = many(40) | {"bad.png": b"text"}
    root = folder_of(files)
    in_memory = open_image_set(root, DataConfig(skip_bad=True))
    in_file = open_image_set(root, DataConfig(skip_bad=True, max_cache_mb=0))
    np.testing.assert_array_equal(in_file.array, in_memory.array)
    np.testing.assert_array_equal(in_file.pixels([39, 3]), in_memory.pixels([39, 3]))
    assert in_file.content_hash == in_memory.content_hash


def test_pixels_above_the_limit_are_backed_by_a_file():
    shape = (3, 4, 4, 3)
    assert cache_module.allocate_pixels(shape, 144).base is None
    backed = cache_module.allocate_pixels(shape, 143)
    assert backed.base is not None
    backed[:] = 7
    assert backed.shape == shape
    assert backed.sum() == 7 * 144


def test_file_backed_pixels_leave_no_file(folder_of, many, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module.tempfile, "tempdir", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    images = open_image_set(folder_of(many(3)), DataConfig(max_cache_mb=0))
    pixels = images.pixels([1])
    del images
    assert pixels.any()
    assert list((tmp_path / "cache").iterdir()) == []


def test_full_disk_is_told_before_it_is_hit(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "_reserve", full)
    with pytest.raises(RunError, match=r"No space left on device.*TMPDIR.*--max-cache-mb"):
        cache_module.allocate_pixels((10, 4, 4, 3), 0)


def test_array_cannot_be_written(folder_of, many):
    images = open_image_set(folder_of(many(2)))
    with pytest.raises(ValueError, match="read-only"):
        images.array[0] = 0


def test_content_hash_follows_pixels_names_labels_and_settings(tmp_path, encode, noise):
    def hash_of(name, files, **settings):
        root = tmp_path / name
        root.mkdir()
        for file, data in files.items():
            (root / file).write_bytes(data)
        return open_image_set(root, DataConfig(**settings)).content_hash

    files = {"a.png": encode(noise(0)), "b.png": encode(noise(1))}
    changed = noise(1)
    changed[0, 0, 0] ^= 1
    labels = {"dataset.json": json.dumps({"labels": [["a.png", 0], ["b.png", 1]]}).encode()}
    same = hash_of("same", files)
    assert same == hash_of("again", {"a.png": encode(noise(0), "bmp"), "b.png": files["b.png"]}, mirror=True)
    others = [
        hash_of("pixel", files | {"b.png": encode(changed)}),
        hash_of("name", {"a.png": files["a.png"], "c.png": files["b.png"]}),
        hash_of("labels", files | labels),
        hash_of("grey", files, channels=1),
        hash_of("size", files, size="8"),
    ]
    assert len({same, *others}) == 6


def test_every_bad_file_is_listed_with_its_reason(folder_of, many, encode, noise, png_file):
    good = many(5)
    whole = encode(noise(9, 64, 64))
    bad = {
        "bomb.png": png_file(60_000, 60_000, bytes(100)),
        "cut.png": whole[:3000],
        "empty.jpg": b"",
        "photo.heic": b"\0\0\0\x18ftypheic" + bytes(50),
        "text.png": b"hello " * 50,
    }
    root = folder_of(good | bad)
    with pytest.raises(BadImagesError) as caught:
        open_image_set(root)
    assert [name for name, _ in caught.value.problems] == sorted(bad)
    reasons = dict(caught.value.problems)
    assert "megapixels" in reasons["bomb.png"]
    assert "truncated" in reasons["cut.png"]
    assert "empty" in reasons["empty.jpg"]
    message = str(caught.value)
    assert message.startswith(f"cannot read 5 of 10 images in {root}: bomb.png (")
    assert "and 2 more" in message
    assert "--skip-bad" in message
    assert "\n" not in message
    assert caught.value.exit_code == 2

    images = open_image_set(root, DataConfig(skip_bad=True))
    assert images.names == tuple(sorted(good))
    assert list(images.skipped) == caught.value.problems
    np.testing.assert_array_equal(images.array, np.stack([noise(index) for index in range(5)]))


def test_truncated_file_in_the_middle_is_skipped_with_its_label(folder_of, many, encode, noise):
    files = many(4)
    files["001.png"] = encode(noise(1, 16, 16))[:400]
    labels = {"labels": [[name, index % 2] for index, name in enumerate(sorted(files))]}
    root = folder_of(files | {"dataset.json": json.dumps(labels).encode()})
    images = open_image_set(root, DataConfig(skip_bad=True))
    assert images.names == ("000.png", "002.png", "003.png")
    np.testing.assert_array_equal(images.array, np.stack([noise(index) for index in (0, 2, 3)]))
    np.testing.assert_array_equal(images.class_indices, [0, 0, 1])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "got no image"),
        ({"notes.txt": b"x"}, "got no image among 1 files"),
        ({"one.png": b"?"}, "got one image"),
    ],
)
def test_too_few_images_are_refused(files, message, folder_of):
    with pytest.raises(DataError, match=f"expected at least two images, {message}"):
        open_image_set(folder_of(files))


def test_too_few_good_images_are_refused_with_reasons(folder_of, many):
    root = folder_of(many(1) | {"bad.png": b"text"})
    with pytest.raises(
        DataError, match=r"one image that can be read, 1 that cannot: bad\.png \(not an image"
    ):
        open_image_set(root, DataConfig(skip_bad=True))


def test_damaged_file_of_another_size_does_not_make_sizes_mixed(folder_of, many, encode, noise):
    root = folder_of(many(3) | {"cut.png": encode(noise(0, 64, 64))[:3000]})
    with pytest.raises(BadImagesError, match=r"1 of 4 images .*cut\.png \(.*truncated"):
        open_image_set(root)
    assert open_image_set(root, DataConfig(skip_bad=True)).height == 16


@pytest.mark.parametrize("skip_bad", [False, True])
def test_set_without_one_good_image_is_refused(skip_bad, folder_of):
    root = folder_of({"a.png": b"text", "b.png": b""})
    with pytest.raises(DataError, match=r"a\.png \(not an image.*b\.png \(empty file\)"):
        open_image_set(root, DataConfig(skip_bad=skip_bad))


def test_mixed_sizes_are_refused(folder_of, many, encode, noise):
    with pytest.raises(DataError, match=r"2 different sizes.*--fit"):
        open_image_set(folder_of(many(3) | {"odd.png": encode(noise(0, 20, 30))}))


def test_progress_counts_to_the_end(folder_of, many):
    calls = []
    open_image_set(folder_of(many(3)), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 3) for done in range(1, 4)]


def test_progress_counts_files_twice_where_they_are_read_twice(folder_of, many, encode):
    calls = []
    files = {"a.png": encode(Image.new("L", (16, 16)))} | many(2)  # the first in name is in colour
    files = {f"{index}.png": data for index, data in enumerate(files.values())}
    images = open_image_set(folder_of(files), progress=lambda done, total: calls.append((done, total)))
    assert images.num_channels == 3
    assert calls == [(done, 3) for done in range(1, 4)] + [(done, 6) for done in range(4, 7)]


def test_summary_is_ready_for_json(folder_of, encode, noise):
    files = {f"{kind}/{i:03d}.png": encode(noise(i)) for kind in ("navy", "kidney") for i in range(40)}
    images = open_image_set(folder_of(files | {"readme.txt": b"x"}))
    summary = json.loads(json.dumps(images.summary()))
    assert summary["num_images"] == 80
    assert (summary["height"], summary["width"], summary["channels"]) == (16, 16, 3)
    assert summary["classes"] == {"kidney": 40, "navy": 40}
    assert summary["num_holdout"] == 20
    assert summary["num_ignored_files"] == 1
    assert summary["skipped"] == []
    assert summary["content_hash"] == images.content_hash


def test_settings_and_reading_import_no_torch():
    program = (
        "import sys; from stylegraft.data import DataConfig, open_image_set; "
        "assert 'torch' not in sys.modules and 'PIL.Image' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    program = (
        "import sys; from stylegraft.data.config import DataConfig; DataConfig; "
        "assert 'numpy' not in sys.modules and 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stylegraft.data import open_image_set
from stylegraft.errors import InputError
from stylegraft.generate import GenerateConfig, Sampler, generate_set


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _pixel(path: Path) -> tuple[int, ...]:
    with Image.open(path) as image:
        assert image.size == (6, 4)
        pixels = np.asarray(image).reshape(24, -1)
    assert (pixels == pixels[0]).all()
    return tuple(pixels[0].tolist())


class Failing:
    """Wraps a model so that it fails at some batch."""

    def __init__(self, model: Sampler, at_call: int, error: BaseException) -> None:
        self.info, self.class_names = model.info, model.class_names
        self.sampling_batch, self.truncation_centre = model.sampling_batch, model.truncation_centre
        self._model, self._left, self._error = model, at_call, error

    def sample(self, *args: Any, **kwargs: Any) -> NDArray[np.uint8]:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return self._model.sample(*args, **kwargs)


def test_folder_holds_the_images_of_the_manifest(tmp_path: Path, class_model: Sampler) -> None:
    config = GenerateConfig(classes="bags=3,boots=2", psi=0.5, batch=2)
    done = generate_set(class_model, config, tmp_path / "set")
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["schema_version"] == 1
    assert manifest["checkpoint"] == {"sha256": "ab" * 32, "family": "stylegan2"}
    assert manifest["num_images"] == len(manifest["images"]) == len(done.images) == 5
    for record in manifest["images"]:
        assert _pixel(tmp_path / "set" / record["file"]) == (record["seed"], record["class"], 50)
        assert record["psi"] == 0.5
        assert record["checkpoint"] == "ab" * 32
    assert manifest["num_by_class"] == {"bags": 3, "boots": 2}
    assert GenerateConfig.from_dict(manifest["settings"]) == config.replace(truncation_centre="class")
    files = {name for name in _hashes(tmp_path / "set") if name.endswith(".png")}
    assert files == {record["file"] for record in manifest["images"]}


def test_labels_are_written_as_official_tools_read_them(tmp_path: Path, class_model: Sampler) -> None:
    generate_set(class_model, GenerateConfig(per_class=1), tmp_path / "set")
    labels = dict(json.loads((tmp_path / "set" / "dataset.json").read_text())["labels"])
    assert labels == {"boots/seed000000.png": 0, "bags/seed000001.png": 1, "a_b/seed000002.png": 2}


@pytest.mark.parametrize("name", ["set", "set.zip"])
def test_same_request_gives_the_same_bytes(tmp_path: Path, class_model: Sampler, name: str) -> None:
    for run in "ab":
        generate_set(class_model, GenerateConfig(num=9, batch=4), tmp_path / run / name)
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")
    assert len(_hashes(tmp_path / "a")) == (1 if name.endswith("zip") else 9 + 2)


def test_zip_holds_what_a_folder_does(tmp_path: Path, class_model: Sampler) -> None:
    generate_set(class_model, GenerateConfig(num=5, format="folder"), tmp_path / "set")
    done = generate_set(class_model, GenerateConfig(num=5, format="zip"), tmp_path / "other")
    assert done.path == tmp_path / "other.zip"
    with zipfile.ZipFile(done.path) as archive:
        assert archive.testzip() is None
        found = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
    expected = _hashes(tmp_path / "set")
    del found["manifest.json"], expected["manifest.json"]  # they differ in the format asked for
    assert found == expected


def test_a_seed_is_the_same_image_in_any_batch(tmp_path: Path, class_model: Sampler) -> None:
    generate_set(class_model, GenerateConfig(num=9, batch=4), tmp_path / "all")
    generate_set(class_model, GenerateConfig(seeds="8,2", batch=1), tmp_path / "two")
    whole, part = _hashes(tmp_path / "all"), _hashes(tmp_path / "two")
    pictures = {name for name in part if name.endswith(".png")}
    assert len(pictures) == 2
    assert all(whole[name] == part[name] for name in pictures)


def test_classes_come_back_when_a_set_is_read_as_data(tmp_path: Path, class_model: Sampler) -> None:
    generate_set(class_model, GenerateConfig(classes="a/b=2,boots=1"), tmp_path / "set")
    images = open_image_set(tmp_path / "set")
    assert images.class_names == ("boots", "bags", "a/b")  # "bags" too, of which there is no image
    assert dict(zip(images.names, np.argmax(images.labels, axis=1))) == {
        "a_b/seed000000.png": 2,
        "a_b/seed000001.png": 2,
        "boots/seed000002.png": 0,
    }


def test_balance_tops_up_classes_and_names_no_path(tmp_path: Path, class_model: Sampler) -> None:
    generate_set(class_model, GenerateConfig(classes="boots=3,bags=1"), tmp_path / "real")
    done = generate_set(class_model, GenerateConfig(balance=str(tmp_path / "real")), tmp_path / "made")
    assert Counter(image.class_name for image in done.images) == {"bags": 2, "a/b": 3}
    text = (tmp_path / "made" / "manifest.json").read_text()
    assert json.loads(text)["settings"]["balance"] == "real"
    assert json.loads(text)["num_by_class"] == {"bags": 2, "a/b": 3}
    assert str(tmp_path) not in text


def test_truncation_centre_is_the_models_and_told_unless_asked_for(tmp_path: Path, class_model: Any) -> None:
    for name, centre, expected in (("a", "auto", "class"), ("b", "global", "global")):
        generate_set(class_model, GenerateConfig(num=1, truncation_centre=centre), tmp_path / name)
        assert class_model.calls[-1]["truncation_centre"] == expected
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        assert manifest["settings"]["truncation_centre"] == expected


def test_batch_is_the_models_and_told_unless_asked_for(tmp_path: Path, plain_model: Any) -> None:
    for name, config, expected in (("a", GenerateConfig(num=9), 8), ("b", GenerateConfig(num=9, batch=3), 3)):
        generate_set(plain_model, config, tmp_path / name)
        assert plain_model.calls[-1]["batch"] == expected
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        assert manifest["settings"]["batch"] == expected


def test_model_gets_the_request_in_batches(tmp_path: Path, plain_model: Any) -> None:
    config = GenerateConfig(num=5, batch=2, cutoff=3, noise_mode="random")
    seen: list[tuple[int, int]] = []
    generate_set(plain_model, config, tmp_path / "set", on_progress=lambda *step: seen.append(step))
    assert [call["seeds"] for call in plain_model.calls] == [[0, 1], [2, 3], [4]]
    assert {(call["cutoff"], call["noise_mode"], call["batch"]) for call in plain_model.calls} == {
        (3, "random", 2)
    }
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_grey_images_are_written_as_grey(tmp_path: Path, grey_model: Sampler) -> None:
    generate_set(grey_model, GenerateConfig(seeds="200"), tmp_path / "set")
    with Image.open(tmp_path / "set" / "seed000200.png") as image:
        assert image.mode == "L"
    assert _pixel(tmp_path / "set" / "seed000200.png") == (200,)


@pytest.mark.parametrize("name", ["set", "set.zip"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")])
def test_failure_in_the_middle_leaves_nothing(
    tmp_path: Path, plain_model: Sampler, name: str, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        generate_set(Failing(plain_model, 2, error), GenerateConfig(num=9, batch=2), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_used_name_is_refused_before_any_sampling(tmp_path: Path, plain_model: Any) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "holiday.jpg").write_bytes(b"dear")
    (tmp_path / "set.zip").write_bytes(b"dear")
    for name in ("set", "set.zip"):
        for overwrite in (False, True):  # --overwrite is for our own sets only
            with pytest.raises(InputError, match="in use"):
                generate_set(plain_model, GenerateConfig(), tmp_path / name, overwrite=overwrite)
    assert plain_model.calls == []
    assert (tmp_path / "set" / "holiday.jpg").read_bytes() == b"dear"
    assert (tmp_path / "set.zip").read_bytes() == b"dear"


def test_empty_folder_is_a_free_name(tmp_path: Path, plain_model: Sampler) -> None:
    (tmp_path / "set").mkdir()
    generate_set(plain_model, GenerateConfig(num=2), tmp_path / "set")
    assert len(list((tmp_path / "set").glob("*.png"))) == 2


@pytest.mark.parametrize("name", ["set", "set.zip"])
def test_overwrite_replaces_an_earlier_set_only_when_the_new_one_is_whole(
    tmp_path: Path, plain_model: Sampler, name: str
) -> None:
    out = tmp_path / name
    generate_set(plain_model, GenerateConfig(num=6, batch=2), out)
    with pytest.raises(InputError, match="--overwrite"):
        generate_set(plain_model, GenerateConfig(num=2), out)
    before = _hashes(tmp_path)
    with pytest.raises(RuntimeError, match="broke"):
        generate_set(
            Failing(plain_model, 1, RuntimeError("broke")),
            GenerateConfig(num=4, batch=2),
            out,
            overwrite=True,
        )
    assert _hashes(tmp_path) == before
    generate_set(plain_model, GenerateConfig(seeds="50"), out, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    names = zipfile.ZipFile(out).namelist() if name.endswith("zip") else list(_hashes(out))
    assert sorted(names) == ["dataset.json", "manifest.json", "seed000050.png"]


def test_place_that_cannot_be_written_is_the_users_mistake(tmp_path: Path, plain_model: Any) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "file/set", "file/set.zip"):
        with pytest.raises(InputError, match="--out"):
            generate_set(plain_model, GenerateConfig(), tmp_path / name)
    assert plain_model.calls == []


def test_folder_format_with_a_zip_name_is_refused(tmp_path: Path, plain_model: Sampler) -> None:
    with pytest.raises(InputError, match=r"\.zip"):
        generate_set(plain_model, GenerateConfig(format="folder"), tmp_path / "set.zip")


def _grid(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_grid_has_a_captioned_row_a_class(tmp_path: Path, class_model: Sampler) -> None:
    config = GenerateConfig(per_class=4, batch=5)
    generate_set(class_model, config, tmp_path / "set", grid=tmp_path / "sheets" / "sheet.png")
    sheet = _grid(tmp_path / "sheets" / "sheet.png")
    # Images of 4 x 6 px are enlarged 11 times, with gaps of 2 px; the captions are on the left.
    cells = sheet[22::46, -4 * 68 + 2 + 33 :: 68]
    assert cells[..., 1].tolist() == [[0] * 4, [1] * 4, [2] * 4]
    assert cells[..., 0].ravel().tolist() == list(range(12))
    assert sheet.shape[1] > 4 * 68
    assert (sheet[:, : -4 * 68] < 128).any()


def test_grid_is_about_square_without_classes(tmp_path: Path, plain_model: Sampler) -> None:
    generate_set(plain_model, GenerateConfig(num=5), tmp_path / "set", grid=tmp_path / "sheet.png")
    assert _grid(tmp_path / "sheet.png").shape == (2 * 46 - 2, 3 * 68 - 2, 3)


@pytest.mark.parametrize("request_", [{"num": 5000}, {"per_class": 2000}, {"per_class": 10}])
def test_grid_shows_as_many_as_fit(
    tmp_path: Path, class_model: Sampler, monkeypatch: pytest.MonkeyPatch, request_: dict[str, int]
) -> None:
    monkeypatch.setattr("stylegraft.generate.grid.MAX_SIDE_PX", 700)
    config = GenerateConfig(**request_, batch=500, format="zip")
    generate_set(class_model, config, tmp_path / "set", grid=tmp_path / "sheet.png")
    height, width = _grid(tmp_path / "sheet.png").shape[:2]
    assert 100 < height <= 700
    assert 600 < width <= 700 + 80  # captions come on top


@pytest.mark.parametrize("name", ["sheet.jpg", "used.png"])
def test_grid_place_is_checked_before_any_sampling(tmp_path: Path, plain_model: Any, name: str) -> None:
    (tmp_path / "used.png").write_bytes(b"dear")
    with pytest.raises(InputError, match="--grid"):
        generate_set(plain_model, GenerateConfig(), tmp_path / "set", grid=tmp_path / name)
    assert plain_model.calls == []
    assert (tmp_path / "used.png").read_bytes() == b"dear"

"""The recipes of the zoo's image sets, on packages of a few pictures."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import zoo_data.emoji as emoji_recipe
from make_zoo_data import main
from stylegraft.data import open_image_set
from stylegraft.data.split import group_keys
from stylegraft.errors import InputError
from zoo_data.pictures import Picture, collect, cut_out, on_ground
from zoo_data.textures import fit_texture, tiles


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.RandomState(seed).randint(0, 256, [height, width, 3], dtype=np.uint8)
    return Image.fromarray(pixels)


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def made(name: str, source: Path, tmp_path: Path) -> zipfile.ZipFile:
    out = tmp_path / f"{name}-set.zip"
    assert main([name, "--from", str(source), "--out", str(out)]) == 0
    return zipfile.ZipFile(out)


def pictures(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    names = sorted(name for name in archive.namelist() if name.endswith(".png"))
    return {name: np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names}


def test_collect_numbers_pictures_and_drops_those_seen_before() -> None:
    dark, light = np.zeros([64, 64, 3], np.uint8), np.full([64, 64, 3], 9, np.uint8)
    found = collect(
        [Picture("a", dark), Picture("b", light), Picture("c", dark), Picture("d", dark + 1)], Path()
    )
    assert found.names == ["00000_a.png", "00001_b.png", "00002_d.png"]
    assert found.labels is None


def test_collect_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        collect([], tmp_path)


def test_cut_out_leaves_what_is_hardly_visible() -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 16))
    image.paste((0, 0, 255, 17), (5, 8, 9, 18))
    assert cut_out(image).size == (4, 10)


def test_object_stands_in_the_middle_of_its_ground() -> None:
    pixels = on_ground(Image.new("RGBA", (40, 100), (0, 0, 0, 255)), (236, 234, 228))
    assert pixels.shape == (64, 64, 3)
    assert pixels[0, 0].tolist() == pixels[32, 2].tolist() == [236, 234, 228]
    dark = np.flatnonzero(pixels[32, :, 0] < 118)
    assert (dark[0], dark[-1]) == (20, 43)  # 40 of 106 px, around the middle, of 64
    tall = np.flatnonzero(pixels[:, 32, 0] < 118)
    assert (tall[0], tall[-1]) == (2, 61)


def test_fashion_takes_the_first_of_each_class_padded_and_enlarged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo_data.fashion.PER_CLASS", 2)
    images = np.random.RandomState(0).randint(0, 256, [40, 28, 28], dtype=np.uint8)
    labels = np.arange(40, dtype=np.uint8) % 10
    for name, values in (("images-idx3", images), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
        (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(head + values.tobytes()))
    archive = made("fashion", tmp_path, tmp_path)
    found = pictures(archive)
    assert len(found) == 20
    assert {"bag/00008.png", "bag/00018.png", "t-shirt/00010.png"} <= found.keys()
    bag = Image.fromarray(np.pad(images[8], 2)).resize((64, 64), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found["bag/00008.png"], np.repeat(np.asarray(bag)[..., None], 3, 2))
    opened = open_image_set(tmp_path / "fashion-set.zip")
    assert opened.class_names is not None
    assert opened.class_names[opened.class_indices[opened.names.index("bag/00008.png")]] == "bag"  # pyright: ignore
    assert len(set(group_keys(opened.names))) == 20


def test_fashion_without_its_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fashion", "--from", str(tmp_path), "--out", str(tmp_path / "set.zip")]
    assert main(words) == 2
    assert "expected an idx file" in capsys.readouterr().err
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x0d\1"))
    assert main(words) == 2
    assert "idx file of bytes" in capsys.readouterr().err
    assert not (tmp_path / "set.zip").exists()


def test_textures_are_tiles_of_pictures_that_are_rich_enough(tmp_path: Path) -> None:
    wall, wide = noise(256, 256), noise(256, 128, seed=1)
    files = {
        "textures/tex_misc/wall.png": wall,
        "textures/tex_misc/wall_nm.png": noise(256, 256, seed=2),
        "textures/tex_nature/wide.jpg": wide,
        "textures/tex_pics/art.png": noise(256, 256, seed=3),
        "textures/tex_misc/copy.png": wall,
        "textures/tex_misc/flat.png": Image.new("RGB", (256, 256), "red"),
    }
    source = write_archive(tmp_path / "0.pk3", {name: png(image) for name, image in files.items()})
    found = pictures(made("textures", source, tmp_path))
    # The copy comes first by name, and the wall's own tiles are then dropped as seen before.
    assert [name.partition("_")[2] for name in found] == [
        *(f"tex_misc_copy_{part}.png" for part in ("full0", "q0", "q1", "q2", "q3")),
        *(f"tex_nature_wide_{part}.png" for part in ("full0", "full1")),
    ]
    quarter = wall.crop((128, 0, 256, 128)).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(found["00002_tex_misc_copy_q1.png"], np.asarray(quarter))
    assert len(set(group_keys(list(found)))) == 2


def test_texture_is_judged_by_size_transparency_colours_and_contrast() -> None:
    image = noise(128, 128).convert("RGBA")
    assert fit_texture(image) is not None
    assert fit_texture(image.crop((0, 0, 127, 128))) is None
    few, many = image.copy(), image.copy()
    few.paste((0, 0, 0, 0), (0, 0, 4, 4))  # 16 of 16,384 pixels, 0.098 %
    many.paste((0, 0, 0, 0), (0, 0, 4, 5))
    assert fit_texture(few) is not None
    assert fit_texture(many) is None
    pixels = np.asarray(noise(128, 128))
    assert fit_texture(Image.fromarray(pixels // 32 * 32)) is None  # at most 512 colours
    assert fit_texture(Image.fromarray(pixels // 16 + 100)) is None  # 4,096 colours at most, all alike


def test_tiles_go_along_the_longer_side() -> None:
    image = noise(300, 1000)
    found = dict(tiles(image))
    assert list(found) == ["full0", "full1", "full2", "q0", "q1", "q2", "q3"]
    assert found["full2"].tobytes() == image.crop((0, 600, 300, 900)).tobytes()
    assert found["q3"].tobytes() == image.crop((150, 150, 300, 300)).tobytes()


def test_furniture_is_named_by_catalogue_category_and_icon(tmp_path: Path) -> None:
    icon = Image.new("RGBA", (128, 128))
    icon.paste((0, 90, 0, 255), (10, 20, 110, 90))
    lamp = Image.new("RGBA", (128, 128))
    lamp.paste((90, 0, 0, 255), (50, 20, 60, 90))
    text = "icon#2=/a/desk.png\ncategory#2=Living room\nname#1=x\nicon#1 = /a/lamp.png\ncategory#1=Lights\n"
    files = {
        "PluginFurnitureCatalog.properties": text.encode(),
        "a/desk.png": png(icon),
        "a/lamp.png": png(lamp),
    }
    write_archive(tmp_path / "Scopia.sh3f", files)
    found = pictures(made("furniture", tmp_path, tmp_path))
    assert list(found) == ["00000_Scopia_Lights_lamp.png", "00001_Scopia_Living_room_desk.png"]
    assert found["00001_Scopia_Living_room_desk.png"][32, 32].tolist() == [0, 90, 0]
    assert found["00001_Scopia_Living_room_desk.png"][0, 0].tolist() == [236, 234, 228]


@pytest.mark.parametrize("name", ["furniture", "textures"])
def test_source_without_pictures_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path
    if name == "textures":
        source = write_archive(tmp_path / "empty.zip", {"readme": b""})
    assert main([name, "--from", str(source), "--out", str(tmp_path / "set.zip")]) == 2
    assert "expected pictures, found none" in capsys.readouterr().err


def test_damaged_catalogue_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Scopia.sh3f").write_bytes(b"no zip")
    assert main(["furniture", "--from", str(tmp_path), "--out", str(tmp_path / "set.zip")]) == 2
    assert "Scopia.sh3f: expected a catalogue" in capsys.readouterr().err


GLYPHS = {
    "📎": "emoji",
    "🏃": "emoji",
    "🐈‍⬛": "emoji",
    "♀": "emoji",
    "👨": "faces",
    "👩🏾": "faces",
    "👩🏾‍🦳": "faces",
    "🤦‍♂": "faces",
    "🏃‍♂": None,
    "🏃🏾": None,
    "👩‍🦽": None,
    "👩‍👧": None,
    "🇫🇮": None,
    "🏾": None,
    "➡": None,
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿": None,
}


@pytest.mark.parametrize("kind", ["emoji", "faces"])
def test_glyphs_are_sorted_into_emoji_and_faces(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def glyphs(source: Path):
        for index, text in enumerate(GLYPHS):
            bitmap = Image.new("RGBA", (136, 128))
            bitmap.paste((index, 0, 0, 255), (20, 20, 100, 100))
            yield tuple(map(ord, text)), bitmap

    monkeypatch.setattr(emoji_recipe, "_glyphs", glyphs)
    found = [picture.name for picture in getattr(emoji_recipe, kind)(tmp_path)]
    assert found == ["_".join(f"{ord(code):x}" for code in text) for text, of in GLYPHS.items() if of == kind]


def test_thin_signs_are_no_emoji(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bitmaps = [Image.new("RGBA", (136, 128)) for _ in range(2)]
    bitmaps[0].paste((0, 0, 0, 255), (10, 10, 49, 120))
    bitmaps[1].paste((0, 0, 0, 255), (10, 10, 50, 120))
    monkeypatch.setattr(
        emoji_recipe, "_glyphs", lambda source: [((0x21,), bitmaps[0]), ((0x22,), bitmaps[1])]
    )
    assert [picture.name for picture in emoji_recipe.emoji(tmp_path)] == ["22"]


def test_glyph_is_named_by_its_first_ligature() -> None:
    def ligature(glyph: str, *parts: str) -> SimpleNamespace:
        return SimpleNamespace(LigGlyph=glyph, Component=list(parts))

    table = SimpleNamespace(
        LookupType=4,
        ligatures={
            "cat": [ligature("black_cat", "joiner", "square")],
            "square": [ligature("black_cat", "cat")],
        },
    )
    lookups = [SimpleNamespace(SubTable=[SimpleNamespace(LookupType=2)]), SimpleNamespace(SubTable=[table])]
    gsub = SimpleNamespace(table=SimpleNamespace(LookupList=SimpleNamespace(Lookup=lookups)))

    class Font(dict):
        def getBestCmap(self) -> dict[int, str]:  # noqa: N802 - fontTools names it so
            return {0x1F408: "cat", 0x200D: "joiner", 0x2B1B: "square"}

    codes = emoji_recipe._code_points(Font(GSUB=gsub))
    assert codes["black_cat"] == (0x1F408, 0x200D, 0x2B1B)
    assert codes["cat"] == (0x1F408,)


def test_font_without_bitmaps_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "font.ttf").write_bytes(b"no font")
    assert main(["emoji", "--from", str(tmp_path / "font.ttf"), "--out", str(tmp_path / "set.zip")]) == 2
    assert "expected a font of colour bitmaps" in capsys.readouterr().err


def test_line_drawings_leave_out_flags_tones_and_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = ModuleType("cairosvg")

    def svg2png(bytestring: bytes, output_width: int, output_height: int) -> bytes:
        image = Image.new("RGBA", (output_width, output_height))
        image.paste((0, 0, 0, 255), (0, 0, int(bytestring), output_height))
        return png(image)

    vars(drawn)["svg2png"] = svg2png
    monkeypatch.setitem(sys.modules, "cairosvg", drawn)
    rows = [
        ("1F600", "smileys", "face", ""),
        ("1F1E6", "flags", "country-flag", ""),
        ("1F44B-1F3FB", "people", "hand", "1"),
        ("0031", "symbols", "keycap", ""),
        ("1F601", "smileys", "face", ""),
        ("2764", "smileys", "heart", ""),
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "black" / "svg").mkdir(parents=True)
    keys = ("hexcode", "group", "subgroups", "skintone")
    (tmp_path / "data" / "openmoji.json").write_text(json.dumps([dict(zip(keys, row)) for row in rows]))
    for (code, *_), width in zip(rows, (10, 20, 30, 40, 10, 72)):
        (tmp_path / "black" / "svg" / f"{code}.svg").write_text(str(width))
    found = pictures(made("linedraw", tmp_path, tmp_path))
    assert list(found) == ["00000_smileys_1F600.png", "00001_smileys_2764.png"]  # 1F601 looks like 1F600
    heart = found["00001_smileys_2764.png"]
    assert heart[0, 0].tolist() == [0, 0, 0]
    assert heart[0, -1].tolist() == [255, 255, 255]


def test_missing_library_is_named_with_the_command_that_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, module, package in (
        ("linedraw", "cairosvg", "cairosvg"),
        ("emoji", "fontTools.ttLib", "fonttools"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        assert main([name, "--from", str(tmp_path), "--out", str(tmp_path / "set.zip")]) == 2
        assert f"pip install {package}" in capsys.readouterr().err

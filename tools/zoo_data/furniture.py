"""Furniture: the icons of Sweet Home 3D's catalogues of models (CC-BY-3.0; BlendSwap-CC-0 is CC0)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from PIL import Image

from stylegraft.errors import InputError
from zoo_data.pictures import Picture, cut_out, on_ground

CATALOGUE_NAME = "PluginFurnitureCatalog.properties"
_GROUND = (236, 234, 228)
_ENTRY = re.compile(r"^(icon|category)#(\d+)\s*=\s*(.*?)\s*$", re.M)


def furniture(source: Path) -> Iterator[Picture]:
    """Yields the icons, catalogue by catalogue, named catalogue_category_icon.

    Args:
        source: folder of the catalogues, *.sh3f.
    """
    for path in sorted(source.glob("*.sh3f")):
        try:
            with zipfile.ZipFile(path) as archive:
                text = archive.read(CATALOGUE_NAME).decode("latin-1")
                facts = {(kind, int(number)): value for kind, number, value in _ENTRY.findall(text)}
                for number in sorted(number for kind, number in facts if kind == "icon"):
                    icon = PurePosixPath(facts["icon", number])
                    with Image.open(io.BytesIO(archive.read(str(icon).lstrip("/")))) as image:
                        pixels = on_ground(cut_out(image.convert("RGBA")), _GROUND)
                    category = facts.get(("category", number), "").replace(" ", "_")
                    yield Picture(f"{path.stem}_{category}_{icon.stem}", pixels)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: expected a catalogue of furniture, got {error}.") from error

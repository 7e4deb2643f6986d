"""Line drawings: the black variant of OpenMoji (CC-BY-SA-4.0); no flags, skin tones, letters or digits."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from stylegraft.errors import InputError
from zoo_data.pictures import WHITE, Picture, shrink

_LETTERS = ("alphanum", "keycap")
_DRAWN_PX = 144  # twice the drawings' own unit of 72


def linedraw(source: Path) -> Iterator[Picture]:
    """Yields the drawings in the order of the collection, named group_codepoints.

    Args:
        source: the unpacked package, with data/openmoji.json and black/svg/.
    """
    try:
        import cairosvg  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError("linedraw: cairosvg is missing. pip install cairosvg") from error
    try:
        entries = json.loads((source / "data" / "openmoji.json").read_text(encoding="utf-8"))
        for entry in entries:
            if entry["skintone"] or entry["group"] == "flags" or entry["subgroups"] in _LETTERS:
                continue
            svg = (source / "black" / "svg" / f"{entry['hexcode']}.svg").read_bytes()
            png = cairosvg.svg2png(bytestring=svg, output_width=_DRAWN_PX, output_height=_DRAWN_PX)
            with Image.open(io.BytesIO(png)) as drawing:
                ground = Image.new("RGBA", drawing.size, (*WHITE, 255))
                ground.alpha_composite(drawing.convert("RGBA"))
            yield Picture(f"{entry['group']}_{entry['hexcode']}", shrink(ground.convert("RGB")))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"--from {source}: expected the package openmoji, got {error}.") from error

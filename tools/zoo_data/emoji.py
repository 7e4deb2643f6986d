"""Emoji, and cartoon heads: the colour bitmaps of Noto Color Emoji (OFL-1.1; pictures Apache-2.0).

A glyph of several code points is a ligature of the font, named by them in the order of the font's first
ligature for it: 1f469_1f3fe_200d_1f9b3.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from stylegraft.errors import InputError
from zoo_data.pictures import WHITE, Colour, Picture, cut_out, on_ground

_SKY: Colour = (206, 222, 236)
_LIGATURE = 4  # type of a GSUB lookup
_MIN_SIDE_PX = 40  # of what is visible, in bitmaps of 136 x 128 px

_TONES = frozenset(range(0x1F3FB, 0x1F400))
_FLAG_LETTERS = frozenset(range(0x1F1E6, 0x1F200))
_REGION_TAGS = frozenset(range(0xE0020, 0xE007F))
_GENDERS = frozenset(map(ord, "♀♂"))
_TO_THE_RIGHT = frozenset(map(ord, "➡"))
_PEOPLE = frozenset(map(ord, "👦👧👨👩🧑🧒"))
_HEADS = _PEOPLE | frozenset(
    map(ord, "🎅👮👰👱👲👳👴👵👶👷👸👼💁💂💆💇🕵🙅🙆🙋🙍🙎🤦🤴🤵🤶🤷🦸🦹🧏🧓🧔🧕🧙🧚🧛🧝🧞🧟🫅")
)
_WHOLE_BODIES = frozenset(map(ord, "🦯🦼🦽🍼")) | _TO_THE_RIGHT
"""With a cane, in a wheelchair, feeding a baby: more than the head is seen."""

_NO_EMOJI = _TONES | _FLAG_LETTERS | _REGION_TAGS | _TO_THE_RIGHT


def emoji(source: Path) -> Iterator[Picture]:
    """Yields everything but flags, heads, and variants of people by skin tone, gender and direction.

    Args:
        source: the font.
    """
    for codes, bitmap in _glyphs(source):
        is_variant = len(codes) > 1 and not (_PEOPLE | _GENDERS).isdisjoint(codes)
        is_head = len(codes) == 1 and codes[0] in _HEADS
        if is_variant or is_head or not _NO_EMOJI.isdisjoint(codes):
            continue
        visible = cut_out(bitmap)
        if min(visible.size) >= _MIN_SIDE_PX:
            yield Picture(_name(codes), on_ground(visible, WHITE))


def faces(source: Path) -> Iterator[Picture]:
    """Yields single heads, in all skin tones and roles.

    Args:
        source: the font.
    """
    for codes, bitmap in _glyphs(source):
        if sum(code in _HEADS for code in codes) == 1 and _WHOLE_BODIES.isdisjoint(codes):
            yield Picture(_name(codes), on_ground(cut_out(bitmap), _SKY))


def _name(codes: tuple[int, ...]) -> str:
    return "_".join(f"{code:x}" for code in codes)


def _glyphs(source: Path) -> Iterator[tuple[tuple[int, ...], Image.Image]]:
    """Yields code points and RGBA bitmap of each glyph, by the names of the glyphs."""
    try:
        from fontTools.ttLib import TTFont, TTLibError
    except ImportError as error:
        raise InputError("emoji: fontTools is missing. pip install fonttools") from error
    try:
        font = TTFont(source)
        bitmaps = font["CBDT"].strikeData[0]
    except (OSError, TTLibError, KeyError) as error:
        raise InputError(f"--from {source}: expected a font of colour bitmaps, got {error}.") from error
    codes = _code_points(font)
    for glyph in sorted(bitmaps):
        if glyph in codes:
            with Image.open(io.BytesIO(bitmaps[glyph].imageData)) as image:
                yield codes[glyph], image.convert("RGBA")


def _code_points(font: Any) -> dict[str, tuple[int, ...]]:
    """Returns the code points of each glyph: those of its first ligature, else its own."""
    single: dict[str, int] = {}
    for code, glyph in font.getBestCmap().items():
        single.setdefault(glyph, code)
    found: dict[str, tuple[int, ...]] = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            if table.LookupType != _LIGATURE:
                continue
            for first, ligatures in table.ligatures.items():
                for ligature in ligatures:
                    parts = [first, *ligature.Component]
                    if all(part in single for part in parts):
                        found.setdefault(ligature.LigGlyph, tuple(single[part] for part in parts))
    return {glyph: (code,) for glyph, code in single.items()} | found

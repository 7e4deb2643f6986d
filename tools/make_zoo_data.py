"""Makes the image sets of the zoo from freely licensed packages: 64 px, RGB, a zip of PNG files.

    apt-get download ufoai-textures && dpkg -x ufoai-textures_*.deb unpacked       (or install it)
    python tools/make_zoo_data.py textures --from unpacked/usr/share/games/ufoai/base/0textures.pk3 \
        --out textures.zip

--help says for each set which package it comes from, and which file or folder of it is wanted. The same
package gives the same set: the content hash on the card of a source is that of the zip written here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stylegraft.data import write_image_set
from stylegraft.errors import StylegraftError
from zoo_data.pictures import collect
from zoo_data.recipes import RECIPES


def main(words: list[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    described = "\n".join(f"  {name:<12}{recipe.wanted}" for name, recipe in RECIPES.items())
    parser = argparse.ArgumentParser(
        description="makes an image set of the zoo",
        epilog=described,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("name", choices=RECIPES, metavar="SET", help="one of those below")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="what the set is made of")
    parser.add_argument("--out", type=Path, required=True, help="zip or new folder to write")
    given = parser.parse_args(words)
    try:
        found = collect(RECIPES[given.name].pictures(given.source), given.source)
        write_image_set(given.out, found.images, found.names, found.labels, found.class_names)
    except StylegraftError as error:
        print(f"make_zoo_data: error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{given.out}: {len(found.names):,} images")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`stylegraft zoo`: the trained sources that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

from stylegraft.cli.output import column_lines, print_json, print_table
from stylegraft.zoo import Entry, entries, entry
from stylegraft.zoo.catalogue import GRID_NAME, WEIGHTS_FOLDER

_HEADER = (
    "name",
    "images of",
    "number",
    "kimg",
    "FD-EffLite0",
    "real",
    "like copies",
    "chance",
    "MB",
    "licence",
)
_LEFT = {0, 1, 9}


def zoo(
    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = None,
    /,
    *,
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    json: bool = False,
) -> None:
    """Shows the trained sources that come with the package, or the card of one.

    Their names stand wherever a checkpoint does:

    stylegraft train photos --out run --from textures

    stylegraft generate textures --out images --num 100

    Args:
        name: show the card of this one: images, licence, the command that made it, how good it is
        sheet: write a PNG with a labelled row of pictures for each
        json: print the cards as JSON
    """
    shown = entries() if name is None else [entry(name)]
    if sheet is not None:
        from stylegraft.pictures import save_picture
        from stylegraft.zoo.sheet import zoo_sheet

        save_picture(sheet, zoo_sheet(shown))
    if json:
        print_json({"sources": [_facts(one) for one in shown]})
    elif name is None:
        print("\n".join(_list(shown)))
    else:
        print_table(name, _card_rows(shown[0]))
    if sheet is not None and not json:
        print(f"\npictures: {sheet}")


def _facts(entry: Entry) -> dict[str, Any]:
    return entry.card | {"folder": str(entry.folder), "grid": str(entry.grid), "num_bytes": entry.num_bytes}


def _list(shown: list[Entry]) -> list[str]:
    return [
        *column_lines([_HEADER, *map(_cells, shown)], _LEFT),
        "",
        "number       images in the set; kimg: thousands of images shown in training",
        "FD-EffLite0  distance to held-out images, lower is better; beside it that of real training images",
        "like copies  generated images very near to a training image; beside it held-out images, by chance",
        f"pictures     {WEIGHTS_FOLDER / 'NAME' / GRID_NAME}, or --sheet FILE.png",
        "next         stylegraft zoo NAME, stylegraft train DATA --out RUN --from NAME",
    ]


def _cells(entry: Entry) -> tuple[str, ...]:
    card = entry.card
    return (
        entry.name,
        entry.title,
        f"{card['num_images']:,}",
        f"{card['kimg']:,.0f}",
        f"{card['distance']:.1f}",
        "" if card["floor"] is None else f"{card['floor']:.1f}",
        _percent(card["copier_share"]),
        _percent(card["false_alarm_rate"]),
        f"{entry.num_bytes / 1e6:.1f}",
        card["licence"],
    )


def _card_rows(entry: Entry) -> dict[str, Any]:
    card = entry.card
    interval = ""
    if card["distance_low"] is not None:
        interval = f" ({card['distance_low']:.1f} to {card['distance_high']:.1f})"
    floor = "" if card["floor"] is None else f"; real training images score {card['floor']:.1f}"
    copies = card["copy_verdict"]
    if card["copier_share"] is not None:
        copies += (
            f": {_percent(card['copier_share'])} of the generated images are suspiciously near to a training "
            f"image, {_percent(card['false_alarm_rate'])} of the held-out ones are so by chance"
        )
    return {
        "images of": card["domain"],
        "number": f"{card['num_images']:,}, of these {card['num_heldout']:,} held out",
        "from": card["packages"],
        "made by": card["attribution"],
        "licence of the images": card["images_licence"],
        "licence of the weights": card["licence"],
        "on this licence": card["licence_note"],
        "image set": card["recipe"],
        "training": card["command"],
        "trained": f"{card['kimg']:,.1f} kimg in {card['train_sec'] / 60:,.0f} min",
        card["metric"]: f"{card['distance']:.1f}{interval} to held-out images, psi 1{floor}",
        "copies": copies,
        "grid": f"{entry.grid} (seeds 0 to 63, psi {card['grid_psi']:g})",
        "networks": f"G_ema and D for {card['img_size_px']} px",
        "folder": f"{entry.folder} ({entry.num_bytes / 1e6:.1f} MB)",
        "sha256": card["sha256"],
        "half precision": f"moves pictures by {card['rounding_levels']:.3f} of 255 grey levels",
        "made": f"{card['date']} by stylegraft {card['version']}",
    }


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"

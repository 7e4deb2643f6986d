"""Which sources there are, and from what a user types to a path."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegraft.errors import CheckpointError, ConfigError, InputError
from stylegraft.zoo.card import ZooCard

CARD_NAME = "card.json"
GRID_NAME = "grid.png"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Entry:
    """A source of the zoo.

    Attributes:
        name: what users type.
        title: the domain in two or three words.
        folder: an ordinary checkpoint folder, with card and grid beside the networks.
        card: JSON-ready facts, the fields of `ZooCard`.
    """

    name: str
    title: str
    folder: Path
    card: dict[str, Any]

    @property
    def grid(self) -> Path:
        """A PNG of 64 of its pictures."""
        return self.folder / GRID_NAME

    @property
    def num_bytes(self) -> int:
        """Size of the folder's files."""
        return sum(file.stat().st_size for file in self.folder.iterdir())


def names() -> list[str]:
    """Returns the names of all sources, sorted."""
    return sorted(card.parent.name for card in WEIGHTS_FOLDER.glob(f"[!.]*/{CARD_NAME}"))


def entries() -> list[Entry]:
    """Returns all sources, sorted by name.

    Raises:
        CheckpointError: a card is damaged.
    """
    return [_read(WEIGHTS_FOLDER / name) for name in names()]


def entry(name: str) -> Entry:
    """Returns the source of that name.

    Raises:
        InputError: there is none; the message suggests the nearest name.
        CheckpointError: its card is damaged.
    """
    if name not in names():
        raise InputError(f"{name}: no source of the zoo has this name. {_suggestion(name, names())}")
    return _read(WEIGHTS_FOLDER / name)


def resolve(text: str | Path) -> Path:
    """Returns the path that is meant: one that exists, else the folder of the source of that name.

    Raises:
        InputError: it is neither; the message suggests the nearest name.
    """
    path = Path(text)
    if path.exists():
        return path
    known = names()
    if str(text) in known:
        return WEIGHTS_FOLDER / str(text)
    raise InputError(
        f"{text}: no such file or folder, nor a source of the zoo. {_suggestion(str(text), known)}"
    )


def _suggestion(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), known, n=2)
    if nearest:
        return f"Did you mean {' or '.join(nearest)}?"
    return f"Check the path, or name one of {', '.join(known)} (see stylegraft zoo)."


def _read(folder: Path) -> Entry:
    path = folder / CARD_NAME
    try:
        card = ZooCard.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise CheckpointError(
            f"{path}: expected the card of a source, got {error}. Install stylegraft anew."
        ) from error
    return Entry(folder.name, card.title, folder, card.to_dict())

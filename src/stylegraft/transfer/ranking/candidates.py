"""Which sources are ranked: those of the zoo, and what the user names beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stylegraft import zoo
from stylegraft.errors import InputError
from stylegraft.transfer.study.config import SCRATCH, split_name

_NOT_IN_A_FOLDER_NAME = re.compile(r"[^\w.+ -]")


@dataclass(frozen=True)
class Candidate:
    """A source.

    Attributes:
        name: unique among the candidates, and fit to name a folder.
        path: run, checkpoint folder or file; None: networks with random weights.
        given: what `stylegraft train --from` understands; the name, for a source of the zoo.
    """

    name: str
    path: Path | None
    given: str


SCRATCH_CANDIDATE = Candidate(SCRATCH, None, SCRATCH)


def zoo_candidates() -> list[Candidate]:
    """Returns the sources that come with the package."""
    return [Candidate(entry.name, entry.folder, entry.name) for entry in zoo.entries()]


def find_candidates(named: Sequence[str]) -> list[Candidate]:
    """Returns the zoo's sources and the named ones.

    Args:
        named: paths of runs, checkpoints or public files, or NAME=PATH.

    Raises:
        InputError: one of them is nowhere, two have the same name, or there is nothing to rank.
    """
    found = {candidate.name: candidate for candidate in zoo_candidates()}
    for text in named:
        candidate = named_candidate(text)
        other = found.setdefault(candidate.name, candidate)
        if other.path != candidate.path:
            raise InputError(
                f"--with {text}: expected a name of its own, got {candidate.name}, which is that of "
                f"{other.given}. Write OTHER-NAME={candidate.path}."
            )
    if not found:
        raise InputError("sources: the zoo of this installation is empty. Name sources with --with FILES.")
    return list(found.values())


def named_candidate(text: str) -> Candidate:
    """Returns the source of a path, NAME=PATH or name of the zoo.

    Raises:
        InputError: there is none, or the name cannot be used.
    """
    name, given = split_name(text)
    path = zoo.resolve(given)
    if name is None:
        absolute = path.resolve()
        name = absolute.name if absolute.is_dir() else absolute.stem
        name = _NOT_IN_A_FOLDER_NAME.sub("-", name)
    elif not name.strip(". ") or _NOT_IN_A_FOLDER_NAME.search(name):
        raise InputError(
            f"--with {text}: expected a name of letters, digits, blanks and . + - _, got {name!r}."
        )
    if name == SCRATCH:
        raise InputError(
            f"--with {text}: {SCRATCH} means networks with random weights. Write OTHER-NAME={given}."
        )
    return Candidate(name, path, given)

"""Which classes of a source the classes of a new set go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassMatch:
    """Where each new class comes from.

    Attributes:
        origins: for each new class the source's class, or None: it starts as the average of all of them.
        note: what was decided, in a sentence; None where there was nothing to decide.
    """

    origins: tuple[int | None, ...]
    note: str | None

    @property
    def is_identity(self) -> bool:
        """Whether class i goes on from class i (of a source that may have more)."""
        return self.origins == tuple(range(len(self.origins)))


def match_classes(
    source_c_dim: int,
    source_names: Sequence[str] | None,
    c_dim: int,
    names: Sequence[str] | None,
) -> ClassMatch:
    """Finds a source's class for each new class: by name; without a common name, by position if counts agree.

    Args:
        source_c_dim: size of the source's label, above 0.
        source_names: its classes' names; None: not known, or its labels are vectors.
        c_dim: size of the new label, above 0.
        names: its classes' names, or None.
    """
    by_name = {name: index for index, name in enumerate(source_names or ())}
    common = [name for name in names or () if name in by_name]
    if names is not None and common:
        origins = tuple(by_name.get(name) for name in names)
        if origins == tuple(range(source_c_dim)):
            return ClassMatch(origins, None)
        shown = ", ".join(common[:4]) + (", ..." if len(common) > 4 else "")
        rest = f"; {len(names) - len(common)} new start as the source's average class"
        return ClassMatch(
            origins,
            f"classes: {len(common)} of {len(names)} go on by name ({shown})"
            + (rest if len(common) < len(names) else ""),
        )
    if source_c_dim == c_dim:
        known = names is not None and source_names is not None
        note = f"classes: no name in common, so the {c_dim} go on from the source's by position"
        return ClassMatch(tuple(range(c_dim)), note if known else None)
    return ClassMatch((None,) * c_dim, f"classes: all {c_dim} start as the source's average class")

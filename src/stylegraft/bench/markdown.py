"""Tables for the documentation, made from results so that no figure in it is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stylegraft.errors import InputError


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table; the first column is text, the others are numbers, to the right.

    Args:
        header: titles of the columns.
        rows: cells, as many as titles in each.
    """
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None) -> str:
    """Returns three digits, or all of a longer whole number; nothing for None."""
    if value is None:
        return ""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def side_by_side(parts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Returns parts of several kinds of machines as parts of one page, each under the name of its kind.

    Args:
        parts: for each kind its parts by name. With one kind alone they stay as they are.
    """
    if len(parts) == 1:
        return dict(*parts.values())
    joined: dict[str, list[str]] = {}
    for kind, texts in parts.items():
        for name, text in texts.items():
            joined.setdefault(name, []).append(f"**{kind}**\n\n{text}")
    return {name: "\n\n".join(texts) for name, texts in joined.items()}


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Returns a page with its generated parts made anew.

    A part stands between the lines `<!-- NAME -->` and `<!-- end -->`; parts that are not given stay.

    Raises:
        InputError: a part of the page has no end.
    """

    def replaced(match: re.Match[str]) -> str:
        name, old = match[1], match[2]
        if old is None:
            raise InputError(f"<!-- {name} -->: expected a line <!-- end --> after it, found none. Add it.")
        return f"<!-- {name} -->\n{parts[name]}\n<!-- end -->" if name in parts else match[0]

    return re.sub(
        r"^<!-- (?!end -->)([\w-]+) -->$(?:(.*?)^<!-- end -->$)?", replaced, text, flags=re.M | re.S
    )

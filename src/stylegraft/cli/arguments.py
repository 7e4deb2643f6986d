"""Flags from a function's signature, by tyro; config objects give one flag a field."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import tyro

from stylegraft.config import Config
from stylegraft.errors import InputError

_MARKERS = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def parse(command: Callable[..., None], program: str, words: Sequence[str]) -> Callable[[], None] | None:
    """Binds the words of a command line to a command's parameters.

    Args:
        command: a function whose parameters are the arguments: positional-only ones by place, the others as
            flags, config objects (`stylegraft.config.Config`) spread over one flag a field. One called `rest`
            gets the words behind --, as they are.
        program: the name shown in the help, such as "stylegraft generate".
        words: the words after it.

    Returns:
        The command with its arguments bound, ready to call; None when help was asked for and printed.

    Raises:
        InputError: unknown, missing or unreadable arguments, as one line.
        ConfigError: values out of range, from the config objects themselves.
    """
    words, rest = list(words), {}
    if "--" in words and "rest" in inspect.signature(command).parameters:
        end = words.index("--")
        words, rest = words[:end], {"rest": tuple(words[end + 1 :])}

    # tyro calls what it is given. What it calls here only binds, so that tyro's output can be caught while it
    # parses and the command itself runs outside, with the terminal untouched.
    @functools.wraps(command)
    def bind(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return functools.partial(command, *args, **(kwargs | rest))

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(bind, prog=program, args=words, config=_MARKERS)  # pyright: ignore
    except SystemExit as stop:
        if not stop.code:
            return None
        raise InputError(f"{_one_line(complaint.getvalue())} See {program} --help.") from None


def words_of(config: Config, *left_out: str) -> list[str]:
    """Returns the words that `parse` makes an equal config from: a flag for each field that is not as usual.

    Args:
        config: the settings.
        left_out: fields that are not to be said.
    """
    words: list[str] = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if name in left_out or value == field.default:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:  # a switch
            words.append(f"{value:g}" if isinstance(value, float) else str(value))
    return words


def _one_line(box: str) -> str:
    """Returns the message in tyro's framed error, without frame, title, helptexts and pointer to the help.

    The title is in the frame, or a part of its own where standard output cannot show frames (the frame is
    blank there). Rules part the message; arguments are indented by four spaces, their helptexts by eight.
    """
    parts: list[list[str]] = [[]]
    for line in _COLOUR.sub("", box).splitlines():
        text = line[2:].rstrip("│ ")
        if line[:1] in ("╭", "╰") or not text:
            continue
        if set(text) <= {"─", "-"}:
            parts.append([])
        elif not text.startswith(" " * 8):
            parts[-1].append(text.strip())
    if "╭" not in box:
        del parts[0]
    kept = [" ".join(part).rstrip(".") for part in parts if part]
    return "; ".join(text for text in kept if not text.startswith(("For full help", "Argument help"))) + "."

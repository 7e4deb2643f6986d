"""Inert stand-ins: what the names in a pickle mean here.

A pickle names functions and classes and asks for them to be called. We never look such a name up. An
allow-list maps (module, name), both compared as whole strings, to a `Standin` of our own, whose `call` builds
plain data. A name outside the list ends the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from stylegraft.checkpoints.foreign.limits import Reading, printable

_MAX_KEY_INT = 1 << 31


@dataclass(frozen=True, slots=True)
class Standin:
    """Our meaning of one global. `call` takes the reading and the pickle's arguments, unchecked."""

    name: str
    call: Callable[[Reading, tuple[object, ...]], object]


class Buildable:
    """Base of the stand-in objects that accept a later BUILD opcode."""

    __slots__ = ()

    def set_state(self, reading: Reading, state: object) -> None:
        """Takes the state the pickle gives to the object, after checking it."""
        raise NotImplementedError


class Record(Buildable):
    """An object of a foreign class, reduced to the name of the class and its attributes.

    Attributes:
        class_name: the class as the file names it, without module.
        state: attribute values, or None before BUILD gave them. The file may change the contents of
            dicts until the end of the reading: whoever uses them checks their types.
    """

    __slots__ = ("class_name", "state")

    def __init__(self, class_name: str, state: dict[str, object] | None = None) -> None:
        self.class_name = class_name
        self.state = state

    def set_state(self, reading: Reading, state: object) -> None:
        """Takes a dict of attributes, once."""
        if self.state is not None or not isinstance(state, dict):
            raise reading.damaged(f"an object of class {printable(self.class_name)} with a wrong state")
        self.state = state


Allowed = Mapping[tuple[str, str], Standin]


def check_keys(reading: Reading, keys: Iterable[object]) -> None:
    """Refuses keys other than short text, small integers, bools and None.

    Others either have no hash, or a hash that recurses (nested tuples) or that a file could choose so that
    all keys collide (large integers and floats). Long text makes every look-up as dear as comparing it, and
    the paths of nested modules, which are made of keys, far longer than the file.
    """
    limit = reading.limits.key_chars
    for key in keys:
        if isinstance(key, str):
            if len(key) > limit:
                raise reading.refused(f"a dict or set with a key of {len(key):,} characters")
        elif key is not None and not (isinstance(key, int) and abs(key) <= _MAX_KEY_INT):
            raise reading.refused(
                f"a dict or set with a key that is a {type(key).__name__} or a huge integer"
            )


def as_bytes(reading: Reading, value: object) -> bytes | memoryview:
    """Returns raw data; Python 2 wrote it as a byte string, which arrives here as latin-1 text."""
    if isinstance(value, bytes | memoryview):
        return value
    if isinstance(value, str):
        return _encode_latin1(reading, value)
    raise reading.damaged(f"{type(value).__name__} where raw bytes belong")


def _encode_latin1(reading: Reading, text: str) -> bytes:
    reading.spend_decoded_bytes(len(text))
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        raise reading.damaged("text that is no byte string") from None


def _codecs_encode(reading: Reading, args: tuple[object, ...]) -> object:
    if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
        raise reading.unsafe("_codecs.encode with anything but latin1 text")
    return _encode_latin1(reading, args[0])


def _empty_dict(reading: Reading, args: tuple[object, ...]) -> object:
    if args:
        raise reading.refused("a dict made from arguments")
    return {}


def _empty_bytes(reading: Reading, args: tuple[object, ...]) -> object:
    if args:
        raise reading.refused("bytes made from arguments")
    return b""


def _set_of_list(reading: Reading, args: tuple[object, ...]) -> object:
    items = args[0] if len(args) == 1 else None
    if not isinstance(items, list):
        raise reading.refused("a set made from something other than one list")
    check_keys(reading, items)
    reading.spend_objects(len(items))  # three opcodes are enough to copy a long list once more
    return set(items)


def _persistent_object(reading: Reading, args: tuple[object, ...]) -> object:
    """A class whose source text travels in the file; the original executes that text, we drop it."""
    meta = args[0] if len(args) == 1 else None
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise reading.refused("a persistent object that is not of type 'class'")
    class_name, state = meta.get("class_name"), meta.get("state")
    if not isinstance(class_name, str) or not isinstance(state, dict):
        raise reading.refused("a persistent object without class name or state")
    return Record(class_name, state)


def table(*standins: tuple[str, str, Callable[[Reading, tuple[object, ...]], object]]) -> Allowed:
    """Returns an allow-list from (module, name, call) rows."""
    return {(module, name): Standin(f"{module}.{name}", call) for module, name, call in standins}


PYTHON_GLOBALS = table(
    ("collections", "OrderedDict", _empty_dict),
    ("builtins", "set", _set_of_list),
    ("__builtin__", "set", _set_of_list),
    # Up to protocol 2 bytes are written as text to encode, and no bytes as a call of the class.
    ("_codecs", "encode", _codecs_encode),
    ("__builtin__", "bytes", _empty_bytes),
)

NVIDIA_GLOBALS = table(
    ("dnnlib.util", "EasyDict", _empty_dict),
    ("torch_utils.persistence", "_reconstruct_persistent_obj", _persistent_object),
)

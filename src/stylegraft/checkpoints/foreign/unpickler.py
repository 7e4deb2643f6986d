"""The restricted unpickler: our own interpreter of the pickle opcodes, protocols 0 to 5.

A pickle is a program for a stack machine. This machine can push numbers, text, byte strings and containers,
and can apply an allow-listed `Standin` of ours to them. It has no import, no attribute look-up and no call of
anything that comes from the file, so there is nothing for a hostile file to reach. It never recurses.

Source: the opcode descriptions in the documentation of Python's `pickletools`.
"""

from __future__ import annotations

from collections.abc import Callable

from stylegraft.checkpoints.foreign.graph import check_graph
from stylegraft.checkpoints.foreign.inert import Allowed, Buildable, Standin, check_keys
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.pickle_input import PickleInput

PersistentLoad = Callable[[object], object]

_HIGHEST_PROTOCOL = 5


def read_pickle(
    data: memoryview, allowed: Allowed, reading: Reading, persistent_load: PersistentLoad | None = None
) -> tuple[object, int]:
    """Reads one pickle from the start of `data` as inert data.

    Byte strings come back as `memoryview`s of `data`, not as copies.

    Args:
        data: bytes, of which the pickle is a prefix.
        allowed: the allow-list of globals.
        reading: the account that pays for it.
        persistent_load: answers the persistent ids of the format; None refuses them.

    Returns:
        The object, free of cycles and of bounded depth, and the number of bytes the pickle took.

    Raises:
        UnsafeFileError: the pickle names a global outside `allowed`, or tries another way to reach code.
        CheckpointError: it is damaged, or goes beyond the limits.
    """
    machine = _Machine(data, allowed, reading, persistent_load)
    result = machine.run()
    check_graph(result, reading)
    return result, machine.input.position


def read_whole_pickle(data: memoryview, allowed: Allowed, reading: Reading) -> object:
    """Reads one pickle that is all of `data`, as `read_pickle` does.

    What follows a pickle may be another file to other software (a zip archive is found from its end), so that
    two programs would take two networks from the same bytes.

    Raises:
        CheckpointError: as `read_pickle`, or more data follow.
    """
    result, num_bytes = read_pickle(data, allowed, reading)
    if num_bytes != len(data):
        raise reading.refused(f"{len(data) - num_bytes:,} bytes after the end of the pickle")
    return result


class _Machine:
    """The stack, the marks and the memo of one pickle."""

    def __init__(
        self, data: memoryview, allowed: Allowed, reading: Reading, persistent_load: PersistentLoad | None
    ) -> None:
        self.input = PickleInput(data, reading)
        self._allowed = allowed
        self._reading = reading
        self._persistent_load = persistent_load
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Executes opcodes up to STOP and returns the one object that is left."""
        reading, most_items = self._reading, self._reading.limits.stack_items
        spend_opcode, read_byte, stack = reading.spend_opcode, self.input.byte, self._stack
        while True:
            spend_opcode()
            opcode = read_byte()
            if opcode == _STOP:
                break
            handler = _HANDLERS.get(opcode)
            if handler is None:
                at = self.input.position - 1
                raise reading.damaged(f"the unknown pickle opcode 0x{opcode:02x} at byte {at:,}")
            handler(self)
            if len(stack) > most_items:
                raise reading.refused(f"a pickle stack of more than {most_items:,} items")
        if self._marks or len(self._stack) != 1:
            raise reading.damaged("a pickle that stops with an unfinished object")
        return self._stack[0]

    # The stack. Marks are positions in it: nothing below the last mark can be reached before it is popped.

    def push(self, value: object) -> None:
        self._stack.append(value)

    def push_new(self, value: object) -> None:
        """Pushes something that takes memory of its own."""
        self._reading.spend_objects()
        self._stack.append(value)

    def mark(self) -> None:
        self._marks.append(len(self._stack))
        if len(self._marks) > self._reading.limits.open_marks:
            raise self._reading.refused(f"containers nested deeper than {self._reading.limits.open_marks}")

    def pop(self) -> object:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise self._reading.damaged(
                f"a pickle that takes from an empty stack at byte {self.input.position:,}"
            )
        return self._stack.pop()

    def pop_tuple(self, count: int) -> tuple[object, ...]:
        return tuple([self.pop() for _ in range(count)][::-1])

    def pop_to_mark(self) -> list[object]:
        if not self._marks:
            raise self._reading.damaged(f"a pickle that misses a mark at byte {self.input.position:,}")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def discard(self) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self.pop()

    def top(self) -> object:
        value = self.pop()
        self._stack.append(value)
        return value

    # The memo.

    def remember(self, index: int) -> None:
        # Every writer numbers its objects from 0 upwards, so an index past all opcodes is an attack.
        if not 0 <= index < self._reading.limits.opcodes:
            raise self._reading.damaged(f"the pickle memo index {index:,}")
        self._memo[index] = self.top()

    def remember_next(self) -> None:
        self.remember(len(self._memo))

    def recall(self, index: int) -> None:
        if index not in self._memo:
            raise self._reading.damaged(f"the pickle memo index {index:,}, which was not set")
        self.push(self._memo[index])

    # Containers.

    def new_dict(self) -> None:
        items = self.pop_to_mark()
        self.push_new({})
        self.set_items(items)

    def set_items(self, items: list[object]) -> None:
        target, keys = self.top(), items[::2]
        if not isinstance(target, dict) or len(items) % 2:
            raise self._reading.damaged("pairs of items for something that is no dict, or half a pair")
        check_keys(self._reading, keys)
        target.update(zip(keys, items[1::2], strict=True))

    def append_items(self, items: list[object]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise self._reading.damaged("items for something that is no list")
        target.extend(items)

    def add_items(self, items: list[object]) -> None:
        target = self.top()
        if not isinstance(target, set):
            raise self._reading.damaged("items for something that is no set")
        check_keys(self._reading, items)
        target.update(items)

    def new_frozenset(self) -> None:
        items = self.pop_to_mark()
        check_keys(self._reading, items)
        self.push_new(frozenset(items))

    # Globals and what is made with them.

    def push_global(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise self._reading.damaged("a global whose name is no text")
        # A long name is none of ours, and a list that takes names apart need not care how long they are.
        is_short = len(module) + len(name) <= self._reading.limits.key_chars
        standin = self._allowed.get((module, name)) if is_short else None
        if standin is None:
            raise self._reading.unsafe(f"{module}.{name}")
        self.push(standin)

    def apply(self, callee: object, args: object) -> None:
        if not isinstance(callee, Standin) or not isinstance(args, tuple):
            raise self._reading.unsafe(f"a call of a {type(callee).__name__} instead of a known global")
        self.push_new(callee.call(self._reading, args))

    def apply_with_keywords(self, callee: object, args: object, keywords: object) -> None:
        if not isinstance(keywords, dict) or keywords:
            raise self._reading.unsafe("a call with keyword arguments")
        self.apply(callee, args)

    def apply_after_mark(self) -> None:
        items = self.pop_to_mark()
        if not items:
            raise self._reading.damaged("an object without a class")
        self.apply(items[0], tuple(items[1:]))

    def apply_named_after_mark(self) -> None:
        self.push_global(self.input.name_line(), self.input.name_line())
        callee = self.pop()
        self.apply(callee, tuple(self.pop_to_mark()))

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if isinstance(target, dict) and isinstance(state, dict):
            return  # Attributes of a dict subclass, such as the version notes of a state dict; never used.
        if not isinstance(target, Buildable):
            raise self._reading.unsafe(f"new attributes for a {type(target).__name__}")
        target.set_state(self._reading, state)

    def load_persistent(self, identifier: object) -> None:
        if self._persistent_load is None:
            raise self._reading.unsafe("a persistent id outside a tensor storage")
        self.push_new(self._persistent_load(identifier))

    # What a checkpoint has no use for, and bookkeeping.

    def refuse_extension(self) -> None:
        raise self._reading.unsafe("an object of the pickle extension registry")

    def refuse_buffer(self) -> None:
        raise self._reading.refused("data kept outside the file (pickle protocol 5 buffers)")

    def check_protocol(self, protocol: int) -> None:
        if protocol > _HIGHEST_PROTOCOL:
            raise self._reading.damaged(
                f"pickle protocol {protocol}, where {_HIGHEST_PROTOCOL} is the highest"
            )

    def check_frame(self, length: int) -> None:
        # A frame only says how far to read ahead; all that matters here is whether it can be true.
        if length > self.input.left:
            raise self._reading.damaged(
                f"a frame of {length:,} bytes where {self.input.left:,} bytes are left"
            )


_STOP = ord(".")

_HANDLERS: dict[int, Callable[[_Machine], None]] = {
    # Bookkeeping
    0x80: lambda m: m.check_protocol(m.input.byte()),
    0x95: lambda m: m.check_frame(m.input.number("<Q")),
    # Stack and memo
    ord("("): lambda m: m.mark(),
    ord("0"): lambda m: m.discard(),
    ord("1"): lambda m: m.pop_to_mark().clear(),
    ord("2"): lambda m: m.push(m.top()),
    ord("p"): lambda m: m.remember(m.input.integer_line()),
    ord("q"): lambda m: m.remember(m.input.byte()),
    ord("r"): lambda m: m.remember(m.input.number("<I")),
    0x94: lambda m: m.remember_next(),
    ord("g"): lambda m: m.recall(m.input.integer_line()),
    ord("h"): lambda m: m.recall(m.input.byte()),
    ord("j"): lambda m: m.recall(m.input.number("<I")),
    # Constants and numbers
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("I"): lambda m: m.push(m.input.integer_or_bool_line()),
    ord("L"): lambda m: m.push(m.input.integer_line()),
    ord("J"): lambda m: m.push(m.input.number("<i")),
    ord("K"): lambda m: m.push(m.input.byte()),
    ord("M"): lambda m: m.push(m.input.number("<H")),
    0x8A: lambda m: m.push(m.input.integer(m.input.byte())),
    0x8B: lambda m: m.push(m.input.integer(m.input.number("<i"))),
    ord("F"): lambda m: m.push(m.input.float_line()),
    ord("G"): lambda m: m.push(m.input.float64()),
    # Text; the byte strings of Python 2 (S, T, U) become latin-1 text, as the original readers ask for
    ord("S"): lambda m: m.push(m.input.quoted_line()),
    ord("T"): lambda m: m.push(m.input.text(m.input.number("<i"), "latin1")),
    ord("U"): lambda m: m.push(m.input.text(m.input.byte(), "latin1")),
    ord("V"): lambda m: m.push(m.input.escaped_line()),
    0x8C: lambda m: m.push(m.input.text(m.input.byte())),
    ord("X"): lambda m: m.push(m.input.text(m.input.number("<I"))),
    0x8D: lambda m: m.push(m.input.text(m.input.number("<Q"))),
    # Bytes
    ord("C"): lambda m: m.push_new(m.input.raw(m.input.byte())),
    ord("B"): lambda m: m.push_new(m.input.raw(m.input.number("<I"))),
    0x8E: lambda m: m.push_new(m.input.raw(m.input.number("<Q"))),
    0x96: lambda m: m.push_new(m.input.raw(m.input.number("<Q"))),
    0x97: lambda m: m.refuse_buffer(),
    0x98: lambda m: m.refuse_buffer(),
    # Containers
    ord(")"): lambda m: m.push(()),
    0x85: lambda m: m.push_new(m.pop_tuple(1)),
    0x86: lambda m: m.push_new(m.pop_tuple(2)),
    0x87: lambda m: m.push_new(m.pop_tuple(3)),
    ord("t"): lambda m: m.push_new(tuple(m.pop_to_mark())),
    ord("]"): lambda m: m.push_new([]),
    ord("l"): lambda m: m.push_new(m.pop_to_mark()),
    ord("a"): lambda m: m.append_items([m.pop()]),
    ord("e"): lambda m: m.append_items(m.pop_to_mark()),
    ord("}"): lambda m: m.push_new({}),
    ord("d"): lambda m: m.new_dict(),
    ord("s"): lambda m: m.set_items(list(m.pop_tuple(2))),
    ord("u"): lambda m: m.set_items(m.pop_to_mark()),
    0x8F: lambda m: m.push_new(set()),
    0x90: lambda m: m.add_items(m.pop_to_mark()),
    0x91: lambda m: m.new_frozenset(),
    # Globals and objects
    ord("c"): lambda m: m.push_global(m.input.name_line(), m.input.name_line()),
    0x93: lambda m: m.push_global(*m.pop_tuple(2)),
    ord("R"): lambda m: m.apply(*m.pop_tuple(2)),
    0x81: lambda m: m.apply(*m.pop_tuple(2)),
    0x92: lambda m: m.apply_with_keywords(*m.pop_tuple(3)),
    ord("o"): lambda m: m.apply_after_mark(),
    ord("i"): lambda m: m.apply_named_after_mark(),
    ord("b"): lambda m: m.build(),
    ord("P"): lambda m: m.load_persistent(m.input.name_line()),
    ord("Q"): lambda m: m.load_persistent(m.pop()),
    0x82: lambda m: m.refuse_extension(),
    0x83: lambda m: m.refuse_extension(),
    0x84: lambda m: m.refuse_extension(),
}

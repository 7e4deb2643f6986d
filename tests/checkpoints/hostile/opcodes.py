"""An assembler of pickles: each function returns the bytes of an opcode, or of some that make one thing.

A file that gets its way creates `canary` in the current folder.
"""

from __future__ import annotations

import struct

CANARY = "canary"
COMMAND = f"echo caught > {CANARY}"
CODE = f"open({CANARY!r}, 'w').close()"

PROTO2, PROTO4, PROTO5 = b"\x80\x02", b"\x80\x04", b"\x80\x05"
STOP, MARK, REDUCE, BUILD, TUPLE, MEMOIZE, TUPLE1, TUPLE2 = (
    b".",
    b"(",
    b"R",
    b"b",
    b"t",
    b"\x94",
    b"\x85",
    b"\x86",
)
EMPTY_DICT, EMPTY_LIST, EMPTY_TUPLE, EMPTY_SET = b"}", b"]", b")", b"\x8f"
SETITEM, APPEND, NEWOBJ, NEWOBJ_EX, NONE = b"s", b"a", b"\x81", b"\x92", b"N"
MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def raw(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def integer(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def old_global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def stack_global(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def sequence(*items: bytes) -> bytes:
    """A tuple of any length."""
    return MARK + b"".join(items) + TUPLE


def call(callee: bytes, *args: bytes) -> bytes:
    return callee + sequence(*args) + REDUCE


def put(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


def mapping(**items: bytes) -> bytes:
    return EMPTY_DICT + MARK + b"".join(text(key) + value for key, value in items.items()) + b"u"


def pickle4(body: bytes) -> bytes:
    return PROTO4 + body + STOP


def pickle2(body: bytes) -> bytes:
    return PROTO2 + body + STOP


def storage_id(numel: int, kind: bytes | None = None, tag: str = "storage", view: bytes = NONE) -> bytes:
    kind = old_global("torch", "FloatStorage") if kind is None else kind
    return sequence(text(tag), kind, text("7"), text("cpu"), integer(numel), view) + b"Q"


def stream(
    numel: int = 4,
    data: bytes = bytes(16),
    *,
    magic: bytes = MAGIC,
    version: bytes = integer(1001),
    little_endian: bytes = b"\x88",
    root: bytes | None = None,
    keys: bytes = EMPTY_LIST + text("7") + APPEND,
    count: int | None = None,
) -> bytes:
    """A legacy torch stream that holds one storage; each part can be replaced."""
    head = (magic, version, mapping(little_endian=little_endian), root or storage_id(numel), keys)
    count = numel if count is None else count
    return b"".join(pickle2(part) for part in head) + struct.pack("<q", count) + data


def storage(nested: bytes) -> bytes:
    return call(stack_global("torch.storage", "_load_from_bytes"), raw(nested))


def tensor(
    size: bytes = sequence(integer(4)),
    stride: bytes = sequence(integer(1)),
    offset: bytes = integer(0),
    nested: bytes | None = None,
) -> bytes:
    parts = (storage(stream() if nested is None else nested), offset, size, stride, b"\x89", EMPTY_DICT)
    return call(stack_global("torch._utils", "_rebuild_tensor_v2"), *parts)


def shape(*values: int) -> bytes:
    return sequence(*(integer(value) for value in values))


def persistent(class_name: str = "Generator", state: bytes = EMPTY_DICT, source: str = CODE) -> bytes:
    meta = mapping(
        type=text("class"),
        version=integer(6),
        module_src=text(source),
        class_name=text(class_name),
        state=state,
    )
    return call(stack_global("torch_utils.persistence", "_reconstruct_persistent_obj"), meta)


def module(**children: bytes) -> bytes:
    return persistent(
        state=mapping(_parameters=EMPTY_DICT, _buffers=EMPTY_DICT, _modules=mapping(**children))
    )


def numpy_type(code: str, state: bytes | None = None) -> bytes:
    made = call(stack_global("numpy", "dtype"), text(code), b"\x89", b"\x88")
    if state is None:
        state = sequence(integer(3), text("<"), NONE, NONE, NONE, integer(-1), integer(-1), integer(0))
    return made + state + BUILD


def numpy_array(dims: bytes, dtype: bytes, data: bytes, core: str = "numpy.core") -> bytes:
    made = call(
        stack_global(f"{core}.multiarray", "_reconstruct"),
        stack_global("numpy", "ndarray"),
        shape(0),
        raw(b"b"),
    )
    return made + sequence(integer(1), dims, dtype, b"\x89", data) + BUILD


def lists_downwards(depth: int) -> bytes:
    """Lists, each put into the one before, so that the stack stays shallow."""
    steps = (get(index) + EMPTY_LIST + put(index + 1) + APPEND + b"0" for index in range(depth))
    return EMPTY_LIST + put(0) + b"".join(steps)


def doubled_lists(levels: int) -> bytes:
    """2**levels references from a few hundred bytes ("billion laughs")."""
    body = EMPTY_LIST + put(0)
    for index in range(1, levels):
        body += b"0" + EMPTY_LIST + put(index) + get(index - 1) + APPEND + get(index - 1) + APPEND
    return body


def doubled_modules(levels: int) -> bytes:
    """A module that holds twice the module below, and so on down."""
    body = module() + put(0) + b"0"
    for index in range(1, levels):
        body += module(a=get(index - 1), b=get(index - 1)) + put(index) + b"0"
    return body + mapping(G_ema=module(synthesis=get(levels - 1), mapping=get(levels - 1)))

"""A corpus of hostile and damaged files, assembled opcode by opcode.

A file that gets its way creates `canary` in the current folder.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from stylegraft.errors import CheckpointError, UnsafeFileError

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


SYSTEM = ("os", "system")
LAUGHS = mapping(training_set_kwargs=doubled_lists(60))


@dataclass(frozen=True)
class Hostile:
    """A file, and how it must be refused."""

    make: Callable[[], bytes]
    says: str
    error: type[CheckpointError] = CheckpointError


def unsafe(make: Callable[[], bytes], says: str) -> Hostile:
    return Hostile(make, says, UnsafeFileError)


FILES: dict[str, Hostile] = {
    # Code by name
    "reduce_os_system": unsafe(lambda: pickle2(call(old_global(*SYSTEM), text(COMMAND))), "os.system"),
    "reduce_posix_system": unsafe(
        lambda: pickle4(call(stack_global("posix", "system"), text(COMMAND))), "posix.system"
    ),
    "protocol_0_os_system": unsafe(lambda: f"cos\nsystem\n(S'{COMMAND}'\ntR.".encode(), "os.system"),
    "builtins_eval": unsafe(
        lambda: pickle4(call(stack_global("builtins", "eval"), text(CODE))), "builtins.eval"
    ),
    "builtins_exec": unsafe(
        lambda: pickle2(call(old_global("builtins", "exec"), text(CODE))), "builtins.exec"
    ),
    "python_2_builtins": unsafe(
        lambda: pickle2(call(old_global("__builtin__", "eval"), text(CODE))), "__builtin__.eval"
    ),
    "builtins_getattr": unsafe(
        lambda: pickle4(call(stack_global("builtins", "getattr"), text("x"), text("__class__"))),
        "builtins.getattr",
    ),
    "builtins_import": unsafe(
        lambda: pickle4(call(stack_global("builtins", "__import__"), text("os"))), "builtins.__import__"
    ),
    "dotted_name": unsafe(
        lambda: pickle4(call(stack_global("collections", "OrderedDict.fromkeys.__globals__"), EMPTY_LIST)),
        "collections.OrderedDict.fromkeys.__globals__",
    ),
    "dotted_split_elsewhere": unsafe(
        lambda: pickle4(stack_global("torch", "_utils._rebuild_tensor_v2")), "torch._utils._rebuild_tensor_v2"
    ),
    "name_with_space": unsafe(
        lambda: pickle4(stack_global("torch._utils ", "_rebuild_tensor_v2")), "torch._utils "
    ),
    "name_with_terminal_commands": unsafe(
        lambda: pickle4(stack_global("os\n\x1b[2J", "system")), "os\\n\\x1b[2J.system"
    ),
    "name_with_surrogate": unsafe(lambda: pickle4(stack_global("os\udc80", "system")), ".system"),
    "very_long_name": unsafe(lambda: pickle4(stack_global("o" * 1_000_000, "system")), "ooo..."),
    "global_of_numbers": Hostile(lambda: pickle4(integer(1) + integer(2) + b"\x93"), "whose name is no text"),
    "inst_os_system": unsafe(lambda: f"(S'{COMMAND}'\nios\nsystem\n.".encode(), "os.system"),
    "obj_os_system": unsafe(lambda: pickle2(MARK + old_global(*SYSTEM) + text(COMMAND) + b"o"), "os.system"),
    "obj_of_text": unsafe(
        lambda: pickle2(MARK + text("os.system") + text(COMMAND) + b"o"), "a call of a str"
    ),
    "newobj_os_system": unsafe(
        lambda: pickle2(old_global(*SYSTEM) + sequence(text(COMMAND)) + NEWOBJ), "os.system"
    ),
    "newobj_ex_popen": unsafe(
        lambda: pickle4(
            stack_global("subprocess", "Popen") + sequence(text(COMMAND)) + mapping(shell=b"\x88") + NEWOBJ_EX
        ),
        "subprocess.Popen",
    ),
    "newobj_ex_keywords": unsafe(
        lambda: pickle4(
            stack_global("collections", "OrderedDict") + EMPTY_TUPLE + mapping(a=NONE) + NEWOBJ_EX
        ),
        "keyword arguments",
    ),
    "call_of_a_result": unsafe(
        lambda: pickle4(call(call(stack_global("collections", "OrderedDict")), NONE)), "a call of a dict"
    ),
    "call_of_a_class_never_called": unsafe(
        lambda: pickle4(call(stack_global("numpy", "ndarray"), shape(3))), "a class that no checkpoint calls"
    ),
    "extension_1": unsafe(lambda: pickle2(b"\x82\x01"), "extension registry"),
    "extension_2": unsafe(lambda: pickle2(b"\x83\x01\x00"), "extension registry"),
    "extension_4": unsafe(lambda: pickle2(b"\x84\x01\x00\x00\x00"), "extension registry"),
    "codec_other_than_latin1": unsafe(
        lambda: pickle2(call(old_global("_codecs", "encode"), text("x"), text("zlib"))), "_codecs.encode"
    ),
    # BUILD
    "build_setstate_on_list": unsafe(
        lambda: pickle4(EMPTY_LIST + mapping(__setstate__=NONE) + BUILD), "new attributes for a list"
    ),
    "build_class_on_global": unsafe(
        lambda: pickle4(stack_global("collections", "OrderedDict") + mapping(__class__=NONE) + BUILD),
        "new attributes for a Standin",
    ),
    "build_class_on_dict": Hostile(
        lambda: pickle4(call(stack_global("dnnlib.util", "EasyDict")) + mapping(__class__=NONE) + BUILD),
        "an empty dict",
    ),
    "build_twice_on_module": Hostile(
        lambda: pickle4(persistent() + mapping(__class__=text("os.system")) + BUILD), "a wrong state"
    ),
    "build_slots_state": Hostile(
        lambda: pickle4(persistent() + NONE + mapping(state=NONE) + TUPLE2 + BUILD), "a wrong state"
    ),
    # Networks that are none
    "persistent_function": Hostile(
        lambda: pickle4(
            call(
                stack_global("torch_utils.persistence", "_reconstruct_persistent_obj"),
                mapping(type=text("function"), module_src=text(CODE), class_name=text("f"), state=EMPTY_DICT),
            )
        ),
        "not of type 'class'",
    ),
    "persistent_source_with_code": Hostile(
        lambda: pickle4(mapping(G=persistent(), G_ema=persistent())), "(Generator) with no _modules"
    ),
    "modules_without_end": Hostile(lambda: pickle4(doubled_modules(40)), "with no block b4"),
    "settings_without_end": Hostile(lambda: pickle4(LAUGHS), "training_set_kwargs"),
    "network_in_a_list": Hostile(lambda: pickle4(EMPTY_LIST + persistent() + APPEND), "got a list"),
    # Nested storages
    "storage_root_os_system": unsafe(
        lambda: pickle4(storage(stream(root=call(old_global(*SYSTEM), text(COMMAND))))), "os.system"
    ),
    "storage_magic_os_system": unsafe(
        lambda: pickle4(storage(stream(magic=call(old_global(*SYSTEM), text(COMMAND))))), "os.system"
    ),
    "storage_keys_eval": unsafe(
        lambda: pickle4(storage(stream(keys=call(old_global("builtins", "eval"), text(CODE))))),
        "builtins.eval",
    ),
    "storage_in_storage": unsafe(
        lambda: pickle4(storage(stream(root=storage(stream())))), "torch.storage._load_from_bytes"
    ),
    "storage_kind_is_code": unsafe(
        lambda: pickle4(storage(stream(root=storage_id(4, kind=old_global(*SYSTEM))))), "os.system"
    ),
    "storage_kind_is_called": unsafe(
        lambda: pickle4(storage(stream(root=call(old_global("torch", "FloatStorage"), integer(1 << 40))))),
        "a class that no checkpoint calls",
    ),
    "storage_id_of_unknown_kind": unsafe(
        lambda: pickle4(storage(stream(root=storage_id(4, tag="module")))), "unknown kind"
    ),
    "storage_id_with_view": Hostile(
        lambda: pickle4(storage(stream(root=storage_id(4, view=EMPTY_TUPLE)))), "not described"
    ),
    "storage_wrong_magic": Hostile(lambda: pickle4(storage(stream(magic=integer(7)))), "magic number"),
    "storage_wrong_version": Hostile(
        lambda: pickle4(storage(stream(version=integer(7)))), "protocol version"
    ),
    "storage_big_endian": Hostile(lambda: pickle4(storage(stream(little_endian=b"\x89"))), "big-endian"),
    "storage_huge_numel": Hostile(lambda: pickle4(storage(stream(1 << 60))), "16 bytes are left"),
    "storage_negative_numel": Hostile(lambda: pickle4(storage(stream(-4))), "negative length"),
    "storage_other_numel": Hostile(lambda: pickle4(storage(stream(count=3))), "of another length"),
    "storage_cut": Hostile(lambda: pickle4(storage(stream(data=bytes(15)))), "15 bytes are left"),
    "storage_unused_key": Hostile(
        lambda: pickle4(storage(stream(keys=EMPTY_LIST + text("8") + APPEND))), "whose keys are not"
    ),
    "storage_is_no_storage": Hostile(
        lambda: pickle4(storage(stream(root=NONE, keys=EMPTY_LIST))), "other than a storage"
    ),
    "storage_of_text": Hostile(
        lambda: pickle4(call(stack_global("torch.storage", "_load_from_bytes"), text("x"))), "without data"
    ),
    "persistent_id_outside": unsafe(lambda: pickle2(storage_id(4, kind=NONE)), "persistent id"),
    "persistent_id_as_text": unsafe(lambda: b"Pos.system\n.", "persistent id"),
    # Tensors
    "tensor_beyond_storage": Hostile(lambda: pickle4(tensor(shape(5))), "storage of 4"),
    "tensor_offset_beyond": Hostile(lambda: pickle4(tensor(offset=integer(1))), "storage of 4"),
    "tensor_stride_beyond": Hostile(lambda: pickle4(tensor(stride=shape(2))), "reaches element 6"),
    "tensor_expanded": Hostile(lambda: pickle4(tensor(shape(1 << 40), shape(0))), "storage of 4"),
    "tensor_overflow": Hostile(
        lambda: pickle4(tensor(shape(*[1 << 47] * 8), shape(*[1 << 47] * 8))), "storage of 4"
    ),
    "tensor_negative_size": Hostile(lambda: pickle4(tensor(shape(-1))), "-1"),
    "tensor_negative_stride": Hostile(lambda: pickle4(tensor(stride=shape(-1))), "-1"),
    "tensor_negative_offset": Hostile(lambda: pickle4(tensor(offset=integer(-1))), "-1"),
    "tensor_bool_size": Hostile(lambda: pickle4(tensor(sequence(b"\x88"))), "True"),
    "tensor_float_size": Hostile(lambda: pickle4(tensor(sequence(b"G" + struct.pack(">d", 4.0)))), "4.0"),
    "tensor_nine_dimensions": Hostile(lambda: pickle4(tensor(shape(*[1] * 9), shape(*[1] * 9))), "8"),
    "tensor_fewer_strides": Hostile(lambda: pickle4(tensor(stride=EMPTY_TUPLE)), "0 strides"),
    "tensor_of_a_dict": Hostile(
        lambda: pickle4(call(stack_global("torch._utils", "_rebuild_tensor_v2"), *[EMPTY_DICT] * 6)),
        "without a storage",
    ),
    "parameter_of_a_dict": Hostile(
        lambda: pickle4(call(stack_global("torch._utils", "_rebuild_parameter"), EMPTY_DICT, NONE, NONE)),
        "without a tensor",
    ),
    # Numpy
    "numpy_object_array": unsafe(
        lambda: pickle4(numpy_array(shape(1), numpy_type("O8"), EMPTY_LIST + NONE + APPEND)),
        "numpy array of type O8",
    ),
    "numpy_structured_type": Hostile(
        lambda: pickle4(
            numpy_type("f4", sequence(integer(3), text("|"), NONE, sequence(text("a")), EMPTY_DICT, NONE))
        ),
        "structured",
    ),
    "numpy_huge_array": Hostile(
        lambda: pickle4(numpy_array(shape(1 << 40), numpy_type("f4"), raw(bytes(16)))), "in 16 bytes"
    ),
    "numpy_negative_shape": Hostile(
        lambda: pickle4(numpy_array(shape(-1, -4), numpy_type("f4"), raw(bytes(16)))), "-1"
    ),
    "numpy_list_as_data": Hostile(
        lambda: pickle4(numpy_array(shape(1), numpy_type("f4"), EMPTY_LIST)), "where raw bytes belong"
    ),
    "numpy_scalar_too_short": Hostile(
        lambda: pickle4(call(stack_global("numpy.core.multiarray", "scalar"), numpy_type("f8"), raw(b"x"))),
        "in 1 bytes",
    ),
    # Depth and cycles
    "deep_lists": Hostile(lambda: pickle4(EMPTY_LIST * 90_000 + APPEND * 89_999), "nested deeper"),
    "deep_tuples": Hostile(lambda: pickle4(NONE + TUPLE1 * 200_000), "nested deeper"),
    "deep_marks": Hostile(lambda: pickle4(MARK * 100_000), "nested deeper"),
    "deep_through_memo": Hostile(lambda: pickle4(EMPTY_LIST + (TUPLE1 + MEMOIZE) * 50_000), "nested deeper"),
    "deep_below_a_shallow_stack": Hostile(lambda: pickle4(lists_downwards(20_000)), "nested deeper"),
    "deep_modules": Hostile(
        lambda: pickle4(
            persistent() + put(0) + b"".join(b"0" + module(a=get(0)) + put(0) for _ in range(2_000))
        ),
        "nested deeper",
    ),
    "list_in_itself": Hostile(lambda: pickle4(EMPTY_LIST + put(0) + get(0) + APPEND), "contains itself"),
    "dict_in_itself": Hostile(
        lambda: pickle4(EMPTY_DICT + put(0) + text("G") + get(0) + SETITEM), "contains itself"
    ),
    "module_in_itself": Hostile(
        lambda: pickle4(
            EMPTY_DICT
            + put(0)
            + b"0"
            + persistent(state=get(0))
            + put(1)
            + b"0"
            + get(0)
            + text("_modules")
            + get(1)
            + SETITEM
            + b"0"
            + mapping(G=get(1))
        ),
        "contains itself",
    ),
    # Lengths
    "bytes_2_62": Hostile(lambda: PROTO4 + b"\x8e" + struct.pack("<Q", 1 << 62), "bytes are left"),
    "text_2_63": Hostile(lambda: PROTO4 + b"\x8d" + struct.pack("<Q", 1 << 63), "string of"),
    "bytearray_2_62": Hostile(lambda: PROTO5 + b"\x96" + struct.pack("<Q", 1 << 62), "bytes are left"),
    "bytes_4_gib": Hostile(lambda: PROTO2 + b"B\xff\xff\xff\xff", "bytes are left"),
    "string_negative": Hostile(lambda: PROTO2 + b"T\xff\xff\xff\xff", "bytes are left"),
    "long4_huge": Hostile(lambda: PROTO2 + b"\x8b\xff\xff\xff\x7f", "integer of"),
    "long4_negative": Hostile(lambda: PROTO2 + b"\x8b\x00\x00\x00\x80", "bytes are left"),
    "long1_255_bytes": Hostile(lambda: pickle2(b"\x8a\xff" + b"\x7f" * 255), "integer of 255 bytes"),
    "frame_2_62": Hostile(lambda: PROTO4 + b"\x95" + struct.pack("<Q", 1 << 62) + NONE + STOP, "frame"),
    "million_digits": Hostile(lambda: b"I" + b"9" * 1_000_000 + b"\n.", "without an end"),
    "thousand_digits": Hostile(lambda: b"L" + b"9" * 1_000 + b"L\n.", "decimal integer"),
    "line_without_end": Hostile(lambda: PROTO2 + b"c" + b"o" * 1_000_000, "without an end"),
    # Memo and stack
    "memo_index_2_32": Hostile(lambda: pickle2(NONE + put((1 << 32) - 1)), "memo index"),
    "memo_index_negative": Hostile(lambda: b"Np-1\n.", "memo index"),
    "memo_index_unset": Hostile(lambda: pickle2(get(3)), "was not set"),
    "memo_of_nothing": Hostile(lambda: pickle4(MEMOIZE), "empty stack"),
    "pop_underflow": Hostile(lambda: pickle2(b"0"), "empty stack"),
    "dup_underflow": Hostile(lambda: pickle2(b"2"), "empty stack"),
    "pop_below_mark": Hostile(lambda: pickle2(NONE + MARK + TUPLE1), "empty stack"),
    "tuple_without_mark": Hostile(lambda: pickle2(NONE + TUPLE), "misses a mark"),
    "reduce_underflow": Hostile(lambda: pickle2(EMPTY_TUPLE + REDUCE), "empty stack"),
    "odd_dict_items": Hostile(lambda: pickle2(EMPTY_DICT + MARK + text("a") + b"u"), "half a pair"),
    "items_for_a_tuple": Hostile(lambda: pickle2(EMPTY_TUPLE + NONE + APPEND), "no list"),
    "stop_with_open_mark": Hostile(lambda: pickle2(MARK + NONE), "unfinished"),
    "stop_on_empty_stack": Hostile(lambda: pickle2(b""), "unfinished"),
    "unknown_opcode": Hostile(lambda: pickle2(b"\xff"), "0xff"),
    "unknown_protocol": Hostile(lambda: PROTO2 + b"\x80\xff" + NONE + STOP, "protocol 255"),
    "out_of_band_buffer": Hostile(lambda: PROTO5 + b"\x97" + STOP, "outside the file"),
    "read_only_buffer": Hostile(lambda: PROTO5 + b"\x98" + STOP, "outside the file"),
    # Keys
    "list_as_key": Hostile(lambda: pickle2(EMPTY_DICT + EMPTY_LIST + NONE + SETITEM), "a key that is a list"),
    "set_of_dicts": Hostile(lambda: pickle4(EMPTY_SET + MARK + EMPTY_DICT + b"\x90"), "a key that is a dict"),
    "deep_tuple_as_key": Hostile(
        lambda: pickle4(EMPTY_DICT + NONE + TUPLE1 * 90_000 + NONE + SETITEM), "a key that is a tuple"
    ),
    "colliding_keys": Hostile(
        lambda: pickle4(
            EMPTY_DICT
            + b"".join(integer(index * ((1 << 61) - 1)) + NONE + SETITEM for index in range(1, 5_000))
        ),
        "huge integer",
    ),
    # Amplification
    "endless_opcodes": Hostile(lambda: pickle4((NONE + b"0") * 600_000), "opcodes"),
    "many_sets": Hostile(
        lambda: pickle4((MARK + EMPTY_SET * 90_000 + TUPLE + MEMOIZE + b"0") * 3), "objects"
    ),
    "endless_stack": Hostile(lambda: pickle4(NONE * 200_000), "stack"),
    "encoded_again_and_again": Hostile(
        lambda: pickle4(
            text("x" * 1_000_000)
            + put(0)
            + stack_global("_codecs", "encode")
            + put(1)
            + (get(1) + get(0) + text("latin1") + TUPLE2 + REDUCE) * 1_000
        ),
        "decode to more bytes",
    ),
    "storage_read_again_and_again": Hostile(
        lambda: pickle4(
            raw(stream(1 << 18, bytes(1 << 20)))
            + put(0)
            + stack_global("torch.storage", "_load_from_bytes")
            + put(1)
            + (get(1) + get(0) + TUPLE1 + REDUCE + b"0") * 100_000
        ),
        "opcodes",
    ),
}

"""Networks, tensors, storages and arrays that are not what they claim to be."""

from __future__ import annotations

import struct

from hostile.case import Hostile, unsafe
from hostile.opcodes import (
    APPEND,
    BUILD,
    CODE,
    COMMAND,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    MARK,
    NONE,
    SETITEM,
    call,
    doubled_lists,
    doubled_modules,
    get,
    integer,
    mapping,
    module,
    numpy_array,
    numpy_type,
    old_global,
    persistent,
    pickle2,
    pickle4,
    put,
    raw,
    sequence,
    shape,
    stack_global,
    storage,
    storage_id,
    stream,
    tensor,
    text,
)

SYSTEM = ("os", "system")
LAUGHS = mapping(training_set_kwargs=doubled_lists(60))

NETWORKS: dict[str, Hostile] = {
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
    "modules_without_end": Hostile(lambda: pickle4(doubled_modules(30)), "with no block b4"),
    "settings_without_end": Hostile(lambda: pickle4(LAUGHS), "training_set_kwargs"),
    "network_in_a_list": Hostile(lambda: pickle4(EMPTY_LIST + persistent() + APPEND), "got a list"),
    "persistent_source_missing_state": Hostile(
        lambda: pickle4(
            call(
                stack_global("torch_utils.persistence", "_reconstruct_persistent_obj"),
                mapping(type=text("class"), module_src=text(CODE), class_name=text("f")),
            )
        ),
        "without class name or state",
    ),
    "persistent_class_name_is_a_list": Hostile(
        lambda: pickle4(
            call(
                stack_global("torch_utils.persistence", "_reconstruct_persistent_obj"),
                mapping(type=text("class"), class_name=EMPTY_LIST, state=EMPTY_DICT),
            )
        ),
        "without class name or state",
    ),
    "modules_in_a_cycle_through_two": Hostile(
        lambda: pickle4(
            EMPTY_DICT
            + put(0)
            + b"0"  # the children of both
            + persistent(state=mapping(_modules=get(0)))
            + put(1)
            + b"0"
            + persistent(state=mapping(_modules=get(0)))
            + put(2)
            + b"0"
            + get(0)
            + text("a")
            + get(1)
            + SETITEM
            + text("b")
            + get(2)
            + SETITEM
            + b"0"
            + mapping(G=get(1), G_ema=get(2))
        ),
        "contains itself",
    ),
    "module_attribute_without_end": Hostile(
        lambda: pickle4(
            doubled_lists(60)
            + put(99)
            + b"0"
            + mapping(
                G=persistent(state=mapping(_parameters=EMPTY_DICT, _buffers=EMPTY_DICT, _modules=get(99)))
            )
        ),
        "no _modules",
    ),
    "module_with_a_dotted_name": Hostile(
        lambda: pickle4(
            mapping(G=persistent(state=mapping(_modules=EMPTY_DICT + text("a.b") + module() + SETITEM)))
        ),
        "no plain names",
    ),
}

STORAGES: dict[str, Hostile] = {
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
        lambda: pickle4(storage(stream(root=NONE, keys=EMPTY_LIST)[: -8 - 16])), "other than a storage"
    ),
    "storage_of_text": Hostile(
        lambda: pickle4(call(stack_global("torch.storage", "_load_from_bytes"), text("x"))), "without data"
    ),
    "persistent_id_outside": unsafe(lambda: pickle2(storage_id(4, kind=NONE)), "persistent id"),
    "persistent_id_as_text": unsafe(lambda: b"Pos.system\n.", "persistent id"),
    "storage_of_a_zip_archive": Hostile(
        lambda: pickle4(storage(b"PK\x03\x04" + bytes(26))), "a text argument without an end"
    ),
    "storage_without_bytes": Hostile(lambda: pickle4(storage(b"")), "the end of the data"),
    "storage_of_unknown_type": unsafe(
        lambda: pickle4(storage(stream(root=storage_id(4, kind=old_global("torch", "UntypedStorage"))))),
        "torch.UntypedStorage",
    ),
    "storage_id_is_text": unsafe(
        lambda: pickle4(storage(stream(root=text("storage") + b"Q"))), "persistent id of an unknown kind"
    ),
    "storage_id_protocol_0": unsafe(
        lambda: pickle4(storage(stream(root=b"Pstorage\n"))), "persistent id of an unknown kind"
    ),
    "storage_id_too_short": unsafe(
        lambda: pickle4(storage(stream(root=sequence(text("storage")) + b"Q"))),
        "persistent id of an unknown kind",
    ),
    "storage_kind_is_text": Hostile(
        lambda: pickle4(storage(stream(root=storage_id(4, kind=text("FloatStorage"))))), "not described"
    ),
    "storage_numel_is_a_bool": Hostile(
        lambda: pickle4(
            storage(
                stream(
                    root=sequence(
                        text("storage"),
                        old_global("torch", "FloatStorage"),
                        text("7"),
                        text("cpu"),
                        b"\x88",
                        NONE,
                    )
                    + b"Q"
                )
            )
        ),
        "not described",
    ),
    "storage_declared_twice": Hostile(
        lambda: pickle4(storage(stream(root=sequence(storage_id(4), storage_id(5))))), "differently"
    ),
    "storage_keys_repeated": Hostile(
        lambda: pickle4(storage(stream(keys=EMPTY_LIST + MARK + text("7") * 1_000 + b"e"))),
        "whose keys are not",
    ),
    "storage_key_of_a_megabyte": Hostile(
        lambda: pickle4(
            storage(
                stream(
                    root=sequence(
                        text("storage"),
                        old_global("torch", "FloatStorage"),
                        text("7" * (1 << 20)),
                        text("cpu"),
                        integer(4),
                        NONE,
                    )
                    + b"Q"
                )
            )
        ),
        "a key of 1,048,576 characters",
    ),
    "storage_followed_by_more": Hostile(
        lambda: pickle4(storage(stream(data=bytes(17)))), "after the end of a torch storage"
    ),
    "storages_forty_deep": unsafe(lambda: pickle4(storage(_nested(40))), "torch.storage._load_from_bytes"),
}


def _nested(levels: int) -> bytes:
    nested = stream()
    for _ in range(levels):
        nested = stream(root=storage(nested))
    return nested


TENSORS: dict[str, Hostile] = {
    "tensor_beyond_storage": Hostile(lambda: pickle4(tensor(shape(5))), "storage of 4"),
    "tensor_offset_beyond": Hostile(lambda: pickle4(tensor(offset=integer(1))), "storage of 4"),
    "tensor_stride_beyond": Hostile(lambda: pickle4(tensor(stride=shape(2))), "reaches element 6"),
    "tensor_expanded": Hostile(lambda: pickle4(tensor(shape(1 << 40), shape(0))), "storage of 4"),
    "tensor_overflow": Hostile(
        lambda: pickle4(tensor(shape(*[1 << 47] * 8), shape(*[1 << 47] * 8))), "a shape of [140737488355328"
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
    "tensor_nan_size": Hostile(
        lambda: pickle4(tensor(sequence(b"G" + struct.pack(">d", float("nan"))))), "a shape that holds nan"
    ),
    "tensor_infinite_size": Hostile(
        lambda: pickle4(tensor(sequence(b"G" + struct.pack(">d", float("inf"))))), "a shape that holds inf"
    ),
    "tensor_size_2_126": Hostile(lambda: pickle4(tensor(shape(1 << 126))), "a shape that holds"),
    "tensor_size_is_a_list": Hostile(
        lambda: pickle4(tensor(EMPTY_LIST + integer(4) + APPEND)), "no tuple of at most 8"
    ),
    "tensor_size_of_tuples": Hostile(
        lambda: pickle4(tensor(sequence(EMPTY_TUPLE))), "a shape that holds tuple"
    ),
    "tensor_empty_but_overflowing": Hostile(
        lambda: pickle4(tensor(shape(0, 1 << 47, 1 << 47), shape(0, 0, 0))), "a shape of [0, 140737488355328"
    ),
    "tensor_offset_2_47": Hostile(lambda: pickle4(tensor(offset=integer(1 << 47))), "storage of 4"),
    "tensor_stride_2_47": Hostile(lambda: pickle4(tensor(stride=shape(1 << 47))), "storage of 4"),
    "tensor_as_network": Hostile(
        lambda: pickle4(mapping(G=tensor(), G_ema=tensor())), "of another network (2 of them: G, G_ema)"
    ),
    "tensor_as_state": Hostile(
        lambda: pickle4(mapping(G=persistent(state=mapping(_modules=tensor())))), "no _modules"
    ),
}

ARRAYS: dict[str, Hostile] = {
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
    "numpy_scalar_of_objects": unsafe(
        lambda: pickle4(
            call(
                stack_global("numpy.core.multiarray", "scalar"), numpy_type("O8"), EMPTY_LIST + NONE + APPEND
            )
        ),
        "numpy array of type O8",
    ),
    **{
        f"numpy_type_{code}": unsafe(
            lambda code=code: pickle4(numpy_type(code)), f"numpy array of type {code}"
        )
        for code in ("O", "V8", "S5", "U5", "M8", "c16", "f4,O", "<f4", "(1099511627776,)f4", "g", "i4 ")
    },
    "numpy_type_is_a_call": unsafe(
        lambda: pickle4(call(stack_global("numpy", "dtype"), EMPTY_LIST)), "numpy array of type list"
    ),
    "numpy_type_subarray": Hostile(
        lambda: pickle4(
            numpy_type(
                "f4", sequence(integer(3), text("<"), sequence(text("f4"), shape(1 << 40)), NONE, NONE)
            )
        ),
        "structured",
    ),
    "numpy_byte_order_of_text": Hostile(
        lambda: pickle4(numpy_type("f4", sequence(integer(3), text("(9,)"), NONE, NONE, NONE))),
        "without byte order",
    ),
    "numpy_empty_but_overflowing": Hostile(
        lambda: pickle4(numpy_array(shape(0, 1 << 47, 1 << 47), numpy_type("f4"), raw(b""))), "a shape of [0,"
    ),
    "numpy_nine_dimensions": Hostile(
        lambda: pickle4(numpy_array(shape(*[1] * 9), numpy_type("f4"), raw(bytes(4)))), "at most 8 numbers"
    ),
    "numpy_state_of_wrong_version": Hostile(
        lambda: pickle4(
            call(stack_global("numpy.core.multiarray", "_reconstruct"), NONE, NONE, NONE)
            + sequence(integer(9), EMPTY_TUPLE, numpy_type("f4"), b"\x89", raw(bytes(4)))
            + BUILD
        ),
        "without shape or data",
    ),
    "numpy_from_buffer_of_objects": unsafe(
        lambda: pickle4(
            call(
                stack_global("numpy.core.numeric", "_frombuffer"),
                raw(bytes(8)),
                numpy_type("O8"),
                shape(1),
                text("C"),
            )
        ),
        "numpy array of type O8",
    ),
    "numpy_from_buffer_too_short": Hostile(
        lambda: pickle4(
            call(
                stack_global("numpy._core.numeric", "_frombuffer"),
                raw(bytes(8)),
                numpy_type("f4"),
                shape(3),
                text("F"),
            )
        ),
        "in 8 bytes",
    ),
}

TENSOR_FILES = {**NETWORKS, **STORAGES, **TENSORS, **ARRAYS}

"""Files that reach for code: by name, by call, by attribute, through every opcode that could do it."""

from __future__ import annotations

from hostile.case import Hostile, unsafe
from hostile.opcodes import (
    BUILD,
    CODE,
    COMMAND,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    MARK,
    MEMOIZE,
    NEWOBJ,
    NEWOBJ_EX,
    NONE,
    PROTO4,
    REDUCE,
    STOP,
    TUPLE1,
    TUPLE2,
    call,
    get,
    integer,
    mapping,
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
    text,
)

SYSTEM = ("os", "system")


def _asks(module: str, name: str, *args: bytes) -> Hostile:
    """A call of a global, refused by its name."""
    return unsafe(lambda: pickle4(call(stack_global(module, name), *args)), f"{module}.{name}")


def _looks_like(module: str, name: str, shown: str) -> Hostile:
    """A call of a global whose name looks like one on the allow-list but is another."""
    return unsafe(lambda: pickle4(call(stack_global(module, name), EMPTY_LIST)), shown)


CALLS: dict[str, Hostile] = {
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
    "frame_before_a_call": unsafe(
        lambda: PROTO4 + b"\x95" + bytes(8) + call(stack_global(*SYSTEM), text(COMMAND)) + STOP, "os.system"
    ),
    "name_from_the_memo": unsafe(
        lambda: pickle4(
            text("system")
            + MEMOIZE
            + b"0"
            + text("os")
            + MEMOIZE
            + b"0"
            + get(1)
            + get(0)
            + b"\x93"
            + text(COMMAND)
            + TUPLE1
            + REDUCE
        ),
        "os.system",
    ),
    "name_from_a_call": Hostile(
        lambda: pickle4(
            call(stack_global("_codecs", "encode"), text("os"), text("latin1")) + text("system") + b"\x93"
        ),
        "whose name is no text",
    ),
    "callee_from_the_memo": unsafe(
        lambda: pickle2(EMPTY_LIST + put(0) + b"0" + get(0) + EMPTY_TUPLE + REDUCE), "a call of a list"
    ),
    "arguments_as_a_list": unsafe(
        lambda: pickle4(stack_global("collections", "OrderedDict") + EMPTY_LIST + REDUCE),
        "instead of a known global",
    ),
    "obj_without_class": Hostile(lambda: pickle2(MARK + b"o"), "an object without a class"),
    "inst_without_mark": Hostile(lambda: b"icollections\nOrderedDict\n.", "misses a mark"),
    "inst_in_protocol_4": unsafe(lambda: pickle4(MARK + text(COMMAND) + b"iposix\nsystem\n"), "posix.system"),
    "newobj_of_text": unsafe(lambda: pickle4(text("os.system") + EMPTY_TUPLE + NEWOBJ), "a call of a str"),
    "newobj_ex_keywords_as_list": unsafe(
        lambda: pickle4(stack_global("collections", "OrderedDict") + EMPTY_TUPLE + EMPTY_LIST + NEWOBJ_EX),
        "keyword arguments",
    ),
    "extension_0": unsafe(lambda: pickle2(b"\x82\x00"), "extension registry"),
    "extension_negative": unsafe(lambda: pickle2(b"\x84\xff\xff\xff\xff"), "extension registry"),
    "second_pickle_os_system": Hostile(
        lambda: pickle2(NONE) + pickle2(call(old_global(*SYSTEM), text(COMMAND))),
        "after the end of the pickle",
    ),
    "proto_inside": unsafe(lambda: pickle4(PROTO4 + stack_global(*SYSTEM)), "os.system"),
    "python_2_set_of_call": unsafe(
        lambda: pickle2(call(old_global("__builtin__", "set"), call(old_global(*SYSTEM), text(COMMAND)))),
        "os.system",
    ),
    "dict_from_arguments": Hostile(
        lambda: pickle4(call(stack_global("collections", "OrderedDict"), EMPTY_LIST)),
        "a dict made from arguments",
    ),
    "set_of_text": Hostile(
        lambda: pickle4(call(stack_global("builtins", "set"), text("abc"))), "a set made from something other"
    ),
    "bytes_of_a_number": Hostile(
        lambda: pickle2(call(old_global("__builtin__", "bytes"), integer(1 << 40))),
        "bytes made from arguments",
    ),
    "codec_of_a_number": unsafe(
        lambda: pickle2(call(old_global("_codecs", "encode"), integer(1 << 40), text("latin1"))),
        "_codecs.encode",
    ),
    "codec_beyond_latin1": Hostile(
        lambda: pickle2(call(old_global("_codecs", "encode"), text("\u20ac"), text("latin1"))),
        "no byte string",
    ),
    "importlib": _asks("importlib", "import_module", text("os")),
    "runpy": _asks("runpy", "run_path", text("x")),
    "pydoc_locate": _asks("pydoc", "locate", text("os.system")),
    "timeit": _asks("timeit", "timeit", text(CODE)),
    "functools_partial": _asks("functools", "partial", EMPTY_LIST),
    "operator_attrgetter": _asks("operator", "attrgetter", text("__class__")),
    "operator_methodcaller": _asks("operator", "methodcaller", text("system")),
    "copyreg_reconstructor": _asks("copyreg", "_reconstructor", NONE, NONE, NONE),
    "copyreg_newobj": _asks("copyreg", "__newobj__", NONE),
    "types_code": _asks("types", "CodeType"),
    "marshal_loads": _asks("marshal", "loads", raw(b"N")),
    "pickle_loads": _asks("pickle", "loads", raw(b"N.")),
    "torch_load": _asks("torch", "load", text("x.pkl")),
    "torch_storage_class_elsewhere": _asks("torch", "FloatStorage", integer(1 << 40)),
    "torch_jit": _asks("torch.jit", "load", text("x.pkl")),
    "numpy_load": _asks("numpy", "load", text("x.npy")),
    "open_for_writing": _asks("io", "open", text("canary"), text("w")),
    "pathlib": _asks("pathlib", "PosixPath", text("canary")),
    "tempfile": _asks("tempfile", "mkdtemp"),
    "urllib": _asks("urllib.request", "urlopen", text("file:///")),
    "webbrowser": _asks("webbrowser", "open", text("file:///")),
    "multiprocessing": _asks("multiprocessing.util", "spawnv_passfds", EMPTY_LIST),
    "the_library_itself": _asks("stylegraft.checkpoints.foreign.inert", "Record", text("x")),
    "dotted_through_an_allowed_class": _looks_like(
        "numpy", "ndarray.__reduce__.__globals__", "numpy.ndarray.__reduce__.__globals__"
    ),
    "dotted_through_an_allowed_function": _looks_like(
        "torch._utils", "_rebuild_tensor_v2.__code__", "torch._utils._rebuild_tensor_v2.__code__"
    ),
    "dotted_through_an_allowed_module": _looks_like("numpy", "f2py.os.system", "numpy.f2py.os.system"),
    "submodule_of_an_allowed_one": _looks_like("numpy.core.multiarray.os", "system", "multiarray.os.system"),
    "name_empty": _looks_like("collections", "", "collections."),
    "name_in_capitals": _looks_like("Collections", "OrderedDict", "Collections.OrderedDict"),
    "name_with_newline": _looks_like("collections", "OrderedDict\n", "OrderedDict\\n"),
    "name_with_nul": _looks_like("collections", "OrderedDict\0", "OrderedDict\\x00"),
    "name_with_cyrillic_letter": _looks_like("c\u043ellections", "OrderedDict", "c\\u043ellections"),
    "name_with_full_width_letters": _looks_like("\uff54orch._utils", "_rebuild_tensor_v2", "\\uff54orch"),
    "name_with_combining_mark": _looks_like("collections", "OrderedDi\u0301ct", "OrderedDi\\u0301ct"),
    "name_with_zero_width_space": _looks_like("numpy\u200b", "dtype", "numpy\\u200b"),
    "name_that_turns_right_to_left": _looks_like("\u202emetsys.so", "x", "\\u202emetsys"),
}

ATTRIBUTES: dict[str, Hostile] = {
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
    "build_on_text": unsafe(lambda: pickle4(text("x") + mapping(a=NONE) + BUILD), "new attributes for a str"),
    "build_on_nothing": Hostile(lambda: pickle4(mapping(a=NONE) + BUILD), "empty stack"),
    "build_list_on_dict": unsafe(
        lambda: pickle4(EMPTY_DICT + EMPTY_LIST + BUILD), "new attributes for a dict"
    ),
    "build_reduce_on_numpy_type": Hostile(
        lambda: pickle4(numpy_type("f4", mapping(__reduce__=NONE))), "structured numpy type"
    ),
    "easy_dict_with_dunder_keys": Hostile(
        lambda: pickle4(
            call(stack_global("dnnlib.util", "EasyDict"))
            + MARK
            + b"".join(
                text(name) + EMPTY_DICT for name in ("__class__", "__dict__", "__getattr__", "__reduce__")
            )
            + b"u"
        ),
        "a dict with the keys __class__, __dict__, __getattr__, __reduce__",
    ),
    "module_with_dunder_attributes": Hostile(
        lambda: pickle4(
            mapping(G=persistent(state=mapping(__class__=text("os"), __getattr__=NONE, __setstate__=NONE)))
        ),
        "no _modules",
    ),
    "namespace_elsewhere": unsafe(
        lambda: pickle2(call(old_global("argparse", "Namespace")) + mapping(__setstate__=NONE) + BUILD),
        "argparse.Namespace",
    ),
}

NAMES = {**CALLS, **ATTRIBUTES}

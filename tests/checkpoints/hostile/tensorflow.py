"""Hostile files in the form of the official TensorFlow code."""

from __future__ import annotations

from hostile.case import Hostile, unsafe
from hostile.opcodes import (
    BUILD,
    CODE,
    COMMAND,
    EMPTY_DICT,
    EMPTY_LIST,
    MARK,
    NONE,
    SETITEM,
    call,
    doubled_lists,
    get,
    integer,
    mapping,
    numpy_array,
    numpy_type,
    pickle4,
    put,
    raw,
    sequence,
    shape,
    stack_global,
    text,
)

HOME = "dnnlib.tflib.network"


def network(build: bytes | None = None, **state: bytes) -> bytes:
    """A network; `state` replaces parts of what BUILD gives it, `build` all of it."""
    parts = {
        "version": integer(4),
        "name": text("G"),
        "static_kwargs": EMPTY_DICT,
        "components": EMPTY_DICT,
        "build_module_src": text(CODE),
        "build_func_name": text("G_main"),
        "variables": EMPTY_LIST,
        **state,
    }
    return call(stack_global(HOME, "Network")) + (mapping(**parts) if build is None else build) + BUILD


def variables(*rows: bytes) -> bytes:
    return EMPTY_LIST + MARK + b"".join(rows) + b"e"


def variable(name: str, *size: int, data: bytes = b"") -> bytes:
    return sequence(text(name), numpy_array(shape(*size), numpy_type("f4"), raw(data)))


FILES: dict[str, Hostile] = {
    "tensorflow_source_with_code": Hostile(lambda: pickle4(network()), "0 blocks"),
    "tensorflow_os_system": unsafe(
        lambda: pickle4(network(variables=call(stack_global("os", "system"), text(COMMAND)))), "os.system"
    ),
    "tensorflow_library_function": unsafe(
        lambda: pickle4(network() + b"0" + call(stack_global("dnnlib.tflib.tfutil", "run"), NONE)),
        "dnnlib.tflib.tfutil.run",
    ),
    "tensorflow_call_with_arguments": unsafe(
        lambda: pickle4(call(stack_global(HOME, "Network"), text("G"))), "made from arguments"
    ),
    "tensorflow_dotted_name": unsafe(
        lambda: pickle4(stack_global(HOME, "Network.__init__.__globals__")), "Network.__init__.__globals__"
    ),
    "tensorflow_module_of_a_megabyte": unsafe(
        lambda: pickle4(
            text("a." * (1 << 19) + "tflib.network")
            + put(0)
            + b"0"
            + (get(0) + text("Network") + b"\x93" + b"0") * 10_000
        ),
        "a.a.a.",
    ),
    "tensorflow_state_twice": Hostile(lambda: pickle4(network() + EMPTY_DICT + BUILD), "a wrong state"),
    "tensorflow_state_is_a_list": Hostile(lambda: pickle4(network(EMPTY_LIST)), "a wrong state"),
    "tensorflow_without_state": Hostile(
        lambda: pickle4(call(stack_global(HOME, "Network"))), "a network that is"
    ),
    "tensorflow_unknown_version": Hostile(
        lambda: pickle4(network(version=text("\x1b[2J"))), "format version \\x1b[2J"
    ),
    "tensorflow_version_is_a_list": Hostile(
        lambda: pickle4(network(version=doubled_lists(60))), "format version list"
    ),
    "tensorflow_component_in_itself": Hostile(
        lambda: pickle4(
            EMPTY_DICT
            + put(0)
            + network(components=get(0))
            + put(1)
            + b"0"
            + text("synthesis")
            + get(1)
            + SETITEM
            + b"0"
            + get(1)
        ),
        "contains itself",
    ),
    "tensorflow_components_within": Hostile(
        lambda: pickle4(network(components=mapping(a=network(components=mapping(b=network()))))),
        "components within components",
    ),
    "tensorflow_thousand_components": Hostile(
        lambda: pickle4(network(components=mapping(**{f"c{index}": NONE for index in range(1_000)}))),
        "components that are none",
    ),
    "tensorflow_settings_without_end": Hostile(
        lambda: pickle4(network(static_kwargs=mapping(a=doubled_lists(60)))), "10,000 settings"
    ),
    # One long text in a thousand places must not become half a gigabyte of message.
    "tensorflow_setting_of_long_texts": Hostile(
        lambda: pickle4(
            text("x" * (1 << 19))
            + put(0)
            + b"0"
            + network(static_kwargs=mapping(a=EMPTY_LIST + MARK + get(0) * 1_000 + b"e"))
        ),
        "the setting a ['xxx",
    ),
    "tensorflow_variables_without_names": Hostile(
        lambda: pickle4(network(variables=variables(NONE))), "a variable without a name"
    ),
    "tensorflow_variable_of_text": Hostile(
        lambda: pickle4(network(variables=variables(sequence(text("lod"), text("x"))))), "no array of numbers"
    ),
    "tensorflow_variable_twice": Hostile(
        lambda: pickle4(network(variables=variables(variable("lod", 0), variable("lod", 0)))),
        "two variables lod",
    ),
    "tensorflow_blocks_that_do_not_double": Hostile(
        lambda: pickle4(network(variables=variables(variable("4x4/a", 0), variable("9x9/a", 0)))),
        "px that do not double",
    ),
    "tensorflow_blocks_of_99999_px": Hostile(
        lambda: pickle4(network(variables=variables(variable("99999x99999/Const/const", 0, 0, 0, 0)))),
        "no variable",
    ),
    "tensorflow_ten_networks": Hostile(lambda: pickle4(sequence(*[network()] * 10)), "got a tuple of 10"),
    "tensorflow_two_discriminators": Hostile(
        lambda: pickle4(sequence(*[network(variables=variables(variable("FromRGB_lod0/bias", 0)))] * 2)),
        "0 generators and 2 discriminators",
    ),
    "tensorflow_with_bytes_behind": Hostile(lambda: pickle4(network()) + b"x", "1 bytes after the end"),
}

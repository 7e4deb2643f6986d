"""Files that ask for too much: depth, length, memory and time out of a few bytes."""

from __future__ import annotations

import struct

from hostile.case import Hostile
from hostile.opcodes import (
    APPEND,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_SET,
    EMPTY_TUPLE,
    MARK,
    MEMOIZE,
    NONE,
    PROTO2,
    PROTO4,
    PROTO5,
    REDUCE,
    SETITEM,
    STOP,
    TUPLE,
    TUPLE1,
    TUPLE2,
    get,
    integer,
    lists_downwards,
    mapping,
    module,
    persistent,
    pickle2,
    pickle4,
    put,
    raw,
    stack_global,
    stream,
    text,
)

DEPTH: dict[str, Hostile] = {
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
    "tuples_without_end": Hostile(lambda: pickle4(NONE + TUPLE1 * 1_000_000), "250,000 objects"),
    "deep_dicts": Hostile(
        lambda: pickle4(EMPTY_DICT + (text("a") + EMPTY_DICT) * 1_000 + SETITEM * 1_000), "nested deeper"
    ),
    "tuple_around_a_list_around_it": Hostile(
        lambda: pickle4(EMPTY_LIST + put(0) + get(0) + TUPLE1 + APPEND), "contains itself"
    ),
    "set_in_itself": Hostile(
        lambda: pickle4(EMPTY_SET + put(0) + MARK + get(0) + b"\x90"), "a key that is a set"
    ),
}

LENGTHS: dict[str, Hostile] = {
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
    "frame_one_too_long": Hostile(lambda: PROTO4 + b"\x95" + struct.pack("<Q", 3) + NONE + STOP, "frame"),
    "text_4_gib": Hostile(lambda: PROTO2 + b"X\xff\xff\xff\xff", "string of 4,294,967,295 bytes"),
    "short_bytes_cut": Hostile(lambda: PROTO4 + b"C\xff" + bytes(10), "an item of 255 bytes where 10"),
    "opcode_argument_cut": Hostile(lambda: PROTO4 + b"J\0\0", "an item of 4 bytes where 2"),
    "only_a_header": Hostile(lambda: PROTO4, "the end of the data"),
    "decimal_of_60_000_digits": Hostile(
        lambda: b"F" + b"9" * 60_000 + b"\n.", "a decimal number that is none"
    ),
    "decimal_of_words": Hostile(lambda: b"Fone\n.", "a decimal number that is none"),
    "integer_in_hex": Hostile(lambda: b"I0x10\n.", "a decimal integer that is none"),
    "integer_with_underscores": Hostile(lambda: b"I1_0\n.", "a decimal integer that is none"),
    "quote_without_end": Hostile(lambda: b"S'abc\n.", "a quoted string that is none"),
    "quote_with_a_named_character": Hostile(lambda: b"S'\\N{DIGIT ONE}'\n.", "a quoted string that is none"),
    "text_with_a_broken_escape": Hostile(lambda: b"V\\U00110000\n.", "a broken escape"),
}

STACK: dict[str, Hostile] = {
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
    "memo_index_in_words": Hostile(lambda: b"Npone\n.", "a decimal integer that is none"),
    "memo_index_of_30_digits": Hostile(lambda: b"Np" + b"9" * 30 + b"\n.", "memo index"),
    "memo_get_in_text": Hostile(lambda: b"g7\n.", "was not set"),
    "memo_get_1_byte": Hostile(lambda: pickle2(b"h\x07"), "was not set"),
    "mark_discarded_twice": Hostile(lambda: pickle2(MARK + b"00"), "empty stack"),
    "pop_mark_without_mark": Hostile(lambda: pickle2(NONE + b"1"), "misses a mark"),
    "append_below_mark": Hostile(lambda: pickle2(EMPTY_LIST + MARK + NONE + APPEND), "empty stack"),
    "items_without_target": Hostile(lambda: pickle2(MARK + NONE + b"e"), "empty stack"),
    "items_for_a_dict": Hostile(lambda: pickle2(EMPTY_DICT + MARK + NONE + b"e"), "no list"),
    "items_for_a_list": Hostile(lambda: pickle2(EMPTY_LIST + text("a") + NONE + SETITEM), "no dict"),
    "items_of_a_set_for_a_list": Hostile(lambda: pickle4(EMPTY_LIST + MARK + NONE + b"\x90"), "no set"),
    "two_objects_left": Hostile(lambda: pickle2(NONE + NONE), "unfinished"),
    "bytes_after_the_pickle": Hostile(lambda: pickle2(EMPTY_DICT) + bytes(9), "9 bytes after the end"),
    "archive_after_the_pickle": Hostile(
        lambda: pickle2(EMPTY_DICT) + b"PK\x05\x06" + bytes(18), "22 bytes after the end"
    ),
}

KEYS: dict[str, Hostile] = {
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
    "set_of_tuples": Hostile(
        lambda: pickle4(EMPTY_SET + MARK + EMPTY_TUPLE + b"\x90"), "a key that is a tuple"
    ),
    "frozenset_of_lists": Hostile(lambda: pickle4(MARK + EMPTY_LIST + b"\x91"), "a key that is a list"),
    "bytes_as_key": Hostile(
        lambda: pickle4(EMPTY_DICT + raw(b"a") + NONE + SETITEM), "a key that is a memoryview"
    ),
    "nan_as_key": Hostile(
        lambda: pickle4(EMPTY_DICT + b"G" + struct.pack(">d", float("nan")) + NONE + SETITEM),
        "a key that is a float",
    ),
    "network_as_key": Hostile(
        lambda: pickle4(EMPTY_DICT + persistent() + NONE + SETITEM), "a key that is a Record"
    ),
    "global_as_key": Hostile(
        lambda: pickle4(EMPTY_DICT + stack_global("numpy", "dtype") + NONE + SETITEM),
        "a key that is a Standin",
    ),
    # Equal texts that are not one object are compared whole at every look-up.
    "two_equal_keys_of_a_megabyte": Hostile(
        lambda: pickle4(
            text("a" * (1 << 20))
            + put(0)
            + text("a" * (1 << 20))
            + put(1)
            + EMPTY_DICT
            + (get(0) + NONE + SETITEM + get(1) + NONE + SETITEM) * 80_000
        ),
        "a key of 1,048,576 characters",
    ),
}

AMPLIFICATION: dict[str, Hostile] = {
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
    "endless_duplicates": Hostile(lambda: pickle4(NONE + b"2" * 200_000), "stack"),
    "tuples_of_themselves_twice": Hostile(
        lambda: pickle4(
            EMPTY_DICT + text("training_set_kwargs") + EMPTY_TUPLE + (b"2" + TUPLE2) * 60 + SETITEM
        ),
        "a dict with the keys training_set_kwargs",
    ),
    "tuples_of_themselves_too_deep": Hostile(
        lambda: pickle4(EMPTY_TUPLE + (b"2" + TUPLE2) * 50_000), "nested deeper"
    ),
    "one_list_made_a_set_again_and_again": Hostile(
        lambda: pickle4(
            EMPTY_LIST
            + MARK
            + b"".join(b"J" + struct.pack("<i", value) for value in range(50_000))
            + b"e"
            + put(0)
            + stack_global("builtins", "set")
            + put(1)
            + (get(1) + get(0) + TUPLE1 + REDUCE) * 10_000
        ),
        "250,000 objects",
    ),
    "memo_of_half_a_million": Hostile(lambda: pickle4(NONE + MEMOIZE * 600_000), "opcodes"),
    "many_empty_texts": Hostile(lambda: pickle4(text("") * 101_000), "stack"),
}

BOUNDS = {**DEPTH, **LENGTHS, **STACK, **KEYS, **AMPLIFICATION}

import json

import pytest

from stylegraft.errors import InputError
from stylegraft.report.reading import as_json, inner, number, read_log, read_object, text


def lines(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_log_is_read_as_far_as_it_can_be(tmp_path):
    log = lines(
        tmp_path / "log.jsonl",
        {"step": 0, "kimg": 0.0, "distance": 9.0},
        "[1, 2]",
        {"kimg": 1.0},
        {"step": 1, "kimg": 1.0, "distance": float("nan"), "loss": 1e300, "note": "words", "flag": True},
        '{"step": 2, "kimg"',
    )
    assert read_log(log) == [{"step": 0, "kimg": 0.0, "distance": 9.0}, {"step": 1, "kimg": 1.0}]


def test_log_that_begins_again_has_taken_back_what_was_after(tmp_path):
    rows = [
        {"step": step, "kimg": float(step), "loss": place} for place, step in enumerate([0, 1, 2, 3, 1, 2])
    ]
    read = read_log(lines(tmp_path / "log.jsonl", *rows))
    assert [(row["step"], row["loss"]) for row in read] == [(0, 0), (1, 1), (1, 4), (2, 5)]


@pytest.mark.parametrize("content", ["", "nothing\n", '{"step": 1}\n', "[" * 100_000])
def test_log_without_lines_says_so(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=r"log\.jsonl: expected lines of JSON with step and kimg"):
        read_log(path)
    with pytest.raises(InputError, match=r"expected the log of a run, got No such file"):
        read_log(tmp_path / "none.jsonl")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "[" * 100_000, '{"a": ' * 100_000, b"\xff\xfe{}"])
def test_damaged_json_is_an_error_in_a_line(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"config\.json: expected the settings as JSON, got .+ The file is"):
        read_object(path, "the settings")


def test_json_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(33 << 20)
    with pytest.raises(InputError, match=r"got 33 MB, which is more than 32"):
        read_object(path, "the settings")


def test_values_of_strangers_become_numbers_and_short_lines_or_nothing():
    values = [1, 2.5, True, "3", None, float("inf"), float("nan"), 10**400, [1]]
    assert [number(value) for value in values] == [1.0, 2.5, *[None] * 7]
    assert text("a\x00b\nc\u202ed  e") == "a b c d e"
    assert text({"a": 1}) == ""
    assert len(text("x" * 10**6)) == 300
    assert inner({"a": {"b": 3}}, "a", "b") == 3
    assert inner({"a": [1]}, "a", "b") is None


def test_long_or_deep_json_is_cut_off():
    assert as_json({"a": "x" * 100}, most=50).endswith("cut off here; the file has all of it.")
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert as_json(deep) == "too deeply nested to be shown"
    while deep:  # taken apart by hand: the interpreter's own way is recursive
        deep = deep.pop()

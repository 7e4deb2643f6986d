"""Results on disk, and the tables made from them."""

import json

import pytest

from stylegraft.bench.markdown import fill, number, side_by_side, table
from stylegraft.bench.results import machine_line, newest_results, result_header, write_result
from stylegraft.errors import InputError


def test_result_goes_where_it_is_asked_to(tmp_path):
    result = result_header("some") | {"value": 1}
    dated = write_result(tmp_path, result)
    assert dated.name == f"{result['date'][:10]}-some.json"
    named = write_result(tmp_path / "mine.json", result)
    assert named.name == "mine.json"
    assert json.loads(named.read_text()) == json.loads(dated.read_text())


def test_newest_results_are_the_last_of_each_kind_of_machine(tmp_path):
    dates = {"2026-01-02": ["avx2"], "2025-12-31": ["avx2"], "2025-12-01": ["avx2", "avx512_bf16"]}
    for date, flags in dates.items():
        result = {"date": date, "machine": {"flags": flags}}
        (tmp_path / f"{date}-some.json").write_text(json.dumps(result))
    (tmp_path / "2027-01-01-other.json").write_text("{}")
    newest = newest_results(tmp_path, "some")
    assert [result["date"] for result in newest] == ["2026-01-02", "2025-12-01"]
    with pytest.raises(InputError, match=r"found none\. Run the benchmark first"):
        newest_results(tmp_path, "missing")


def test_machine_line_has_the_rates_there_are():
    result = result_header("some")
    assert "GFLOP/s" not in machine_line(result)
    rates = {"gemm_fp32_gflops": 223.4, "gemm_bf16_gflops": 920.0, "copy_gb_per_sec": 80.2}
    line = machine_line(result | {"rates": rates})
    assert "matrix products 223 GFLOP/s in fp32, 920 in bf16; copies 80 GB/s." in line
    del rates["gemm_bf16_gflops"]
    assert "; matrix products 223 GFLOP/s in fp32; copies 80 GB/s." in machine_line(result | {"rates": rates})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.0, "0.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.94, "99.9"),
        (99.96, "100"),
        (1234.5, "1,234"),
    ],
)
def test_number_has_three_digits(value, text):
    assert number(value) == text


def test_table_is_markdown():
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | --: |\n| x | 1 |"


def test_parts_of_two_kinds_of_machines_are_named():
    assert side_by_side({"old": {"a": "1"}}) == {"a": "1"}
    parts = side_by_side({"new": {"a": "2"}, "old": {"a": "1", "b": "3"}})
    assert parts == {"a": "**new**\n\n2\n\n**old**\n\n1", "b": "**old**\n\n3"}


def test_fill_replaces_what_is_given_and_nothing_else():
    page = "# Page\n<!-- one -->\nold\n<!-- end -->\ntext\n<!-- two -->\nkept\n<!-- end -->\n"
    filled = fill(page, {"one": "new \\1"})
    assert filled == page.replace("old", "new \\1")
    assert fill(filled, {"one": "old"}) == page


def test_fill_asks_for_the_end_of_a_part():
    with pytest.raises(InputError, match=r"<!-- one -->: expected a line <!-- end -->"):
        fill("<!-- one -->\ntext\n", {"one": "new"})

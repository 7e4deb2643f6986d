"""`stylegraft bench`: its table, its JSON and its refusals, on a survey that measures nothing."""

import json

import pytest

from stylegraft.bench import survey as survey_module
from stylegraft.bench.results import result_header
from stylegraft.cli.bench import _duration
from stylegraft.cli.main import main

ROW = {
    "settings": "lite",
    "size_px": 64,
    "precision": "bf16",
    "batch": 16,
    "measured": True,
    "train_img_per_sec": 123.4,
    "sample_img_per_sec": 1500.0,
    "of_limit": 0.5,
    "sample_of_limit": 0.4,
    "of_gemm": 0.3,
    "sec_per_kimg": 8.1,
    "usual_kimg": 100.0,
    "usual_hours": 0.225,
}


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[tuple[bool, float | None]]:
    calls: list[tuple[bool, float | None]] = []

    def survey(quick, kimg, on_note):
        calls.append((quick, kimg))
        on_note("something")
        rows = [
            ROW,
            ROW | {"settings": "yardstick", "measured": False, "usual_kimg": None, "usual_hours": None},
        ]
        return result_header("bench") | {"quick": quick, "rows": rows}

    monkeypatch.setattr(survey_module, "survey", survey)
    return calls


def test_bench_prints_a_table(capsys, asked):
    assert main(["bench", "--quick", "--kimg", "300"]) == 0
    assert asked == [(True, 300.0)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == [
        "settings",
        "px",
        "type",
        "batch",
        "train",
        "of",
        "limit",
        "s/kimg",
        "sample",
        "a",
        "run",
        "takes",
    ]
    assert lines[3].split() == ["lite", "64", "bf16", "16", "123", "0.50", "8.1", "1,500", "14", "min"]
    assert lines[4].startswith("~ yardstick")


def test_bench_json_and_file_are_the_same(capsys, tmp_path):
    assert main(["bench", "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    (file,) = tmp_path.glob("*-bench.json")
    assert json.loads(file.read_text()) == printed
    assert printed["rows"][0] == ROW


def test_bench_refuses_runs_of_no_length(capsys):
    assert main(["bench", "--kimg", "-1"]) == 2
    assert "--kimg -1: expected more than 0." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.5, "30 min"), (2.0, "2.0 hours"), (47.0, "47.0 hours"), (72.0, "3.0 days"), (20000.0, "2.3 years")],
)
def test_durations_are_readable(hours, text):
    assert _duration(hours) == text

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from report_cases import write_run, write_study

TINY = [
    "--batch",
    4,
    "--channel-base",
    64,
    "--channel-max",
    8,
    "--mapping-layers",
    1,
    "--z-dim",
    8,
    "--w-dim",
    8,
]


def test_command_says_what_it_wrote(run_cli, tmp_path):
    write_run(tmp_path / "run")
    done = run_cli("report", tmp_path / "run")
    assert done.code == 0, done.err
    page, *figures = done.out.splitlines()[1:]
    assert page.split()[1] == str(tmp_path / "run" / "report.html")
    assert [line.split()[0] for line in figures] == ["figure"] * 3


def test_command_writes_where_it_is_told_and_reports_as_json(run_cli, tmp_path):
    write_study(tmp_path / "study")
    out = tmp_path / "pages" / "first.try.html"
    done = run_cli("report", tmp_path / "study", "--out", out, "--json")
    assert done.code == 0, done.err
    written = json.loads(done.out)
    assert (written["kind"], written["page"], written["bytes"]) == ("study", str(out), out.stat().st_size)
    assert {path.parent for path in map(type(out), written["figures"])} == {out.parent / "first.try-figures"}
    assert not (tmp_path / "study" / "report.html").exists()


@pytest.mark.parametrize(
    ("make", "words", "reason"),
    [
        (
            lambda path: None,
            [],
            "expected a run (config.json and log.jsonl) or a study (study.json), got no such",
        ),
        (lambda path: path.mkdir(), [], "or a study (study.json), got neither"),
        (lambda path: path.write_text("x"), [], "or a study (study.json), got neither"),
        (write_study, ["--evaluation", "x"], "expected a run, "),
        (write_study, ["--out", "."], "--out .: expected a file, got a folder"),
        (write_run, ["--evaluation", "x"], "--evaluation x: no such file"),
    ],
)
def test_what_is_neither_run_nor_study_is_refused_in_a_line(run_cli, tmp_path, make, words, reason):
    make(tmp_path / "thing")
    done = run_cli("report", tmp_path / "thing", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert reason in done.err


def test_run_without_a_log_is_refused_in_a_line(run_cli, tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "log.jsonl").unlink()
    done = run_cli("report", tmp_path / "run")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "log.jsonl: expected the log of a run, got No such file" in done.err
    assert not (tmp_path / "run" / "report.html").exists()


def test_file_that_is_no_report_is_not_replaced(run_cli, tmp_path):
    write_run(tmp_path / "run", distances=False)
    mine = tmp_path / "thesis.html"
    mine.write_text("months of work")
    done = run_cli("report", tmp_path / "run", "--out", mine)
    assert done.code == 2
    assert "expected a free name or an older report" in done.err
    assert mine.read_text() == "months of work"
    assert run_cli("report", tmp_path / "run", "--out", tmp_path / "page.html").code == 0
    assert run_cli("report", tmp_path / "run", "--out", tmp_path / "page.html").code == 0


def test_report_of_a_real_run_finds_all_that_training_wrote(run_cli, tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for index in range(16):
        pixels = random.integers(0, 256, [16, 16, 3], dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"picture{chr(97 + index)}.png")
    run = tmp_path / "run"
    words = ["train", tmp_path / "photos", "--out", run, "--kimg", 0.1, "--eval-share", 0, *TINY]
    assert run_cli(*words).code == 0
    done = run_cli("report", run, "--json")
    assert done.code == 0, done.err
    assert [path.rsplit("/")[-1] for path in json.loads(done.out)["figures"]] == ["same_seeds.png"]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count('<span class="cells" style="--rows:6;--columns:10">') == 2, (
        "the sheets are those of the painter"
    )
    assert "16 to train on" in page
    assert "16 x 16 px, RGB" in page
    assert "was left out" not in page
    assert "Before you rely" not in page
    assert "did not record its command" not in page


def test_command_imports_no_torch(tmp_path):
    write_study(tmp_path / "study")
    code = (
        "import sys; from stylegraft.cli.main import main; "
        f"code = main(['report', {str(tmp_path / 'study')!r}]); print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"

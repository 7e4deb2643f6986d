import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from report_cases import SHA, distance_of, write_run

from stylegraft.errors import InputError
from stylegraft.report import film
from stylegraft.report.film import film_frames, seed_strips
from stylegraft.report.run_data import read_run
from stylegraft.report.run_facts import (
    clock,
    cost_table,
    origin_table,
    run_findings,
    settings_table,
    surgery_lines,
)
from stylegraft.report.run_page import binned, run_page
from stylegraft.report.writing import write_report

SOURCE = {"path": "/home/me/runs/fashion/checkpoints/kimg-000040.000", "sha256": SHA, "facts": {}}
ATTACK = "<script>alert(1)</script>\"'&"


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run")
    return tmp_path / "run"


def page_of(folder, evaluation=None):
    data = read_run(folder, evaluation)
    strips, _ = seed_strips(data) or (None, ())
    return run_page(data, strips, ["distance.svg"])


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def evaluation_of(kimg=4.0, content_hash="cd" * 32):
    row = {
        "name": "FD-EffLite0 to held-out images",
        "better": "lower",
        "value": 55.0,
        "low": 50.0,
        "high": 60.0,
        "level": 0.95,
        "real_level": {"value": 40.0, "how": "half of them"},
        "num_real": 90,
        "num_fake": 100,
    }
    curve = {"kimg": [2.0, 4.0], "value": [70.0, 55.0], "low": [65.0, 50.0], "high": [75.0, 60.0]}
    return {
        "metrics": {"fd_heldout": row},
        "memorisation": None,
        "duplicates": None,
        "settings": {"content_hash": content_hash, "psi": 1.0},
        "notes": ["few images."],
        "kimg": kimg,
        "data": "photos.zip",
        "version": "0.1.0",
        "over_time": {
            "curves": {"held-out distance": curve},
            "best": {"kimg": 4.0, "checkpoint": "kimg-000004.000"},
            "mark": None,
            "sentence": "It still gets better.",
        },
    }


def test_report_of_a_run_writes_the_page_and_its_figures(run):
    written = write_report(run)
    assert (written.kind, written.page) == ("run", run / "report.html")
    names = {path.relative_to(run).as_posix() for path in written.figures}
    assert names == {f"report-figures/{name}" for name in ("distance.svg", "distance.png", "same_seeds.png")}
    assert all(path.stat().st_size > 1000 for path in [written.page, *written.figures])
    first = written.page.read_bytes()
    assert write_report(run).page.read_bytes() == first, "an older report is replaced by the same one"


def test_page_of_a_run_is_one_file_that_loads_and_sends_nothing(run):
    page = page_of(run)
    addresses = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page)
    assert len(addresses) == 4 + 1 + 8, "four moments, the real images, eight seeds"
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert "://" not in page
    assert "url(" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; ")
    assert page.count("<script") == 1


def test_browser_would_run_the_script_of_the_page_and_no_other(run):
    import base64
    import hashlib

    page = page_of(run)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_page_without_scripts_shows_the_first_and_the_last_moment(run):
    page = page_of(run)
    # The slider is hidden until the script shows it; of the figures the style leaves the outer two.
    assert '<div class="controls" hidden>' in page
    assert ".film:not(.live) figure:not(:first-child):not(:last-child) { display: none; }" in page
    moments = re.findall(r'<figure data-kimg="([^"]*)" data-words="([^"]*)">', page)
    assert moments == [
        ("0.0", "0 kimg, random weights, distance 200"),
        ("1.0", "1.0 kimg, distance 105.2"),
        ("2.0", "2.0 kimg, distance 70.3"),
        ("4.0", "4.0 kimg, distance 62.75 (best)"),
    ]


def test_strips_show_the_same_seeds_at_each_moment(run):
    samples = write_run(run.parent / "other")
    found = seed_strips(read_run(run.parent / "other"))
    assert found is not None
    strips, images = found
    assert images.shape == (4, 8, 64, 64, 3)
    for moment, kimg in enumerate((0.0, 1.0, 2.0, 4.0)):
        assert (images[moment, :, ::4, ::4] == samples[kimg][0, :8]).all()
    assert [name for name, _ in strips.rows] == [f"seed {seed}" for seed in range(8)]
    assert strips.moments == [
        ("0 kimg", "random weights"),
        ("1.0 kimg", ""),
        ("2.0 kimg", ""),
        ("4.0 kimg", "best"),
    ]


def test_strips_of_classes_are_a_row_each(tmp_path):
    samples = write_run(tmp_path / "run", class_names=["boots", "bags & <co>"])
    found = seed_strips(read_run(tmp_path / "run"))
    assert found is not None
    assert [name for name, _ in found[0].rows] == ["boots", "bags & <co>"]
    assert (found[1][0, :, ::4, ::4] == samples[0.0][:, 0]).all()
    page = page_of(tmp_path / "run")
    assert '<span title="bags &amp; &lt;co&gt;">bags &amp; &lt;co&gt;</span>' in page


def test_run_from_a_source_names_it_from_the_first_moment_on(tmp_path):
    source = SOURCE | {"facts": {"licence": "CC0-1.0", "data_note": "60,000 pieces of clothing"}}
    write_run(tmp_path / "run", source=source)
    data = read_run(tmp_path / "run")
    assert data.source_name == "fashion"
    assert film_frames(data)[0].words.startswith("0 kimg, fashion as it was")
    page = page_of(tmp_path / "run")
    for shown in ("From fashion to its target, seed by seed", "CC0-1.0", "60,000 pieces of clothing", SHA):
        assert shown in page


def test_untrained_networks_are_the_best_only_if_they_had_a_source(tmp_path):
    for name, source in (("scratch", None), ("grafted", SOURCE)):
        write_run(tmp_path / name, source=source, distances=False)
        rows = [{"step": 0, "kimg": 0.0, "distance": 10.0}, {"step": 9, "kimg": 4.0, "distance": 20.0}]
        (tmp_path / name / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read_run(tmp_path / "scratch").best.kimg == 4.0
    assert read_run(tmp_path / "grafted").best.kimg == 0.0


def test_answers_follow_the_numbers(run):
    quality, moment, speed = run_findings(read_run(run))
    assert (quality.tone, quality.verdict) == ("fair", "62.7")
    assert "1.6 times what real images score (40.0)" in quality.answer
    assert (moment.tone, moment.verdict) == ("fair", "at 4.0 kimg"), "it may get better still"
    assert speed.verdict == "34.5 images/s"
    assert "2.0 min, 7 % of it for distances" in speed.answer
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()[:-1]]
    rows.append({"step": 99, "kimg": 40.0, "distance": 90.0})
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    moment = run_findings(read_run(run))[1]
    assert (moment.tone, moment.verdict) == ("good", "at 4.0 kimg")
    assert "At the end the distance was 90.0" in moment.answer


def test_tables_say_settings_cost_and_origin(run):
    change(run / "config.json", source=SOURCE, freeze_d=2, freeze_mapping=True, lr_d=0.5)
    session = {
        "started": "2025-11-22",
        "command": "stylegraft train photos",
        "machine": {"cpu": "fast", "cores": 2},
    }
    (run / "sessions.jsonl").write_text(json.dumps(session) + "\nhalf a li")
    data = read_run(run)
    settings = settings_table(data)
    assert settings["images"] == "123 to train on, 10 % held out, 16 x 16 px, RGB, mirrored"
    assert settings["transfer"] == "from fashion, frozen: 2 layers of D, mapping, D 0.5 x lr"
    assert cost_table(data)["to its best"] == "2.0 min (4.0 kimg)"
    origin = origin_table(data)
    assert origin["images"] == f"photos.zip, content hash {'cd' * 32}"
    assert (origin["stylegraft"], origin["machine"]) == ("0.1.0", "fast, cores 2")
    assert origin["licence of the source"] == "not stated"
    assert '<pre class="command">stylegraft train photos</pre>' in page_of(run)


def test_surgery_is_told_as_it_was_recorded(run):
    surgery = {
        "notes": ["Sizes above 16 px are lost."],
        "networks": {
            "G": {"copied": 9, "changed": [{"what": "left_over", "why": "cut", "tensors": ["a", "b"]}]}
        },
    }
    change(run / "config.json", source=SOURCE | {"facts": {"surgery": surgery}})
    assert surgery_lines(read_run(run)) == ["Sizes above 16 px are lost.", "G: 2 tensors left over, cut"]
    assert "G: 2 tensors left over, cut" in page_of(run)


def test_evaluation_in_the_run_is_shown_with_its_intervals(run):
    (run / "evaluation").mkdir()
    (run / "evaluation" / "evaluation.json").write_text(json.dumps(evaluation_of()))
    page = page_of(run)
    assert "50.0 to 60.0" in page
    assert "evaluated, with 95 % interval" in page
    distance = page[page.index('<div id="distance">') : page.index("Seed by seed")]
    assert distance.count('<polygon class="line1 band"') == 1
    assert "Few images." in page
    assert "Before you rely" not in page
    elsewhere = shutil.copytree(run / "evaluation", run.parent / "elsewhere")
    shutil.rmtree(run / "evaluation")
    assert "50.0 to 60.0" not in page_of(run)
    assert "50.0 to 60.0" in page_of(run, elsewhere)
    assert "50.0 to 60.0" in page_of(run, elsewhere / "evaluation.json")


def test_evaluation_by_class_is_a_table(run):
    row = {
        "class": "<boots>",
        "num_train": 18,
        "share": 0.02,
        "agreement": {"value": 0.5, "low": 0.4, "high": 0.6},
        "taken_for": {"bags": 0.5},
        "num_heldout": 2,
        "heldout_right": 1,
        "kd": None,
        "precision": None,
        "coverage": None,
    }
    by_class = {"rows": [row], "sentence": "Half of them."}
    (run / "evaluation.json").write_text(json.dumps(evaluation_of() | {"by_class": by_class}))
    page = page_of(run)
    for cell in ("&lt;boots&gt;", "18 (2 %)", "50 % (40 to 60)", "bags 50 %", "1 of 2", "too few"):
        assert f"<td>{cell}</td>" in page
    assert "Half of them." in page
    del row["agreement"]
    (run / "evaluation.json").write_text(json.dumps(evaluation_of() | {"by_class": by_class}))
    assert "The evaluation was left out" in page_of(run)


def test_evaluation_of_something_else_is_called_so(run):
    path = run / "evaluation.json"
    path.write_text(json.dumps(evaluation_of(kimg=3.0)))
    assert "a checkpoint at 3.0 kimg, which the run has no more" in page_of(run)
    path.write_text(json.dumps(evaluation_of(content_hash="00" * 32)))
    page = page_of(run)
    assert "The evaluation used other images than the run" in page
    assert "evaluated, with 95 % interval" not in page


@pytest.mark.parametrize(
    "damage",
    [
        {"metrics": {"fd_heldout": 3}},
        {"metrics": {"fd_heldout": {"value": "high"}}},
        {"metrics": [1, 2]},
        {"memorisation": {"verdict": "fine"}},
        {"over_time": {"curves": []}},
        {"notes": 5},
    ],
)
def test_damaged_evaluation_is_left_out_with_the_reason(run, damage):
    (run / "evaluation.json").write_text(json.dumps(evaluation_of() | damage))
    page = page_of(run)
    assert "The evaluation was left out: it is not as stylegraft evaluate writes it" in page
    assert "Distance to real images" in page


def test_evaluation_that_is_no_json_is_a_note_if_found_and_an_error_if_named(run):
    (run / "evaluation.json").write_text("{")
    assert "The evaluation was left out" in page_of(run)
    with pytest.raises(InputError, match=r"expected a result of stylegraft evaluate as JSON"):
        read_run(run, run)
    with pytest.raises(InputError, match=r"--evaluation .*nothing: no such file"):
        read_run(run, run / "nothing")


def test_run_without_checkpoints_distances_and_samples_has_a_page(run):
    for name in ("samples", "checkpoints"):
        shutil.rmtree(run / name)
    (run / "log.jsonl").write_text('{"step": 0, "kimg": 0.0}\n')
    written = write_report(run)
    assert written.figures == []
    page = written.page.read_text(encoding="utf-8")
    assert "The run has no checkpoint that can be read" in page
    assert "<figure" not in page


def test_checkpoint_with_a_damaged_card_is_named(run):
    folder = run / "checkpoints" / "kimg-000009.000"
    folder.mkdir()
    (folder / "checkpoint.json").write_text("{")
    notes = read_run(run).notes
    assert len(notes) == 1
    assert "kimg-000009.000" in notes[0]


def test_texts_of_strangers_are_shown_and_do_nothing(tmp_path):
    facts = {"licence": ATTACK, "data_note": ATTACK, "surgery": {"notes": [ATTACK]}}
    source = {"path": ATTACK, "sha256": ATTACK, "facts": facts}
    run = tmp_path / "<b>run"
    write_run(run, source=source, class_names=[ATTACK, ATTACK])
    change(run / "config.json", data_path=ATTACK, family=ATTACK, precision=ATTACK, data_hash=ATTACK)
    card = next(run.glob("checkpoints/*/checkpoint.json"))
    change(card, sha256={"networks.safetensors": ATTACK})
    session = {"started": ATTACK, "command": ATTACK, "machine": {ATTACK: ATTACK, "cpu": ATTACK}}
    (run / "sessions.jsonl").write_text(json.dumps(session))
    evaluation = evaluation_of() | {"data": ATTACK, "notes": [ATTACK]}
    evaluation["metrics"]["fd_heldout"]["name"] = ATTACK
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    page = page_of(run)
    assert page.count("alert(1)") > 15
    assert "<script>alert" not in page
    assert "<b>run" not in page
    # No attribute ends early: quotes of the texts are escaped in all of them.
    assert not re.search(r'="[^"<>]*&[^;"]*"[^ >/]', page)


@pytest.mark.parametrize(
    "config",
    [
        {"generator": 5, "data": [], "source": "x", "augment": 3},
        {"generator": {"img_height": 0, "img_width": -1}},
        {"generator": {"img_height": 1e9, "img_width": 16}},
        {"generator": {"img_height": 10**400, "img_width": "16", "channels": [[1]], "mapping": None}},
        {"source": {"path": ["x"], "facts": {"surgery": {"notes": 3, "networks": {"G": {"changed": {}}}}}}},
        {"batch": {"a": 1}, "ada": None, "lr": "x" * 10_000},
    ],
)
def test_settings_of_the_wrong_kind_are_left_out(run, config):
    change(run / "config.json", **config)
    assert len(page_of(run)) < 2_000_000


def test_samples_of_different_kinds_are_not_mixed_in_strips(run):
    grey = Image.open(run / "samples" / "kimg-000001.000.png").convert("L")
    grey.save(run / "samples" / "kimg-000001.000.png")
    (run / "samples" / "kimg-000002.000.png").write_bytes(b"no picture")
    found = seed_strips(read_run(run))
    assert found is not None
    assert found[1].shape[0] == 2
    assert len(film_frames(read_run(run))) == 3


def test_pictures_of_a_long_run_stay_within_their_share_of_a_page(tmp_path, monkeypatch):
    run = tmp_path / "run"
    write_run(run, moments=[0.5 * step for step in range(40)], distances=False)
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, [150, 300, 3], np.uint8))
    for path in (run / "samples").glob("kimg-*.png"):
        noise.save(path, compress_level=1)
    monkeypatch.setattr(film, "_FRAMES_BYTES", 1_600_000)
    frames = film_frames(read_run(run))
    assert len(frames) == 30
    assert sum(len(frame.uri) for frame in frames) < 1_600_000 * 4 / 3 + 30 * 100


def test_shares_of_pictures_leave_room_in_a_page_of_15_mb():
    share = film._FRAMES_BYTES + film._REALS_BYTES + film._STRIPS_BYTES
    assert share * 4 / 3 < 14_000_000, "in base64, which takes four letters for three bytes"


def test_scalars_are_binned_by_median_with_the_middle_of_their_values():
    rows = [{"step": step, "kimg": step / 100, "loss": float(step % 10)} for step in range(6000)]
    line = binned(rows, "loss", "loss")
    assert line is not None
    assert len(line.x) == 60
    assert (line.y[0], line.low[0], line.high[0]) == (4.5, 1.0, 8.0)
    assert binned(rows, "lod", "lod") is None


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (89, "89 s"), (90, "1.5 min"), (1200, "20 min"), (12000, "3 h 20 min")]
)
def test_times_are_written_as_people_say_them(seconds, shown):
    assert clock(seconds) == shown


def test_log_with_distances_alone_is_enough(run):
    rows = [{"step": step, "kimg": float(step), **distance_of(step)} for step in range(3)]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "How training went" not in page_of(run)

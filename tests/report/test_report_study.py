import json
import re
import shutil

import pytest
from report_cases import cell, record_of, write_run, write_study

from stylegraft.errors import InputError
from stylegraft.report.bars import Bar, Group, bar_chart
from stylegraft.report.study_data import (
    is_log_better,
    median_line,
    read_study,
    source_colours,
    target_starts,
)
from stylegraft.report.study_facts import (
    cost_rows,
    settings_rows,
    study_findings,
    study_subtitle,
    study_title,
    table_rows,
)
from stylegraft.report.study_figures import COLOURS, draw_best, draw_over_time
from stylegraft.report.study_page import study_page
from stylegraft.report.study_pictures import study_pictures
from stylegraft.report.writing import write_report

ATTACK = "<script>alert(1)</script>\"'&"


@pytest.fixture
def study(tmp_path):
    write_study(tmp_path / "study")
    return tmp_path / "study"


def page_of(folder):
    record = read_study(folder)
    return study_page(folder, record, target_starts(record), [])


def start_of(cells, source="fashion"):
    (target,) = target_starts(record_of(cells))
    return next(start for start in target.starts if start.source == source)


def test_report_of_a_study_writes_the_page_and_both_figures(study):
    written = write_report(study)
    assert (written.kind, written.page) == ("study", study / "report.html")
    assert {path.name for path in written.figures} == {
        *("distance_over_time.svg", "distance_over_time.png"),
        *("best_distance.svg", "best_distance.png"),
    }
    assert all(path.stat().st_size > 5000 for path in written.figures)
    page = written.page.read_text(encoding="utf-8")
    assert "://" not in page
    assert all(uri.startswith("data:image/jpeg") for uri in re.findall(r'src="([^"]*)"', page))
    before = [path.read_bytes() for path in (written.page, *written.figures)]
    again = write_report(study)
    assert [path.read_bytes() for path in (again.page, *again.figures)] == before


def test_median_over_seeds_is_taken_where_all_of_them_were(study):
    start = start_of(
        [
            cell("faces", "fashion", 0, [100.0, 80.0, 60.0], moments=[0.0, 10.0, 20.0]),
            cell("faces", "fashion", 1, [120.0, 40.0], moments=[0.0, 16.0]),
        ]
    )
    line = median_line(start, by_minutes=False)
    assert line is not None
    assert line.x == [0.0, 10.0, 16.0], "the second seed ended at 16"
    # Between its two measurements the second seed is taken as straight: 70 at 10 kimg; the first 68 at 16.
    assert line.low == [100.0, 70.0, 40.0]
    assert line.high == pytest.approx([120.0, 80.0, 68.0])
    assert line.y == pytest.approx([110.0, 75.0, 54.0])
    minutes = median_line(start, by_minutes=True)
    assert minutes is not None
    assert minutes.x == pytest.approx([0.0, 0.5, 0.8])


def test_one_seed_has_no_band_and_unfinished_ones_wait_for_finished_ones():
    one = median_line(start_of([cell("faces", "fashion", 0, [100.0, 80.0])]), by_minutes=False)
    assert one is not None
    assert (one.low, one.high) == (None, None)
    running = cell("faces", "fashion", 1, [50.0, 40.0], state="running")
    both = start_of([cell("faces", "fashion", 0, [100.0, 80.0]), running])
    assert median_line(both, by_minutes=False).y == [100.0, 80.0]
    assert median_line(start_of([running]), by_minutes=False).y == [50.0, 40.0]
    assert median_line(start_of([cell("faces", "fashion", 0, [], state="pending")]), by_minutes=False) is None


def test_as_good_as_scratch_is_the_first_measurement_at_its_best():
    cells = [
        cell("faces", "fashion", 0, [150.0, 100.0, 60.0]),
        cell("faces", "fashion", 1, [150.0, 90.0, 64.0]),
        cell("faces", "scratch", 0, [30.0, 200.0, 100.0]),  # the 30 of random networks does not count
        cell("faces", "scratch", 1, [400.0, 200.0, 90.0]),
    ]
    fashion, scratch = start_of(cells), start_of(cells, "scratch")
    assert scratch.median == 95.0
    assert (fashion.median, fashion.best) == (62.0, [60.0, 64.0])
    assert (fashion.reach_sec, fashion.num_reached) == (45.0, 2), "after 60 s and 30 s"
    (target,) = target_starts(record_of(cells))
    best, last = table_rows([target])
    assert (best.source, best.median, best.spread, best.is_best) == ("fashion", "62.0", "60.0 to 64.0", True)
    assert (best.reach_time, best.speed, best.against_floor) == ("45 s", "1.3 x", "2.07")
    assert (last.source, last.reach_time, last.speed) == ("scratch", "", "")


def test_source_that_is_not_as_good_as_scratch_is_told_so():
    cells = [
        cell("faces", "fashion", 0, [150.0, 120.0]),
        cell("faces", "emoji", 0, [80.0, 85.0]),
        cell("faces", "textures", 0, [150.0, 90.0]),
        cell("faces", "textures", 1, [150.0, 101.0]),
        cell("faces", "scratch", 0, [400.0, 100.0]),
    ]
    rows = {row.source: row for row in table_rows(target_starts(record_of(cells)))}
    assert rows["fashion"].reach_time == "not reached"
    assert (rows["emoji"].reach_time, rows["emoji"].speed) == ("at once", "")
    assert rows["textures"].reach_time == "30 s (1 of 2 seeds)"
    (finding,) = study_findings(target_starts(record_of(cells[:1] + cells[-1:])))
    assert (finding.verdict, finding.tone) == ("scratch", "fair")
    assert finding.advice == "No source did better than random weights."


def test_source_that_begins_as_good_as_scratch_ends_is_there_from_the_start():
    cells = [cell("faces", "emoji", 0, [80.0, 70.0]), cell("faces", "scratch", 0, [400.0, 100.0])]
    (finding,) = study_findings(target_starts(record_of(cells)))
    assert "emoji is there from the start." in finding.answer


def test_settings_say_what_all_cells_have_in_common(study):
    record = read_study(study)
    assert settings_rows(record) == {
        "budget": "20 kimg a cell",
        "seeds": "0, 1",
        "images": "of their own size",
        "training": "as stylegraft train chooses",
    }
    more = record.settings.model_copy(
        update={
            "minutes": 5.0,
            "size": "64",
            "fit": "crop",
            "mirror": True,
            "train_flags": ("--batch", "<b>"),
        }
    )
    rows = settings_rows(record.model_copy(update={"settings": more}))
    assert rows["budget"] == "20 kimg or 5 min a cell"
    assert rows["images"] == "64 px, crop, mirrored half of the time"
    assert rows["training"] == "--batch <b>"


def test_answer_says_which_source_how_good_and_how_soon(study):
    faces, coal = study_findings(target_starts(read_study(study)))
    assert (faces.question, faces.verdict, faces.tone) == ("Where to start for faces?", "fashion", "good")
    assert "Fashion comes to 62.0 (60.0 to 64.0); real images score 30.0." in faces.answer
    assert "From scratch it is 95.0 (90.0 to 100), after 60 s; fashion is there after 30 s." in faces.answer
    assert (coal.verdict, coal.tone) == ("not known yet", "unknown")


def test_seeds_that_overlap_or_are_alone_make_the_answer_less_sure():
    best = [cell("faces", "fashion", seed, [150.0, value]) for seed, value in enumerate((60.0, 70.0))]
    near = [cell("faces", "emoji", seed, [150.0, value]) for seed, value in enumerate((69.0, 80.0))]
    (finding,) = study_findings(target_starts(record_of(best + near)))
    assert (finding.verdict, finding.tone) == ("fashion", "fair")
    assert "overlap" in finding.advice
    far = [cell("faces", "emoji", seed, [150.0, value]) for seed, value in enumerate((71.0, 80.0))]
    assert study_findings(target_starts(record_of(best + far)))[0].tone == "good"
    assert "One seed says little" in study_findings(target_starts(record_of([best[0], far[0]])))[0].advice


def test_title_and_cost_are_of_all_cells(study):
    record = read_study(study)
    assert study_title(record) == "3 sources on 2 targets, 2 seeds"
    assert study_subtitle(record) == "20 kimg a cell; of 8 cells 5 done, 1 running, 1 pending, 1 failed"
    rows = cost_rows(record)
    assert rows["in all"] == "5.5 min of training in 8 cells"
    assert rows["from fashion"] == "60 s a cell (60 s to 60 s), 40.0 images/s"


def test_source_has_one_colour_everywhere_and_scratch_is_grey(study):
    record = read_study(study)
    assert source_colours(record) == {"fashion": "source0", "emoji": "source1", "scratch": "scratch"}
    page = page_of(study)
    css = dict(re.findall(r"--(source\d|scratch): (#\w+);", page[: page.index("@media")]))
    assert css == COLOURS, "the page and the figures as files agree"
    red, green, blue = (int(COLOURS["scratch"][at : at + 2], 16) for at in (1, 3, 5))
    assert red == green == blue
    assert len(set(COLOURS.values())) == len(COLOURS)
    many = record_of([cell("t", f"s{number}", 0, [9.0, 8.0]) for number in range(9)])
    assert source_colours(many)["s8"] == "source0", "with more sources than colours they begin again"


def test_page_of_a_study_has_panels_bars_strips_and_all_to_repeat_it(study):
    page = page_of(study)
    panels = page[page.index("Distance over time</h2>") : page.index("Best distance by source</h2>")]
    assert panels.count("<svg") == 2 * 2, "two targets, over images and over minutes"
    assert panels.count('<polyline class="source0"') == 4
    assert panels.count('<polygon class="source0 band"') == 2, "of the target with two seeds"
    assert page.count("<rect") == 3, "the other target has no finished cell"
    strips = page[page.index("From source to target</h2>") : page.index("<h2>Cost")]
    assert re.findall(r'<span class="who">(.*?)</span>', strips) == ["fashion", "scratch"]
    assert strips.count("<small>seed ") == 2
    assert "faces/emoji/seed1: loss is nan &lt;here&gt;" in page
    for shown in ("stylegraft study --sources", "CC0-1.0", "ab" * 32, "cd" * 32, "a processor", "faces.zip"):
        assert shown in page


def test_study_that_has_just_begun_has_a_page_without_figures(tmp_path):
    record = record_of([cell("faces", "fashion", 0, state="pending")])
    (tmp_path / "study.json").write_text(record.to_json())
    written = write_report(tmp_path)
    assert written.figures == []
    assert "not known yet" in written.page.read_text(encoding="utf-8")


def test_cells_outside_of_the_study_are_not_opened(study):
    outside = study.parent / "outside"
    write_run(outside, moments=(0.0, 1.0, 3.0, 8.0, 20.0))
    values = json.loads((study / "study.json").read_text())
    for one in values["cells"]:
        one["folder"] = "../outside"
    (study / "study.json").write_text(json.dumps(values))
    assert "From source to target" not in page_of(study)
    for one in values["cells"]:
        one["folder"] = str(outside)
    (study / "study.json").write_text(json.dumps(values))
    assert "From source to target" not in page_of(study)


def test_cells_whose_pictures_are_gone_are_left_out(study):
    shutil.rmtree(study / "cells" / "faces" / "scratch" / "seed0" / "samples")
    (study / "cells" / "faces" / "fashion" / "seed0" / "config.json").write_text("{")
    page = page_of(study)
    assert "From source to target" not in page
    assert "not stated" in page


def test_texts_of_strangers_are_shown_and_do_nothing(study):
    text = (study / "study.json").read_text()
    values = json.loads(text.replace("faces", json.dumps(ATTACK)[1:-1]).replace("fashion", "$_{<i>"))
    values["command"] = values["created"] = values["machine"]["cpu"] = ATTACK
    values["cells"][3]["error"] = ATTACK
    (study / "study.json").write_text(json.dumps(values))
    page = page_of(study)
    assert page.count("alert(1)") > 20
    assert "<script>alert" not in page
    assert "<i>" not in page
    assert len(write_report(study).figures) == 4


def test_names_in_figures_are_shown_letter_by_letter(tmp_path):
    names = ("$\\frac{", "_hidden", "豆子", "x" * 100)
    cells = [cell(f"on {name}", name, 0, [100.0, 50.0]) for name in names]
    targets = target_starts(record_of(cells))
    svg, png = draw_over_time(targets, tmp_path / "over_time")
    assert png.stat().st_size > 5000
    assert svg.read_text(encoding="utf-8").count("<path") > 50
    assert draw_best(targets, tmp_path / "best")[0].stat().st_size > 5000


def test_distances_that_span_much_are_drawn_on_a_logarithmic_axis():
    near = record_of([cell("faces", "fashion", 0, [100.0, 50.0])])
    far = record_of([cell("faces", "fashion", 0, [100.0, 50.0]), cell("coal", "fashion", 0, [500.0, 50.0])])
    assert not is_log_better(target_starts(near))
    assert is_log_better(target_starts(far))


def with_numbers(study, value):
    """The study with other numbers in one of its cells."""
    text = (study / "study.json").read_text()
    values = json.loads(text)
    values["cells"][0]["curve"][1]["distance"] = "VALUE"
    values["cells"][0]["best"]["distance"] = "VALUE"
    values["cells"][1]["floor"] = "VALUE"
    (study / "study.json").write_text(json.dumps(values).replace('"VALUE"', value))


@pytest.mark.parametrize("value", ["NaN", "1e999", "-1e999", "-5.0", "1e300", "1e-300", "0"])
def test_odd_numbers_make_no_odd_page(study, value):
    with_numbers(study, value)
    if value == "NaN":  # a number is asked for there, and JSON has no such one
        with pytest.raises(InputError, match=r"study\.json: expected the record of a study"):
            read_study(study)
        return
    page = page_of(study)
    places = re.findall(r'(?:points|cx|cy|x1|y1|height)="([^"]*)"', page)
    numbers = [float(number) for place in places for number in re.split("[ ,]", place)]
    assert all(-1 <= number <= 1000 for number in numbers)
    assert write_report(study).figures


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"schema_version": 2}, "expected schema_version 1, got 2"),
        ({"cells": [{"id": "x"}]}, "target"),
        ({"cells": 3}, "cells"),
        ({"settings": None}, "settings"),
    ],
)
def test_damaged_record_is_an_error_in_a_line(study, damage, reason):
    values = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(values | damage))
    with pytest.raises(
        InputError, match=rf"study\.json: expected the record of a study, got .*{reason}"
    ) as error:
        write_report(study)
    assert "\n" not in str(error.value)
    assert not (study / "report.html").exists()


def test_names_that_no_page_could_hold_are_refused(tmp_path):
    (tmp_path / "study.json").write_text(record_of([cell("x" * 10_000, "fashion", 0)]).to_json())
    with pytest.raises(InputError, match=r"names of 120 letters, got 1 and 10000"):
        write_report(tmp_path)


def test_bars_have_whiskers_where_seeds_differ():
    bars = [Bar("a", "source0", 50.0, 40.0, 60.0, (40.0, 60.0)), Bar("b", "scratch", None)]
    svg = bar_chart([Group("faces & co", bars, floor=30.0)], name="bars")
    assert svg.count('class="whisker"') == 1
    assert svg.count('class="seed"') == 2
    assert svg.count('class="floor"') == 1
    assert ">–<" in svg, "where nothing was measured"
    assert "faces &amp; co" in svg
    single = bar_chart([Group("faces", [Bar("a", "source0", 50.0, 50.0, 50.0)])], name="bars")
    assert "whisker" not in single


def headings_of(study):
    record = read_study(study)
    return [moment for moment, _ in study_pictures(study, target_starts(record))[0].strips.moments]


def test_strips_show_no_moment_under_the_name_of_another(study):
    assert headings_of(study) == 2 * ["0 kimg", "1 kimg", "3 kimg", "8 kimg", "20 kimg"]
    sheets = study / "cells" / "faces" / "scratch" / "seed0" / "samples"
    (sheets / "kimg-000001.000.png").unlink()
    assert headings_of(study) == 2 * ["0 kimg", "3 kimg", "8 kimg", "20 kimg"]
    (sheets / "kimg-000003.000.png").unlink()
    (sheets / "kimg-000008.000.png").unlink()
    assert headings_of(study) == 2 * ["0 kimg", "20 kimg"]
    (sheets / "kimg-000020.000.png").rename(sheets / "kimg-000015.000.png")
    assert headings_of(study) == 2 * ["0 %", "100 %"], "runs that end elsewhere share no moment in kimg"

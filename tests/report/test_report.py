import json
import re
import subprocess
import sys

import numpy as np
import pytest

from stylegraft.report import evaluation_page, findings, numbers
from stylegraft.report.charts import Line, line_chart
from stylegraft.report.class_table import HEADER, class_table
from stylegraft.report.numbers import percent, plain


def row(name, value, reach, real=None, better="higher"):
    return {
        "name": name,
        "better": better,
        "value": value,
        "low": value - reach,
        "high": value + reach,
        "level": 0.95,
        "standard_error": reach / 2,
        "reach": reach,
        "real_level": None if real is None else {"value": real, "how": "as many training images"},
        "num_real": 90,
        "num_fake": 100,
        "against": "train",
    }


@pytest.fixture
def result():
    return {
        "metrics": {
            "fd_heldout": row("FD-EffLite0 to held-out images", 110.0, 5.0, 100.0, "lower"),
            "kd_heldout": row("KD-EffLite0 to held-out images", 0.012, 0.02, -0.001, "lower"),
            "fd_train": row("FD-EffLite0 to training images", 90.0, 2.0, None, "lower"),
            "precision": row("precision", 0.85, 0.05, 0.9),
            "recall": row("recall", 0.8, 0.05, 0.85),
            "coverage": row("coverage", 0.9, 0.04, 0.95),
        },
        "memorisation": {
            "verdict": "no sign of copying",
            "sentence": "No sign of copying: 8% of the fakes are close.",
            "false_alarm_rate": None,
        },
        "duplicates": {"share": 0.04, "expected_share": 0.05, "num_compared": 90, "num_distinct": 88},
        "samples": {
            "seeds": [0, 1],
            "best": [1],
            "worst": [0],
            "suspicious": [
                {"seed": 1, "score": 0.5, "by": "pixels", "index": 3, "name": "<b>.png", "mirrored": True}
            ],
        },
        "features": {
            "network": "tiny",
            "dim": 16,
            "sha256": "ab" * 32,
            "is_published": True,
            "precision": "fp32",
        },
        "settings": {
            "name": "default",
            "num": 100,
            "seed": 0,
            "psi": 1.0,
            "noise_mode": "const",
            "mirror": True,
            "num_train": 90,
            "num_heldout": 30,
            "labels": "none",
            "content_hash": "cd" * 32,
        },
        "notes": ["few images."],
        "seconds": 12.0,
    }


def pictures():
    images = np.random.RandomState(0).randint(0, 256, [2, 8, 8, 3], np.uint8)
    names = ("samples", "best", "worst", "suspicious", "nearest", "reals")
    return {name: images[: 2 if name == "samples" else 1] for name in names}


def tones(result):
    return [finding.tone for finding in findings(result)]


def test_findings_of_a_good_generator_are_good(result):
    assert tones(result) == ["good", "good", "good", "unknown"]
    quality = findings(result)[0]
    assert "110 (105 to 115), 1.1 times what real images score (100)" in quality.answer
    assert "85 %" in quality.answer


def test_findings_follow_the_numbers(result):
    result["metrics"]["fd_heldout"]["value"] = 150.0
    assert tones(result)[0] == "fair"
    result["metrics"]["fd_heldout"]["value"] = 250.0
    assert tones(result)[0] == "poor"
    result["metrics"]["coverage"]["value"] = 0.3
    assert tones(result)[1] == "poor"
    result["settings"]["psi"] = 0.5
    assert "--psi 1" in findings(result)[1].advice
    result["memorisation"] |= {"verdict": "copier", "false_alarm_rate": 0.01}
    copying = findings(result)[2]
    assert (copying.tone, copying.verdict) == ("poor", "copier")
    assert "at most 1 % of evaluations" in copying.answer


def by_class(**agreement):
    def of(index, name, value):
        return {
            "class": name,
            "num_train": 100 - 90 * index,
            "share": 0.9 - 0.8 * index,
            "num_fake": 50,
            "agreement": {"value": value, "low": value - 0.05, "high": value, "level": 0.95},
            "taken_for": {"bags": 1 - value} if value < 1 else {},
            "num_heldout": 4 * index,
            "heldout_right": 3 * index,
            "kd": {"value": 0.5, "low": 0.4, "high": 0.6} if index == 0 else None,
            "precision": row("precision", 0.8, 0.1, 0.9) if index == 0 else None,
            "coverage": row("coverage", 0.7, 0.1, 0.95) if index == 0 else None,
            "seeds": [50 * index],
        }

    rows = [of(index, *item) for index, item in enumerate(agreement.items())]
    notes, settings = ["few images of boots."], {"num_each": 50, "psi": 1.0}
    return {"rows": rows, "sentence": "It takes <most> rightly.", "notes": notes, "settings": settings}


def test_findings_of_classes_look_at_the_worst(result):
    for boots, tone in ((0.9, "good"), (0.7, "fair"), (0.3, "poor")):
        finding = findings(result | {"by_class": by_class(bags=1.0, boots=boots)})[4]
        assert (finding.question, finding.tone) == ("Are the classes as asked?", tone)
    assert "--balance-classes" in finding.advice  # it is the rare one that fails
    common = findings(result | {"by_class": by_class(bags=0.3, boots=1.0)})[4]
    assert "--balance-classes" not in common.advice


def test_class_table_writes_counts_and_what_is_missing():
    first, second = class_table(by_class(bags=1.0, boots=0.6))
    assert len(first) == len(second) == len(HEADER)
    assert first[:5] == ["bags", "100 (90 %)", "100 % (95 to 100)", "", "none"]
    assert first[5:] == ["0.5", "80 % (90 %)", "70 % (95 %)"]
    assert second[2:] == ["60 % (55 to 60)", "bags 40 %", "3 of 4", "too few", "too few", "too few"]


def test_page_shows_classes_with_their_pictures(result):
    image = np.zeros([2, 8, 8, 3], np.uint8)
    page = evaluation_page(
        result | {"by_class": by_class(bags=1.0, boots=0.6)},
        {},
        title="run",
        subtitle="",
        class_pictures={"bags": (image, image), "boots": (image[:1], image)},
    )
    assert page.count("<img") == 7
    assert "It takes &lt;most&gt; rightly." in page
    assert "Few images of boots." in page
    assert "<td>3 of 4</td>" in page


def test_repetition_is_missing_variety(result):
    result["duplicates"]["share"] = 0.5
    assert tones(result)[1] == "poor"


def test_findings_without_holdout_say_so(result):
    for name in ("fd_heldout", "kd_heldout"):
        del result["metrics"][name]
    result["memorisation"]["verdict"] = "not calibrated"
    assert tones(result) == ["unknown", "good", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("sentence", "tone"),
    [
        ("With 20 real images a class, synthetic images help: +3.0 points.", "good"),
        ("With 20 real images a class, synthetic images do harm: -3.0 points.", "poor"),
        ("With 20 real images a class, no clear effect of synthetic images: +0.1 points.", "fair"),
    ],
)
def test_usefulness_is_as_its_sentences_say(result, sentence, tone):
    result["utility"] = {"sentences": [sentence]}
    assert tones(result)[3] == tone


def test_published_settings_alone_have_numbers_and_no_findings():
    result = {
        "published": {
            "pr50k3_full": {
                "values": {"precision": 0.6, "recall": 0.4},
                "better": "higher",
                "features": {"network": "vgg16"},
                "num_fake": 500,
                "num_real": 90,
                "is_as_published": False,
            }
        }
    }
    assert findings(result) == []
    first, second = numbers(result)
    assert first.name == "pr50k3_full precision (not the published setting)"
    assert (second.value, second.counts) == ("0.4", "500 generated, 90 real")
    assert "pr50k3_full" in evaluation_page(result, {}, title="run", subtitle="set")


def test_strip_places_are_within_the_strip(result):
    for number in numbers(result):
        assert number.strip is not None
        assert all(0 <= place <= 1 for place in number.strip.values())
        assert number.strip["low"] <= number.strip["value"] <= number.strip["high"]
    assert numbers(result)[3].strip["value"] == 0.85, "shares are drawn on the scale from 0 to 1"


def test_number_without_interval_has_no_strip(result):
    result["metrics"]["precision"] |= {"low": None, "high": None}
    number = numbers(result)[3]
    assert (number.interval, number.strip) == ("", None)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (78.12, "78.1"), (0.3331, "0.333"), (-0.0012, "-0.0012"), (0, "0")],
)
def test_numbers_are_written_with_the_digits_that_matter(value, text):
    assert plain(value) == text


def test_small_shares_are_not_rounded_to_nothing():
    assert [percent(share) for share in (0, 0.001, 0.01, 0.5)] == ["0 %", "under 1 %", "1 %", "50 %"]


def test_page_is_one_file_that_needs_nothing_else(result):
    page = evaluation_page(result, pictures(), title="run", subtitle="against <set>")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(addresses) == 7
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "://" not in page
    assert "<script" not in page
    assert page == evaluation_page(result, pictures(), title="run", subtitle="against <set>")


def test_page_shows_names_as_text(result):
    page = evaluation_page(result, pictures(), title="<i>run</i>", subtitle="against <set>")
    assert "&lt;b&gt;.png (mirrored)" in page
    assert "&lt;i&gt;run&lt;/i&gt;" in page
    assert "<b>.png" not in page


def test_page_holds_the_exact_setting(result):
    page = evaluation_page(result, pictures(), title="run", subtitle="set")
    for text in ("ab" * 32, "cd" * 32, "tiny, 16 numbers an image, fp32", "Few images."):
        assert text in page


def test_page_shrinks_large_pictures(result):
    large = {"samples": np.random.RandomState(0).randint(0, 256, [2, 600, 600, 1], np.uint8)}
    page = evaluation_page(result, large, title="run", subtitle="set")
    assert page.count("data:image/jpeg") == 2
    assert len(page) < 400_000


def test_page_draws_the_curves_and_the_mark_of_a_run(result):
    curve = {"kimg": [1, 2, 3], "value": [9.0, 5.0, 7.0], "low": [8, 4, 6], "high": [10, 6, 8]}
    bare = {"kimg": [1, 2], "value": [0.1, 0.3], "low": None, "high": None}
    result["over_time"] = {
        "sentence": "It overfits after 2 kimg.",
        "rule": "The rule.",
        "notes": [],
        "best": {"kimg": 2.0, "checkpoint": "kimg-000002.000"},
        "mark": {"kimg": 2.0, "checkpoint": "kimg-000002.000", "why": "held-out"},
        "curves": {"held-out distance": curve, "coverage": bare, "copier share": {**bare, "value": []}},
    }
    assert findings(result)[4].verdict == "at 2.0 kimg"
    unmarked = {**result, "over_time": {**result["over_time"], "mark": None}}
    assert findings(unmarked)[4].verdict == "not yet"
    page = evaluation_page(result, pictures(), title="run", subtitle="set")
    assert page.count("<svg") == 2
    assert page.count("overfits from here") == 2
    assert page.count("<polygon") == 1


def test_page_shows_the_utility_table(result):
    result["utility"] = {
        "sentences": ["Synthetic images help."],
        "table": {"header": ["arm", "accuracy"], "rows": [["real only", "80.0 %"]]},
        "notes": ["The generator knows them."],
    }
    page = evaluation_page(result, pictures(), title="run", subtitle="set")
    assert "<td>real only</td><td>80.0 %</td>" in page


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [1e-6, 3e-6], [1e5, 3.0]])
def test_chart_of_odd_values_stays_inside(values):
    svg = line_chart([Line("a", [float(x) for x in range(len(values))], values)])
    places = [float(x) for points in re.findall(r'points="([^"]*)"', svg) for x in re.split("[ ,]", points)]
    assert all(0 <= place <= 640 for place in places)
    assert "nan" not in svg


def test_report_imports_no_torch():
    code = (
        "import json, sys; from stylegraft.report import evaluation_page; "
        "evaluation_page(json.loads('{}'), {}, title='', subtitle=''); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_result_survives_json(result):
    assert numbers(json.loads(json.dumps(result))) == numbers(result)

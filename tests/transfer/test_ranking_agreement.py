"""Rankings against studies whose outcome is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylegraft.transfer.ranking.agreement import agreement_table, compare
from stylegraft.transfer.ranking.record import RankedSource, Ranking
from stylegraft.transfer.study.summary import Place, TargetOrder


def order(target: str, **medians: float | None) -> TargetOrder:
    places = [Place(name, value, value, value, 1.0, 1.0, 1, 0, 0) for name, value in medians.items()]
    return TargetOrder(target, None, tuple(places))


def ranking(scores: dict[str, float | None], *, probed: bool = False) -> Ranking:
    """Sources in the given order; None: scratch. All other numbers follow the score, KD falls with it."""

    def source(name: str, score: float | None) -> RankedSource:
        quick = None
        if score is not None:
            quick = {
                "score": {"value": score},
                "closeness": score / 100,
                "reach": score / 100,
                "variety": 1.0,
                "recall": score / 100,
                "kd": 100 - score,
                "variability": {"distance": 100 - score, "rank": score},
            }
        return RankedSource(name, name, None, quick, None, None, False, "Why.")

    sources = tuple(source(name, score) for name, score in scores.items())
    return Ranking(sources, {}, {"seed": 0}, {} if probed else None, (), (), 1.0)


FINAL = order("beans", a=10.0, b=12.0, c=15.0, d=20.0, scratch=30.0)


def by_name(*rankings: Ranking, finals: tuple[TargetOrder, ...] = (FINAL,)) -> dict:
    known = {final.target: ranking for final, ranking in zip(finals, rankings)}
    return {predictor.name: predictor for predictor in compare(finals, known)}


def test_order_of_the_study_agrees_fully() -> None:
    found = by_name(ranking({"a": 90.0, "b": 80.0, "c": 70.0, "d": 60.0}))
    score = found["quick score"]
    assert score.spearman == pytest.approx(1)
    assert score.targets[0].kendall == pytest.approx(1)
    assert score.targets[0].num_sources == 4
    assert score.targets[0].picked == "a"
    assert score.regret == 0
    assert found["-KD"].spearman == pytest.approx(1)
    assert found["D of the source"].spearman == pytest.approx(-1)
    # One of 24 orders is as good.
    assert score.chance == pytest.approx(1 / 24, abs=0.01)
    assert "ranking with probes" not in found


def test_reversed_order_disagrees_and_costs_what_the_worst_source_costs() -> None:
    found = by_name(ranking({"d": 90.0, "c": 80.0, "b": 70.0, "a": 60.0}))["quick score"]
    assert found.spearman == pytest.approx(-1)
    assert found.chance == 1
    assert found.targets[0].picked == "d"
    assert found.regret == pytest.approx(1)


def test_correlations_are_those_of_ranks() -> None:
    found = by_name(ranking({"a": 80.0, "b": 90.0, "c": 20.0, "d": 30.0}))["quick score"]
    assert found.spearman == pytest.approx(1 - 6 * 4 / (4 * 15))  # all four are off by one
    assert found.targets[0].kendall == pytest.approx(1 / 3)  # 4 of 6 pairs
    assert found.regret == pytest.approx(0.2)


def test_number_that_is_the_same_for_all_says_nothing() -> None:
    found = by_name(ranking({"a": 90.0, "b": 80.0, "c": 70.0}))["variety"]
    assert found.spearman is None
    assert found.chance is None
    assert found.targets[0].kendall is None


def test_ranking_with_probes_counts_scratch_too() -> None:
    found = by_name(ranking({"a": 1.0, "scratch": None, "b": 80.0, "c": 70.0, "d": 60.0}, probed=True))
    probes = found["ranking with probes"]
    assert probes.targets[0].num_sources == 5
    assert probes.spearman == pytest.approx(1 - 6 * (9 + 3) / (5 * 24))
    assert found["quick score"].targets[0].num_sources == 4


def test_mean_over_targets_and_its_chance() -> None:
    finals = (FINAL, order("faces", a=3.0, b=2.0, c=1.0))
    good = {"a": 90.0, "b": 80.0, "c": 70.0, "d": 60.0}
    found = by_name(ranking(good), ranking(good), finals=finals)["quick score"]
    assert [item.spearman for item in found.targets] == pytest.approx([1, -1])
    assert found.spearman == pytest.approx(0)
    assert found.regret == pytest.approx(1)  # 0 and 200 %
    assert found.chance is not None
    assert 0.4 < found.chance < 0.7


def test_sources_without_a_result_and_small_targets_are_left_out() -> None:
    unfinished = order("faces", a=3.0, b=2.0, c=None, d=None)
    scores = ranking({"a": 90.0, "b": 80.0, "c": 70.0, "d": 60.0})
    found = by_name(scores, scores, finals=(FINAL, unfinished))
    assert [item.target for item in found["quick score"].targets] == ["beans"]
    assert compare([unfinished], {"faces": scores}) == []


def test_table_is_markdown_for_docs(tmp_path: Path) -> None:
    finals = (FINAL, order("faces", a=3.0, b=2.0, c=1.0))
    good = {"a": 90.0, "b": 80.0, "c": 70.0, "d": 60.0}
    rankings = {"beans": ranking(good), "faces": ranking(good)}
    lines = agreement_table(compare(finals, rankings)).splitlines()
    assert lines[0] == (
        "| order by | beans | faces | mean | random orders as good | first place | mean regret |"
    )
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | --- | ---: |"
    assert lines[2].startswith("| quick score | 1.00 | -1.00 | 0.00 | ")
    assert lines[2].endswith(" % | a, a | 100 % |")
    assert {line.count("|") for line in lines} == {8}

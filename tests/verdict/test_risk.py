"""What risks mean in words, and at which settings they are asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from harmony_core.detector.results import StateRow
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.verdict.risk import (
    Risk,
    missing_risk_sentence,
    reach_sentence,
    risk_sentence,
    rows_at_risk,
    sample_sentence,
    theta_text,
    with_thetas,
    worst_risk,
)


def risk(name: str, fraction: float | None, **values: Any) -> Risk:
    return Risk(kind="label", name=name, fraction=fraction, **values)


def row(kind: Literal["label", "state"], name: str) -> StateRow:
    return StateRow(kind=kind, name=name, cells=30, outcome="kept")


def test_labels_decide_where_there_are_any() -> None:
    states = [row("state", "a"), row("label", "b"), row("state", "c")]
    assert [r.name for r in rows_at_risk(states)] == ["b"]
    assert [r.name for r in rows_at_risk(states[::2])] == ["a", "c"]


def test_a_runs_own_theta_comes_first_and_once() -> None:
    params = RunParams(harmony=HarmonyParams(batch=("a", "b"), theta=(2.0, 2.0), sigma=0.3))
    runs = with_thetas(params)
    assert [theta_text(run) for run in runs] == ["2", "0.5", "1", "4", "8"]
    assert {run.harmony.sigma for run in runs} == {0.3}
    uneven = RunParams(harmony=HarmonyParams(batch=("a", "b"), theta=(2.0, 1.0)))
    assert [theta_text(run) for run in with_thetas(uneven, (1,))] == ["2, 1", "1"]


def test_the_worst_is_said_in_words() -> None:
    risks = [
        risk("B", 0.05, batch="ctrl"),
        risk("CD8 T", 0.402, batch="stim", other="CD4 T"),
        risk("DC", None, why="fewer than 25 cells"),
    ]
    worst = worst_risk(risks)
    assert worst == risks[1]
    assert risk_sentence(risks[1]) == (
        "If “CD8 T” of “stim” were missing from the other batches, 40 % of its neighbours would "
        "become other cells at this setting, most of them “CD4 T”."
    )
    assert "0 % of its neighbours would become other cells at this setting." in risk_sentence(
        risk("B", 0.004, other="T")
    )
    assert worst_risk([risks[2]]) is None
    assert Risk.from_dict(asdict(risks[1]) | {"seconds": 1.0}) == risks[1]


def test_how_far_one_may_go_ends_at_the_first_theta_that_costs_a_state_too_much() -> None:
    fine, lost = [risk("B", 0.1)], [risk("B", 0.02), risk("T", 0.31)]
    assert reach_sentence({2.0: fine, 1.0: fine, 4.0: lost, 8.0: fine}) == (
        "Up to theta 2 no state would lose more than 10 % of its neighbours this way; at theta 4 "
        "“T” would lose 31 %."
    )
    assert "Up to theta 8 no state" in reach_sentence({8.0: fine, 4.0: fine})
    assert "Even at theta 4, the lowest tried, “T” would lose 31 %" in reach_sentence({4.0: lost})
    assert reach_sentence({1.0: [risk("B", None)]}) == ""


def test_what_can_not_be_told_is_named_with_the_reason() -> None:
    risks = [risk(name, None, why="too few cells") for name in "abcd"]
    risks += [risk("e", None, why="it is alone"), risk("f", 0.5)]
    assert missing_risk_sentence(risks) == (
        "Their risk can't be told: “a”, “b”, “c” and 1 more (too few cells); “e” (it is alone)."
    )
    assert missing_risk_sentence([risk("f", 0.5)]) == ""


def test_a_sample_is_said() -> None:
    assert sample_sentence(20_000) == ""
    assert "20,000 of the 50,000 cells" in sample_sentence(50_000)

"""Which of several methods is said to suit the data, and when the difference is none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from harmony_core.detector.results import StateRow
from harmony_core.params import HarmonyParams
from harmony_core.thresholds import METHODS_LOSS, METHODS_MIXING
from harmony_core.verdict.grid import Candidate, Loss
from harmony_core.verdict.verdict import KINDS, Kind, Mixing
from harmony_core.verdict.which_method import (
    Contender,
    difference,
    mixing_difference,
    standing,
    which_method,
)
from harmony_core.verdict.which_method_wording import method_sentences

SETTINGS = HarmonyParams(batch=("donor",))


def contender(
    method: str,
    kind: Kind = "good",
    *,
    worst: float | None = 0.6,
    lost: dict[str, float] | None = None,
    errors: dict[str, float] | None = None,
    theta: float = 2,
    nothing: bool = False,
    **more: Any,
) -> Contender:
    """A run in which the labels NK and B lost some of their neighbours; above .06 to “T”."""
    amounts = {"NK": 0.0, "B": 0.0} | (lost or {})
    merged = sorted((n for n in amounts if amounts[n] > 0.06), key=lambda n: -amounts[n])
    losses = tuple(Loss(name=n, other="T", amount=amounts[n]) for n in merged)
    rows = [
        StateRow(
            name=name,
            kind="label",
            cells=90,
            amount=amount,
            outcome="merged" if name in merged else "kept",
        )
        for name, amount in amounts.items()
    ]
    return Contender(
        name=f"{method}, run {theta:g}",
        method=method,
        candidate=Candidate(
            settings=HarmonyParams(batch=("donor",), theta=theta),
            kind=kind,
            mixing=Mixing(worst=worst, mean=worst and worst + 0.05, batch="d1"),
            losses=losses,
            nothing_to_correct=nothing,
        ),
        states=tuple(rows),
        errors=errors or {},
        basis=more.pop("basis", "labels"),
        **more,
    )


def over(method: str, lost: float, **more: Any) -> Contender:
    return contender(method, "over", lost={"NK": lost}, **more)


def test_who_keeps_a_state_that_the_other_merged_does_better() -> None:
    harmony, bbknn = over("Harmony", 0.23), contender("BBKNN", lost={"NK": 0.01})
    found = which_method([harmony, bbknn])
    assert (found.answer, found.best) == ("other", bbknn)
    said = method_sentences(found)
    assert said[0] == "BBKNN does better here than Harmony."
    assert said[1] == (
        "Harmony, run 2: over-corrected, mixing 65 %, least in “d1” (60 %); 23 % of the neighbours "
        "of “NK” become “T”."
    )
    assert said[2] == (
        "BBKNN, run 2 does better: it keeps “NK” (1 % of its neighbours changed, 23 % with "
        "Harmony), where Harmony merged it with “T”."
    )
    one_setting = "Only one setting of Harmony was tried"
    assert said[3].startswith(one_setting)
    twice = which_method([harmony, over("Harmony", 0.3, theta=8), bbknn])
    assert not any(text.startswith(one_setting) for text in method_sentences(twice))
    back = which_method([contender("Harmony"), over("BBKNN", 0.23)])
    assert (back.answer, back.best) == ("best", back.first)
    assert method_sentences(back)[0] == "Harmony is the right tool here."
    assert "BBKNN, run 2 does worse: it merged “NK” with “T”" in method_sentences(back)[2]


def test_a_suspicion_is_said_as_one() -> None:
    suspect = contender("Harmony", "suspect", lost={"NK": 0.2}, basis="states")
    said = method_sentences(which_method([suspect, contender("MNN", basis="states")]))
    assert "Harmony may have merged it" in said[2]
    assert said[-1].startswith("This is likely, not sure")


@pytest.mark.parametrize(
    ("lost", "errors", "outcome"),
    [
        (0.061 + METHODS_LOSS, {}, "better"),
        (METHODS_LOSS + 0.011, {"NK": 0.05}, "same"),  # 1.64 of two standard errors is more
        (0.065, {}, "better"),
    ],
)
def test_a_loss_within_noise_is_no_difference(
    lost: float, errors: dict[str, float], outcome: str
) -> None:
    found = difference(contender("MNN", errors=errors), over("Harmony", lost, errors=errors))
    assert found.outcome == outcome
    assert found.keeps == (("NK",) if outcome == "better" else ())


def test_mixing_by_construction_is_no_advantage() -> None:
    graph = contender("BBKNN", worst=1.0, mixes_by_construction=True)
    found = which_method([contender("Harmony"), graph, contender("MNN", worst=0.8)])
    assert found.best is not None
    assert found.best.method == "MNN"
    said = method_sentences(found)
    assert (
        "BBKNN, run 2 does the same within noise: it mixes by construction, so its mixing was not "
        "compared." in said
    )
    apart = contender("Harmony", "under", worst=0.1)
    unknown = which_method([apart, graph])
    assert unknown.answer == "unjudged"
    assert difference(graph, over("Harmony", 0.23)).outcome == "better"
    assert method_sentences(which_method([graph]))[1] == (
        "BBKNN, run 2: looks right, mixing complete by construction; no state pays."
    )


def test_a_limit_between_two_equal_runs_makes_no_difference() -> None:
    just_below = contender("MNN", lost={"NK": 0.055})
    found = difference(just_below, over("Harmony", 0.072))
    assert (found.outcome, found.is_close) == ("same", True)
    said = method_sentences(which_method([over("Harmony", 0.072), just_below]))
    assert said[0].startswith("It makes no difference here: Harmony and MNN do the same within")
    assert "its verdict is “Looks right”, as a limit lies just between the two" in said[2]


def test_mixing_counts_from_its_margin_on() -> None:
    harmony = contender("Harmony", worst=0.6)
    assert difference(contender("MNN", worst=0.6 + METHODS_MIXING), harmony).outcome == "same"
    better = difference(contender("MNN", worst=0.72), harmony)
    assert (better.outcome, better.mixing) == ("better", pytest.approx(0.12))
    under = difference(contender("MNN", "under", worst=0.1), harmony)
    assert (under.outcome, under.mixing) == ("worse", pytest.approx(-0.5))


def test_more_mixing_never_makes_up_for_a_state() -> None:
    greedy = over("Harmony", 0.3, worst=0.99)
    gentle = contender("MNN", "under", worst=0.1)
    assert difference(gentle, greedy).outcome == "better"
    assert difference(greedy, gentle).outcome == "worse"


def test_of_methods_that_keep_different_states_none_is_better() -> None:
    one = over("Harmony", 0.3)
    other = contender("MNN", "over", lost={"B": 0.4})
    found = which_method([one, other])
    assert found.answer == "traded"
    assert found.others[0][1].keeps == ("NK",)
    assert found.others[0][1].loses == ("B",)
    said = method_sentences(found)
    assert "Harmony and MNN keep different states" in said[0]
    assert said[2].startswith("MNN, run 2 keeps other states: it keeps “NK”")


def test_a_method_is_taken_at_its_best() -> None:
    runs = [over("Harmony", 0.4, theta=8), contender("Harmony", theta=1), over("MNN", 0.5)]
    found = which_method(runs)
    assert found.first == runs[1]
    assert found.answer == "best"
    assert [one.method for one in found.shown] == ["Harmony", "MNN"]


def test_without_harmony_the_best_method_is_compared_with_the_others() -> None:
    found = which_method([over("MNN", 0.3), contender("BBKNN")])
    assert found.first is not None
    assert (found.answer, found.first.method) == ("best", "BBKNN")


def test_what_cannot_be_compared_is_said() -> None:
    assert which_method([]).answer == "unjudged"
    assert method_sentences(which_method([])) == ("No run could be compared.",)
    alone = which_method([contender("Harmony")])
    assert alone.answer == "alone"
    assert "No other method was run" in method_sentences(alone)[0]
    nothing = which_method([contender("Harmony", "null", nothing=True), over("MNN", 0.4)])
    assert nothing.answer == "nothing"
    assert "use the uncorrected data" in method_sentences(nothing)[0]
    unjudged = which_method([contender("Harmony", "unjudged"), contender("MNN", "unjudged")])
    assert unjudged.answer == "unjudged"
    assert method_sentences(unjudged)[0].startswith("Whether Harmony is the right tool can't be")


def test_times_are_told_where_nothing_else_differs() -> None:
    runs = [contender("Harmony", seconds=2.04), contender("MNN", seconds=130.0)]
    assert "Seconds that the correction took: Harmony 2, MNN 130." in method_sentences(
        which_method(runs)
    )


@pytest.mark.parametrize("seed", range(30))
def test_comparing_is_the_same_from_both_sides_and_never_against_the_verdict(seed: int) -> None:
    """On runs at random: no run with a state to pay for beats one that is right beyond noise."""
    random = np.random.default_rng(seed)
    runs = [_at_random(random, f"m{i}") for i in range(4)]
    opposite = {"better": "worse", "worse": "better"}
    for one, other in permutations(runs, 2):
        found = difference(one, other)
        back = difference(other, one)
        assert back.outcome == opposite.get(found.outcome, found.outcome)
        assert (back.keeps, back.loses) == (found.loses, found.keeps)
        assert mixing_difference(one, other) == -mixing_difference(other, one)
        if one.grade == "costly" and other.grade == "right":
            assert found.outcome in ("worse", "same")
    found = which_method(runs)
    assert found.first is not None
    assert standing(found.first) == max(map(standing, runs))
    assert {one.method for one in found.shown} == {one.method for one in runs}
    assert all(text.endswith(".") for text in method_sentences(found))


def _at_random(random: np.random.Generator, method: str) -> Contender:
    kind: Kind = random.choice(np.array(list(KINDS), dtype=object))
    costly = kind in ("over", "suspect")
    lost: Sequence[float] = random.choice([0.0, 0.02, 0.07, 0.12, 0.4], 2) if costly else (0, 0)
    amounts = dict(zip(("NK", "B"), map(float, lost), strict=True))
    worst = float(random.choice([0.1, 0.5, 0.55, 0.9]))
    return contender(method, kind, worst=worst, lost=amounts)

"""Advice goes one way at a time, never in a circle, and follows from how the run went."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harmony_core.params import RANGES, HarmonyParams
from harmony_core.verdict.advice import Advice, RunFacts
from harmony_core.verdict.run_outcome import ending_sentence, run_sentences
from harmony_core.verdict.what_to_try import advice_for, joined

KINDS = ("over", "suspect", "under", "good", "unjudged")
COURSES: dict[str, Callable[[int], float]] = {
    "settles fast": lambda i: 100 + 20 * 0.2**i,
    "settles slowly": lambda i: 100 + 40 * 0.8**i,
    "flat": lambda i: 100 + 0.01 * (i % 2),
    "rises late": lambda i: 100 + (i - 7) ** 2,
    "rises at once": lambda i: 100.0 + 2 * i,
    "up and down": lambda i: 100 + 30 * 0.8**i + 3 * (i % 3),
}
"""Harmony's objective by iteration, which other limits of iterations do not change."""

GRID = {
    "theta": (0.0, 0.5, 1.0, 1.4, 2.0, 2.8, 3.0, 4.0, 5.7, 8.0, 16.0),
    "sigma": (0.02, 0.05, 0.07, 0.1, 0.2),
    "alpha": (0.05, 0.2, 0.45, 0.6, 1.0, 5.0),
    "lamb": (None, 0.01, 100.0),
    "tau": (0.0, 1.0, 1.5, 3.0, 20.0),
    "max_iter": (1, 2, 3, 4, 5, 6, 10, 12, 14, 20, 24, 40, 48, 50),
    "epsilon_harmony": (0.0, 1e-3, 1e-2, 0.1),
}
SIZES = {"even": {"a": 1500, "b": 1500}, "uneven": {"a": 2800, "b": 200}}
BATCHES = {"donor": SIZES["uneven"], "chemistry": SIZES["even"], "donor × chemistry": {"a": 3000}}


def facts_of(settings: HarmonyParams, course: str, n_pcs: int = 50) -> RunFacts:
    """Return what Harmony would have done: it stops at its limit, or after a fall below epsilon."""
    value = COURSES[course]
    objective = [value(0)]
    reason = "limit"
    for i in range(1, settings.max_iter + 1):
        objective.append(value(i))
        fall = (objective[-2] - objective[-1]) / objective[-2]
        reason = "limit" if fall >= 0 else "rose"
        if 0 <= fall < settings.epsilon_harmony:
            reason = "converged"
            break
    return RunFacts(
        settings=settings,
        n_cells=3000,
        n_pcs=n_pcs,
        most_pcs=60,
        batch_sizes={name: BATCHES[name] for name in (*settings.batch, "donor × chemistry")},
        stop_reason=reason,
        iterations=len(objective) - 1,
        objective=tuple(objective),
        moved=0.5,
        genes_per_batch=True,
    )


def settings(**changes: object) -> HarmonyParams:
    return HarmonyParams(**{"batch": ("donor",), **changes})


def followed(now: HarmonyParams, advice: Advice) -> HarmonyParams:
    return HarmonyParams.from_dict({**now.to_dict(), **advice.changes})


def lists_at(now: HarmonyParams, course: str) -> Iterator[tuple[str, tuple[Advice, ...]]]:
    facts = facts_of(now, course)
    for kind in KINDS:
        yield kind, advice_for(kind, facts, "donor")


def some_settings(n: int, seed: int = 0) -> Iterator[HarmonyParams]:
    rng = random.Random(seed)
    for _ in range(n):
        values = {name: rng.choice(options) for name, options in GRID.items()}
        yield settings(**{**values, "theta": (values["theta"],)})


def assert_no_way_back(
    start: HarmonyParams, nexts: Callable[[HarmonyParams], list[HarmonyParams]]
) -> None:
    """Walk every way from a setting; fail where one comes back to a setting on it."""
    on_way, done = set(), set()

    def walk(now: HarmonyParams) -> None:
        assert now not in on_way, f"a circle leads back to {now}"
        if now in done:
            return
        on_way.add(now)
        for following in nexts(now):
            walk(following)
        on_way.remove(now)
        done.add(now)

    walk(start)


@pytest.mark.parametrize("course", COURSES)
def test_first_pieces_never_lead_back_whatever_the_verdicts(course: str) -> None:
    def nexts(now: HarmonyParams) -> list[HarmonyParams]:
        first = [pieces[0] for _, pieces in lists_at(now, course) if pieces]
        return [followed(now, a) for a in first if a.changes and a.group == "harmony"]

    for start in some_settings(150):
        assert_no_way_back(start, nexts)


def test_no_piece_at_all_leads_back() -> None:
    def nexts(now: HarmonyParams) -> list[HarmonyParams]:
        every = [a for _, pieces in lists_at(now, "settles slowly") for a in pieces]
        return [followed(now, a) for a in every if a.changes and a.group == "harmony"]

    for max_iter, theta in itertools.product((3, 10, 20), (1.0, 2.0, 8.0)):
        assert_no_way_back(settings(max_iter=max_iter, theta=(theta,)), nexts)


def test_two_variables_and_their_combination_never_lead_back() -> None:
    names = ("donor", "chemistry", "donor × chemistry")

    def nexts(now: HarmonyParams) -> list[HarmonyParams]:
        facts = facts_of(now, "settles fast")
        lists = [advice_for(k, facts, n) for n in names for k in ("over", "under", "good")]
        first = [pieces[0] for pieces in lists if pieces]
        return [followed(now, a) for a in first if a.changes and a.group == "harmony"]

    for thetas in itertools.product((1.0, 2.0, 2.8, 4.0, 8.0), repeat=2):
        both = {"batch": ("donor", "chemistry"), "theta": thetas}
        assert_no_way_back(settings(**both), nexts)


def test_theta_is_of_the_batch_variables_that_it_moves() -> None:
    def of_theta(kind: str, variable: str, **changes: object) -> tuple[str, list[float]]:
        pieces = advice_for(kind, facts_of(settings(**changes), "settles fast"), variable)
        piece = next(piece for piece in pieces if "theta" in piece.changes)
        return piece.sentence.split(":")[0], piece.changes["theta"]

    two = {"batch": ("donor", "chemistry"), "theta": (2.0, 2.0)}
    assert of_theta("under", "donor") == ("Raise theta to 4", [4])
    assert of_theta("under", "chemistry", **two) == ("Raise theta of “chemistry” to 4", [2, 4])
    assert of_theta("over", "donor", **two) == ("Lower theta of “donor” to 1", [1, 2])
    both = ("Lower theta of “donor” and “chemistry” to 1", [1, 1])
    assert of_theta("over", "donor × chemistry", **two) == both
    low = {**two, "theta": (2.0, 0.5)}
    one = ("Lower theta of “donor” to 1", [1, 0.5])
    assert of_theta("over", "donor × chemistry", **low) == one


@pytest.mark.parametrize("course", COURSES)
def test_what_a_piece_changes_is_not_undone_by_the_first_piece_of_the_other_verdict(
    course: str,
) -> None:
    for now in some_settings(300, seed=1):
        lists = dict(lists_at(now, course))
        for kind, other in (("over", "under"), ("under", "over")):
            for advice in lists[kind]:
                if not advice.changes or advice.group != "harmony":
                    continue
                after = followed(now, advice)
                back = dict(lists_at(after, course))[other]
                assert not back or followed(after, back[0]) != now


@pytest.mark.parametrize("course", COURSES)
def test_pieces_of_a_list_move_a_setting_one_way_only_and_within_its_range(course: str) -> None:
    for now in some_settings(300, seed=2):
        for _, pieces in lists_at(now, course):
            ups: dict[str, set[bool]] = {}
            for name, value in ((n, v) for a in pieces for n, v in a.changes.items()):
                if name == "lamb":
                    assert (now.lamb is not None, value) == (True, None)
                elif name != "n_pcs":
                    new, old = (
                        (value[0], now.theta[0])
                        if name == "theta"
                        else (
                            value,
                            getattr(now, name),
                        )
                    )
                    assert new != old
                    assert RANGES[name].low <= new <= RANGES[name].high
                    ups.setdefault(name, set()).add(new > old)
            assert all(len(directions) == 1 for directions in ups.values())


def test_a_run_stopped_by_epsilon_is_told_of_epsilon_and_not_of_more_iterations() -> None:
    facts = facts_of(settings(epsilon_harmony=0.1), "settles fast")
    assert (facts.stop_reason, facts.iterations) == ("converged", 2)
    first, *others = advice_for("under", facts, "donor")
    assert first.changes == {"epsilon_harmony": 1e-3}
    assert "after 2 of 10 iterations" in first.sentence
    assert not any("max_iter" in advice.changes for advice in others)
    assert any("2 of 10 iterations because" in s for s in run_sentences(facts, is_apart=True))
    assert run_sentences(facts) == []


def test_a_flat_run_is_settled() -> None:
    stopped = facts_of(settings(), "flat")
    assert not any("epsilon_harmony" in a.changes for a in advice_for("under", stopped, "donor"))
    assert "levelled off" in " ".join(run_sentences(stopped, is_apart=True))
    for max_iter in (9, 10):  # it ends with a tiny rise, and with a tiny fall
        full = facts_of(settings(epsilon_harmony=0.0, max_iter=max_iter), "flat")
        assert full.stop_reason == ("rose" if max_iter % 2 else "limit")
        assert run_sentences(full, is_apart=True) == []
        assert advice_for("good", full, "donor") == ()
        assert not any("max_iter" in a.changes for a in advice_for("under", full, "donor"))


def test_a_limit_is_raised_only_where_the_objective_still_fell() -> None:
    falling = facts_of(settings(max_iter=6, epsilon_harmony=0.0), "settles slowly")
    assert advice_for("under", falling, "donor")[0].changes == {"max_iter": 12}
    assert advice_for("good", falling, "donor")[0].changes == {"max_iter": 12}
    level = facts_of(settings(max_iter=10, epsilon_harmony=0.0), "settles fast")
    assert advice_for("good", level, "donor") == ()


def test_a_rise_counts_from_a_thousandth_on() -> None:
    for rise, said in ((0.0009, False), (0.0011, True)):
        objective = (2.0, 1.0, 1.0, 1.0 + rise)
        facts = dataclasses.replace(
            facts_of(settings(max_iter=3), "flat"),
            stop_reason="rose",
            iterations=3,
            objective=objective,
        )
        assert ("made the fit worse" in " ".join(run_sentences(facts))) is said
        assert [a.changes for a in advice_for("good", facts, "donor")] == (
            [{"max_iter": 1}] if said else []
        )


def test_no_allowed_iteration_is_where_under_correction_starts() -> None:
    none = dataclasses.replace(facts_of(settings(max_iter=0), "flat"), stop_reason="limit")
    assert [a.changes for a in advice_for("under", none, "donor")] == [{"max_iter": 10}]
    assert advice_for("over", none, "donor") == ()
    assert advice_for("under", none, "donor", nothing_to_correct=True) == ()


@pytest.mark.parametrize(("done", "offered"), [(2, False), (3, False), (4, True), (10, True)])
def test_fewer_iterations_only_where_more_were_made(done: int, offered: bool) -> None:
    facts = dataclasses.replace(facts_of(settings(), "flat"), iterations=done)
    first = advice_for("over", facts, "donor")[0]
    assert (first.changes == {"max_iter": 3}) is offered


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"lamb": 100.0}, {"lamb": None}),
        ({"lamb": 100.0, "theta": (8.0,)}, {"lamb": None}),
        ({"alpha": 5.0, "theta": (8.0,)}, {"alpha": 0.2}),
        # 3,000 cells make 100 soft clusters: a batch of 200 has 2 of each, tau 20 leaves it 1 %.
        ({"tau": 20.0}, {"tau": 0.0}),
        ({"tau": 3.0}, {"tau": 1.5}),
        # Automatic takes 0.2 x 2 for that batch: less than that holds nothing back.
        ({"lamb": 0.3}, {"theta": [4.0]}),
        ({"tau": 1.0}, {"theta": [4.0]}),
    ],
)
def test_what_holds_a_run_back_is_named_first(
    changes: dict[str, object], first: dict[str, object]
) -> None:
    found = advice_for("under", facts_of(settings(**changes), "flat"), "donor")
    assert found[0].changes == first
    assert not any("lamb" in a.changes or "alpha" in a.changes for a in found[1:])


@pytest.mark.parametrize(
    ("used", "most", "wanted"), [(20, 60, 40), (20, 25, 25), (20, 20, None), (20, None, None)]
)
def test_more_components_only_where_there_are_more(
    used: int, most: int | None, wanted: int | None
) -> None:
    facts = dataclasses.replace(facts_of(settings(), "settles fast", n_pcs=used), most_pcs=most)
    found = [a.changes["n_pcs"] for a in advice_for("over", facts, "donor") if "n_pcs" in a.changes]
    assert found == ([] if wanted is None else [wanted])


def test_where_nothing_is_left_it_is_said() -> None:
    soft = facts_of(settings(theta=(1.0,), sigma=0.05, alpha=1.0, tau=1.0, max_iter=3), "flat")
    assert ["No gentler setting" in a.sentence for a in advice_for("over", soft, "donor")] == [True]
    hard = facts_of(settings(theta=(8.0,)), "flat")
    told = advice_for("under", hard, "donor")
    assert ["No stronger setting" in a.sentence for a in told] == [True]


def test_advice_for_several_variables_goes_the_way_of_the_worst() -> None:
    both = settings(batch=("donor", "chemistry"), theta=(2.0, 2.0), sigma=0.08, max_iter=5)
    facts = facts_of(both, "settles slowly")
    over = advice_for("over", facts, "donor")
    under = advice_for("under", facts, "chemistry")
    out = advice_for("null", facts, "chemistry", nothing_to_correct=True)
    assert joined([("over", over), ("under", under)]) == over
    assert joined([("over", over), ("null", out)]) == (*over, *out)
    assert joined([("over", over), ("over", over)]) == over
    none = (Advice(sentence="Work with the uncorrected embedding.", changes={"max_iter": 0}),)
    assert joined([("suspect", over), ("suspect", none)]) == over
    assert joined([("suspect", none), ("over", over)]) == none
    assert joined([("null", out), ("null", none)]) == (*out, *none)


@pytest.mark.parametrize(
    ("objective", "reason", "said"),
    [
        ((9.0, 8.0, 7.99), "converged", "after 2 iterations of at most 3: the last one lowered"),
        ((9.0, 8.0, 7.9999), "converged", "It has levelled off"),
        ((9.0, 8.0, 7.0, 6.0), "limit", "still fell by 14 %"),
        ((9.0, 8.0, 7.0, 6.999), "limit", "levelled off, so more would change little"),
        ((9.0, 8.0, 7.0, 7.001), "rose", "levelled off, so more would change little"),
        ((9.0, 8.0, 7.0, 7.7), "rose", "all of the 3 iterations that it was allowed; in the last"),
        ((9.0,), "none", "No iteration was allowed"),
    ],
)
def test_how_a_run_ended_is_said_without_advice(
    objective: tuple[float, ...], reason: str, said: str
) -> None:
    sentence = ending_sentence(objective, reason, max_iter=3, epsilon=0.01)
    assert said in sentence
    assert "llow more" not in sentence
    assert "because" not in sentence


@pytest.mark.parametrize("course", COURSES)
def test_theta_at_a_value_of_advice_is_never_moved_back_to_where_it_was_or_past_it(
    course: str,
) -> None:
    thetas = (0.5, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 16.0)  # most are values that advice leads to
    for theta, max_iter, epsilon in itertools.product(thetas, (3, 6, 10), (0.0, 1e-2)):
        now = settings(theta=(theta,), max_iter=max_iter, epsilon_harmony=epsilon)
        for _, pieces in lists_at(now, course):
            for moved in (a.changes["theta"][0] for a in pieces if "theta" in a.changes):
                after = dataclasses.replace(now, theta=(moved,))
                for _, next_pieces in lists_at(after, course):
                    for back in (
                        a.changes["theta"][0] for a in next_pieces if "theta" in a.changes
                    ):
                        assert (moved > theta) == (back > theta), (theta, moved, back)


STRENGTHS = {
    "theta": (1, [0.0, 0.3, *np.arange(0.5, 20, 0.1).round(1)]),
    "sigma": (1, np.arange(0.01, 0.3, 0.005).round(3)),
    "alpha": (-1, np.arange(0.05, 5.01, 0.05).round(2)),
    "tau": (-1, np.arange(0.5, 30, 0.25)),
    "max_iter": (1, range(1, 51)),
}
"""Values of each setting, on and off those that advice leads to; 1 where more is stronger."""


@pytest.mark.parametrize("name", STRENGTHS)
def test_no_chain_of_advice_goes_past_a_value_that_a_verdict_spoke_against(name: str) -> None:
    sign, values = STRENGTHS[name]

    def walk(value: float, weakest: float, strongest: float) -> None:
        now = settings(**{"epsilon_harmony": 0.0, name: (value,) if name == "theta" else value})
        lists = dict(lists_at(now, "settles slowly"))
        for kind, low, high in (
            ("over", weakest, min(strongest, sign * value)),
            ("under", max(weakest, sign * value), strongest),
        ):
            for change in (a.changes[name] for a in lists[kind] if name in a.changes):
                then = change[0] if isinstance(change, list) else change
                assert low < sign * then < high, (value, kind, then)
                walk(then, low, high)

    for value in values:
        walk(type(GRID[name][0])(value), -math.inf, math.inf)


@pytest.mark.parametrize("theta", GRID["theta"])
def test_a_run_stopped_against_over_correction_is_not_allowed_more_right_away(
    theta: float,
) -> None:
    start = settings(theta=(theta,), epsilon_harmony=0.0)
    early = dict(lists_at(start, "settles slowly"))["over"][0]
    assert early.changes == {"max_iter": 3}
    for _, pieces in lists_at(followed(start, early), "settles slowly"):
        assert not any("max_iter" in a.changes for a in pieces)

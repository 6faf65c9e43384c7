"""Figures and intervals of judged runs of real cells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.other_judges import JUDGES
from benchmarks.real_report import auc, is_right, rate, report_text, summarise
from benchmarks.real_verdicts import is_named, states


def run(truth: str | None, kind: str, **values: Any) -> dict[str, Any]:
    scores = {"ilisi": 1.5, "scib_total": 0.7, "ldf_diff": 0.1, "scgraph": None}
    verdict = {"kind": kind, "named": [], "states": []}
    return {
        **{"theta": 1.0, "sigma": 0.1, "truth": truth, "grey": False, "mixing_after": 0.8},
        **{"apart": [], "batches": 2, "verdicts": {"without": verdict}},
        "judges": {"before": {**scores, "ldf_diff": 0.0}, "after": scores},
        **values,
    }


def design(name: str, *runs: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {"set": name, "design": name, "runs": [*runs], "suggested": {}, **values}


def verdict_of(*designs: dict[str, Any]) -> dict[str, Any]:
    return summarise(designs, JUDGES)["verdict"]["without"]


def test_only_clear_runs_count_and_each_error_in_its_place():
    found = verdict_of(
        design("a", run("over", "suspect"), run("over", "good"), run("good", "over")),
        design("b", run("under", "under"), run("null", "good"), run("good", "unjudged")),
        design("c", run("over", "good", grey=True), run(None, "good")),
        design("d", run("over", "under", mixing_after=0.2), run("good", "under")),
    )
    counts = {name: (rate["hits"], rate["of"]) for name, rate in found.items()}
    assert counts["right"] == (3, 8)
    assert counts["over_found"] == (1, 3)
    assert counts["over_false"] == (1, 5)
    assert counts["under_found"] == (1, 1)
    assert counts["under_false"] == (1, 6)  # what is both is no false alarm
    assert counts["abstained"] == (1, 8)


@pytest.mark.parametrize(
    ("truth", "right"),
    [
        ("over", {"over", "suspect"}),
        ("under", {"under"}),
        ("null", {"null", "good"}),
        ("good", {"good"}),
    ],
)
def test_right_answers(truth, right):
    kinds = ("over", "suspect", "under", "unjudged", "null", "good")
    assert {kind for kind in kinds if is_right(truth, kind)} == right


def test_intervals_are_over_data_sets():
    one = [{"set": "a", "hit": True}] * 50
    both = one + [{"set": "b", "hit": False}] * 50
    sure = rate(one, lambda row: row["hit"])
    assert (sure["fraction"], sure["low"], sure["high"]) == (1, None, None)
    spread = rate(both, lambda row: row["hit"])
    assert (spread["hits"], spread["of"], spread["low"], spread["high"]) == (50, 100, 0, 1)
    many = [{"set": str(i), "hit": i % 4 == 0} for i in range(400)]
    narrow = rate(many, lambda row: row["hit"])
    assert narrow["low"] == pytest.approx(0.25 - 1.96 * np.sqrt(0.25 * 0.75 / 400), abs=0.01)
    assert rate([], bool)["fraction"] is None


def test_auc_equals_scikit_learns():
    rng = np.random.default_rng(0)
    over = rng.random(60) < 0.4
    scores = np.round(rng.random(60) + 0.5 * over, 1)
    rows = [
        {"set": str(i % 5), "truth": "over" if is_over else "good"}
        for i, is_over in enumerate(over)
    ]
    found = auc(rows, scores.tolist())
    assert found["value"] == pytest.approx(roc_auc_score(over, scores))
    assert found["low"] < found["value"] < found["high"]
    assert auc(rows[:1], [1.0])["value"] is None


def test_states_are_counted_by_their_true_loss():
    rows = [("merged", 0.3), ("kept", 0.2), ("merged", 0.0), ("unjudged", 0.0), ("merged", 0.07)]
    named = {
        "kind": "over",
        "named": [],
        "states": [{"outcome": outcome, "loss": loss} for outcome, loss in rows],
    }
    found = verdict_of(design("a", run("over", "over", verdicts={"without": named})))
    counts = [found[f"states_{name}"] for name in ("found", "false", "unjudged")]
    assert [(rate["hits"], rate["of"]) for rate in counts] == [(1, 2), (1, 2), (1, 4)]


def test_batches_apart_are_named_singly_but_two_by_either_name():
    def apart(batches: int, named: list[str]) -> dict[str, Any]:
        verdict = {"kind": "under", "named": named, "states": []}
        values = {"apart": ["a", "b"], "batches": batches, "verdicts": {"without": verdict}}
        return run("under", "under", **values)

    found = verdict_of(design("x", apart(2, ["a"]), apart(2, []), apart(3, ["a"])))
    assert (found["apart_named"]["hits"], found["apart_named"]["of"]) == (3, 6)
    assert found["apart_said"]["hits"] == 3


def test_settings_are_chosen_by_each_judge():
    def setting(theta: float, truth: str, ilisi: float, ldf: float) -> dict[str, Any]:
        scores = {"ilisi": ilisi, "scib_total": None, "ldf_diff": ldf, "scgraph": None}
        return run(truth, "good", theta=theta, judges={"before": scores, "after": scores})

    grid = [setting(1.0, "good", 1.2, 0.1), setting(8.0, "over", 1.8, 0.3)]
    figures = summarise(
        [
            design("a", *grid, suggested={"without": [1.0, 0.1]}),
            design("b", *grid, suggested={"without": None}),
        ],
        JUDGES,
    )
    found = figures["settings"]
    assert (found["ilisi"]["over"]["hits"], found["ldf_diff"]["over"]["hits"]) == (2, 0)
    assert found["scib_total"]["none"] == 2
    ours = found["suggest_without"]
    assert (ours["over"]["of"], ours["over"]["hits"], ours["none"]) == (1, 0, 1)
    assert "Our suggestion, no labels" in report_text(figures, JUDGES)


def test_designs_that_failed_are_named():
    figures = summarise(
        [design("a", run("good", "good")), design("b", error="DataError: too few cells")], JUDGES
    )
    assert "Could not be run: b (DataError: too few cells)" in report_text(figures, JUDGES)


@pytest.mark.parametrize(
    ("name", "sentence", "expected"),
    [
        ("s11", "Batch s11 stays apart.", True),
        ("s1", "Batch s11 stays apart.", False),
        ("3", "It reaches 3 % of the mixing.", False),
        ("3", "Batch “3” stays apart.", True),
        ("A", "A batch stays apart.", False),
        ("v1 (old)", "v1 (old) stays apart.", True),
    ],
)
def test_a_batch_is_named_by_its_whole_name(name, sentence, expected):
    assert is_named(name, ["Under-corrected.", sentence]) is expected


def test_states_of_the_product_find_their_cells():
    def row(name: str, kind: str, outcome: str, state: int | None = None) -> SimpleNamespace:
        return SimpleNamespace(name=name, kind=kind, outcome=outcome, state=state, cells=2)

    state_of = np.array([1, 1, -1, 2, 2])
    known = np.array([True, True, True, True, False])
    labels = np.array(["T", "T", "B", "B"])
    asked: list[list[bool]] = []

    def state_loss(cells: np.ndarray) -> float | None:
        asked.append(cells.tolist())
        return None if len(asked) == 3 else 0.2

    assessment = SimpleNamespace(
        states=(
            row("T", "label", "kept"),
            row("s1", "state", "merged", 1),
            row("s2", "state", "kept", 2),
        ),
        per_cell={"states": state_of[None]},
    )
    measured = SimpleNamespace(labels=labels, state_loss=state_loss)
    found = states(assessment, measured, known, labels)
    assert asked == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, False, True],
    ]
    assert [state["outcome"] for state in found] == ["kept", "merged"]

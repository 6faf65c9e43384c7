"""Which run of a grid Suggest names, what it says further steps cost, and when none is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from harmony_core import Study
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.results import RunResults
from harmony_core.simulate.cells import Scenario, simulate, to_anndata
from harmony_core.thresholds import PURITY_LOSS_AMBER
from harmony_core.verdict.grid import Candidate, Loss, grid
from harmony_core.verdict.suggest import suggest
from harmony_core.verdict.verdict import KINDS, Mixing

BASE = HarmonyParams(batch=("donor", "chip"), theta=(3.0, 0.5), tau=5.0)
NK = Loss(name="CD4 naive", other="NK", amount=0.12)


def candidate(
    worst: float | None, kind: str = "good", *, theta: float = 2, sigma: float = 0.1, **more: object
) -> Candidate:
    mixing = Mixing(worst=worst, mean=worst and min(1.0, worst + 0.1), batch="s11")
    settings = replace(BASE, theta=(theta, theta), sigma=sigma)
    return Candidate(**{"settings": settings, "kind": kind, "mixing": mixing, **more})


def test_grid_is_theta_by_sigma_with_all_else_kept() -> None:
    found = grid(BASE)
    assert len(set(found)) == 12
    assert {run.sigma for run in found} == {0.05, 0.1, 0.2}
    assert {run.theta for run in found} == {(t, t) for t in (1.0, 2.0, 4.0, 8.0)}
    assert {run.tau for run in found} == {5.0}


@pytest.mark.parametrize("seed", range(40))
def test_no_run_without_cost_is_better_than_the_one_named(seed: int) -> None:
    """Against all pairs of runs, with few values of mixing so that ties are frequent."""
    random = np.random.default_rng(seed)
    kinds = list(KINDS) if seed % 4 else ["over", "suspect", "unjudged"]
    runs = [
        candidate(
            float(random.choice([0.1, 0.3, 0.6, 0.601, 0.9])),
            str(random.choice(kinds)),
            theta=s.theta[0],
            sigma=s.sigma,
        )
        for s in grid(BASE)
    ]
    found = suggest(runs)

    def percent(run: Candidate) -> list[int]:
        assert run.mixing.worst is not None
        assert run.mixing.mean is not None
        return [round(100 * run.mixing.worst), round(100 * run.mixing.mean)]

    def beats(a: Candidate, b: Candidate) -> bool:
        """Whether a right run beats one that is not, then more mixing less, then less theta."""
        if (a.kind == "under") != (b.kind == "under"):
            return b.kind == "under"
        if percent(a) != percent(b):
            return percent(a) > percent(b)
        return (a.settings.theta, a.settings.sigma) < (b.settings.theta, b.settings.sigma)

    free = [run for run in runs if run.kind in {"good", "null", "under"}]
    expected = [a for a in free if not any(beats(b, a) for b in free if b is not a)]
    assert [found.best] == (expected or [None])
    start = percent(found.best) if found.best else [-1, -1]
    assert set(found.further) == {run for run in runs if percent(run) > start}
    assert [percent(run) for run in found.further] == sorted(percent(r) for r in found.further)
    if not free:
        costly = any(run.kind in {"over", "suspect"} for run in runs)
        assert found.answer == ("costly" if costly else "unjudged")
    else:
        assert found.answer == ("apart" if expected[0].kind == "under" else "right")


def test_each_step_further_says_what_it_costs_and_whom() -> None:
    best, far = candidate(0.62), candidate(0.71, "over", theta=4, losses=(NK, Loss(name="B")))
    worse = candidate(0.5, "over", theta=8, losses=(NK,))
    found = suggest([far, worse, best])
    assert found.answer == "right"
    assert found.further == (far,)
    assert found.sentences == (
        "theta 2, sigma 0.1 mixes the batches most without cost to a state: “s11” is mixed least, "
        "to 62 %; mixing is 72 % on average.",
        "theta 4, sigma 0.1: least mixing 62 % → 71 %, but 12 % of the neighbours of “CD4 naive” "
        "become “NK”, and 1 more pays.",
    )
    assert [(r["theta"], r["state"], r["becomes"], r["neighbors_lost"]) for r in found.rows] == [
        (2.0, "", "", None),
        (4.0, "CD4 naive", "NK", 0.12),
        (4.0, "B", "", None),
    ]
    assert [row["verdict"] for row in found.rows] == [KINDS["good"].heading] + [
        KINDS["over"].heading
    ] * 2


def test_where_more_mixes_only_on_average_the_average_is_said() -> None:
    best = candidate(0.5)
    far = candidate(None, "suspect", theta=8, losses=(NK,))
    far = replace(far, mixing=Mixing(worst=0.5, mean=0.9, batch="s11"))
    assert "mean mixing 60 % → 90 %" in suggest([best, far]).sentences[1]


def test_nothing_that_mixes_more_is_said() -> None:
    assert suggest([candidate(0.9), candidate(0.8)]).sentences[1:] == (
        "No other setting of the grid mixes more.",
    )


def test_the_best_that_leaves_batches_apart_is_not_called_right() -> None:
    runs = [candidate(0.1, "under"), candidate(0.2, "under", theta=8)]
    found = suggest(runs)
    assert (found.answer, found.best) == ("apart", runs[1])
    assert "No setting of the grid is right" in found.sentences[0]
    assert "still leaves batches apart: “s11”" in found.sentences[0]
    assert "theta above 8" in found.sentences[-1]
    found = suggest([*runs, candidate(0.7, "over", theta=4, losses=(NK,))])
    assert found.best is runs[1]
    assert "no setting is right for all" in found.sentences[-1]
    assert "theta above 8" not in " ".join(found.sentences)


def test_where_every_run_costs_a_state_the_least_loss_and_the_direction_are_said() -> None:
    runs = [
        candidate(0.9, "over", theta=4, losses=(replace(NK, amount=0.3),)),
        candidate(0.4, "suspect", theta=1, losses=(NK,)),
        candidate(None, "unjudged", theta=1, sigma=0.05),
    ]
    found = suggest(runs)
    assert (found.answer, found.best) == ("costly", None)
    assert "theta 1, sigma 0.1: 12 % of the neighbours of “CD4 naive”" in found.sentences[0]
    assert "gentler" in found.sentences[1]
    assert {row["theta"] for row in found.rows} == {4.0, 1.0}


def test_nothing_to_correct_and_nothing_to_judge_are_said() -> None:
    over = candidate(0.9, "over", losses=(NK,), nothing_to_correct=True)
    found = suggest([over, candidate(0.9, "null", nothing_to_correct=True)])
    assert (found.answer, found.best, found.rows) == ("nothing", None, [])
    assert "use the uncorrected data" in found.sentences[0]
    assert suggest([candidate(None, "unjudged")]).answer == "unjudged"
    assert suggest([]).answer == "unjudged"


def test_what_is_finer_than_the_labels_is_said_and_does_not_decide() -> None:
    found = suggest([candidate(0.9, losses=(NK,)), candidate(0.8)])
    assert found.best is not None
    assert found.best.losses == (NK,)
    assert found.sentences[1].startswith("Finer than your labels, which do not show it: 12 %")


def test_a_type_that_more_mixing_costs_is_lost_by_an_independent_search(tmp_path: Path) -> None:
    """T1 is in one batch only and resembles T2, which both batches have."""
    scenario = Scenario(
        name="lost", n_cells=400, n_genes=300, n_types=5, presence="exclusive_sibling"
    )
    drawn = simulate(scenario, seed=1)
    study = Study.read(to_anndata(drawn), batch="batch", label="true_type", home=tmp_path)
    study = study.prepare(min_genes=5, n_top_genes=150, n_pcs=10)
    found = study.suggest()
    assert found.answer == "right"
    assert found.best is not None
    assert found.best.settings == HarmonyParams(batch=("batch",), theta=(1.0,), sigma=0.05)
    assert "of the neighbours of “T1” become “T2”" in found.sentences[1]

    def foreign(settings: HarmonyParams | None) -> float:
        """Part of the 30 nearest cells of T1, by exhaustive search, that are no T1."""
        harmony = settings or found.best.settings
        params = RunParams(harmony=harmony, prepare=study.prepared, label="true_type")
        results = RunResults(study.dataset, params)
        embedding = results.embedding("before" if settings is None else "after")
        types = results.obs["true_type"].to_numpy().astype(str)
        search = NearestNeighbors(n_neighbors=31, algorithm="brute").fit(embedding)
        near = search.kneighbors(embedding[types == "T1"], return_distance=False)[:, 1:]
        return float((types[near] != "T1").mean())

    before = foreign(None)
    assert foreign(found.best.settings) - before < PURITY_LOSS_AMBER
    for far in found.further:
        (loss,) = [loss for loss in far.losses if loss.name == "T1"]
        assert far.costs_a_state
        assert foreign(far.settings) - before > PURITY_LOSS_AMBER
        assert loss.amount == pytest.approx(foreign(far.settings) - before, abs=0.02)

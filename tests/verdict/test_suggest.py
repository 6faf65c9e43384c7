"""Which run Suggest offers."""

from __future__ import annotations

from harmony_core.params import HarmonyParams
from harmony_core.thresholds import MCM_LOW, PURITY_LOSS_RED, SUGGEST_SCORE_MAX
from harmony_core.verdict.suggest import Candidate, best_candidate, grid

BASE = HarmonyParams(batch=("donor", "chip"), theta=(3.0, 0.5), tau=5.0)


def candidate(mcm: float | None, **changes: object) -> Candidate:
    values = {"settings": BASE, "mcm": mcm, "score": 0.4, **changes}
    return Candidate(**values)


def test_grid_is_theta_by_sigma_with_all_else_kept() -> None:
    found = grid(BASE)
    assert len(set(found)) == 12
    assert {run.sigma for run in found} == {0.05, 0.1, 0.2}
    assert {run.theta for run in found} == {(t, t) for t in (1.0, 2.0, 4.0, 8.0)}
    assert {run.tau for run in found} == {5.0}


def test_best_mixed_of_the_allowed_is_offered() -> None:
    good = candidate(0.8)
    others = [
        candidate(0.7),
        candidate(0.99, score=1.2),
        candidate(0.98, score=SUGGEST_SCORE_MAX + 0.01),
        candidate(0.97, purity_loss=PURITY_LOSS_RED + 0.01),
        candidate(0.96, score=None),
        candidate(None),
    ]
    assert best_candidate([*others, good]) is good


def test_none_is_offered_where_all_are_suspect() -> None:
    assert best_candidate([candidate(0.9, score=1.0), candidate(0.8, score=2.0)]) is None
    assert best_candidate([]) is None


def test_a_run_that_leaves_the_batches_apart_is_not_offered() -> None:
    assert best_candidate([candidate(MCM_LOW - 0.01), candidate(0.0)]) is None


def test_limits_themselves_are_allowed() -> None:
    edge = candidate(MCM_LOW, score=SUGGEST_SCORE_MAX, purity_loss=PURITY_LOSS_RED)
    assert best_candidate([edge]) is edge

"""What *Suggest* says, and its table.

Names of batches, labels and states are put in raw; whoever draws them escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from harmony_core.counting import counted
from harmony_core.params import HarmonyParams
from harmony_core.verdict.grid import SIGMAS, THETAS, Candidate, Loss
from harmony_core.verdict.verdict import KINDS
from harmony_core.verdict.wording import percent

Answer = Literal["right", "apart", "costly", "unjudged", "nothing"]
"""Whether a setting is right; the best leaves batches apart; each costs a state; none can be
judged; there is nothing to correct."""

_STEPS = 3
"""Steps further that are written as sentences; the table has all."""


def setting_words(settings: HarmonyParams) -> str:
    """Return theta and sigma of a run of the grid.

    Examples
    --------
    >>> setting_words(HarmonyParams(batch=("donor",)))
    'theta 2, sigma 0.1'
    """
    return f"theta {max(settings.theta):g}, sigma {settings.sigma:g}"


def suggestion_sentences(
    answer: Answer, best: Candidate | None, further: Sequence[Candidate]
) -> tuple[str, ...]:
    """Say which setting to use, or why none is right and where to look; then what more costs."""
    if answer == "nothing":
        return ("There is nothing to correct: use the uncorrected data.",)
    if answer == "unjudged":
        return (
            "None of these settings can be judged: too few cells have a counterpart in another "
            "batch. Give a column of cell types, or make labels from marker genes.",
        )
    if best is None:
        return _all_costly(further)
    words = setting_words(best.settings)
    steps = [_step(candidate, best) for candidate in further[:_STEPS]]
    if answer == "right":
        return (
            f"{words} mixes the batches most without cost to a state: {_mixing(best)}.",
            *_finer(best),
            *(steps or ["No other setting of the grid mixes more."]),
        )
    return (
        f"No setting of the grid is right. {words} is the most that no state pays for, and it "
        f"still leaves batches apart: {_mixing(best)}.",
        *_finer(best),
        *steps,
        _towards_more(any(candidate.costs_a_state for candidate in further)),
    )


def _all_costly(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    costly = [c for c in candidates if c.costs_a_state]
    least = min(costly, key=lambda c: sum(loss.amount or 0.0 for loss in c.losses))
    return (
        f"No setting of the grid is right: each that can be judged costs a state. Least is lost at "
        f"{setting_words(least.settings)}: {cost_words(least)}.",
        f"Look for gentler correction: theta below {THETAS[0]:g}, sigma below {SIGMAS[0]:g}, or "
        "fewer iterations. If that leaves the batches apart, they differ by cell type, and no "
        "setting is right for all.",
    )


def _towards_more(more_is_costly: bool) -> str:
    if more_is_costly:
        return (
            "Settings that mix more cost a state: the batches may differ by cell type, and then "
            "no setting is right for all."
        )
    return (
        f"Look for stronger correction: theta above {THETAS[-1]:g} or more iterations; check too "
        "that variable genes were chosen per batch."
    )


def _mixing(candidate: Candidate) -> str:
    worst, mean = candidate.mixing.worst, candidate.mixing.mean
    what = f"“{candidate.mixing.batch}” is" if candidate.mixing.batch else "matching states are"
    parts = [] if worst is None else [f"{what} mixed least, to {percent(worst)}"]
    parts += [] if mean is None else [f"mixing is {percent(mean)} on average"]
    return "; ".join(parts) or "how far they mix can't be measured"


def _finer(candidate: Candidate) -> list[str]:
    if not candidate.losses:
        return []
    return [f"Finer than your labels, which do not show it: {cost_words(candidate)}."]


def _step(candidate: Candidate, best: Candidate) -> str:
    old, new = best.least_mixing, candidate.least_mixing
    what = "least mixing"
    if round(100 * old) == round(100 * new):
        what, old, new = "mean mixing", best.mixing.mean or 0.0, candidate.mixing.mean or 0.0
    return (
        f"{setting_words(candidate.settings)}: {what} {percent(old)} → {percent(new)}, but "
        f"{cost_words(candidate)}."
    )


def cost_words(candidate: Candidate) -> str:
    """Say what a run costs, the greatest loss first."""
    if not candidate.losses:
        return {
            "under": "batches stay apart",
            "unjudged": "what it costs can't be judged",
        }.get(candidate.kind, "no state pays")
    more = len(candidate.losses) - 1
    tail = f", and {counted(more, 'more pays', 'more pay')}" if more else ""
    return _loss(candidate.losses[0]) + tail


def _loss(loss: Loss) -> str:
    other = f"“{loss.other}”" if loss.other else "other cells"
    if loss.amount is None:
        return f"“{loss.name}” may merge with {other}"
    return f"{percent(loss.amount)} of the neighbours of “{loss.name}” become {other}"


def cost_rows(runs: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return what each run costs and whom.

    Returns
    -------
    One row a run and state that pays (one for a run at no cost). Mixing and the part
    of the neighbours lost are fractions; None where unknown.
    """
    return [
        {
            "theta": max(run.settings.theta),
            "sigma": run.settings.sigma,
            "verdict": KINDS[run.kind].heading,
            "least_mixing": run.mixing.worst,
            "least_mixed_batch": run.mixing.batch,
            "mean_mixing": run.mixing.mean,
            "state": loss.name,
            "becomes": loss.other,
            "neighbors_lost": loss.amount,
        }
        for run in runs
        for loss in run.losses or (Loss(name=""),)
    ]

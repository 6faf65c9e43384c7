"""What a run's course tells: nothing moved, not settled, or the objective has risen."""

from __future__ import annotations

from harmony_core import thresholds
from harmony_core.verdict.advice import Advice, RunFacts, more_iterations


def run_sentences(facts: RunFacts) -> list[str]:
    """Explain what is unusual about how the run went; empty if nothing is."""
    found = []
    if did_nothing(facts):
        found.append(_nothing_sentence(facts))
    elif unchanged_clusters(facts):
        found.append(
            "Harmony moved cells, but nearly all of them kept their neighbours, so clusters are "
            "the same before and after."
            + (
                ""
                if facts.genes_per_batch
                else " This is usual where variable genes were not chosen within each batch."
            )
        )
    if facts.stop_reason == "limit" and facts.iterations > 0:
        found.append(
            f"Harmony stopped after {facts.iterations} iterations without settling"
            f"{_last_change(facts)}."
        )
    if facts.stop_reason == "rose":
        found.append(
            "Harmony's objective rose instead of falling, so later iterations made the fit worse; "
            f"it was lowest after {_best_iteration(facts)} of {facts.iterations}."
        )
    return found


def run_advice(facts: RunFacts) -> list[Advice]:
    """Return what to try because of how the run went."""
    if facts.stop_reason == "rose":
        best = max(_best_iteration(facts), 1)
        return [
            Advice(
                sentence=f"Stop after {best} iterations, where the objective was lowest.",
                changes={"max_iter": best},
            )
        ]
    if facts.stop_reason == "limit" and facts.iterations > 0:
        return [more_iterations(facts)]
    return []


def did_nothing(facts: RunFacts) -> bool:
    """Whether the corrected embedding is the uncorrected one."""
    return facts.moved < thresholds.MOVED_MIN


def unchanged_clusters(facts: RunFacts) -> bool:
    """Whether cells moved but kept their neighbours."""
    kept = facts.neighbors_kept
    return kept is not None and kept > thresholds.NEIGHBORS_KEPT_MAX


def _nothing_sentence(facts: RunFacts) -> str:
    if facts.settings.max_iter == 0:
        return "No iteration was allowed, so the embedding is the uncorrected one."
    if max(facts.settings.theta) == 0:
        return "Theta is 0, so Harmony had no reason to mix batches and moved nothing."
    if facts.settings.lamb is not None:
        return (
            "Harmony moved nothing: the ridge penalty lambda "
            f"({facts.settings.lamb:g}) held every cell in place. Leave it on automatic."
        )
    return (
        "Harmony moved nothing: the corrected embedding is the uncorrected one. Check that the "
        "batch variable is the right one, and raise theta."
    )


def _best_iteration(facts: RunFacts) -> int:
    return min(range(len(facts.objective)), key=lambda at: facts.objective[at])


def _last_change(facts: RunFacts) -> str:
    if len(facts.objective) < 2 or facts.objective[-2] == 0:
        return ""
    change = abs(facts.objective[-1] - facts.objective[-2]) / abs(facts.objective[-2])
    return f"; its objective still changed by {100 * change:.1f} % in the last one"

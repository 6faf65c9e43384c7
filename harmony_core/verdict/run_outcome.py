"""What a run's course tells: nothing moved, stopped early, not settled, or the objective rose.

harmonypy 2.1 ends a run when an iteration lowers its objective by less than epsilon, relative to
its value before, and at the limit of iterations. A rise ends nothing. What changed by at most
`thresholds.FLAT_OBJECTIVE` has levelled off, whichever way the last digits went.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmony_core import thresholds
from harmony_core.counting import counted
from harmony_core.verdict import steps
from harmony_core.verdict.advice import Advice, RunFacts, last_fall


def run_sentences(facts: RunFacts, *, is_apart: bool = False) -> list[str]:
    """Explain what is unusual about how the run went; empty if nothing is.

    Parameters
    ----------
    is_apart
        Whether batches stayed apart, so that it matters that Harmony stopped by itself.
    """
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
    if is_apart and facts.stop_reason == "converged":
        found += _early_stop(facts)
    if is_unsettled(facts):
        found.append(
            f"Harmony stopped after {counted(facts.iterations, 'iteration')}, the most allowed, "
            "without settling; its objective still fell by "
            f"{as_percent(facts.last_fall)} in the last one."
        )
    if has_risen(facts):
        found.append(
            "Harmony's objective rose instead of falling, so later iterations made the fit worse; "
            f"it was lowest after {facts.best_iteration} of {facts.iterations} and ended "
            f"{as_percent(facts.rise)} above that."
        )
    return found


def ending_sentence(
    objective: Sequence[float], stop_reason: str, *, max_iter: int, epsilon: float
) -> str:
    """Return in plain words how Harmony ended and what that means, without advice.

    Whether more iterations are worth it depends on the verdict too: see `what_to_try`.

    Parameters
    ----------
    objective
        At the start and after each iteration.
    stop_reason
        As `harmony_core.methods.harmony.Correction` has it.
    max_iter
        The limit of iterations.
    epsilon
        Fall of the objective, relative, below which Harmony stops.
    """
    done, fall = len(objective) - 1, last_fall(objective)
    if done < 1:
        return "No iteration was allowed, so nothing was corrected."
    rounds = counted(done, "iteration")
    is_flat = abs(fall) <= thresholds.FLAT_OBJECTIVE
    if stop_reason == "converged":
        text = (
            f"Harmony stopped after {rounds} of at most {max_iter}: the last one lowered the "
            f"objective by {as_percent(fall)}, less than epsilon ({as_percent(epsilon)})."
        )
        return f"{text} It has levelled off." if is_flat else text
    text = (
        f"Harmony made all of the {rounds} that it was allowed"
        if done > 1
        else ("Harmony made the only iteration that it was allowed")
    )
    if is_flat:
        return f"{text}; the objective has levelled off, so more would change little."
    moved = "fell" if fall > 0 else "rose"
    return f"{text}; in the last one, the objective {'still ' if fall > 0 else ''}{moved} by " + (
        f"{as_percent(abs(fall))}."
    )


def run_advice(facts: RunFacts) -> list[Advice]:
    """Return what to try because of how the run went, where nothing speaks against its result."""
    best = max(facts.best_iteration, 1)
    # Not from the second half on: allowed twice as many, that run would lead back here.
    if has_risen(facts) and best < facts.settings.max_iter / thresholds.MORE_ITERATIONS:
        return [
            Advice(
                sentence=f"Stop after {counted(best, 'iteration')}, where the objective was "
                "lowest; the result may change little.",
                changes={"max_iter": best},
            )
        ]
    # A run that was stopped on purpose, and came out well, need not go on.
    on_purpose = facts.settings.max_iter == thresholds.GENTLE_ITERATIONS
    longer = None if on_purpose else more_iterations(facts)
    return [] if longer is None else [longer]


def more_iterations(facts: RunFacts) -> Advice | None:
    """Return the advice to let Harmony run longer; None if that would change little."""
    limit = steps.more_iterations(facts.settings.max_iter)
    if limit is None or not is_unsettled(facts) or facts.best_iteration < facts.iterations:
        return None
    return Advice(
        sentence=f"Allow {limit} iterations: the objective still fell by "
        f"{as_percent(facts.last_fall)} when this run reached its limit of "
        f"{facts.settings.max_iter}.",
        changes={"max_iter": limit},
    )


def is_unsettled(facts: RunFacts) -> bool:
    """Whether the limit of iterations ended a run whose objective still fell."""
    at_limit = facts.stop_reason == "limit" and facts.iterations > 0
    return at_limit and facts.last_fall > thresholds.FLAT_OBJECTIVE


def has_risen(facts: RunFacts) -> bool:
    """Whether the objective ended higher than it had been, by more than its last digits."""
    return facts.stop_reason == "rose" and facts.rise > thresholds.FLAT_OBJECTIVE


def did_nothing(facts: RunFacts) -> bool:
    """Whether the corrected embedding is the uncorrected one."""
    return facts.moved < thresholds.MOVED_MIN


def unchanged_clusters(facts: RunFacts) -> bool:
    """Whether cells moved but kept their neighbours."""
    kept = facts.neighbors_kept
    return kept is not None and kept > thresholds.NEIGHBORS_KEPT_MAX


def as_percent(fraction: float) -> str:
    """Return a fraction in percent with two digits that count."""
    percent = 100 * fraction
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _early_stop(facts: RunFacts) -> list[str]:
    now = facts.settings
    if facts.iterations >= now.max_iter:
        return []
    text = (
        f"Harmony stopped after {facts.iterations} of {now.max_iter} iterations because its "
        f"objective fell by {as_percent(facts.last_fall)}, less than epsilon "
        f"({as_percent(now.epsilon_harmony)})"
    )
    if facts.last_fall > thresholds.FLAT_OBJECTIVE:
        return [f"{text}, while batches were still apart."]
    return [f"{text}. It has levelled off: more iterations at these settings would change little."]


def _nothing_sentence(facts: RunFacts) -> str:
    if facts.settings.max_iter == 0:
        return "No iteration was allowed, so the embedding is the uncorrected one."
    if facts.settings.largest_theta == 0:
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

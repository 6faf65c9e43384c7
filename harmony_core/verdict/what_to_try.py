"""What to try next after a run, by its kind of verdict: one direction at a time, never in a circle.

What a piece of advice does to these data is not known before it was tried on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harmony_core.verdict.advice import Advice, RunFacts
from harmony_core.verdict.gentler import gentler
from harmony_core.verdict.run_outcome import run_advice
from harmony_core.verdict.stronger import stronger

Direction = Literal["gentler", "stronger", "neither"]

_DIRECTIONS: dict[str, Direction] = {"over": "gentler", "suspect": "gentler", "under": "stronger"}


def advice_for(
    kind: str, facts: RunFacts, batch_variable: str, *, nothing_to_correct: bool = False
) -> tuple[Advice, ...]:
    """Return what to try after a run, in the order measured to help.

    Following the first piece of each list, whatever the verdicts, never comes back to settings
    tried before, and no two pieces of a list move a setting in opposite directions.

    Parameters
    ----------
    kind
        Of the run's verdict.
    facts
        Settings of the run and how it went.
    batch_variable
        That the verdict is about.
    nothing_to_correct
        Whether its batches were mixed before any correction, which outranks the kind.
    """
    if nothing_to_correct:
        return tuple(leave_uncorrected(facts, batch_variable))
    direction = direction_of(kind)
    if direction == "gentler":
        return tuple(gentler(facts, batch_variable))
    if direction == "stronger":
        return tuple(stronger(facts, batch_variable))
    return tuple(run_advice(facts))


def direction_of(kind: str) -> Direction:
    """Return where the advice after a verdict of a kind leads."""
    return _DIRECTIONS.get(kind, "neither")


def leave_uncorrected(facts: RunFacts, batch_variable: str) -> list[Advice]:
    """Return the advice not to correct for a variable; none where nothing was corrected."""
    settings = facts.settings
    if settings.max_iter == 0:
        return []
    others = [name for name in settings.batch if name != batch_variable]
    if not others or batch_variable not in settings.batch:
        return [Advice(sentence="Work with the uncorrected embedding.", changes={"max_iter": 0})]
    theta = [t for n, t in zip(settings.batch, settings.theta, strict=True) if n in others]
    return [
        Advice(
            sentence=f"Leave “{batch_variable}” out of the correction.",
            changes={"batch": others, "theta": theta},
        )
    ]


def joined(lists: Sequence[tuple[str, Sequence[Advice]]]) -> tuple[Advice, ...]:
    """Join the advice for several batch variables into a list that does not contradict itself.

    Parameters
    ----------
    lists
        Kind of verdict and advice of each variable, the worst first. It decides the direction: of
        a variable that asks for another, only the advice to leave it out is taken.

    Returns
    -------
    Each piece once. What names no change comes last.
    """
    (worst, first), *others = lists
    direction, found = direction_of(worst), list(first)
    for kind, pieces in others:
        same = direction_of(kind) == direction
        found += [
            piece
            for piece in pieces
            if piece not in found
            and (same or "batch" in piece.changes)
            and not _is_settled_otherwise(piece, found)
        ]
    clickable = [piece for piece in found if piece.changes]
    return (*clickable, *(piece for piece in found if not piece.changes))


def _is_settled_otherwise(piece: Advice, found: Sequence[Advice]) -> bool:
    """Whether a piece speaks against some: one direction gives no setting two values.

    Each batch variable's theta is its own, and all are moved the same way. Not to correct at all
    goes with nothing but leaving variables out.
    """
    together = [piece, *found]
    if any(one.changes.get("max_iter") == 0 for one in together):
        return not all(
            one.changes.get("max_iter") == 0 or "batch" in one.changes for one in together
        )
    return any(
        name != "theta" and other.changes.get(name, value) != value
        for name, value in piece.changes.items()
        for other in found
    )

"""Suggest: of a small grid the setting that mixes most at no state's cost, and what more costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harmony_core.verdict.grid import Candidate, mixing_rank
from harmony_core.verdict.suggest_wording import Answer, cost_rows, suggestion_sentences


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What is said of a grid.

    Parameters
    ----------
    answer
        What kind of answer it is.
    best
        The setting that mixes most at no state's cost; ``None`` where there is none.
    further
        Settings that mix more than ``best`` (or all, without one), the least mixed first.
    notes
        What is to be known of the data and of what was judged, a sentence each.
    """

    answer: Answer
    best: Candidate | None = None
    further: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Which setting to use, or why none is right and where to look; then what more costs."""
        return suggestion_sentences(self.answer, self.best, self.further)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table of ``best`` and ``further``; see `suggest_wording.cost_rows`."""
        return cost_rows([self.best, *self.further] if self.best else self.further)


def suggest(candidates: Sequence[Candidate]) -> Suggestion:
    """Say which of some runs to use, and what the runs that mix more would cost.

    Parameters
    ----------
    candidates
        Runs of the same data; settings other than theta and sigma are equal.

    Returns
    -------
    The run that mixes most among those whose verdict is right, or else among the under-corrected.
    Mixing is compared to the percent, at the least mixed batch and then on average; of equals the
    gentlest (least theta, then sigma) is taken.
    """
    if any(candidate.nothing_to_correct for candidate in candidates):
        return Suggestion(answer="nothing")
    by_mixing = sorted(candidates, key=lambda c: (mixing_rank(c.mixing), c.gentleness))
    free = [c for c in by_mixing if c.is_right or c.kind == "under"]
    if not free:
        costly = any(c.costs_a_state for c in candidates)
        return Suggestion(answer="costly" if costly else "unjudged", further=tuple(by_mixing))
    best = max(free, key=lambda c: (c.is_right, mixing_rank(c.mixing), c.gentleness))
    rank = mixing_rank(best.mixing)
    return Suggestion(
        answer="right" if best.is_right else "apart",
        best=best,
        further=tuple(c for c in by_mixing if mixing_rank(c.mixing) > rank),
    )

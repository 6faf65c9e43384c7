"""Advice on a run beside what it did to these data: a run of its own, where the store has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.verdict.advice import Advice
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.tried import is_worse, outcome, with_changes
from harmony_core.verdict.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class AdviceOutcome:
    """A piece of advice and what it did to the data.

    Attributes
    ----------
    advice
        The piece.
    number
        Its place among the verdict's pieces.
    params
        The run with its changes; ``None`` where it changes no setting.
    verdict
        Of that run; ``None`` where it was not tried.
    sentence
        What it did, or that it was not tried; empty where there is nothing to try.
    is_worse
        Whether it led to a worse verdict.
    """

    advice: Advice
    number: int
    params: RunParams | None = None
    verdict: Verdict | None = None
    sentence: str = ""
    is_worse: bool = False


def advice_outcomes(results: RunResults, *, most: int | None = None) -> tuple[AdviceOutcome, ...]:
    """Return a run's advice with what the store knows of it; what made it worse comes last.

    Parameters
    ----------
    results
        The run that the advice is about; without an assessment there is none.
    most
        Pieces to return, by default all.
    """
    now = results.assessment
    if now is None:
        return ()
    pieces = enumerate(now.verdict.advice[:most])
    outcomes = [_outcome(results, now, number, advice) for number, advice in pieces]
    return tuple(sorted(outcomes, key=lambda one: one.is_worse))


def untried(outcomes: Sequence[AdviceOutcome]) -> list[RunParams]:
    """Return the runs, each to be assessed, that say what the untried pieces do."""
    return [one.params for one in outcomes if one.params is not None and one.verdict is None]


def _outcome(results: RunResults, now: Assessment, number: int, advice: Advice) -> AdviceOutcome:
    if not advice.changes:
        return AdviceOutcome(advice=advice, number=number)
    params = with_changes(results.params, advice)
    tried = RunResults(results.dataset, params).assessment
    verdict = None if tried is None else tried.verdict
    return AdviceOutcome(
        advice=advice,
        number=number,
        params=params,
        verdict=verdict,
        sentence=outcome(now, tried),
        is_worse=verdict is not None and is_worse(now.verdict, verdict),
    )

"""Advice with its outcome: from the run that the store has, or said not to be tried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harmony_core.runs.results import RunResults
from harmony_core.runs.tried_advice import advice_outcomes, untried
from harmony_core.verdict.advice import Advice
from harmony_core.verdict.tried import with_changes
from harmony_core.verdict.verdict import KINDS, Kind, Verdict

WORSE = Advice(sentence="Worse.", changes={"theta": [4.0]})
NEVER = Advice(sentence="Never tried.", changes={"sigma": 0.33})
CHECK = Advice(sentence="Look at the genes.")
BETTER = Advice(sentence="Better.", changes={"theta": [1.0]})


def _verdict(kind: Kind, *advice: Advice) -> Verdict:
    return Verdict(severity=KINDS[kind].severity, kind=kind, sentences=(), advice=advice)


def test_what_made_it_worse_comes_last_and_what_was_not_tried_says_so(
    finished: RunResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished.assessment
    assert run is not None
    known = {
        finished.params: replace(run, verdict=_verdict("under", WORSE, NEVER, CHECK, BETTER)),
        with_changes(finished.params, WORSE): replace(run, verdict=_verdict("over")),
        with_changes(finished.params, BETTER): replace(run, verdict=_verdict("good")),
    }
    monkeypatch.setattr(RunResults, "assessment", property(lambda self: known.get(self.params)))
    outcomes = advice_outcomes(finished)
    assert [(one.number, one.advice) for one in outcomes] == [
        *((1, NEVER), (2, CHECK), (3, BETTER), (0, WORSE)),
    ]
    never, check, better, worse = outcomes
    assert (never.sentence, check.sentence) == ("Not tried on your data yet.", "")
    assert better.sentence.startswith("Tried on your data: looks right")
    assert worse.sentence.endswith("worse than now, so better not.")
    assert untried(outcomes) == [with_changes(finished.params, NEVER)]
    assert [one.advice for one in advice_outcomes(finished, most=1)] == [WORSE]

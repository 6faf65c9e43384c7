"""What is said of advice that was tried."""

from __future__ import annotations

import pytest

from harmony_core.detector.results import Detection, LabelMixing
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.verdict.advice import Advice
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.evidence import Evidence
from harmony_core.verdict.tried import is_worse, outcome, with_changes
from harmony_core.verdict.verdict import KINDS, Kind, Verdict

DETECTION = Detection(
    conflict=None, gap=None, gap_basis="genes", condition=False, flagged=False, score=0.0,
    mcm=None, clusters=(), resolution=1.0, matched=(), notes=(),
)  # fmt: skip
"""Of data whose states have no counterpart; without labels their mixing is not known."""


def _assessment(kind: Kind, mixing: LabelMixing) -> Assessment:
    row = Evidence(
        kind="label", name="NK", batch_variable="b", batch="", merged_with="T",
        share=None, score=2.0, genes=(), cells=50,
    )  # fmt: skip
    verdict = Verdict(severity=KINDS[kind].severity, kind=kind, sentences=(), evidence=(row,))
    return Assessment(
        before={}, after={}, verdict=verdict, detections={"b": DETECTION}, labels=(),
        shared={"b": mixing}, states=(), notes=(), per_cell={},
    )  # fmt: skip


def test_the_outcome_names_verdict_mixing_and_who_pays() -> None:
    under = _assessment("under", LabelMixing(after=0.41, worst_after=0.1))
    good = outcome(under, _assessment("good", LabelMixing(after=0.63, worst_after=0.5)))
    assert good == "Tried on your data: looks right, mixing 41 % → 63 %, least mixed 10 % → 50 %."
    over = outcome(under, _assessment("over", LabelMixing()))
    assert over == "Tried on your data: over-corrected, worst: NK, worse than now, so better not."


@pytest.mark.parametrize(
    ("now", "tried", "worse"),
    [
        ("under", "over", True),
        ("good", "under", True),
        ("over", "over", False),
        ("suspect", "good", False),
        ("good", "null", False),
    ],
)
def test_worse_follows_the_order_of_verdicts(now: Kind, tried: Kind, worse: bool) -> None:
    found = is_worse(
        _assessment(now, LabelMixing()).verdict, _assessment(tried, LabelMixing()).verdict
    )
    assert found is worse


def test_changes_go_into_their_group_and_leave_a_batch_variable_out() -> None:
    params = RunParams(harmony=HarmonyParams(batch=("a", "b"), theta=(1.0, 3.0)))
    out = Advice(sentence="", changes={"batch": ["a"], "theta": [1.0]})
    assert with_changes(params, out).harmony == HarmonyParams(batch=("a",), theta=(1.0,))
    more = Advice(sentence="", changes={"n_pcs": 40}, group="prepare")
    assert with_changes(params, more).prepare.n_pcs == 40
    assert with_changes(params, more).harmony == params.harmony

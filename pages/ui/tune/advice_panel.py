"""What to try: each piece of advice, what it did to these data, and a button that follows it."""

from __future__ import annotations

import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.advice import Advice
from harmony_core.verdict.assessment import Assessment
from harmony_core.verdict.tried import is_worse, outcome, with_changes
from harmony_core.verdict.verdict import Verdict
from pages.ui import state
from pages.ui.run_group import Group
from pages.ui.text import plain
from pages.ui.tune import controls

_MOST = 3


def draw(verdict: Verdict, dataset: Dataset, results: RunResults) -> None:
    """Draw the first pieces of advice; what made the verdict worse comes last.

    Parameters
    ----------
    verdict, results
        Of the run that the advice is about.
    """
    pieces = list(enumerate(verdict.advice[:_MOST]))
    if not pieces:
        return
    st.subheader("What to try")
    assessments = {i: _tried(dataset, results.params, advice) for i, advice in pieces}

    def failed(piece: tuple[int, Advice]) -> bool:
        tried = assessments[piece[0]]
        return tried is not None and is_worse(verdict, tried.verdict)

    for i, advice in sorted(pieces, key=failed):
        text, button = st.columns([3, 1], vertical_alignment="center")
        text.caption(plain(advice.sentence, longest=500))
        if not _has_sliders(advice):
            continue
        text.caption(plain(_outcome(results, assessments[i]), longest=500))
        button.button(
            "Try it",
            key=f"advice-{i}",
            on_click=_follow,
            args=(dataset, with_changes(results.params, advice)),
            width="stretch",
        )
    _try_all(dataset, [with_changes(results.params, a) for _, a in pieces if _has_sliders(a)])


def _has_sliders(advice: Advice) -> bool:
    return bool(advice.changes) and advice.changes.get("max_iter") != 0  # sliders begin at one


def _tried(dataset: Dataset, params: RunParams, advice: Advice) -> Assessment | None:
    if not _has_sliders(advice):
        return None
    return RunResults(dataset, with_changes(params, advice)).assessment


def _outcome(results: RunResults, tried: Assessment | None) -> str:
    if tried is None or results.assessment is None:
        return "Not tried on your data yet."
    return outcome(results.assessment, tried)


def _try_all(dataset: Dataset, runs: list[RunParams]) -> None:
    """Draw the button that tries all pieces in the background, or how far that is."""
    group = Group("advice", dataset, "assess")
    if not group.watch(what="pieces of advice") and len(group.done(runs)) < len(runs):
        st.button(
            "Try all on my data",
            key="try-advice",
            on_click=group.begin,
            args=(runs,),
            help="Runs each in the background and says what it did; “Try it” is then immediate.",
        )


def _follow(dataset: Dataset, params: RunParams) -> None:
    """Take the settings in hand; what the Data page has widgets for begins anew there."""
    for name in ("n_pcs", "batch"):
        st.session_state.pop(f"{dataset.fingerprint}:{name}", None)
    state.choose_settings(dataset, params)
    controls.set_sliders(dataset, params)

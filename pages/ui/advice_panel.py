"""What to try: each piece of advice, what it did to these data, and a button that follows it."""

from __future__ import annotations

import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.runs.tried_advice import AdviceOutcome, advice_outcomes, untried
from harmony_core.store import Dataset
from pages.ui import part, state
from pages.ui.run_group import Group
from pages.ui.text import plain
from pages.ui.tune import controls

_MOST = 3


def draw(results: RunResults, *, can_follow: bool = True) -> bool:
    """Draw the first pieces of advice on a run; return whether there is any.

    Parameters
    ----------
    results
        Of the run that the advice is about.
    can_follow
        Whether each has a button that takes its settings in hand, as on the page of the sliders.
    """
    outcomes = advice_outcomes(results, most=_MOST)
    if not outcomes:
        return False
    st.subheader("What to try")
    for one in outcomes:
        text, button = st.columns([3, 1], vertical_alignment="center")
        text.caption(plain(one.advice.sentence, longest=500))
        if one.sentence:
            text.caption(plain(one.sentence, longest=500))
        if can_follow and _has_sliders(one):
            button.button(
                "Try it",
                key=f"advice-{one.number}",
                on_click=_follow,
                args=(results.dataset, one.params),
                width="stretch",
            )
    _try_all(results.dataset, outcomes)
    return True


def _has_sliders(one: AdviceOutcome) -> bool:
    return one.params is not None and one.params.harmony.max_iter > 0  # sliders begin at one


def _try_all(dataset: Dataset, outcomes: tuple[AdviceOutcome, ...]) -> None:
    """Draw the button that tries all pieces in the background, or how far that is."""
    group = Group("advice", dataset, "assess")
    runs = untried(outcomes)
    if not group.watch(what="pieces of advice") and runs:
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
    part.run_page()

"""Harmony 1 and 2 side by side: one click runs both and has the two pictures show them."""

from __future__ import annotations

import streamlit as st

from harmony_core.methods.harmony_releases import RELEASES
from harmony_core.params import RunParams
from harmony_core.runs.release_pair import STAGES, as_one_and_two, what_changed
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.run_group import Group
from pages.ui.text import plain
from pages.ui.tune import run_comparison


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the offer, its progress, and what differs once both are there."""
    group = Group("release-pair", dataset, *STAGES)
    wanted = as_one_and_two(params)
    awaited = state.key("release-pair-awaited", dataset)
    st.subheader("Harmony 1 or 2?")
    if group.watch(what="releases"):
        return
    if len(group.done(wanted)) < len(wanted):
        st.caption(
            "Some find that Harmony 2 mixes less than Harmony 1 on their data. Run these settings "
            "as both, side by side in the pictures."
        )
        st.button("Run both", key="release-pair", on_click=_begin, args=(group, wanted, awaited))
        return
    one, two = (RunResults(dataset, run) for run in wanted)
    names = (one.plan.run, two.plan.run)
    if st.session_state.pop(awaited, None) == names:
        run_comparison.show(dataset, *names)
    st.markdown(plain(what_changed(one, two), longest=800))
    st.caption(plain(RELEASES["1"].sentence(len(params.harmony.batch)), longest=800))
    if run_comparison.shown(dataset) == names:
        st.button(
            "Back to before and after",
            key="release-pair-end",
            on_click=run_comparison.end,
            args=(dataset,),
        )
    else:
        st.button(
            "Show both in the pictures",
            key="release-pair-show",
            on_click=run_comparison.show,
            args=(dataset, *names),
        )


def _begin(group: Group, wanted: tuple[RunParams, RunParams], awaited: str) -> None:
    names = tuple(RunResults(group.dataset, run).plan.run for run in wanted)
    st.session_state[awaited] = names
    group.begin(wanted)

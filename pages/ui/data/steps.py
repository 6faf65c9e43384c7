"""Steps of preparation that the Data page shows: asked for by being looked at, one at a time."""

from __future__ import annotations

import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, StageResult
from pages.ui.run_group import Group
from pages.ui.text import plain

POLL_SECONDS = 0.4


def result(dataset: Dataset, params: RunParams, step: str, *, what: str) -> StageResult | None:
    """Return a step's result; where there is none yet, ask for it and draw how far it is.

    Parameters
    ----------
    step
        Name from `harmony_core.runs.plan`.
    what
        What is being done, for the progress bar.
    """
    key = Plan(dataset, params).keys[step]
    found = dataset.finished(key)
    if found is not None:
        return found
    group = Group(f"data-{step}", dataset, step)
    stopped = f"stopped:{key.folder}"
    if st.session_state.get(stopped):
        st.caption(f"{what}: cancelled.")
        if st.button("Do it after all", key=f"resume-{step}"):
            del st.session_state[stopped]
            st.rerun()
        return None
    # By key, so that a setting which does not concern the step does not ask for it again.
    if [Plan(dataset, run).keys[step] for run in group.runs] != [key]:
        group.begin([params])
    standing = group.standing()
    if standing.failures:
        st.warning(plain(standing.failures[0], longest=500))
        return None
    bar, button = st.columns([5, 1], vertical_alignment="center")
    with bar:
        _poll(group, what)
    button.button(
        "Cancel",
        key=f"cancel-{group.name}",
        on_click=_cancel,
        args=(group, stopped),
        width="stretch",
    )
    return None


@st.fragment(run_every=POLL_SECONDS)
def _poll(group: Group, what: str) -> None:
    if group.standing().is_over:
        st.rerun(scope="app")
    st.progress(0.3, text=f"{what} …")


def _cancel(group: Group, stopped: str) -> None:
    group.cancel()
    st.session_state[stopped] = True

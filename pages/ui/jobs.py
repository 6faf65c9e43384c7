"""Submit, follow, cancel; the fragment that polls while something is under way."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.runner import Progress
from harmony_core.params import RunParams
from harmony_core.runs.plan import RESULTS
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import services, state
from pages.ui.text import plain

POLL_SECONDS = 0.25

_CANCELLED = "cancelled_run"


def request(dataset: Dataset, params: RunParams) -> Progress:
    """Ask for a run unless it was cancelled, and say where it stands.

    Asking again for the same run is free: a finished one is answered from the store.
    """
    runner, results = services.runner(), RunResults(dataset, params)
    run = results.plan.run
    if st.session_state.get(_CANCELLED) == run:
        return Progress("cancelled")
    st.session_state.pop(_CANCELLED, None)
    folder = dataset.run_folder(run)
    if st.session_state.get("requested") != run:
        st.session_state["requested"] = run
        runner.submit_run(state.viewer(), dataset, params)
    elif runner.follow(run, folder).state == "finished" and not results.plan.can_read():
        runner.submit_run(state.viewer(), dataset, params)  # evicted or damaged meanwhile
    return runner.follow(run, folder)


def ending(progress: Progress) -> None:
    """Say that the run failed or was cancelled, if it was, and offer it again."""
    if progress.state == "failed":
        st.error(plain(progress.message, longest=500))
        if st.button("Try again"):
            st.session_state.pop("requested", None)
            st.rerun()
        return
    if progress.state == "cancelled":
        st.info("Cancelled. What had been computed is kept.")
        if st.button("Run it after all"):
            st.session_state.pop(_CANCELLED, None)
            st.session_state.pop("requested", None)
            st.rerun()


def status(dataset: Dataset, params: RunParams, progress: Progress) -> None:
    """Draw how far the run is while it is under way, and keep looking."""
    with st.container(key="run-status"):  # the style sheet lifts it out of the page's flow
        if progress.is_over:
            return
        bar, button = st.columns([3, 1], vertical_alignment="center")
        with bar:
            _poll(dataset, params, ready(dataset, params))
        # Outside the fragment, where a click waits for no page run and is never lost to one.
        run = RunResults(dataset, params).plan.run
        button.button("Cancel", key="cancel-run", on_click=_cancel, args=(run,), width="stretch")


def ready(dataset: Dataset, params: RunParams) -> int:
    """Return how many of the stages that a page shows the store has."""
    keys = RunResults(dataset, params).plan.keys
    return sum(dataset.is_finished(keys[name]) for name in (*RESULTS, "preview_after"))


@st.fragment(run_every=POLL_SECONDS)
def _poll(dataset: Dataset, params: RunParams, drawn: int) -> None:
    run = RunResults(dataset, params).plan.run
    progress = services.runner().follow(run, dataset.run_folder(run))
    if progress.is_over or ready(dataset, params) != drawn:
        st.rerun(scope="app")
    st.progress(progress.share, text=f"{progress.step or 'Waiting for the worker'} …")


def _cancel(run: str) -> None:
    services.runner().drop(state.viewer())
    st.session_state[_CANCELLED] = run
    st.session_state.pop("requested", None)

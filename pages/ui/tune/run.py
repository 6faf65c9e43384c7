"""The run of the settings in hand: asked for, followed, cancelled, begun again."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import Work, run_work
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.line import components as line
from pages.ui.task import Task
from pages.ui.text import plain

_CANCELLED = "cancelled_run"
_REQUESTED = "requested"
_ASKED = "asked-run"


class RunTask(Task):
    """One run, which takes the place of any other that this session waits for."""

    def __init__(self, dataset: Dataset, params: RunParams) -> None:
        super().__init__("run", state.viewer(), run_work(dataset, params))
        self.plan = Plan(dataset, params)

    @property
    def progress(self) -> Progress:
        if st.session_state.get(_CANCELLED) == self.plan.run:
            return Progress("cancelled")
        return super().progress

    def cancel(self) -> None:
        self.withdraw()
        st.session_state[_CANCELLED] = self.plan.run
        st.session_state.pop(_REQUESTED, None)

    def request(self) -> None:
        """Ask for the run unless it was cancelled.

        Asking again for the same run is free: a finished one is answered from the store.
        """
        if st.session_state.get(_CANCELLED) == self.plan.run:
            return
        st.session_state.pop(_CANCELLED, None)
        if st.session_state.get(_REQUESTED) != self.plan.run:
            st.session_state[_REQUESTED] = self.plan.run
            self.submit()
            return
        now = self.progress.state
        was_away = now == "cancelled"  # not by this session: its page was gone for a while
        is_lost = now == "finished" and not self.plan.can_read()  # evicted or damaged meanwhile
        if was_away or is_lost:
            self.submit()


def requested(dataset: Dataset, params: RunParams) -> RunTask:
    """Ask for the run of these settings, and remember the one before it where it was finished."""
    before = st.session_state.get(state.key(_ASKED, dataset))
    if before is not None and Plan(dataset, before).is_finished:
        state.set_last_run(dataset, before)
    st.session_state[state.key(_ASKED, dataset)] = params
    task = RunTask(dataset, params)
    task.request()
    if task.plan.is_finished:
        state.set_last_run(dataset, params)
    return task


def asked(dataset: Dataset) -> list[Work]:
    """Return the run of the settings in hand, for parts of other pages, while it is asked for."""
    params = state.settings(dataset)
    if params is None or st.session_state.get(_REQUESTED) != Plan(dataset, params).run:
        return []
    return [run_work(dataset, params)]


def is_cancelled(results: RunResults) -> bool:
    """Return whether this session has cancelled the run last in hand, and it is this one."""
    return bool(st.session_state.get(_CANCELLED) == results.plan.run)


def status(dataset: Dataset, params: RunParams) -> str:
    """Draw how far the run is while it is under way, and how it ended if not well."""
    task = RunTask(dataset, params)
    progress = task.progress
    _ending(progress)
    with st.container(key="run-status"):  # the style sheet lifts it out of the page's flow
        if not progress.is_over:
            bar, button = st.columns([3, 1], vertical_alignment="center")
            with bar:
                line.bar(task.work, key="run")
            button.button("Cancel", key="cancel-run", on_click=task.cancel, width="stretch")
    return task.plan.run


def _ending(progress: Progress) -> None:
    """Say that the run failed or was cancelled, if it was, and offer it again."""
    if progress.state == "failed":
        st.error(plain(progress.message, longest=500))
        again = st.button("Try again")
    elif progress.state == "cancelled":
        st.info("Cancelled. What had been computed is kept.")
        again = st.button("Run it after all")
    else:
        return
    if again:
        st.session_state.pop(_CANCELLED, None)
        st.session_state.pop(_REQUESTED, None)
        st.rerun()

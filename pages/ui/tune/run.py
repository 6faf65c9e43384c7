"""The run of the settings in hand: asked for, followed, cancelled, begun again."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import run_work
from harmony_core.params import RunParams
from harmony_core.runs.plan import RESULTS, Plan
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.task import Task
from pages.ui.text import plain

_CANCELLED = "cancelled_run"
_REQUESTED = "requested"


class RunTask(Task):
    """One run, which takes the place of any other that this session waits for."""

    bar_width = 3

    def __init__(self, dataset: Dataset, params: RunParams) -> None:
        super().__init__("run", state.viewer(), run_work(dataset, params))
        self.plan = Plan(dataset, params)

    @property
    def n_drawable(self) -> int:
        return sum(self.plan.has(stage) for stage in (*RESULTS, "preview_after"))

    def cancel(self) -> None:
        self.withdraw()
        st.session_state[_CANCELLED] = self.plan.run
        st.session_state.pop(_REQUESTED, None)

    def request(self) -> Progress:
        """Ask for the run unless it was cancelled, and return how far it is.

        Asking again for the same run is free: a finished one is answered from the store.
        """
        if st.session_state.get(_CANCELLED) == self.plan.run:
            return Progress("cancelled")
        st.session_state.pop(_CANCELLED, None)
        if st.session_state.get(_REQUESTED) != self.plan.run:
            st.session_state[_REQUESTED] = self.plan.run
            self.submit()
        elif self.progress.state == "finished" and not self.plan.can_read():
            self.submit()  # evicted or damaged meanwhile
        return self.progress

    def status(self, progress: Progress) -> None:
        """Draw how far the run is while it is under way."""
        with st.container(key="run-status"):  # the style sheet lifts it out of the page's flow
            if not progress.is_over:
                self.follow()


def ending(progress: Progress) -> None:
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

"""Steps of preparation that the Data page shows: asked for by being looked at, one at a time."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.job_folder import Progress
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, StageKey, StageResult
from pages.ui.run_group import Group
from pages.ui.text import plain


class _StepTask(Group):
    """One step of one run."""

    poll_seconds = 0.4

    def __init__(self, dataset: Dataset, step: str, key: StageKey, what: str) -> None:
        super().__init__(f"data-{step}", dataset, step)
        self.what = what
        self.cancelled_key = f"stopped:{key.folder}"

    def cancel(self) -> None:
        super().cancel()
        st.session_state[self.cancelled_key] = True

    def draw(self, progress: Progress) -> None:
        st.progress(0.3, text=f"{self.what} …")


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
    stored = dataset.finished(key)
    if stored is not None:
        return stored
    task = _StepTask(dataset, step, key, what)
    if st.session_state.get(task.cancelled_key):
        st.caption(f"{what}: cancelled.")
        if st.button("Do it after all", key=f"resume-{step}"):
            del st.session_state[task.cancelled_key]
            st.rerun()
        return None
    # By key, so that a setting which does not concern the step does not ask for it again.
    if [Plan(dataset, run).keys[step] for run in task.runs] != [key]:
        task.begin([params])
    if failure := task.progress.message:
        st.warning(plain(failure, longest=500))
    else:
        task.follow()
    return None

"""Steps of preparation that the Data page shows: asked for by being looked at, one at a time."""

from __future__ import annotations

import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, StageKey, StageResult
from pages.ui.run_group import Group


class _StepTask(Group):
    """One step of one run."""

    def __init__(self, dataset: Dataset, step: str, key: StageKey, what: str) -> None:
        super().__init__(f"data-{step}", dataset, step)
        self.waiting = what
        self.cancelled_key = f"stopped:{key.folder}"

    def cancel(self) -> None:
        super().cancel()
        st.session_state[self.cancelled_key] = True

    def resume(self) -> None:
        """Let it be asked for again."""
        st.session_state.pop(self.cancelled_key, None)


def result(dataset: Dataset, params: RunParams, step: str, *, what: str) -> StageResult | None:
    """Return a step's result; where there is none yet, ask for it and draw how far it is.

    To be called in a part, which is drawn again when the step is done.

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
        st.button("Do it after all", key=f"resume-{step}", on_click=task.resume)
        return None
    # By key, so that a setting which does not concern the step does not ask for it again.
    if [Plan(dataset, run).keys[step] for run in task.runs] != [key]:
        task.begin([params])
    return None if task.watch() else dataset.finished(key)

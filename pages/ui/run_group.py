"""Groups of runs computed in the background: begun once, followed, cancelled together."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import Work, run_work
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.line import components as line
from pages.ui.task import Task
from pages.ui.text import plain


class Group(Task):
    """Some stages of several runs of one dataset, wanted by this session.

    Parameters
    ----------
    name
        What it is for; one group of a name is under way at a time.
    dataset
        The dataset of all runs.
    stages
        Names from `harmony_core.runs.plan`.
    """

    def __init__(self, name: str, dataset: Dataset, *stages: str) -> None:
        super().__init__(name, state.key(f"{state.viewer()}:{name}", dataset))
        self.dataset, self.stages, self.what = dataset, stages, ""
        self._key = state.key(f"background:{name}", dataset)
        self._begun = f"{self._key}:begun"
        self._take(st.session_state.get(self._key, []))

    def _take(self, runs: Sequence[RunParams]) -> None:
        self.runs = runs
        self.works = tuple(run_work(self.dataset, params, *self.stages) for params in runs)

    def begin(self, runs: Sequence[RunParams]) -> None:
        """Ask for the runs; may be a widget's callback. An earlier group of the name is dropped."""
        st.session_state[self._key] = runs
        st.session_state[self._begun] = True
        self._take(runs)
        self.submit()

    def cancel(self) -> None:
        """Withdraw from what is not done; what is done stays in the store."""
        self.withdraw()
        st.session_state.pop(self._key, None)

    @property
    def was_begun(self) -> bool:
        """Whether this session has ever asked for it, though it may have cancelled since."""
        return bool(st.session_state.get(self._begun))

    def done(self, runs: Sequence[RunParams]) -> list[RunParams]:
        """Return those of some runs that the store has, whoever computed them."""
        return [params for params in runs if Plan(self.dataset, params).has(*self.stages)]

    def _remaining(self) -> list[tuple[Work, Progress]]:
        """Return the runs that the store does not have, each with how far it is."""
        return [(w, self.runner.progress(w)) for w in self.works if not w.is_finished()]

    def draw(self) -> None:
        """Draw how far its run is or, of several, how many are done and how far the next is."""
        if len(self.works) == 1:
            super().draw()
            return
        remaining = [work for work, _ in self._remaining()]
        line.bar(
            *remaining,
            key=self.name,
            label="waiting for its turn",
            ended=len(self.works) - len(remaining),
            what=self.what,
        )

    def watch(self, *, what: str = "settings") -> bool:
        """Follow the group, or say why runs failed; return whether it is still under way.

        Parameters
        ----------
        what
            Plural of what a run stands for.
        """
        self.what = what
        remaining = self._remaining()
        under_way = [work for work, progress in remaining if not progress.is_over]
        if under_way:
            self.follow(*under_way)
            return True
        failures = {progress.message or "It was cancelled." for _, progress in remaining}
        for sentence in sorted(failures):
            st.warning(plain(sentence, longest=500))
        return False

"""Groups of runs computed in the background: begun once, watched, cancelled together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset
from pages.ui import services, state
from pages.ui.text import plain

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Standing:
    """How far a group is: runs that are done, and why others failed."""

    done: int
    total: int
    step: str
    failures: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        return self.done + len(self.failures) >= self.total


class Group:
    """Some steps of several runs of one dataset, wanted by this session.

    Parameters
    ----------
    name
        What it is for; one group of a name is under way at a time.
    dataset
        The dataset of all runs.
    steps
        Names from `harmony_core.runs.plan`.
    """

    def __init__(self, name: str, dataset: Dataset, *steps: str) -> None:
        self.name = name
        self.dataset = dataset
        self.steps = steps
        self._key = state.key(f"background:{name}", dataset)

    @property
    def _viewer(self) -> str:
        return state.key(f"{state.viewer()}:{self.name}", self.dataset)

    @property
    def runs(self) -> list[RunParams]:
        """The runs begun and not cancelled; empty if there are none."""
        return [RunParams.from_dict(values) for values in st.session_state.get(self._key, [])]

    def begin(self, runs: Sequence[RunParams]) -> None:
        """Ask for the runs; may be a widget's callback. An earlier group of the name is dropped."""
        runner = services.runner()
        runner.drop(self._viewer)
        st.session_state[self._key] = [params.to_dict() for params in runs]
        for params in runs:
            runner.submit_steps(self._viewer, self.dataset, params, *self.steps)

    def cancel(self) -> None:
        """Drop what is not done; what is done is kept."""
        services.runner().drop(self._viewer)
        st.session_state.pop(self._key, None)

    def done(self, runs: Sequence[RunParams]) -> list[RunParams]:
        """Return those of some runs that the store has, whoever computed them."""
        return [params for params in runs if Plan(self.dataset, params).has(*self.steps)]

    def standing(self) -> Standing:
        """Return how far the group is."""
        runner, runs = services.runner(), self.runs
        done, step, failures = 0, "", []
        for params in runs:
            plan = Plan(self.dataset, params)
            if plan.has(*self.steps):
                done += 1
                continue
            folder = runner.steps_folder(self.dataset, params, *self.steps)
            progress = runner.follow(f"{plan.run}-{folder.name}", folder)
            step = progress.step if progress.state == "running" else step
            if progress.is_over:
                failures.append(progress.message or "It was cancelled.")
        return Standing(done, len(runs), step, tuple(failures))

    def watch(self, *, what: str = "settings") -> bool:
        """Draw progress and a cancel button; return whether the group is still under way.

        Parameters
        ----------
        what
            Plural of what a run stands for.
        """
        if not self.runs:
            return False
        standing = self.standing()
        if standing.is_over:
            for sentence in sorted(set(standing.failures)):
                st.warning(plain(sentence, longest=500))
            return False
        bar, button = st.columns([5, 1], vertical_alignment="center")
        with bar:
            _poll(self, standing.done, what)
        # Outside the fragment, where a click waits for no page run and is never lost to one.
        button.button("Cancel", key=f"cancel-{self.name}", on_click=self.cancel, width="stretch")
        return True


@st.fragment(run_every=POLL_SECONDS)
def _poll(group: Group, drawn: int, what: str) -> None:
    standing = group.standing()
    if standing.is_over or standing.done != drawn:
        st.rerun(scope="app")
    counted = f"{standing.done} of {standing.total} {what}"
    step = standing.step or "waiting for its turn"
    st.progress(standing.done / max(standing.total, 1), text=f"{counted} · {step}")

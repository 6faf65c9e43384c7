"""Tasks of a session: submitted, followed with a progress bar, cancelled."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import Work
from pages.ui import part, services
from pages.ui.line import components as line


class Task:
    """Work that is submitted, followed with a bar beside a button that cancels it, and cancelled.

    Parameters
    ----------
    name
        Of its button, ``cancel-{name}``.
    viewer
        By which the runner knows who waits; whoever submits other work by the same name withdraws
        from the earlier.
    works
        What is asked for.
    """

    poll_seconds = 0.25
    bar_width: int | None = 5
    """Of the bar in widths of the button beside it; None draws one below the other."""

    def __init__(self, name: str, viewer: str, *works: Work) -> None:
        self.name, self.viewer, self.works = name, viewer, works
        # Held here because a callback that reads the session's state may be broken off there, by
        # the next rerun, and the click would be lost.
        self.runner = services.runner()

    @property
    def work(self) -> Work:
        """The only work of a task that has one."""
        return self.works[0]

    def submit(self) -> None:
        self.runner.submit(self.viewer, *self.works)

    def withdraw(self) -> None:
        """Wait for it no longer."""
        self.runner.withdraw(self.viewer)

    def cancel(self) -> None:
        """Do what the button does."""
        self.withdraw()

    @property
    def progress(self) -> Progress:
        return self.runner.progress(self.work)

    @property
    def n_drawable(self) -> int:
        """How many of its results exist that a page can draw before all is over."""
        return 0

    def draw(self, progress: Progress) -> None:
        """Draw how far it is."""
        st.progress(progress.fraction, text=f"{progress.step or 'Waiting for the worker'} …")

    def draw_in_part(self) -> None:
        """Draw how far it is where the page's line tells of it."""
        line.bar(self.work, key=self.name)

    def follow(self) -> None:
        """Draw how far it is with a button to cancel it.

        The part that calls this is drawn again when more is there; outside of parts, the page runs.
        """
        if self.bar_width is None:
            bar, button = st.container(), st.container()
        else:
            bar, button = st.columns([self.bar_width, 1], vertical_alignment="center")
        with bar:
            if part.is_being_drawn():
                part.follow(self.works)
                self.draw_in_part()
            else:
                st.fragment(_poll, run_every=self.poll_seconds)(self, self.n_drawable)
        # Outside the fragment, where a click waits for no page run and is never lost to one.
        button.button(
            "Cancel",
            key=f"cancel-{self.name}",
            on_click=self.cancel,
            width="content" if self.bar_width is None else "stretch",
        )


def _poll(task: Task, n_drawn: int) -> None:
    progress = task.progress
    if progress.is_over or task.n_drawable != n_drawn:
        st.rerun(scope="app")
    task.draw(progress)

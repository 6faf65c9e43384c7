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

    bar_width: int | None = 5
    """Of the bar in widths of the button beside it; None draws one below the other."""

    waiting = "Waiting for the worker"
    """What the bar says while no step is under way."""

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

    def draw(self) -> None:
        """Draw how far it is: a bar that moves by itself."""
        line.bar(self.work, key=self.name, label=self.waiting)

    def follow(self, *under_way: Work) -> None:
        """Draw how far it is with a button to cancel it, in a part that is drawn again at its end.

        Parameters
        ----------
        under_way
            Those of its works that were not over when the part looked; by default all.
        """
        part.follow(under_way or self.works)
        if self.bar_width is None:
            bar, button = st.container(), st.container()
        else:
            bar, button = st.columns([self.bar_width, 1], vertical_alignment="center")
        with bar:
            self.draw()
        button.button(
            "Cancel",
            key=f"cancel-{self.name}",
            on_click=self.cancel,
            width="content" if self.bar_width is None else "stretch",
        )

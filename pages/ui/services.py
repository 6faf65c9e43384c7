"""What all viewers of one server share: the store and the runner."""

from __future__ import annotations

import streamlit as st

from harmony_core.jobs.runner import Runner
from harmony_core.store import Store
from pages.ui.line import listeners

WARM_UP_DELAY = 2.5
"""Seconds before the worker starts: its imports would slow the first picture down."""


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the store."""
    return Store()


@st.cache_resource(show_spinner=False, on_release=lambda runner: runner.close())
def runner() -> Runner:
    """Return the runner, its worker about to warm up."""
    started = Runner(store())
    started.start(WARM_UP_DELAY)
    started.listen(listeners.hear)
    return started


def close() -> None:
    """End the runner and its worker, if there are any."""
    runner.clear()

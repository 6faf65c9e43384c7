"""What all viewers of one server share: the store and the runner."""

from __future__ import annotations

import streamlit as st

from harmony_core.data import samples
from harmony_core.data.store import Store
from harmony_core.runner import Runner


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the store, with the sample data in it."""
    opened = Store()
    samples.install(opened)
    return opened


@st.cache_resource(show_spinner=False, on_release=lambda runner: runner.close())
def runner() -> Runner:
    """Return the runner, its worker already warming up."""
    started = Runner(store())
    started.start()
    return started

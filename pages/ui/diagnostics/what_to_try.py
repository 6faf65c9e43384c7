"""Advice on the run, and what it did where it was tried on these data."""

from __future__ import annotations

import streamlit as st

from harmony_core.runs.results import RunResults
from pages.ui import advice_panel


def draw(results: RunResults) -> None:
    """Draw the advice with its outcomes, and the way to where it is followed."""
    if advice_panel.draw(results, can_follow=False):
        st.page_link("pages/tune.py", label="Follow it on Tune")
    else:
        st.info("No advice follows from this verdict.")

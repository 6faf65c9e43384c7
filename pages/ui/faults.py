"""What a page says when the program itself is at fault: a sentence, and what to do."""

from __future__ import annotations

import logging
from typing import NoReturn

import streamlit as st

from harmony_core.errors import HarmonyExplorerError, full_disk
from pages.ui.text import plain

log = logging.getLogger(__name__)


def stop(error: Exception) -> NoReturn:
    """Draw why a page could not be drawn to its end; the log has the details."""
    log.error("A page could not be drawn", exc_info=error)
    if isinstance(error, HarmonyExplorerError):
        sentence = str(error)
    elif isinstance(error, OSError) and (full := full_disk(error)):
        sentence = full
    else:
        sentence = (
            f"This page could not be drawn because of a fault in the program "
            f"({type(error).__name__}). Your data and finished runs are kept: try the button, "
            "another setting, or reload the page. The server's log has the details."
        )
    st.error(plain(sentence, longest=1000))
    st.button("Try again", key="draw-again")
    st.stop()  # unlike a page that ends, it keeps the widgets that were not drawn

"""The presentation switch: larger type and points for a projector, and less on the page."""

from __future__ import annotations

import streamlit as st

KEY = "presentation"
PANEL_HEIGHT, PROJECTED_HEIGHT = 520, 600

# A rule that outweighs Streamlit's own, whatever the order of the two.
_LARGER = """<style>
html:root { font-size: 18px }
html:root [data-testid="stMetricValue"] { font-size: 1.5rem }
html:root [data-testid="stMetricLabel"] p { font-size: 0.9rem }
html:root [class*="st-key-preset"] button p { font-size: 0.8rem }
</style>"""


def switch() -> None:
    """Draw the switch."""
    st.toggle(
        "Presentation",
        key=KEY,
        help="For a projector: larger type and points; only what a class needs to see.",
        persist_state="session",
    )


def apply() -> None:
    """Enlarge the type of whatever page follows, if the switch is on."""
    if is_on():
        st.html(_LARGER)


def is_on() -> bool:
    """Return whether the page is being projected."""
    return bool(st.session_state.get(KEY))


def is_dark() -> bool:
    """Return whether the page has a dark background."""
    return st.context.theme.type == "dark"

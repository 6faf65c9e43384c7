"""The linked view: the same cells in two panels, with one legend and one selection.

A Streamlit component (components v2, no frame) with its own small painter in the browser.

Why not plotly.js, which draws every other chart here: no group may hide another, so plotly.js
needs many interleaved traces, and with them one redraw took 0.4 s at 10,000 cells, 1.2 s at 50,000
and 5 to 8 s at 200,000, without a graphics card. Writing the points into a canvas's pixels in one
random order took 0.1 s at 200,000 (`benchmarks/browser.py` measures it). A panel is therefore
always a raster, at a million cells as at a thousand, with the same colours, lasso and hover; only
the points shrink. Nothing is downloaded and nothing third-party is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.ui.joined import joined_modules
from pages.ui.linked_view.messages import (
    Categories,
    Column,
    Message,
    Panel,
    Values,
    columns_message,
    layout_message,
    size,
    state_message,
)
from pages.ui.linked_view.selection_state import SelectionState, next_selection, unpack_bits

__all__ = [
    "Categories",
    "Column",
    "Message",
    "Panel",
    "Values",
    "current_selection",
    "facts_message",
    "linked_view",
    "send",
]

ASSETS = Path(__file__).parent / "assets"

#: In the order in which each may use those before it.
MODULES = (
    "theme.js",
    "messages.js",
    "inbox.js",
    "selection.js",
    "camera.js",
    "coloring.js",
    "painter.js",
    "panel.js",
    "gestures.js",
    "hover.js",
    "legend.js",
    "toolbar.js",
    "view.js",
)


# All that changes travels in messages, each an unseen element: Streamlit sends an element's
# message only when it has changed. So a slider move sends new positions and a little state, and
# the view's own message with its script and style stays the same and is sent once.
_message = st.components.v2.component(
    "harmony_linked_view_message",
    js=(ASSETS / "message.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_view = st.components.v2.component(
    "harmony_linked_view",
    css=(ASSETS / "style.css").read_text(encoding="utf-8"),
    js=joined_modules(ASSETS / name for name in MODULES),
    isolate_styles=False,
)


def current_selection(key: str, n_cells: int) -> NDArray[np.bool_] | None:
    """Return the cells selected in a view, also while it is not drawn; None when no cell is.

    Parameters
    ----------
    key : str
        Identity of the view on its page.
    n_cells : int

    Returns
    -------
    ndarray of bool of shape (n_cells,) or None
    """
    selection: SelectionState | None = st.session_state.get(selection_key(key))
    return None if selection is None else unpack_bits(selection.bits, n_cells)


def facts_message(hover: Mapping[str, Column], batch: Categories | None = None) -> Message:
    """Pack what is known of each cell besides its colour.

    Parameters
    ----------
    hover : mapping of str to Categories, Values or strings
        What is shown of the cell under the pointer, in this order.
    batch : Categories, optional
        The batch variable, with colours; the legend then counts every level by batch.

    Raises
    ------
    ValueError
        When the columns are not of the same cells.
    """
    # The empty name can't collide with a column that is to be shown.
    facts = {**hover, "": batch} if batch is not None else hover
    if len(sizes := {size(column) for column in facts.values()}) > 1:
        raise ValueError(f"Every column must be of the same cells, but their sizes are {sizes}.")
    return columns_message(facts)


def send(key: str, message: Message) -> None:
    """Place an unseen element that holds a message for a view."""
    _message(key=key, data=message.data)


def key_of(fingerprint: str) -> str:
    """Return the identity of the view of a dataset before and after correction."""
    return f"linked-view-{fingerprint}"


def begin_anew(key: str) -> None:
    """Have nothing selected in a view, whatever the browser last said; for callbacks."""
    if (now := st.session_state.get(selection_key(key))) is not None:
        st.session_state[selection_key(key)] = SelectionState(now.n_cells, now.token + 1)


def selection_key(key: str) -> str:
    """Return where the session keeps the selection of a view."""
    return f"{key}:selection"


def _nothing() -> None:
    """Do nothing; Streamlit reports a state only when it has a callback."""


def linked_view(
    left: Panel,
    right: Panel,
    colour: Categories | Values,
    *,
    key: str,
    facts: Message | None = None,
    more_facts: Message | None = None,
    selected: NDArray[np.bool_] | None = None,
    tied: bool = True,
    animate: bool = True,
    height: int = 520,
    presentation: bool = False,
    on_select: Callable[[], None] | None = None,
) -> NDArray[np.bool_] | None:
    """Draw the same cells twice, side by side.

    Zoom, hidden levels and selection stay when anything else changes, for as long as `key`
    stays. Give another dataset another key.

    Parameters
    ----------
    left, right : Panel
        Positions of the same cells in the same order.
    colour : Categories or Values
        What colours the cells in both panels.
    key : str
        Identity of the view on its page.
    facts : Message, optional
        What `facts_message` makes of the batch variable and of what is shown on hover.
    more_facts : Message, optional
        Likewise, shown behind the others: what changes more often and is sent by itself.
    selected : ndarray of bool of shape (n_cells,), optional
        Cells to highlight. It replaces the user's selection whenever it differs from what the
        previous call asked for; an empty mask clears; None leaves the selection alone.
    tied : bool
        Whether the two panels start out moving and zooming together; the user can switch.
    animate : bool
        Whether cells glide to new positions, where the machine can show it and the user's system
        does not ask for reduced motion.
    height : int
        Height of the panels in CSS pixels.
    presentation : bool
        Larger type and points, for a projector.
    on_select : callable, optional
        Called before the rerun that a new selection causes.

    Returns
    -------
    ndarray of bool of shape (n_cells,) or None
        The highlighted cells; None when no cell is.

    Raises
    ------
    ValueError
        When the parts do not describe the same number of cells.
    """
    n_cells = size(colour)
    positions = {
        side: np.full((n_cells, 2), np.nan) if panel.coordinates is None else panel.coordinates
        for side, panel in (("left", left), ("right", right))
    }
    facts, more_facts = facts or facts_message({}), more_facts or facts_message({})
    sizes = {*map(len, positions.values())}
    sizes |= {message.n_cells or n_cells for message in (facts, more_facts)}
    if selected is not None:
        sizes.add(len(selected))
    if sizes != {n_cells}:
        raise ValueError(f"Every part must have {n_cells:,} cells, but their sizes are {sizes}.")

    reported = st.session_state.get(key) or {}
    selection = next_selection(
        st.session_state.get(selection_key(key)), reported.get("selection"), selected, n_cells
    )
    st.session_state[selection_key(key)] = selection

    messages = {
        **{side: layout_message(points) for side, points in positions.items()},
        "colour": columns_message({"colour": colour}),
        "facts": facts,
        "more facts": more_facts,
    }
    state = {
        "key": key,
        "cells": n_cells,
        "messages": {part: message.address for part, message in messages.items()},
        "left": _words(left),
        "right": _words(right),
        "selection": {"token": selection.token, "bits": selection.bits},
        "tied": tied,
        "animate": animate,
        "height": height,
        "presentation": presentation,
    }
    messages["state"] = state_message(key, state)
    with st.container(gap=None):
        for part, message in messages.items():
            send(f"{key}:{part}", message)
        _view(
            key=key,
            data={"state": messages["state"].address},
            on_selection_change=on_select or _nothing,
        )
    return unpack_bits(selection.bits, n_cells)


def _words(panel: Panel) -> dict[str, object]:
    return {
        "title": panel.title,
        "note": panel.note,
        "alt": panel.alt,
        "dimmed": panel.dimmed,
    }

"""The choice of marker genes: a panel, or sets that the user pastes or uploads."""

from __future__ import annotations

import streamlit as st

from harmony_core.data.store import Dataset
from harmony_core.errors import DataError
from harmony_core.gene_sets import Found, GeneSets, find_sets, parse_pasted, parse_table
from harmony_core.markers import PANEL
from pages.ui.text import plain

PANELS = "Blood cell panel"
PASTE = "Paste my own"
TABLE = "Table of my own (CSV)"

CHOICE_KEY, PASTED_KEY = "gene-sets", "gene-sets-pasted"
_MOST_NAMED = 20


def choose(dataset: Dataset) -> Found:
    """Draw the choice and return what of it the data have; what they lack is said."""
    st.session_state.setdefault(CHOICE_KEY, PANELS)
    picked = st.segmented_control(
        "Genes", [PANELS, PASTE, TABLE], key=CHOICE_KEY, persist_state="session", required=True
    )
    sets: GeneSets = {}
    try:
        sets = _sets(picked or PANELS)
    except DataError as error:
        st.error(plain(error, longest=300))
    found = find_sets(sets, list(dataset.symbols))
    if found.respelled:
        st.caption(
            f"Found with other capitals: {_listed(found.respelled)}. Human and mouse symbols often "
            "differ only so; a gene that another species calls by another name is not translated."
        )
    if found.missing:
        st.caption(f"Not in these data: {_listed(found.missing)}.")
    return found


def propose(genes: list[str], name: str) -> None:
    """Put genes into the box for one's own; to be called from a widget's callback."""
    st.session_state[CHOICE_KEY] = PASTE
    st.session_state[PASTED_KEY] = f"{name.replace(':', ' ')}: {', '.join(genes)}"


def _sets(picked: str) -> GeneSets:
    if picked == PANELS:
        return PANEL
    if picked == PASTE:
        return parse_pasted(
            st.text_area(
                "One set a line, its genes after a name and a colon, or just genes",
                key=PASTED_KEY,
                placeholder="T cells: CD3D, CD3E\nB cells: MS4A1, CD79A",
                persist_state="session",
            )
        )
    uploaded = st.file_uploader(
        "Marker table",
        type=["csv", "tsv", "txt"],
        key="gene-sets-file",
        help="One set a column with its name on top, or one gene a row with a column named gene.",
    )
    return {} if uploaded is None else parse_table(uploaded.getvalue())


def _listed(genes: tuple[str, ...]) -> str:
    more = len(genes) - _MOST_NAMED
    return ", ".join(map(plain, genes[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")

"""The choice of marker genes: a panel, the clusters' best, or sets pasted or uploaded."""

from __future__ import annotations

import streamlit as st

from harmony_core.errors import DataError
from harmony_core.inspect.gene_sets import (
    PANEL,
    Found,
    GeneSets,
    find_sets,
    parse_pasted,
    parse_table,
)
from harmony_core.runs.results import RunResults
from pages.ui.text import plain

PANELS = "Blood cell panel"
CLUSTERS = "Best of each cluster"
PASTE = "Paste my own"
TABLE = "Table of my own (CSV)"

CHOICE_KEY, PASTED_KEY = "gene-sets", "gene-sets-pasted"
_MOST_NAMED = 20
_BEST, _MOST_CLUSTERS = 2, 12


def choose(results: RunResults) -> Found:
    """Draw the choice and return what of it the data have; what they lack is said."""
    symbols = list(results.dataset.symbols)
    clusters = _best_of_clusters(results)
    known = find_sets(PANEL, symbols).positions
    # Tissue of another kind begins with markers of its own.
    choices = [*([PANELS] if known else []), *([CLUSTERS] if clusters else []), PASTE, TABLE]
    if st.session_state.get(CHOICE_KEY) not in choices:
        st.session_state[CHOICE_KEY] = choices[0]
    picked = st.segmented_control(
        "Genes", choices, key=CHOICE_KEY, persist_state="session", required=True
    )
    sets: GeneSets = {}
    try:
        sets = clusters if picked == CLUSTERS else _sets(picked or PASTE)
    except DataError as error:
        st.error(plain(error, longest=300))
    found = find_sets(sets, symbols)
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


def _best_of_clusters(results: RunResults) -> GeneSets:
    """Return the best marker genes of each of the first clusters after correction."""
    found = enumerate((results.markers("after") or ())[:_MOST_CLUSTERS])
    return {f"Cluster {i}": tuple(c.symbols[:_BEST]) for i, c in found if c.symbols}


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
        max_upload_size=1,
        key="gene-sets-file",
        help="One set a column with its name on top, or one gene a row with a column named gene.",
    )
    return {} if uploaded is None else parse_table(uploaded.getvalue())


def _listed(genes: tuple[str, ...]) -> str:
    more = len(genes) - _MOST_NAMED
    return ", ".join(map(plain, genes[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")

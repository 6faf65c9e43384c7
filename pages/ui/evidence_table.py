"""The evidence table: a click marks the cells in both pictures and opens their genes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from harmony_core.counting import counted
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.evidence import Evidence
from harmony_core.verdict.verdict import Verdict
from pages.ui import part, state
from pages.ui.linked_view.selection_state import pack_bits, unpack_bits
from pages.ui.tables import EMPTY, decimals
from pages.ui.text import plain

OWN_PANEL = "My own genes"
"""Of the marker-gene plot's panels, the one whose genes are typed."""

PANEL_KEY, GENES_KEY = "panel", "own-genes"

MARKS = "marks"
"""What is said to other parts when other cells are marked."""

_GENES_TO_OPEN = "genes-to-open"
_MARKED, _TIMES_CLEARED = "marked", "evidence-cleared"


def table(
    verdict: Verdict, results: RunResults, *, only: npt.NDArray[np.bool_] | None = None
) -> None:
    """Draw the evidence; names stay plain text in its cells.

    Parameters
    ----------
    only
        Cells that a row must be about, at least some of them; by default all rows are drawn.
    """
    if not verdict.evidence:
        return
    rows = [_row(row) for row in verdict.evidence]
    places = list(range(len(rows)))
    if only is not None and results.obs is not None and len(only) == len(results.obs):
        counts = [_count(only, row, results) for row in verdict.evidence]
        rows = [{"Selected": n, **row} for n, row in zip(counts, rows, strict=True)]
        places = [place for place in places if counts[place]]
        of_all = f"of {len(rows)} rows"
        about = counted(len(places), f"{of_all} is", f"{of_all} are")
        st.caption(f"{about} about selected cells.")
    if not places:
        return
    st.caption(
        "Click a row: its cells are marked in both pictures, and its genes open below. The mark "
        "stays while you try other settings."
    )
    # Streamlit keeps the number of the row that was clicked: other rows are another table.
    drawn = "" if len(places) == len(rows) else "-" + "-".join(map(str, places))
    key = f"evidence-{results.plan.run}-{st.session_state.get(_TIMES_CLEARED, 0)}{drawn}"
    st.dataframe(
        pd.DataFrame([rows[place] for place in places]),
        hide_index=True,
        key=key,
        on_select=lambda: _choose(results, [verdict.evidence[place] for place in places], key),
        selection_mode="single-row",
        placeholder=EMPTY,
        column_config={
            "What": st.column_config.TextColumn(width="medium"),
            "Merged with": st.column_config.TextColumn(width="medium"),
            "Mixed": decimals(2, "How far these cells mixed with other batches; 1 is fully."),
            "Against its limit": decimals(1, "Above 1, the limit is exceeded.", unit=" ×"),
        },
    )


def _row(row: Evidence) -> dict[str, Any]:
    return {
        "What": row.name,
        "Batch": row.batch,
        "Cells": row.cells,
        "Merged with": row.merged_with,
        "Mixed": row.share,
        "Against its limit": row.score,
        "Genes that say so": ", ".join(row.genes),
    }


def _count(cells: npt.NDArray[np.bool_], row: Evidence, results: RunResults) -> int:
    """Return how many of some cells a row is about."""
    mine = _cells_of(row, results)
    return 0 if mine is None else int((cells & mine).sum())


def _cells_of(row: Evidence, results: RunResults) -> npt.NDArray[np.bool_] | None:
    if row.kind == "label" or row.cluster is None:
        return _label_cells(results, results.params.label, row.name)
    if row.kind == "state":
        return state_cells(results, row.batch_variable, row.cluster)
    return precluster_cells(results, row.batch_variable, row.cluster)


def _choose(results: RunResults, rows: list[Evidence], key: str) -> None:
    selected = st.session_state[key]["selection"]["rows"]
    if not selected:
        clear(results.dataset)
        return
    mark_row(results, rows[selected[0]])


def mark_row(results: RunResults, row: Evidence) -> None:
    """Mark a row's cells from now on, and put its genes into the marker-gene plot."""
    if row.kind == "label" or row.cluster is None:
        mark_label(results.dataset, results.params.label, row.name)
    elif row.kind == "state":
        mine = state_cells(results, row.batch_variable, row.cluster)
        if mine is not None:
            mark_cells(results, mine, row.name)
    else:
        mark_cluster(results, row.batch_variable, row.cluster, row.name)
    if row.genes:
        st.session_state[_GENES_TO_OPEN] = ", ".join(row.genes)
    part.say(MARKS)


def open_genes() -> None:
    """Put the genes of the row that was chosen last into the widgets that are about to be drawn.

    By the part that has these widgets: the browser would undo what others set, since it sends what
    it shows with every click.
    """
    genes = st.session_state.pop(_GENES_TO_OPEN, None)
    if genes is not None:
        st.session_state[PANEL_KEY] = OWN_PANEL
        st.session_state[GENES_KEY] = genes


def mark_label(dataset: Dataset, label: str | None, level: str) -> None:
    """Mark the cells of a level of a label column from now on."""
    mark = {"kind": "label", "name": level, "label": label}
    st.session_state[state.key(_MARKED, dataset)] = mark
    part.say(MARKS)


def mark_cluster(results: RunResults, variable: str, cluster: int, name: str) -> None:
    """Mark the cells of a pre-cluster of a batch variable from now on."""
    st.session_state[state.key(_MARKED, results.dataset)] = {
        "kind": "pre-cluster",
        "name": name,
        "variable": variable,
        "cluster": cluster,
        # Pre-clusters are numbered anew for other cells, components or batch variables.
        "reference": results.plan.keys["reference"].digest,
    }
    part.say(MARKS)


def mark_cells(results: RunResults, cells: npt.NDArray[np.bool_], name: str) -> None:
    """Mark some cells of a run from now on."""
    st.session_state[state.key(_MARKED, results.dataset)] = {
        "kind": "cells",
        "name": name,
        "bits": pack_bits(cells),
        "reference": results.plan.keys["prepare"].digest,
    }
    part.say(MARKS)


def clear(dataset: Dataset) -> None:
    """Mark nothing any more; the table, under a new key, forgets the selected row too."""
    st.session_state.pop(state.key(_MARKED, dataset), None)
    st.session_state[_TIMES_CLEARED] = st.session_state.get(_TIMES_CLEARED, 0) + 1
    part.say(MARKS)


def marked_cells(results: RunResults) -> npt.NDArray[np.bool_] | None:
    """Return which of a run's cells are marked, none where nothing is; None before it is known."""
    if results.obs is None:
        return None
    nothing = np.zeros(len(results.obs), dtype=bool)
    mark = st.session_state.get(state.key(_MARKED, results.dataset))
    if mark is None:
        return nothing
    if mark["kind"] == "cells":
        if mark["reference"] != results.plan.keys["prepare"].digest:
            return nothing
        cells = unpack_bits(mark["bits"], len(nothing))
        return nothing if cells is None else cells
    if mark["kind"] == "label":
        mine = _label_cells(results, mark["label"], mark["name"])
        return nothing if mine is None else mine
    if mark["reference"] != results.plan.keys["reference"].digest:
        return nothing
    return precluster_cells(results, mark["variable"], mark["cluster"])


def _label_cells(
    results: RunResults, label: str | None, level: str
) -> npt.NDArray[np.bool_] | None:
    if results.obs is None or label not in results.obs:
        return None
    return np.asarray(results.obs[label].astype("string") == level, bool)


def precluster_cells(
    results: RunResults, variable: str, cluster: int
) -> npt.NDArray[np.bool_] | None:
    """Return which cells belong to a pre-cluster; None while the run is not judged."""
    return _members(results, variable, "preclusters", cluster)


def state_cells(results: RunResults, variable: str, number: int) -> npt.NDArray[np.bool_] | None:
    """Return which cells belong to a state; None while the run is not judged."""
    return _members(results, variable, "states", number)


def _members(
    results: RunResults, variable: str, groups: str, number: int
) -> npt.NDArray[np.bool_] | None:
    assessment = results.assessment
    if assessment is None:
        return None
    codes = assessment.per_cell[groups][list(assessment.after).index(variable)]
    return np.asarray(codes == number)


def note_on_marks(dataset: Dataset) -> None:
    """Say what is marked, if anything is, with a button that ends it."""
    mark = st.session_state.get(state.key(_MARKED, dataset))
    if mark is None:
        return
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.caption(f"Marked: **{plain(mark['name'], longest=120)}**")
    right.button("Unmark", key="unmark", on_click=clear, args=(dataset,), width="stretch")

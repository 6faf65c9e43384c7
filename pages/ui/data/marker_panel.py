"""Labels from marker genes, where the data have none: which genes, and what came of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from harmony_core.errors import DataError
from harmony_core.inspect.gene_sets import (
    BLOOD_PANEL,
    find_sets,
    panel_sets,
    panel_text,
    parse_table,
    readable_symbols,
)
from harmony_core.params import MARKER_LABEL, RunParams
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, StageResult
from pages.ui.tables import decimals, table
from pages.ui.text import plain

_BLOOD, _PASTE, _TABLE = "Human blood", "Paste my own", "Table of my own (CSV)"
_SAYS = (
    "These labels are made by Harmony Explorer from marker genes, within each batch and before any "
    "correction. They are not those of the data's authors. Cells whose genes tell no type stay "
    "“unsure” and are left out of judging by labels. On real blood the verdict by these labels was "
    "wrong more often than the one without labels, with false alarms: compare the two."
)


def is_possible(dataset: Dataset) -> bool:
    """Return whether labels can be made: from genes, none of which is scaled."""
    has_genes = dataset.info.kind not in ("none", "scaled") and len(dataset.symbols) > 0
    return has_genes and MARKER_LABEL not in dataset.obs


def choose(dataset: Dataset, current: RunParams | None) -> str | None:
    """Draw the choice of marker genes; until there is one that can be used, the panel in use."""
    now, key = current.panel if current else None, f"{dataset.fingerprint}:panel"
    own = now is not None and now != BLOOD_PANEL
    st.caption(_SAYS)
    picked = st.segmented_control(
        "Marker genes of",
        [_BLOOD, _PASTE, _TABLE],
        default=_PASTE if own else _BLOOD,
        key=key,
        required=True,
        persist_state="session",
    )
    panel = None
    try:
        panel = _usable(dataset, _panel(picked or _BLOOD, now if own and now else "", key))
    except DataError as error:
        st.error(plain(error, longest=300))
    if panel is None and now is not None:
        st.caption("The marker genes in use stay in use until there are others.")
        panel = now
    if panel is not None:
        run = current if panel == now else None
        _made(None if run is None else RunResults(dataset, run).stage("marker_labels"))
    return panel


def _usable(dataset: Dataset, panel: str | None) -> str | None:
    """Return a panel of which the data have genes.

    Raises
    ------
    DataError
        If they have none, or it is no panel.
    """
    if (
        panel is not None
        and not find_sets(panel_sets(panel), readable_symbols(list(dataset.symbols))).sets
    ):
        raise DataError(
            "The data have none of these genes. Give marker sets of your own, with genes named as "
            "the data name them."
        )
    return panel


def _panel(picked: str, now: str, key: str) -> str | None:
    if picked == _BLOOD:
        return BLOOD_PANEL
    if picked == _PASTE:
        pasted = st.text_area(
            "One cell type a line: its name, a colon, its marker genes",
            now,
            key=f"{key}-pasted",
            placeholder="T cells: CD3D, CD3E\nB cells: MS4A1, CD79A",
            persist_state="session",
        )
        return pasted.strip() or None
    uploaded = st.file_uploader(
        "Marker table",
        type=["csv", "tsv", "txt"],
        max_upload_size=1,
        key=f"{key}-file",
        help="One cell type a column with its name on top, or one gene a row with a column named "
        "gene.",
    )
    return None if uploaded is None else panel_text(parse_table(uploaded.getvalue()))


def _made(labels: StageResult | None) -> None:
    """Draw the labels by type once a run has made them."""
    if labels is None:
        st.caption("The labels are made with the first run on Tune, and are listed here then.")
        return
    codes = np.asarray(labels.arrays["codes"])
    confidence = np.asarray(labels.arrays["confidence"])
    rows = [
        {
            "Cell type": name,
            "Cells": int((codes == code).sum()),
            "Mean confidence": float(confidence[codes == code].mean())
            if (codes == code).any()
            else None,
            "Genes": ", ".join(labels.info["genes"][name]),
        }
        for code, name in enumerate(labels.info["types"])
    ]
    table(
        pd.DataFrame(rows),
        key="marker-labels",
        file="marker_labels",
        columns={"Mean confidence": decimals(2)},
    )
    st.caption(f"{(codes < 0).mean():.0%} of the cells are unsure.")

"""What was recognised in the dataset in hand, and how it could be read otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import streamlit as st

from harmony_core.store.store import Dataset
from pages.ui.data import loading
from pages.ui.text import plain

_GENES = {
    "intersection": "Genes that all files have",
    "union": "Every gene (0 where a file lacks it)",
}
_SIDES = {"rows": "Cells are rows", "columns": "Cells are columns"}


def overview(dataset: Dataset) -> None:
    """Draw what the dataset holds, in sentences."""
    meta = dataset.meta
    st.subheader(plain(dataset.name))
    genes = f"{meta['n_genes']:,} genes" if meta["n_genes"] else "no genes"
    st.markdown(f"**{dataset.n_cells:,} cells, {genes}.** {' '.join(_sentences(dataset))}")
    if meta["run"]:
        st.success("This file was written by Harmony Explorer; its run's settings are restored.")
    _read_otherwise(dataset)
    if meta["warnings"]:
        st.caption("\n".join(f"- {plain(warning, longest=500)}" for warning in meta["warnings"]))


def _sentences(dataset: Dataset) -> Iterator[str]:
    """Say what is used, what else is there, and what the genes are; names are escaped."""
    meta = dataset.meta
    where, matrices = meta["where"], meta.get("matrices", {})
    if meta["kind"] == "none":
        yield "There is no expression, only an embedding; gene plots stay empty."
    else:
        holds = matrices.get(where, "counts" if meta["kind"] == "counts" else "values")
        # What that means for other kinds is among the findings below.
        follows = ", which will be normalised and log-transformed"
        yield f"{plain(where)} holds {plain(holds)}{follows if meta['kind'] == 'counts' else ''}."
        others = [f"{plain(w)} ({plain(k)})" for w, k in matrices.items() if w != where]
        if others:
            yield f"Not used: {', '.join(others[:6])}."
    if meta["organism"]:
        n_mito = meta.get("n_mito")
        found = f", {n_mito} mitochondrial among them" if n_mito else ""
        yield f"The genes are {meta['organism']}{found}."
    if meta.get("symbol_column"):
        yield f"Gene symbols come from the column {plain(meta['symbol_column'])}; ids are kept."
    if meta["embeddings"]:
        facts = meta.get("embedding_facts", {})
        told = [
            f"{plain(name)} ({facts[name]['n_dims']} dimensions)" if name in facts else plain(name)
            for name in meta["embeddings"]
        ]
        yield f"Embeddings: {', '.join(told[:8])}."


def _read_otherwise(dataset: Dataset) -> None:
    """Offer the other ways to read the files, where there are any."""
    reading = dataset.meta.get("reading", {})
    choices = reading.get("choices", {})
    if not choices:
        return
    request = loading.read_before(dataset)
    options = {
        "modality": ("Modality", {name: name for name in reading.get("modalities", [])}),
        "cells_in": ("Orientation of the table", _SIDES),
        "genes": ("Genes of several files", _GENES),
    }
    columns = st.columns(3)
    for column, (name, value) in zip(columns, choices.items(), strict=False):
        title, known = options[name]
        if len(known) < 2:
            continue
        chosen = column.selectbox(
            title,
            list(known),
            list(known).index(value) if value in known else 0,
            format_func=known.get,
            key=f"{dataset.fingerprint}:read:{name}",
            disabled=request is None,
            help=None if request else "Choose the file again to read it otherwise.",
        )
        if request is not None and chosen != value:
            # So that coming back to this dataset shows how it was read.
            del st.session_state[f"{dataset.fingerprint}:read:{name}"]
            loading.begin(replace(request, **{**choices, name: chosen}))
            st.rerun()

"""What was recognised in the dataset in hand, and how it could be read otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import streamlit as st

from harmony_core.store import Dataset
from pages.ui.data import loading
from pages.ui.text import plain

_GENES = {
    "intersection": "Genes that all files have",
    "union": "Every gene (0 where a file lacks it)",
}
_SIDES = {"rows": "Cells are rows", "columns": "Cells are columns"}


def draw(dataset: Dataset) -> None:
    """Draw what the dataset holds, in sentences."""
    info = dataset.info
    st.subheader(plain(dataset.name))
    genes = f"{info.n_genes:,} genes" if info.n_genes else "no genes"
    st.markdown(f"**{dataset.n_cells:,} cells, {genes}.** {' '.join(_sentences(dataset))}")
    if info.run is not None:
        st.success("This file was written by Harmony Explorer; its run's settings are restored.")
    _read_otherwise(dataset)
    if info.warnings:
        st.caption("\n".join(f"- {plain(warning, longest=500)}" for warning in info.warnings))


def _sentences(dataset: Dataset) -> Iterator[str]:
    """Say what is used, what else is there, and what the genes are; names are escaped."""
    info = dataset.info
    if info.kind == "none":
        yield "There is no expression, only an embedding; gene plots stay empty."
    else:
        holds = info.matrices.get(info.where, "counts" if info.kind == "counts" else "values")
        # What that means for other kinds is among the findings below.
        follows = ", which will be normalised and log-transformed"
        yield f"{plain(info.where)} holds {plain(holds)}{follows if info.kind == 'counts' else ''}."
        others = [f"{plain(w)} ({plain(k)})" for w, k in info.matrices.items() if w != info.where]
        if others:
            yield f"Not used: {', '.join(others[:6])}."
    if info.organism:
        mitochondrial = f", {info.n_mito} mitochondrial among them" if info.n_mito else ""
        yield f"The genes are {info.organism}{mitochondrial}."
    if info.symbol_column:
        yield f"Gene symbols come from the column {plain(info.symbol_column)}; ids are kept."
    if info.embeddings:
        sizes = [(plain(name), info.facts(name).n_dims) for name in info.embeddings[:8]]
        listed = [f"{name} ({n_dims} dimensions)" if n_dims else name for name, n_dims in sizes]
        yield f"Embeddings: {', '.join(listed)}."


def _read_otherwise(dataset: Dataset) -> None:
    """Offer the other ways to read the files, where there are any."""
    reading = dataset.info.reading
    choices = reading.choices
    if not choices:
        return
    request = loading.read_before(dataset)
    options = {
        "modality": ("Modality", {name: name for name in reading.modalities}),
        "cells_in": ("Orientation of the table", _SIDES),
        "genes": ("Genes of several files", _GENES),
    }
    columns = st.columns(3)
    for column, (name, value) in zip(columns, choices.items(), strict=False):
        title, known = options[name]
        if len(known) < 2:
            continue
        choice = column.selectbox(
            title,
            list(known),
            list(known).index(value) if value in known else 0,
            format_func=known.get,
            key=f"{dataset.fingerprint}:read:{name}",
            disabled=request is None,
            help=None if request else "Choose the file again to read it otherwise.",
        )
        if request is not None and choice != value:
            # So that coming back to this dataset shows how it was read.
            del st.session_state[f"{dataset.fingerprint}:read:{name}"]
            loading.begin(replace(request, **{**choices, name: choice}))
            st.rerun()

"""Numbers of the preparation, as fields with their ranges."""

from __future__ import annotations

from typing import Any

import streamlit as st

from harmony_core.params import RANGES, PrepareParams
from harmony_core.store import Dataset

_TITLES = {
    "min_genes": ("Fewest genes a cell", "Cells with fewer genes are mostly empty droplets."),
    "max_genes": ("Most genes a cell", "Cells with more genes are often two in one droplet."),
    "max_mito": ("Mitochondrial ceiling, %", "Dying cells have many mitochondrial counts."),
    "min_cells": ("Fewest cells a gene", "Genes seen in fewer cells are left out."),
    "max_doublet": (
        "Largest doublet score",
        "More keeps more; cells above are left out. Scores of doublets lie well above those of "
        "most cells.",
    ),
    "n_top_genes": ("Variable genes", "Chosen within each batch, so that batch effects don't."),
    "n_pcs": ("Principal components", "More keep finer differences, and more noise."),
}


def number(dataset: Dataset, name: str, now: PrepareParams, default: float | None = None) -> Any:
    """Draw a number of the settings and return where it stands."""
    value = getattr(now, name) if default is None else default
    allowed, kind = RANGES[name], type(value)
    title, help_text = _TITLES[name]
    return st.number_input(
        title,
        kind(allowed.low),
        kind(allowed.high),
        value,
        kind(allowed.step),
        help=help_text,
        key=f"{dataset.fingerprint}:{name}",
        persist_state="session",
    )

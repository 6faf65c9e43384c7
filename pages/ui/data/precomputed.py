"""An embedding of another tool in the place of Harmony's: how it is chosen and named."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harmony_core.params import RunParams
from harmony_core.store import Dataset
from pages.ui.text import plain

HARMONY = ""
"""Stands for our own correction among the names of embeddings."""


def key(dataset: Dataset) -> str:
    """Return the key of the widget."""
    return f"{dataset.fingerprint}:given"


def is_available(dataset: Dataset, params: RunParams) -> bool:
    """Return whether the data seem to bring a correction, or one was chosen on Data."""
    corrected = [n for n in _names(dataset, params) if dataset.info.facts(n).is_corrected]
    return bool(corrected) or params.precomputed is not None


def choose(dataset: Dataset, params: RunParams, now: str | None) -> RunParams:
    """Draw the choice between Harmony and the data's embeddings; return the settings with it.

    Parameters
    ----------
    now
        The embedding to start with; None for Harmony.
    """
    options = [HARMONY, *_names(dataset, params)]
    widget = key(dataset)
    # A file read anew, or another start, may have taken the choice away.
    if st.session_state.get(widget, HARMONY) not in options:
        del st.session_state[widget]
    picked = st.selectbox(
        "Corrected by",
        options,
        options.index(now) if now in options else 0,
        format_func=lambda name: f"{name} (another tool)" if name else "Harmony, here",
        key=widget,
        help="An embedding that another tool made, such as scVI, Seurat, Scanorama or Harmony "
        "elsewhere, is judged as it is and shown like a run of ours. Of BBKNN, which corrects a "
        "graph, take the layout made from it.",
        persist_state="session",
    )
    return replace(params, precomputed=picked or None)


def say(params: RunParams) -> None:
    """Say in the sidebar what is on screen instead of Harmony."""
    st.caption(
        f"**{plain(params.precomputed)}** came with the data. Another tool made it, so there are "
        "no sliders for it; it is judged against the same uncorrected cells as a run of Harmony."
    )


def _names(dataset: Dataset, params: RunParams) -> list[str]:
    """Return the embeddings that may be assessed, those that seem corrected first."""
    info = dataset.info
    others = [n for n in info.stored_embeddings if n != params.prepare.basis]
    usable = [n for n in others if not info.facts(n).n_bad]
    return sorted(usable, key=lambda n: not info.facts(n).is_corrected)

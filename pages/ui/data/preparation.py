"""Preparation: what to start from, and the choices between counts and components."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harmony_core.inspect.embeddings import notes_on_embedding
from harmony_core.params import RANGES, PrepareParams, RunParams
from harmony_core.store import Dataset, DatasetInfo
from pages.ui.data import components, quality
from pages.ui.data.numbers import number
from pages.ui.text import plain

_FROM_EXPRESSION = "the expression matrix"


def start(dataset: Dataset, now: PrepareParams) -> PrepareParams:
    """Draw what to start from, and return the settings with it."""
    info, key = dataset.info, f"{dataset.fingerprint}:"
    st.subheader("Preparation")
    starts = [*([_FROM_EXPRESSION] if info.kind != "none" else []), *info.stored_embeddings]
    _suggest_ready_embedding(dataset, now, f"{key}basis")
    picked = st.selectbox(
        "Start from",
        starts,
        starts.index(now.basis) if now.basis in starts else 0,
        key=f"{key}basis",
        help="An embedding that the file brings along is corrected as it is; otherwise "
        "principal components are computed from the expression matrix.",
        persist_state="session",
    )
    basis = None if picked is None or picked == _FROM_EXPRESSION else str(picked)
    now = _beginning_with(info, basis, now)
    if basis is None:
        return replace(now, skip_dims=0, use_dims=None)
    st.caption("Preparation is skipped: that embedding is corrected, with all its cells.")
    now = replace(now, skip_dims=_skipped(dataset, basis, now))
    return replace(now, use_dims=_taken(dataset, basis, now))


def _beginning_with(info: DatasetInfo, basis: str | None, now: PrepareParams) -> PrepareParams:
    """Return the settings in hand or, with another start, those that every way begins it with."""
    if basis == now.basis:
        return now
    if info.run is not None and info.run.prepare.basis == basis:
        return info.run.prepare
    return info.start_of_preparation({"basis": basis})


def _suggest_ready_embedding(dataset: Dataset, now: PrepareParams, widget: str) -> None:
    """Offer the embedding of data that were prepared already."""
    ready = dataset.info.uncorrected
    chosen = st.session_state.get(widget, now.basis or _FROM_EXPRESSION)
    if dataset.info.kind not in ("log", "scaled") or not ready or chosen != _FROM_EXPRESSION:
        return
    text, button = st.columns([4, 1.4], vertical_alignment="center")
    text.info(
        "These data seem prepared already: their values are not counts, and they bring "
        f"{plain(ready[0])}. Starting from it keeps what was done to them."
    )
    button.button(
        f"Start from {plain(ready[0])}",
        key="start-from-prepared",
        on_click=_choose,
        args=(widget, ready[0]),
        width="stretch",
    )


def _skipped(dataset: Dataset, basis: str, now: PrepareParams) -> int:
    facts = dataset.info.facts(basis)
    said = st.error if facts.n_bad else st.warning
    for sentence in (*notes_on_embedding(facts), *dataset.info.notes_on(now)):
        said(plain(sentence, longest=500))
    if not facts.follows_depth and not now.skip_dims:
        return 0
    drop = st.toggle(
        "Leave its first dimension out",
        bool(now.skip_dims),
        key=f"{dataset.fingerprint}:skip:{basis}",
        persist_state="session",
    )
    return max(now.skip_dims, 1) if drop else 0


def _taken(dataset: Dataset, basis: str, now: PrepareParams) -> int | None:
    """Draw how many of an embedding's dimensions are taken; None stands for all of them."""
    n_dims = dataset.info.facts(basis).n_dims
    least = int(RANGES["use_dims"].low)
    if n_dims <= least:
        return None
    taken = st.number_input(
        "Take its first dimensions up to",
        least,
        n_dims,
        min(now.use_dims or n_dims, n_dims),
        help="Fewer leave out what the last ones hold, mostly noise. A dimension that is left out "
        "counts among them.",
        key=f"{dataset.fingerprint}:take:{basis}",
        persist_state="session",
    )
    return None if taken == n_dims else int(taken)


def choose(dataset: Dataset, params: RunParams) -> PrepareParams:
    """Draw the choices of preparation with what they do, and return them."""
    now = params.prepare
    if now.basis is not None:
        return now
    cells, genes, principal = st.tabs(["Cells", "Variable genes", "Components"])
    with cells:
        now = quality.choose(dataset, params)
    with genes:
        now = replace(now, n_top_genes=number(dataset, "n_top_genes", now))
        below_genes = st.container()
    with principal:
        left, right = st.columns(2, vertical_alignment="bottom")
        with left:
            now = replace(now, n_pcs=number(dataset, "n_pcs", now))
        with right:
            scale = st.toggle(
                "Scale genes to equal variance",
                now.scale,
                key=f"{dataset.fingerprint}:scale",
                help="Each variable gene is brought to variance 1 and cut off at 10. Rare and "
                "noisy genes then weigh as much as all others.",
                persist_state="session",
            )
        now = replace(now, scale=bool(scale))
        below_principal = st.container()
    components.draw(dataset, replace(params, prepare=now), below_genes, below_principal)
    return now


def _choose(widget: str, value: str) -> None:
    st.session_state[widget] = value

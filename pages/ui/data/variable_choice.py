"""Which variable to correct and which to keep: candidates, the choice, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from harmony_core.errors import InputError
from harmony_core.inspect.candidates import variance_explained
from harmony_core.inspect.columns import batch_column, why_no_batch
from harmony_core.params import MARKER_LABEL, RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.data import marker_panel
from pages.ui.tables import EMPTY
from pages.ui.text import plain

_NO_LABEL = "(none)"
_MAKE = "Make labels from marker genes"
_MOST_LABELS = 1000


@dataclass(frozen=True)
class Variables:
    """What the user chose."""

    batch: tuple[str, ...]
    label: str | None
    condition: bool
    panel: str | None = None


def choose(dataset: Dataset) -> Variables:
    """Draw the candidates and the choice among them."""
    st.subheader("Which variable to correct, which to keep")
    current = state.settings(dataset)
    explained = variance_by_column(dataset, current)
    _candidates(dataset, explained)
    key = f"{dataset.fingerprint}:"
    left, middle, right = st.columns([2, 2, 1.4], vertical_alignment="bottom")
    with left:
        ranked = [c.name for c in dataset.info.candidates]
        batch = st.multiselect(
            "Batch variable(s)",
            [*ranked, *(c for c in dataset.obs.columns if c not in ranked)],
            default=list(current.harmony.batch) if current else [],
            key=f"{key}batch",
            help="The column (or columns) whose differences Harmony removes: donor, library, "
            "technology, study. Each gets a theta of its own.",
            persist_state="session",
        )
    with middle:
        label = _label(dataset, current, batch)
    panel = None
    with right:
        is_kept = current is not None and tuple(batch) == current.harmony.batch
        condition = st.toggle(
            "The batch variable is a condition",
            current.condition if is_kept else dataset.info.is_condition(batch),
            key=f"{key}condition:{batch}",  # another choice of variables begins with its own
            help="A treatment, a disease, a time point: something you may want to compare. "
            "Aligning it is a choice, and the verdict then says what is lost.",
            persist_state="session",
        )
    if label == MARKER_LABEL and label not in dataset.obs:
        panel = marker_panel.choose(dataset, current)
        label = None if panel is None else label
    return Variables(tuple(batch), label, bool(condition), panel)


def _label(dataset: Dataset, current: RunParams | None, batch: Sequence[str]) -> str | None:
    suggested, levels = dataset.info.labels, _levels(dataset.fingerprint, dataset)
    usable = [c for c, n in levels.items() if c not in batch and n <= _MOST_LABELS]
    made = [MARKER_LABEL] if marker_panel.is_possible(dataset) else []
    labels = [_NO_LABEL, *made, *sorted(usable, key=lambda c: c not in suggested)]
    now = current.label if current and current.label in labels else _NO_LABEL
    chosen = st.selectbox(
        "Label column",
        labels,
        labels.index(now),
        key=f"{dataset.fingerprint}:label",
        format_func=lambda name: _MAKE if name == MARKER_LABEL and made else name,
        help="Known cell types, if there are any. They are never given to Harmony; they only judge "
        "what it did. Where there are none, they can be made from marker genes.",
        persist_state="session",
    )
    return None if chosen == _NO_LABEL else str(chosen)


@st.cache_data(max_entries=16, show_spinner=False)
def _levels(fingerprint: str, _dataset: Dataset) -> dict[str, int]:
    """Return the number of levels of each column."""
    return {str(name): int(values.nunique()) for name, values in _dataset.obs.items()}


def problem(dataset: Dataset, chosen: Variables) -> str | None:
    """Say why these variables can't be corrected, or None if they can."""
    for name in chosen.batch:
        try:
            batch_column(dataset.obs, name)
        except InputError as error:
            return str(error)
    return None


def mixed_kinds(dataset: Dataset, chosen: Variables) -> str | None:
    """Say that the batches hold different kinds of values, if they do."""
    mixed = dataset.info.mixed_kinds
    return next((str(mixed[name]) for name in chosen.batch if name in mixed), None)


def _candidates(dataset: Dataset, explained: Mapping[str, float]) -> None:
    rows = [
        {
            "Column": candidate.name,
            "Batches": len(candidate.sizes) or None,
            "Smallest": min(candidate.sizes.values(), default=0),
            "Largest": max(candidate.sizes.values(), default=0),
            "Share of variance": explained.get(candidate.name),
            "Why": "; ".join(r for r in candidate.reasons if not _is_in_table(r)),
        }
        for candidate in dataset.info.candidates
    ]
    if not rows:
        return
    st.caption("Columns that could be the batch variable, the likeliest first")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(36 + 35 * len(rows), 260),
        key=f"candidates-{dataset.fingerprint}",
        placeholder=EMPTY,
        column_config={
            "Share of variance": st.column_config.ProgressColumn(
                format="percent",
                min_value=0,
                max_value=1,
                help="How much of the first ten components' variance lies between its levels, "
                "before correction. Cell types that differ between batches count too.",
            ),
            "Smallest": st.column_config.NumberColumn(help="Cells of the smallest batch."),
            "Largest": st.column_config.NumberColumn(help="Cells of the largest batch."),
        },
    )
    _unsuitable(dataset, {row["Column"] for row in rows})


def _is_in_table(reason: str) -> bool:
    return " levels of " in reason or "variance" in reason


def _unsuitable(dataset: Dataset, candidates: set[str]) -> None:
    reasons = why_not(dataset.fingerprint, dataset)
    others = [c for c in dataset.obs.columns if c not in candidates and c in reasons]
    if others:
        with st.expander(f"Columns that can't be, and why ({len(others)})"):
            for name in others[:50]:
                st.caption(f"{plain(name)}: {plain(reasons[name], longest=300)}")


@st.cache_data(max_entries=16, show_spinner=False)
def why_not(fingerprint: str, _dataset: Dataset) -> dict[str, str]:
    """Return why columns cannot be batch variables, by their names."""
    reasons = {str(c): why_no_batch(_dataset.obs[c]) for c in _dataset.obs.columns}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def variance_by_column(dataset: Dataset, params: RunParams | None) -> dict[str, float]:
    """Return the share of the first components' variance that each candidate explains.

    From the prepared embedding if there is one yet, else from one that the file brought.
    """
    names = [c.name for c in dataset.info.candidates]
    if params is not None:
        key = Plan(dataset, params).keys["prepare"]
        if dataset.is_finished(key):
            return _explained(dataset.fingerprint, key.folder, dataset, params)
    found = {c.name: c.explained for c in dataset.info.candidates}
    return {name: found[name] for name in names if found[name] is not None}


@st.cache_data(max_entries=32, show_spinner=False)
def _explained(
    fingerprint: str, stage: str, _dataset: Dataset, _params: RunParams
) -> dict[str, float]:
    prepared = _dataset.finished(Plan(_dataset, _params).keys["prepare"])
    if prepared is None:
        return {}
    obs = _dataset.obs.iloc[np.asarray(prepared.arrays["cells"])]
    embedding = np.asarray(prepared.arrays["embedding"])
    names = [c.name for c in _dataset.info.candidates[:40]]
    return {name: variance_explained(embedding, obs[name].astype(str)) for name in names}

"""The design: what is tied to the batch, drawn and said before anything is corrected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from harmony_core.categories import Factor, categorical_columns
from harmony_core.design.confounding import Finding, check_design, cramers_v, crosstab
from harmony_core.design.variables import advise, finer_divisions
from harmony_core.figures.screen.heatmaps import MOST_LEVELS, design_heatmap
from harmony_core.params import RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset
from pages.ui import panels, presentation
from pages.ui.charts import chart
from pages.ui.data.variable_choice import Variables, variance_by_column
from pages.ui.tables import decimals, table

_MOST_FINDINGS = 6


def say(dataset: Dataset, chosen: Variables, params: RunParams) -> None:
    """Say what the choice of variables means, and what is tied to them."""
    explained = variance_by_column(dataset, params)
    advice = advise(
        [factor(dataset, name) for name in chosen.batch],
        dataset.info.candidates,
        columns(dataset.fingerprint, dataset),
        label=chosen.label,
        condition=chosen.condition,
        explained=explained,
    )
    found = [f for name in chosen.batch for f in _telling(dataset, name, chosen, params)]
    worst_first = [
        f for severity in ("red", "amber", "green") for f in found if f.severity == severity
    ]
    for finding in [*advice, *worst_first[:_MOST_FINDINGS]]:
        panels.finding(finding)
    if len(worst_first) > _MOST_FINDINGS:
        with st.expander(f"{len(worst_first) - _MOST_FINDINGS} more"):
            for finding in worst_first[_MOST_FINDINGS:]:
                panels.finding(finding)


def _telling(dataset: Dataset, name: str, chosen: Variables, params: RunParams) -> list[Finding]:
    """Return what the design says of a batch variable, without what is no trouble."""
    every = columns(dataset.fingerprint, dataset)
    finer = finer_divisions(factor(dataset, name), dataset.info.candidates, every)
    return [
        f
        for f in findings(dataset, name, chosen.label, params)
        if not (f.kind == "association" and f.details["column"] in finer)
    ]


def compare(dataset: Dataset, chosen: Variables) -> None:
    """Draw batch against another column, as a picture and as a table."""
    if {c.name for c in columns(dataset.fingerprint, dataset)} <= {chosen.batch[0]}:
        return
    with st.expander("Batch against other columns: table, picture, association", expanded=True):
        left, right = st.columns(2)
        name = left.selectbox("Batch variable", chosen.batch, key=f"{dataset.fingerprint}:design")
        batch = factor(dataset, str(name))
        others = {c.name: c for c in columns(dataset.fingerprint, dataset) if c.name != name}
        tied = _associations(dataset.fingerprint, str(name), dataset)
        ranked = sorted(others, key=lambda c: (c != chosen.label, -tied[c]))
        second = right.selectbox("Against", ranked, key=f"{dataset.fingerprint}:against")
        other = others[str(second)]
        picture, numbers = st.tabs(["Picture", "Tables"])
        with picture:
            chart(
                design_heatmap(batch, other, dark=presentation.is_dark()),
                key="design-map",
            )
            most = max(len(batch.levels), len(other.levels))
            if most > MOST_LEVELS:
                st.caption(f"The {MOST_LEVELS} largest levels are drawn; the table has all.")
        with numbers:
            counts = crosstab(batch.codes, other.codes)
            wide = pd.DataFrame(counts, columns=list(other.levels))
            heading = batch.name
            while heading in other.levels:
                heading += " "
            wide.insert(0, heading, batch.levels)
            table(wide, key="design", file="design")
            st.caption("Association (Cramér's V, bias-corrected): 0 none, 1 one decides the other")
            rows = [{"Column": c, "Levels": len(others[c].levels), "V": tied[c]} for c in ranked]
            config = {"V": decimals(2)}
            table(pd.DataFrame(rows), key="tied", file="associations", columns=config)


def factor(dataset: Dataset, name: str) -> Factor:
    """Return a column as numbers."""
    return _factor(dataset.fingerprint, name, dataset)


@st.cache_resource(max_entries=64, show_spinner=False)
def _factor(fingerprint: str, name: str, _dataset: Dataset) -> Factor:
    return Factor.of(name, _dataset.obs[name])


@st.cache_resource(max_entries=8, show_spinner=False)
def columns(fingerprint: str, _dataset: Dataset) -> list[Factor]:
    """Return the columns that divide the cells into a manageable number of groups."""
    return categorical_columns(_dataset.obs, without=_dataset.info.own_columns)


@st.cache_resource(max_entries=32, show_spinner=False)
def _associations(fingerprint: str, batch: str, _dataset: Dataset) -> dict[str, float]:
    codes = factor(_dataset, batch).codes
    every = columns(fingerprint, _dataset)
    return {c.name: cramers_v(codes, c.codes) or 0.0 for c in every}


def findings(dataset: Dataset, batch: str, label: str | None, params: RunParams) -> list[Finding]:
    """Check the design for one batch variable, with the embedding where it is prepared."""
    key = Plan(dataset, params).keys["prepare"]
    stage = key.folder if dataset.is_finished(key) else ""
    return _findings(dataset.fingerprint, batch, label, stage, dataset, params)


@st.cache_resource(max_entries=32, show_spinner=False)
def _findings(
    fingerprint: str,
    batch: str,
    label: str | None,
    stage: str,
    _dataset: Dataset,
    _params: RunParams,
) -> list[Finding]:
    prepared = _dataset.finished(Plan(_dataset, _params).keys["prepare"]) if stage else None
    rows = slice(None) if prepared is None else np.asarray(prepared.arrays["cells"])
    every = [Factor(c.name, c.codes[rows], c.levels) for c in columns(fingerprint, _dataset)]
    return check_design(
        Factor(batch, factor(_dataset, batch).codes[rows], factor(_dataset, batch).levels),
        every,
        label=next((c for c in every if c.name == label), None),
        embedding=None if prepared is None else np.asarray(prepared.arrays["embedding"]),
    )

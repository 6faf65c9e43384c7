"""The design: what is tied to the batch, drawn and said before anything is corrected."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from harmony_core.categories import Factor, categorical_columns
from harmony_core.design.choice import Design
from harmony_core.design.confounding import cramers_v, crosstab
from harmony_core.figures.screen.heatmaps import MOST_LEVELS, design_heatmap
from harmony_core.params import RunParams
from harmony_core.runs.design import design_of_run
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import panels, presentation
from pages.ui.charts import chart
from pages.ui.data.variable_choice import Variables
from pages.ui.tables import decimals, table

_MOST_FINDINGS = 6


def say(dataset: Dataset, params: RunParams) -> None:
    """Say what the choice of variables means, and what is tied to them."""
    found = design(RunResults(dataset, params))
    advice = list(found.advice)
    tied = found.findings[len(advice) :]
    for finding in [*advice, *tied[:_MOST_FINDINGS]]:
        panels.finding(finding)
    if len(tied) > _MOST_FINDINGS:
        with st.expander(f"{len(tied) - _MOST_FINDINGS} more"):
            for finding in tied[_MOST_FINDINGS:]:
                panels.finding(finding)


def design(results: RunResults) -> Design:
    """Return what is to be known of the batch variables, with the embedding once it is prepared."""
    params, is_prepared = results.params, results.stage("prepare") is not None
    asked = (params.harmony.batch, params.label, params.condition, is_prepared and results.has_obs)
    return _design(results.dataset.fingerprint, results.plan.keys["prepare"].folder, asked, results)


@st.cache_resource(max_entries=32, show_spinner=False)
def _design(data: str, stage: str, asked: tuple[object, ...], _results: RunResults) -> Design:
    return design_of_run(_results, columns(data, _results.dataset))


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

"""The design of the data: what is tied to the batch, and whether Harmony is the right tool."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from harmony_core.categories import Factor, categorical_columns
from harmony_core.design.confounding import cramers_v, exclusive_labels
from harmony_core.inspect.missing import CellTypes
from harmony_core.runs.results import RunResults
from harmony_core.thresholds import CRAMERS_V_CONFOUNDED
from harmony_core.verdict.alternatives import DataFacts, right_tool
from pages.ui import panels
from pages.ui.data.design_panel import design
from pages.ui.diagnostics import explanations
from pages.ui.tables import table
from pages.ui.text import plain

_FITS = {"yes": panels.mark("green", "fits"), "consider": ":orange[consider]", "no": "not here"}


def confounding(results: RunResults) -> None:
    """Draw what the table of cells says about the batch variables."""
    for variable, found in design(results).tied.items():
        st.markdown(f"**{plain(variable)}**")
        if not found:
            st.markdown(f"{panels.mark('green')} No other column is tied to it.")
        for finding in found:
            panels.finding(finding)
        _associations(variable, results)
    explanations.numbers("cramers_v")


def _associations(variable: str, results: RunResults) -> None:
    obs = _obs(results)
    batch = Factor.of(variable, obs[variable])
    rows = [
        {"Column": c.name, "Levels": len(c.levels), "Association": cramers_v(batch.codes, c.codes)}
        for c in categorical_columns(obs, without=results.dataset.info.own_columns)
        if c.name != variable
    ]
    if rows:
        table(
            pd.DataFrame(rows).sort_values("Association", ascending=False),
            key=f"association-{variable}",
            file="associations",
            columns={"Association": explanations.column("cramers_v")},
        )


def tools(results: RunResults) -> None:
    """Say whether Harmony is the right tool here, and what else would serve."""
    st.subheader("Is Harmony the right tool here?")
    for tool in right_tool(_facts(results)):
        st.markdown(f"**{tool.name}** — {_FITS[tool.fit]}. {plain(tool.sentence, longest=900)}")
        st.caption(f"doi:{tool.source}")


def _facts(results: RunResults) -> DataFacts:
    obs, params = _obs(results), results.params
    joined = obs[list(params.harmony.batch)].astype("string").agg(" × ".join, axis=1)
    batch = Factor.of(" × ".join(params.harmony.batch), joined)
    tied, exclusive, n_labels = "", 0, 0
    if params.label is not None:
        label = CellTypes.of(Factor.of(params.label, obs[params.label])).factor
        association = cramers_v(batch.codes, label.codes)
        if association is not None and association > CRAMERS_V_CONFOUNDED:
            tied = params.label
        exclusive, n_labels = len(exclusive_labels(label.codes, batch.codes)), len(label.levels)
    assessment = results.assessment
    assert assessment is not None  # the page has drawn its headline
    return DataFacts(
        batch_variable=batch.name,
        n_cells=len(obs),
        n_batches=int(np.count_nonzero(np.bincount(batch.codes))),
        has_counts=results.dataset.info.kind == "counts",
        tied_to=tied,
        nothing_to_correct=assessment.verdict.kind == "null",
        exclusive=exclusive,
        labels=n_labels,
        mcm=list(assessment.after.values())[-1]["mcm"],
        theta=max(params.harmony.theta),
    )


def _obs(results: RunResults) -> pd.DataFrame:
    if results.obs is None:
        raise RuntimeError("the design was asked for before the cells were known")
    return results.obs

"""Inside Harmony: its soft clusters, the penalty in effect, and how it ended."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from harmony_core.figures.screen.convergence import convergence_curve
from harmony_core.figures.screen.heatmaps import soft_cluster_heatmap
from harmony_core.runs.results import RunResults
from pages.ui import panels
from pages.ui.charts import chart
from pages.ui.diagnostics import explanations
from pages.ui.tables import decimals, table
from pages.ui.text import plain


def soft_clusters(results: RunResults) -> None:
    """Draw O against E for each batch variable, with the penalty in effect."""
    stage, harmony = results.stage("soft_clusters"), results.harmony
    if stage is None or harmony is None:
        return
    st.caption(
        "Harmony assigns every cell to soft clusters and asks each of them to hold all batches. "
        "Orange: fewer cells of the batch than an even spread; blue: more. A cluster that is blue "
        "in one batch alone is a cell type of that batch, or batches that stay apart."
    )
    for i, variable in enumerate(results.params.harmony.batch):
        levels = harmony["levels"][i]
        observed, expected = stage.arrays[f"observed_{i}"], stage.arrays[f"expected_{i}"]
        st.markdown(f"**{plain(variable)}**")
        chart(
            soft_cluster_heatmap(np.asarray(observed), np.asarray(expected), levels),
            key=f"soft-{i}",
        )
        table(
            pd.DataFrame(
                {
                    "Batch": levels,
                    "Cells": np.asarray(observed).sum(axis=0).round().astype(int),
                    "theta in effect": harmony["theta_b"][i],
                    "theta asked for": results.params.harmony.theta_of_levels(variable, levels),
                }
            ),
            key=f"theta-{i}",
            file=f"theta_{i}",
            columns={"theta in effect": explanations.column("theta_b")},
        )
    explanations.numbers("soft_clusters", "theta_b")


def convergence(results: RunResults) -> None:
    """Draw the objective and say how the run ended and what that means."""
    harmony = results.harmony
    if harmony is None:
        return
    chart(
        convergence_curve(harmony["objective"], harmony["stop_reason"]),
        key="deep-convergence",
    )
    st.markdown(panels.convergence_sentence(harmony, results.params))
    objective = np.asarray(harmony["objective"], dtype=float)
    change = np.diff(objective) / np.maximum(np.abs(objective[:-1]), 1e-12)
    if len(change):
        table(
            pd.DataFrame(
                {
                    "Iteration": np.arange(1, len(objective)),
                    "Objective": objective[1:],
                    "Change, %": 100 * change,
                }
            ),
            key="objective",
            file="objective",
            columns={"Change, %": decimals(2)},
        )
    explanations.numbers("objective")

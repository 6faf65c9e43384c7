"""Stability: the same settings with five seeds, and what of the verdict holds."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from harmony_core.metric_catalog import METRICS
from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.stability import Stability, compare, with_seeds
from harmony_core.verdict.verdict import KINDS
from pages.ui.run_group import Group
from pages.ui.tables import EMPTY, decimals

_SHOWN = ("mcm", "ilisi", "gap", "conflict", "worst_label_purity_loss", "clisi")


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the offer to repeat a run, its progress, and what the seeds agree on."""
    group = Group("stability", dataset, "assess")
    wanted = list(with_seeds(params))
    done = group.done(wanted)
    st.subheader("Does it hold?")
    if not group.watch(what="seeds") and len(done) < len(wanted):
        st.caption(
            f"Harmony starts from random centres. Repeat this run with {len(wanted)} seeds to see "
            "which findings stay."
        )
        st.button(
            f"Repeat with {len(wanted)} seeds",
            key="stability",
            on_click=group.begin,
            args=(wanted,),
        )
    if len(done) == len(wanted):
        _table(_compared(dataset, wanted))


def _compared(dataset: Dataset, wanted: list[RunParams]) -> Stability:
    found = [RunResults(dataset, run).assessment for run in wanted]
    known = [assessment for assessment in found if assessment is not None]
    return compare([a.verdict for a in known], [a.after for a in known])


def _table(found: Stability) -> None:
    kinds = ", ".join(f"**{KINDS[kind].heading.lower()}** in {n}" for kind, n in found.kinds)
    st.markdown(f"Of {found.seeds} seeds: {kinds}.")
    rows = [
        {
            "What": row.name,
            "Seeds": f"{row.seeds} of {found.seeds}",
            "Lowest": row.lowest,
            "Highest": row.highest,
            "Unit": "× its limit",
        }
        for row in found.rows
    ]
    for variable, numbers in found.metrics.items():
        prefix = f"{variable}: " if len(found.metrics) > 1 else ""
        for name in _SHOWN:
            if name in numbers:
                low, high = numbers[name]
                rows.append(
                    {
                        "What": prefix + METRICS[name].title,
                        "Seeds": f"{found.seeds} of {found.seeds}",
                        "Lowest": low,
                        "Highest": high,
                        "Unit": "",
                    }
                )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Seeds": st.column_config.TextColumn(help="In how many of them the verdict lists it."),
            "Lowest": decimals(3),
            "Highest": decimals(3),
        },
        key="stability-table",
        placeholder=EMPTY,
    )

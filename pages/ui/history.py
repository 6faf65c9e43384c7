"""Every run of a dataset that was judged, and the way back to one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from harmony_core import runs
from harmony_core.data.store import Dataset
from harmony_core.params import RunParams
from harmony_core.results import RunResults
from pages.ui import controls
from pages.ui.panels import HEADINGS

ALWAYS = ("harmony.theta", "harmony.sigma")
"""Settings that are told even where all runs share them."""

TITLES = {
    "mcm": "Matched mixing",
    "ilisi": "iLISI",
    "gap": "Gap",
    "worst_label_purity_loss": "Worst purity loss",
}


def panel(dataset: Dataset, params: RunParams) -> None:
    """Draw the kept runs that judged the same cells for the same batch variable."""
    kept = comparable(dataset, params)
    if len(kept) < 2:
        return
    with st.expander(f"All runs of these data ({len(kept)})"):
        picked = st.dataframe(
            pd.DataFrame(rows(dataset, kept, params)),
            hide_index=True,
            key=f"runs-{dataset.fingerprint}-{len(kept)}",
            on_select="rerun",
            selection_mode="single-row",
            column_config={
                title: st.column_config.NumberColumn(format="%.3f") for title in TITLES.values()
            },
        )
        chosen = picked["selection"]["rows"]
        st.button(
            "Show this run",
            key="show-run",
            disabled=not chosen,
            help="Moves the sliders to its settings.",
            on_click=controls.set_sliders,
            args=(dataset, kept[chosen[0]] if chosen else params),
        )


def comparable(dataset: Dataset, params: RunParams) -> list[RunParams]:
    """Return the kept runs with the same preparation, batch variables and label."""
    return [
        run
        for run in runs.kept_runs(dataset)
        if run.prepare == params.prepare
        and run.harmony.batch == params.harmony.batch
        and (run.label, run.condition) == (params.label, params.condition)
    ]


def rows(dataset: Dataset, kept: list[RunParams], current: RunParams) -> list[dict[str, Any]]:
    """Return one row a run: what is particular about it, its main numbers and its verdict."""
    names = [*ALWAYS, *(n for n in runs.differing(kept) if n not in ALWAYS)]
    found = []
    for run in kept:
        told = runs.summary(RunResults(dataset, run), names)
        if told is None:
            continue
        metrics = list(told["metrics"].values())[-1]
        row = {_short(name): _value(value) for name, value in told["settings"].items()}
        row |= {title: metrics.get(name) for name, title in TITLES.items() if name in metrics}
        row |= {"Verdict": HEADINGS[told["kind"]], "On screen": run == current}
        found.append(row)
    return found


def _short(name: str) -> str:
    group, _, setting = name.rpartition(".")
    return setting if group in ("harmony", "") else f"{group} {setting}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in value)
    return (
        "automatic" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    )

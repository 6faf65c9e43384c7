"""The scIB set: before, the run on screen, and every kept run that was scored."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from harmony_core.metric_catalog import METRICS, SCIB_CONSERVATION, SCIB_MIXING
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.runs.results import RunResults
from pages.ui.diagnostics import explanations
from pages.ui.run_group import Group
from pages.ui.tables import decimals, table
from pages.ui.tune import run_comparison, run_table

_SCORES = SCIB_MIXING | SCIB_CONSERVATION
_STEPS = ("scib_before", "scib_after")


def draw(results: RunResults) -> None:
    """Draw the scores, and offer those that are missing."""
    if results.params.label is None:
        st.info("The scIB set needs known cell types; choose a label column on Data.")
        return
    dataset, params = results.dataset, results.params
    group = Group("scib", dataset, *_STEPS)
    kept = history.comparable_runs(dataset, params)
    missing = [run for run in kept if run not in group.done(kept)]
    st.caption(
        "The scores that papers report, 0 to 1, more being better. No verdict rests on them: over "
        "a grid of settings, a high total often goes with over-correction."
    )
    if not group.watch(what="runs") and missing:
        left, right, _ = st.columns([1, 1, 2])
        if params in missing:
            left.button(
                "Score this run",
                key="score-this",
                on_click=group.begin,
                args=([params],),
                type="primary",
                width="stretch",
            )
        if missing != [params]:
            n = len(missing)
            right.button(
                "Score the other kept run" if n == 1 else f"Score all {n} kept runs",
                key="score-all",
                on_click=group.begin,
                args=(missing,),
                width="stretch",
            )
    rows = _rows(results, group.done(kept))
    if not rows:
        return
    table(
        pd.DataFrame(rows),
        key="scib",
        file="scib_scores",
        columns={METRICS[entry].title: explanations.column(entry) for entry in _SCORES.values()}
        | {title: decimals(3) for title in ("Mixing", "Conservation", "Total")},
    )
    stage = results.stage("scib_after")
    if stage is not None and stage.info["silhouette_cells"] < stage.info["cells"]:
        st.caption(
            f"Silhouettes were computed on a sample of {stage.info['silhouette_cells']:,} cells."
        )
    explanations.numbers(*_SCORES.values(), "total")


def _rows(results: RunResults, scored: list[RunParams]) -> list[dict[str, Any]]:
    before = results.stage("scib_before")
    rows = [] if before is None else [{"Run": "Before correction", **_values(before.info)}]
    ordered = sorted(scored, key=lambda run: run != results.params)
    told = run_table.rows(results.dataset, ordered, results.params)
    for run, row in zip(ordered, told, strict=True):
        stage = RunResults(results.dataset, run).stage("scib_after")
        if stage is not None:
            here = " (on screen)" if run == results.params else ""
            name = f"{run_comparison.settings_in_words(run)}{here}"
            extra = {k: v for k, v in row.items() if k not in _NOT_SETTINGS}
            rows.append({"Run": name, **_values(stage.info), **extra})
    return rows


_NOT_SETTINGS = {"Corrected by", "theta", "sigma", "On screen", *run_table.TITLES.values()}


def _values(info: Any) -> dict[str, Any]:
    found = {"Total": info["total"], "Mixing": info["batch"], "Conservation": info["bio"]}
    scores = info["scores"]
    return found | {METRICS[entry].title: scores[name] for name, entry in _SCORES.items()}

"""Other methods beside Harmony: every kept run in a table and on a map, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from harmony_core.figures.method_points import method_points
from harmony_core.figures.screen.method_map import method_map
from harmony_core.metric_catalog import METRICS
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.runs.method_comparison import MethodComparison, compare_runs, runs_to_compare
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.which_method import Contender
from pages.ui import made, state
from pages.ui.charts import chart
from pages.ui.current_run import results_of
from pages.ui.run_group import Group
from pages.ui.tables import decimals, table
from pages.ui.text import plain
from pages.ui.tune import method_choice

_OPEN = "methods-open"
_WORST = "The state that lost most"

_COLUMNS = {
    **{"run": "Run", "verdict": "Verdict", "least_mixing": "Mixing (%)"},
    **{"mean_mixing": "Mean mixing (%)", "ilisi": METRICS["ilisi"].title},
    **{"worst_state": "Lost most", "worst_loss": "Lost (%)", "merged": "Merged"},
    **{"seconds": "Seconds", "memory_mb": "Memory (MB)", "scib_total": "scIB total"},
    **{"scib_mixing": "scIB mixing", "scib_conservation": "scIB conservation"},
}
"""Headings of the table of runs."""

_ONLY_IN_FILE = ("mean_mixing", "ilisi", "scib_mixing", "scib_conservation")
_WIDTHS = {
    **{"run": 170, "verdict": 122, "least_mixing": 80, "worst_state": 122, "worst_loss": 68},
    **{"merged": 105, "seconds": 72, "memory_mb": 95, "scib_total": 70},
}
"""In pixels: with the columns that are left out, all fit on a narrow screen without scrolling."""

_PERCENT = ("least_mixing", "mean_mixing", "worst_loss")


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the kept runs of all methods that judge the same cells, and the answer.

    Nothing is read or drawn while the panel is closed.
    """
    panel = st.expander(
        "Other methods: is Harmony the right tool here?", key=_OPEN, on_change="rerun"
    )
    if panel.open:
        with panel:
            method_choice.draw(dataset, params)
            _comparison(dataset, params)


def is_open() -> bool:
    """Return whether the panel is open."""
    return bool(st.session_state.get(_OPEN))


def _comparison(dataset: Dataset, params: RunParams) -> None:
    runs = [results_of(dataset, run.params) for run in runs_to_compare(dataset, params)]
    if not runs:
        st.caption("Nothing is compared yet: the run on screen is being computed.")
        return
    runs.reverse()  # the oldest first, so that rows keep their place
    found = made.once(_key(dataset, runs), lambda: compare_runs(runs))
    first, *others = [plain(sentence, longest=600) for sentence in found.sentences]
    st.markdown(f"**{first}**")
    for sentence in others:
        st.markdown(sentence)
    _runs_table(found)
    _scib(dataset, params, runs)
    for note in _notes_on_methods(found):
        st.caption(plain(note, longest=600))
    _map(dataset, found)
    _states(found)


def _notes_on_methods(found: MethodComparison) -> list[str]:
    """Return what is to be known of every result of a method, each once; the data's are above."""
    methods = [row.params.method.method for row in found.rows if row.params.method is not None]
    return list(dict.fromkeys(note for method in methods for note in method.notes))


def _key(dataset: Dataset, runs: Sequence[RunResults]) -> tuple[object, ...]:
    return (
        "methods",
        dataset.fingerprint,
        *(
            (run.plan.run, history.tag_of(dataset, run.params).name, _is_scored(run))
            for run in runs
        ),
    )


def _is_scored(run: RunResults) -> bool:
    return run.params.label is not None and run.plan.has("scib_after")


def _runs_table(found: MethodComparison) -> None:
    rows = found.table.drop(columns=["method", "least_mixed_batch", "problem"])
    rows[list(_PERCENT)] = (100 * rows[list(_PERCENT)]).round()
    empty = [name for name in rows if name.startswith("scib") and rows[name].isna().all()]
    help_texts = {
        "least_mixing": "Of the batch that is mixed least; missing of a method that mixes by "
        "construction.",
        "worst_loss": "Part of its nearest neighbours that changed to other cells: the number "
        "that the verdict goes by.",
        "merged": "What the verdict says was merged with another state.",
        "seconds": "That the correction took, without what is the same for all; of other methods "
        "with the start of their process.",
        "memory_mb": "Of the process that corrected, with the program and its libraries.",
        "scib_total": "No verdict rests on it.",
    }
    digits = {"ilisi": 2, "seconds": 1, "scib_total": 3, "scib_mixing": 3, "scib_conservation": 3}
    numbers = (*_PERCENT, "ilisi", "seconds", "memory_mb")
    numbers += ("scib_total", "scib_mixing", "scib_conservation")
    columns: dict[str, Any] = {
        _COLUMNS[name]: decimals(digits.get(name, 0), help_texts.get(name), width=_WIDTHS.get(name))
        for name in numbers
    }
    columns |= {
        _COLUMNS[name]: st.column_config.TextColumn(help=help_texts.get(name), width=_WIDTHS[name])
        for name in ("run", "verdict", "worst_state", "merged")
    }
    columns |= {_COLUMNS[name]: None for name in _ONLY_IN_FILE}
    table(
        rows.drop(columns=empty).rename(columns=_COLUMNS),
        key="methods",
        file="methods",
        columns=columns,
    )


def _scib(dataset: Dataset, params: RunParams, runs: Sequence[RunResults]) -> None:
    """Offer scIB's scores of the runs that have none."""
    if params.label is None:
        return
    group = Group("scib", dataset, "scib_before", "scib_after")
    every = [run.params for run in runs if not run.params.gives_graph]
    missing = [run for run in every if run not in group.done(every)]
    if not group.watch(what="runs") and missing:
        st.button(
            "Add scIB's scores",
            key="methods-scib",
            on_click=group.begin,
            args=(missing,),
            help="The scores that papers report, for comparison; no verdict rests on them.",
        )


def _map(dataset: Dataset, found: MethodComparison) -> None:
    contenders = [row.contender for row in found.rows if row.contender is not None]
    names = list(dict.fromkeys(each.name for one in contenders for each in one.states))
    key = state.key("methods-state", dataset)
    if st.session_state.get(key) not in (_WORST, *names):
        st.session_state[key] = _WORST
    picked = st.selectbox("What was lost", [_WORST, *names], key=key)
    chosen = "" if picked == _WORST else picked
    points = method_points(found, state=chosen)
    drawn = made.once(("method map", points, chosen), lambda: method_map(points, state=chosen))
    chart(drawn, key="methods-map")
    st.caption(
        "The large points are the best run of each method; crosses are runs at which a state pays; "
        "open ones mix by construction, so that their height says nothing."
    )


def _states(found: MethodComparison) -> None:
    """Draw what each state lost in the best run of each method."""
    shown = found.answer.shown
    if not shown:
        return
    st.markdown("**State by state**, in the best run of each method")
    rows = pd.DataFrame([_state_row(each.name, shown) for each in shown[0].states])
    table(
        rows,
        key="methods-states",
        file="methods_states",
        columns={_lost(one): decimals(0, "Neighbours lost") for one in shown},
    )


def _lost(one: Contender) -> str:
    return f"{one.method} (%)"


def _state_row(name: str, shown: Sequence[Contender]) -> dict[str, Any]:
    rows = [one.by_state.get(name) for one in shown]
    merged = [
        one.method
        for one, row in zip(shown, rows, strict=True)
        if row is not None and row.outcome == "merged"
    ]
    amounts = {
        _lost(one): None if row is None or row.amount is None else max(0.0, round(100 * row.amount))
        for one, row in zip(shown, rows, strict=True)
    }
    cells = next((row.cells for row in rows if row is not None), None)
    return {"State": name, "Cells": cells, **amounts, "Merged by": ", ".join(merged)}

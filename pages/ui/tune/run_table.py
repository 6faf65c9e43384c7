"""Every run of a dataset that was judged: a table, names and pins, and the way back to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import streamlit as st

from harmony_core.categories import Factor
from harmony_core.figures.screen.layouts import small_multiples
from harmony_core.metric_catalog import METRICS
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.verdict import KINDS
from pages.ui import state
from pages.ui.charts import chart
from pages.ui.current_run import CurrentRun
from pages.ui.tables import EMPTY, decimals, download
from pages.ui.tune import controls, run_comparison

MOST_LAYOUTS = 8
_OPEN = "runs-open"

TITLES = {
    name: METRICS[name].short_title for name in ("mcm", "ilisi", "gap", "worst_label_purity_loss")
}


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the kept runs that judged the same cells, and what two of them differ in.

    Nothing is read or drawn while the panel is closed.
    """
    panel = st.expander("Runs: compare, name, pin", key=_OPEN, on_change="rerun")
    if panel.open:
        with panel:
            _runs(CurrentRun(dataset, params))


def is_open() -> bool:
    """Return whether the panel is open."""
    return bool(st.session_state.get(_OPEN))


def _runs(current: CurrentRun) -> None:
    dataset = current.dataset
    kept = history.comparable_runs(dataset, current.results.params)
    if len(kept) < 2:
        st.caption("Move a slider: every run that you try is kept and listed here.")
        return
    kept.sort(key=lambda run: not history.tag_of(dataset, run).pinned)
    by_name = {RunResults(dataset, run).plan.run: run for run in kept}
    titles = _titles(dataset, by_name)
    labels = [history.tag_of(dataset, run) for run in kept]
    table = [
        {"Pinned": label.pinned, "Name": label.name, **row}
        for label, row in zip(labels, rows(dataset, kept, current.results.params), strict=True)
    ]
    shown = pd.DataFrame(table)
    st.dataframe(
        shown,
        hide_index=True,
        key=f"runs-{dataset.fingerprint}",
        column_config={title: decimals(3) for title in TITLES.values()},
        placeholder=EMPTY,
    )
    download(shown, key=f"runs-{dataset.fingerprint}", file="runs", label="Download runs (CSV)")
    _small_layouts(dataset, by_name, titles)
    _selected_run(dataset, by_name, titles)
    st.markdown("**Compare two runs in the pictures**")
    run_comparison.choose(current, titles)
    run_comparison.what_changed(current)


def _small_layouts(dataset: Dataset, by_name: dict[str, RunParams], titles: dict[str, str]) -> None:
    """Draw the runs that have a layout, small, in the colours of the first batch variable."""
    found = {key: RunResults(dataset, run) for key, run in by_name.items()}
    layouts = {titles[key]: results.layout("after") for key, results in found.items()}
    drawn = {title: positions for title, positions in layouts.items() if positions is not None}
    first = next(iter(found.values()))
    if len(drawn) < 2 or first.obs is None:
        return
    name = first.params.harmony.batch[0]
    batch = Factor.of(name, first.obs[name])
    chart(
        small_multiples(dict(list(drawn.items())[:MOST_LAYOUTS]), batch.codes, batch.levels),
        key="small-multiples",
    )
    if len(drawn) > MOST_LAYOUTS:
        st.caption(f"The first {MOST_LAYOUTS} of {len(drawn)} pictures; pin a run to see it here.")


def _selected_run(dataset: Dataset, by_name: dict[str, RunParams], titles: dict[str, str]) -> None:
    """Draw what can be done with one run."""
    choice, name, pin, show = st.columns([4, 3, 1, 2], vertical_alignment="bottom")
    key = state.key("run", dataset)
    if st.session_state.get(key) not in by_name:
        st.session_state[key] = next(iter(by_name))
    picked = choice.selectbox("Run", list(by_name), format_func=titles.__getitem__, key=key)
    run = by_name[picked]
    label = history.tag_of(dataset, run)
    name_key, pin_key = f"run-name:{picked}", f"run-pin:{picked}"

    def write() -> None:
        session = st.session_state
        history.set_tag(dataset, run, history.RunTag(session[name_key], session[pin_key]))

    name.text_input("Name", label.name, history.LONGEST_NAME, key=name_key, on_change=write)
    pin.toggle("Pin", label.pinned, key=pin_key, on_change=write, help="Keeps it on top.")
    show.button(
        "Show this run",
        key="show-run",
        help="Moves the sliders to its settings.",
        on_click=controls.show_run,
        args=(dataset, run),
        width="stretch",
    )


def _titles(dataset: Dataset, by_name: dict[str, RunParams]) -> dict[str, str]:
    """Return what each run is called: its name, or what is particular about it; all different."""
    names = _listed_settings(by_name.values())
    titles: dict[str, str] = {}
    for key, run in by_name.items():
        settings = [f"{_short(n)} {value}" for n, value in _in_words(run, names).items() if value]
        start = [history.tag_of(dataset, run).name]
        if not run.by_harmony:
            start.append(_source(run) if run.method else history.side_names(run)[1])
        title = " · ".join(part for part in (*start, *settings) if part)
        same = sum(other.startswith(title) for other in titles.values())
        titles[key] = f"{title} ({same + 1})" if same else title
    return titles


def rows(dataset: Dataset, kept: list[RunParams], current: RunParams) -> list[dict[str, Any]]:
    """Return one row a run: what is particular about it, its main numbers and its verdict."""
    names = _listed_settings(kept)
    any_other = not all(run.by_harmony for run in kept)
    found = []
    for run in kept:
        summary = history.summary(RunResults(dataset, run), names)
        if summary is None:
            continue
        metrics = list(summary["metrics"].values())[-1]
        row = {"Corrected by": _source(run)} if any_other else {}
        row |= {_short(n): value for n, value in _in_words(run, names).items()}
        row |= {title: metrics.get(name) for name, title in TITLES.items() if name in metrics}
        row |= {"Verdict": KINDS[summary["kind"]].heading, "On screen": run == current}
        found.append(row)
    return found


def _source(run: RunParams) -> str:
    """Return what corrected a run."""
    return history.in_words(run) if run.method is not None else run.precomputed or "Harmony"


def _listed_settings(kept: Iterable[RunParams]) -> list[str]:
    """Return the settings that the table lists; what corrected a run has a column of its own."""
    names = dict.fromkeys([*history.MAIN_SETTINGS, *history.differing(kept)])
    return [name for name in names if name not in run_comparison.SOURCES]


def _in_words(run: RunParams, names: list[str]) -> dict[str, str]:
    """Return settings as text; Harmony's are empty where it was not run."""
    none = [name for name in names if not run.by_harmony and name.startswith("harmony.")]
    values = history.settings(run, names)
    return {n: "" if n in none else run_comparison.value_in_words(values[n]) for n in names}


def _short(name: str) -> str:
    group, _, setting = name.rpartition(".")
    return setting if group in ("harmony", "") else f"{group} {setting}"

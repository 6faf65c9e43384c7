"""Risk: what each setting would do to a state that other batches lack, as a job and as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from harmony_core.detector.results import StateRow
from harmony_core.figures.screen.heatmaps import risk_heatmap
from harmony_core.jobs.work import risk_work
from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults
from harmony_core.runs.risk import run_risks
from harmony_core.store import Dataset
from harmony_core.verdict.risk import (
    Risk,
    missing_risk_sentence,
    reach_sentence,
    risk_sentence,
    sample_sentence,
    theta_text,
    with_thetas,
    worst_risk,
)
from pages.ui import state
from pages.ui.charts import chart
from pages.ui.task import Task
from pages.ui.text import plain

_MOST_STATES = 40
"""Drawn in the map; those of the largest risk, where there are more."""

Found = Mapping[RunParams, Mapping[StateRow, Risk]]


class RiskTask(Task):
    """The risk at some settings, each of which is drawn as soon as it is there."""

    def __init__(self, dataset: Dataset, runs: Sequence[RunParams]) -> None:
        viewer = state.key(f"{state.viewer()}:risk", dataset)
        super().__init__("risk", viewer, risk_work(dataset, runs))


def draw(results: RunResults) -> None:
    """Draw the offer to estimate the risk, its progress, and what was found so far."""
    if not results.params.by_harmony:
        return
    runs = with_thetas(results.params)
    st.subheader("How far could I go?")
    _follow(results, runs)
    found = {params: run_risks(results, params) for params in runs}
    _in_words(results, found)
    _map(found)


def _follow(results: RunResults, runs: Sequence[RunParams]) -> None:
    """Draw the button that begins, or how far the job is, or why it failed."""
    dataset = results.dataset
    key = state.key("risk", dataset)
    task = RiskTask(dataset, runs)
    if st.session_state.get(key) == task.work.name:
        progress = task.progress
        if not progress.is_over:
            task.follow()
            return
        if progress.state == "failed":
            st.warning(plain(progress.message, longest=500))
    if task.work.is_finished():
        return
    st.caption(
        "Where all batches have a state, nothing shows how hard a setting pulls. This takes each "
        "state out of the other batches, corrects again at the same settings and counts which of "
        "its neighbours are other cells then, at this theta and at others. It runs in the "
        "background; what is finished is kept."
    )

    def begin() -> None:
        st.session_state[key] = task.work.name
        task.submit()

    st.button("How far could I go? (estimate risk)", key="risk", on_click=begin)


def _in_words(results: RunResults, found: Found) -> None:
    """Say what the worst risk is here, how far one may go, and what could not be told."""
    here = list(found[results.params].values())
    worst = worst_risk(here)
    if worst is not None:
        st.markdown(plain(risk_sentence(worst), longest=2000))
    n_states = max(map(len, found.values()))
    complete = {
        max(params.harmony.theta): list(risks.values())
        for params, risks in found.items()
        if len(risks) == n_states and len(set(params.harmony.theta)) == 1
    }
    sentences = [
        reach_sentence(complete) if len(complete) > 1 else "",
        missing_risk_sentence(here),
        sample_sentence(0 if results.cells is None or not here else len(results.cells)),
    ]
    for sentence in filter(None, sentences):
        st.caption(plain(sentence, longest=2000))


def _map(found: Found) -> None:
    """Draw state against theta, the largest risk on top."""
    ordered = sorted((run for run in found if found[run]), key=lambda run: run.harmony.theta)
    rows = list(dict.fromkeys(row for run in ordered for row in found[run]))
    values = np.array(
        [[_fraction(found[run].get(row)) for run in ordered] for row in rows], dtype=float
    ).reshape(len(rows), len(ordered))
    largest = np.nan_to_num(values, nan=-1).max(axis=1, initial=-1)
    drawn = [i for i in np.argsort(-largest, kind="stable") if largest[i] >= 0][:_MOST_STATES]
    if not drawn:
        return
    names = [rows[i].name for i in drawn]
    chart(risk_heatmap(values[drawn], names, [theta_text(run) for run in ordered]), key="risk-map")


def _fraction(risk: Risk | None) -> float:
    return float("nan") if risk is None or risk.fraction is None else risk.fraction

"""Tune: move a slider; before, after, marker genes and verdict stay side by side.

A move runs the page once: settings, places of the parts, navigation. What arrives later redraws the
parts that show it.
"""

from __future__ import annotations

import streamlit as st

from harmony_core.errors import ParameterError
from harmony_core.figures.screen.convergence import convergence_curve
from harmony_core.params import RunParams
from harmony_core.store import Dataset
from pages.ui import address, advice_panel, evidence_table, made, panels, presentation, state
from pages.ui.charts import chart
from pages.ui.current_run import CurrentRun
from pages.ui.lessons import panel as lesson
from pages.ui.part import Part
from pages.ui.text import plain
from pages.ui.tune import (
    before_after,
    concordance,
    controls,
    genes,
    other_methods,
    release_pair,
    replay,
    run,
    run_comparison,
    run_table,
    seed_stability,
    settings_search,
    sketch,
)


def main() -> None:
    dataset = state.dataset()
    settings = state.settings(dataset)
    if settings is None:
        st.info("Choose which column says from which batch each cell comes.")
        st.page_link("pages/data.py", label="Go to Data")
        return
    with st.sidebar:
        st.markdown(f"**{plain(dataset.name)}**")
        names = ", ".join(plain(b) for b in settings.harmony.batch)
        st.caption(f"{dataset.n_cells:,} cells, corrected for {names}")
        try:
            params = controls.run_controls(dataset, settings, more=not presentation.is_on())
        except ParameterError as error:
            st.error(plain(error, longest=500))
            return
        presentation.switch()
        sketch.commit(dataset, params)
    state.choose_settings(dataset, params)
    if sketch.undecided(dataset, params):
        return
    with st.container():
        address.problems()
    _place(dataset, params, run.requested(dataset, params))
    address.write(dataset, params)


def _place(dataset: Dataset, params: RunParams, task: run.RunTask) -> None:
    lesson.place(task.works, dataset, params)
    STATUS.place(task.works, dataset, params)
    HEADLINE.place(task.works, dataset, params)
    PICTURES.place(task.works, dataset, params)
    MARKED.place([], dataset)
    if presentation.is_on():
        WAY_BACK.place([], dataset, params)
    else:
        RUNS.place(task.works if run_table.is_open() else [], dataset, params)
        METHODS.place(task.works if other_methods.is_open() else [], dataset, params)
    EXPLANATION.place(task.works, dataset, params)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        GENES.place(task.works, dataset, params)
    with right:
        if params.by_harmony:
            CONVERGENCE.place(task.works, dataset, params)
    if not presentation.is_on():
        if params.by_harmony:
            SEARCH.place([], dataset, params)
        TIMES.place(task.works if _times_are_open() else [], dataset, params)


def _headline(dataset: Dataset, params: RunParams) -> str:
    results, old = CurrentRun(dataset, params).newest_with("assess")
    if results is None or results.assessment is None:
        return ""
    few = presentation.is_on()
    with panels.place("headline", old=old):
        left, right = st.columns([1, 2 if few else 3], gap="small")
    with left:
        panels.heading(results.assessment.verdict, old=old)
    with right:
        for variable in results.params.harmony.batch:
            if len(results.params.harmony.batch) > 1:
                st.caption(plain(variable))
            panels.headline(results.assessment, variable, main_only=few)
    return results.plan.run


def _explanation(dataset: Dataset, params: RunParams) -> str:
    current = CurrentRun(dataset, params)
    results, old = current.newest_with("assess")
    if results is None or results.assessment is None:
        return ""
    verdict = results.assessment.verdict
    with panels.place("explanation", old=old):
        left, right = st.columns([3, 2], gap="medium")
    with left:
        condition = results.params.harmony.batch[0] if results.params.condition else None
        panels.explanation(verdict, condition=condition)
        if not presentation.is_on():
            panels.notes(results)
    with right:
        advice_panel.draw(results)
    if not presentation.is_on():
        evidence_table.table(verdict, results, only=before_after.narrowed_to(current.results))
    return results.plan.run


def _convergence(dataset: Dataset, params: RunParams) -> str:
    st.subheader("Convergence", help="Harmony's objective; it should fall and level off.")
    results, _ = CurrentRun(dataset, params).newest_with("correct")
    if results is None or results.harmony is None:
        return ""
    harmony = results.harmony
    curve = made.once(
        ("convergence", results.plan.keys["correct"]),
        lambda: convergence_curve(harmony["objective"], harmony["stop_reason"]),
    )
    chart(curve, key="convergence")
    st.caption(panels.convergence_sentence(harmony, results.params))
    return results.plan.run


def _search(dataset: Dataset, params: RunParams) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        settings_search.draw(dataset, params)
    with right:
        seed_stability.draw(dataset, params)
        release_pair.draw(dataset, params)
        concordance.draw(dataset, params)


def _times(dataset: Dataset, params: RunParams) -> None:
    panel = st.expander("Where the time went", key=_TIMES_OPEN, on_change="rerun")
    if not panel.open:
        return
    results = CurrentRun(dataset, params).results
    with panel:
        for name, spent in results.seconds.items():
            st.caption(f"{results.plan.stages[name].title}: {spent:.2f} s")


_TIMES_OPEN = "times-open"


def _times_are_open() -> bool:
    return bool(st.session_state.get(_TIMES_OPEN))


STATUS = Part("status", draw=run.status)
HEADLINE = Part("headline", draw=_headline, shows=("assess",))
PICTURES = Part(
    "pictures",
    draw=before_after.draw,
    shows=("preview_after", "layout_before", "layout_after", "clusters_after"),
    hears=(evidence_table.MARKS, run_comparison.COMPARISON, replay.FILM),
)
MARKED = Part("marked", draw=evidence_table.note_on_marks, hears=(evidence_table.MARKS,))
WAY_BACK = Part("way-back", draw=run_comparison.draw_way_back, hears=(run_comparison.COMPARISON,))
RUNS = Part("runs", draw=run_table.draw, shows=("assess", "layout_after"))
METHODS = Part("methods", draw=other_methods.draw, shows=("assess",))
EXPLANATION = Part(
    "explanation", draw=_explanation, shows=("assess",), hears=(before_after.NARROWED,)
)
GENES = Part(
    "genes",
    draw=genes.draw,
    shows=("preview_after", "layout_before", "layout_after"),
    hears=(evidence_table.MARKS, before_after.NARROWED),
)
CONVERGENCE = Part("convergence", draw=_convergence, shows=("correct",))
SEARCH = Part("search", draw=_search, hears=(run_comparison.COMPARISON,))
TIMES = Part("times", draw=_times)

address.run("tune", main)

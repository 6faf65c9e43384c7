"""Diagnostics: the evidence behind the verdict, in depth."""

from __future__ import annotations

import streamlit as st

from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import address, panels, state
from pages.ui.current_run import recent_run
from pages.ui.diagnostics import (
    clusters_and_labels,
    design_section,
    explanations,
    neighbourhoods,
    scib_scores,
    soft_clusters,
    what_to_try,
)
from pages.ui.part import Part
from pages.ui.text import plain
from pages.ui.tune import run
from pages.ui.tune.run_comparison import settings_in_words

_SECTIONS = {
    "States": clusters_and_labels.states,
    "Pre-clusters": clusters_and_labels.clusters,
    "Labels": clusters_and_labels.labels,
    "Neighbours": neighbourhoods.draw,
    "Soft clusters": soft_clusters.soft_clusters,
    "Convergence": soft_clusters.convergence,
    "Confounding": design_section.confounding,
    "scIB scores": scib_scores.draw,
    "What to try": what_to_try.draw,
    "Right tool?": design_section.tools,
}
# They tell nothing where another tool made the correction.
_OF_HARMONY = ("Soft clusters", "Convergence", "What to try")
_GLOSSARY = "Numbers and limits"
_JUDGED = ("prepare", "assess")


def main() -> None:
    st.title("Diagnostics")
    dataset = state.dataset()
    RUN.place(run.asked(dataset), dataset)


def _run(dataset: Dataset) -> str:
    """Draw the headline of a run and one of its sections, once it is judged."""
    results = recent_run(dataset, *_JUDGED)
    if results is None or results.assessment is None:
        panels.go_to_tune("There is no judged run of these data yet.")
        panels.progress(run.asked(dataset))
        return ""
    _headline(results)
    sections = [name for name in _SECTIONS if results.params.by_harmony or name not in _OF_HARMONY]
    if st.session_state.get("deep-section") not in [*sections, _GLOSSARY, None]:
        del st.session_state["deep-section"]
    picked = st.segmented_control(
        "Section",
        [*sections, _GLOSSARY],
        default="Pre-clusters",
        key="deep-section",
        label_visibility="collapsed",
        persist_state="session",
    )
    SECTION.place([], results, picked or "Pre-clusters")
    return results.plan.run


def _section(results: RunResults, name: str) -> str:
    if name == _GLOSSARY:
        explanations.everything()
    else:
        _SECTIONS[name](results)
    return results.plan.run


def _headline(results: RunResults) -> None:
    assessment = results.assessment
    assert assessment is not None  # `main` has looked
    names = ", ".join(plain(name) for name in results.params.harmony.batch)
    st.caption(
        f"{plain(results.dataset.name)}, corrected for {names}: "
        f"{plain(settings_in_words(results.params))}"
    )
    left, right = st.columns([2, 7], gap="medium")
    with left:
        panels.heading(assessment.verdict)
    with right:
        for variable in assessment.after:
            if len(assessment.after) > 1:
                st.caption(plain(variable))
            panels.headline(assessment, variable)


RUN = Part("diagnostics", draw=_run, shows=_JUDGED)
SECTION = Part("section", draw=_section)

address.run("diagnostics", main)

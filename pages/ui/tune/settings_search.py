"""Suggest: a grid of settings in the background, the map of what they did, and one to offer."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harmony_core import thresholds
from harmony_core.figures.screen.settings_map import Setting, settings_map
from harmony_core.metric_catalog import METRICS
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.verdict.suggest import Candidate, best_candidate, grid
from pages.ui.charts import chart
from pages.ui.run_group import Group
from pages.ui.tune import controls

_SCORE = "Signs of merging"
_GAP, _PURITY_LOSS = (METRICS[name].title for name in ("gap", "worst_label_purity_loss"))
_LIMITS = {
    _SCORE: thresholds.SUGGEST_SCORE_MAX,
    _GAP: None,
    _PURITY_LOSS: thresholds.PURITY_LOSS_RED,
}
"""What the map may show mixing against, and the value above which nothing is offered."""


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the offer to search, its progress, the map and what is offered."""
    group = Group("suggest", dataset, "assess")
    wanted = [replace(params, harmony=harmony) for harmony in grid(params.harmony)]
    done = group.done(wanted)
    st.subheader("Suggest settings")
    under_way = group.watch()
    if not under_way and len(done) < len(wanted):
        st.caption(
            f"Tries {len(wanted)} settings (theta 1, 2, 4, 8 with sigma 0.05, 0.1, 0.2) in the "
            "background and offers the one that mixes best without signs of merging. You can go "
            "on working; every run is kept."
        )
        st.button(
            "Go on" if len(done) > 1 else "Suggest settings",
            key="suggest",
            on_click=group.begin,
            args=(wanted,),
        )
    if len(done) > 1:
        _answer(dataset, params, done, complete=len(done) == len(wanted))


def _answer(dataset: Dataset, params: RunParams, done: list[RunParams], *, complete: bool) -> None:
    found = {run: history.candidate(RunResults(dataset, run)) for run in done}
    candidates = {run: candidate for run, candidate in found.items() if candidate is not None}
    best = best_candidate(list(candidates.values())) if complete else None
    if complete:
        _suggestion(dataset, params, list(candidates.values()), best)
    _map(dataset, params, candidates, best)


def _suggestion(
    dataset: Dataset, params: RunParams, candidates: list[Candidate], best: Candidate | None
) -> None:
    if best is None:
        st.markdown("**None of these settings can be offered.** " + _why_none(candidates))
        return
    text, button = st.columns([4, 1], vertical_alignment="center")
    text.markdown(
        f"**theta {best.settings.theta[0]:g}, sigma {best.settings.sigma:g}**: the best mixing "
        f"({best.mcm:.0%} of matching clusters) among the settings that nothing speaks against."
    )
    if best.settings == params.harmony:
        button.caption("On screen")
        return
    button.button(
        "Use it",
        key="use-suggestion",
        type="primary",
        on_click=controls.set_sliders,
        args=(dataset, replace(params, harmony=best.settings)),
        width="stretch",
    )


def _why_none(candidates: list[Candidate]) -> str:
    if all(candidate.mcm is None for candidate in candidates):
        return (
            "No cluster of one batch has a counterpart in another, so there is no mixing to aim "
            "for."
        )
    if not any(candidate.mixes for candidate in candidates):
        return (
            "All of them leave the batches apart. More iterations may help; check too that "
            "variable genes were chosen per batch."
        )
    return (
        "Each that mixes the batches shows signs of merging, or mixed a label with another. Look "
        "at the evidence: the batches may differ by cell type, and then no setting is right "
        "for all."
    )


def _map(
    dataset: Dataset,
    params: RunParams,
    candidates: dict[RunParams, Candidate],
    best: Candidate | None,
) -> None:
    labelled = any(candidate.purity_loss is not None for candidate in candidates.values())
    risks = list(_LIMITS) if labelled else list(_LIMITS)[:2]
    picked = st.segmented_control(
        "Against", risks, default=risks[0], key="map-risk", label_visibility="collapsed"
    )
    risk = picked or risks[0]
    points = {c: _point(RunResults(dataset, run), c, risk) for run, c in candidates.items()}
    on_screen = history.candidate(RunResults(dataset, params))
    known = [point for point in points.values() if point is not None]
    if not known:
        return
    chart(
        settings_map(
            known,
            risk_title=risk,
            limit=_LIMITS[risk],
            current=on_screen and _point(RunResults(dataset, params), on_screen, risk),
            offered=best and points[best],
        ),
        key="suggest-map",
    )
    st.caption(
        "Numbers are theta. A star is offered, crosses are settings that something speaks "
        "against, the ring is on screen."
    )


def _point(results: RunResults, candidate: Candidate, risk: str) -> Setting | None:
    value = {_SCORE: candidate.score, _PURITY_LOSS: candidate.purity_loss}.get(risk)
    if risk == _GAP and results.assessment is not None:
        gaps = [v.get("gap") for v in results.assessment.after.values()]
        value = max((gap for gap in gaps if gap is not None), default=None)
    if value is None or candidate.mcm is None:
        return None
    return Setting(
        theta=candidate.settings.theta[0],
        sigma=candidate.settings.sigma,
        mixing=candidate.mcm,
        risk=value,
        refused=not candidate.allowed,
    )

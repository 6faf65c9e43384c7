"""Neighbour composition by group, before and after correction."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harmony_core.categories import Factor
from harmony_core.figures.screen.heatmaps import composition_heatmap
from harmony_core.metrics.composition import neighbor_composition
from harmony_core.runs.results import RunResults
from pages.ui.charts import chart
from pages.ui.run_group import Group
from pages.ui.text import plain

_STEPS = ("neighbors_before", "neighbors_after")


def draw(results: RunResults) -> None:
    """Draw, before and after, of which batches or labels the neighbours of each group are."""
    stages = [results.stage(step) for step in _STEPS]
    if any(stage is None for stage in stages):
        _fetch(results)
        return
    groups = _groups(results)
    of, among = st.columns(2)
    row = groups[_pick(of, "Rows", list(groups), list(groups)[-1])]
    kind = groups[_pick(among, "Columns", list(groups), next(iter(groups)))]
    st.caption(
        "Of the 30 nearest neighbours of each row’s cells, the part that falls into each column. "
        "Labels that were apart before and share neighbours after have been mixed."
    )
    for column, stage, side in zip(st.columns(2), stages, ("before", "after"), strict=True):
        if stage is None:
            continue
        fraction = neighbor_composition(np.asarray(stage.arrays["indices"]), row.codes, kind.codes)
        with column:
            chart(
                composition_heatmap(fraction, row.levels, kind.levels, title=side.capitalize()),
                key=f"neighbours-{side}",
            )


def _pick(place: DeltaGenerator, title: str, names: list[str], default: str) -> str:
    picked = place.segmented_control(
        title, names, default=default, format_func=plain, key=f"neighbours-{title}"
    )
    return str(picked or default)


def _fetch(results: RunResults) -> None:
    group = Group("neighbours", results.dataset, *_STEPS)
    if not group.watch(what="searches"):
        st.caption("Neighbours are not kept for long; finding them again takes a moment.")
        st.button("Find neighbours", key="fetch", on_click=group.begin, args=([results.params],))


def _groups(results: RunResults) -> dict[str, Factor]:
    """Return what cells may be grouped by: batch, label, pre-cluster, label in each batch."""
    obs, params, assessment = results.obs, results.params, results.assessment
    if obs is None or assessment is None:
        raise RuntimeError("neighbours were asked for before the run was judged")
    groups = {name: Factor.of(name, obs[name]) for name in params.harmony.batch}
    if params.label is not None:
        groups[params.label] = Factor.of(params.label, obs[params.label])
    if "preclusters" in assessment.per_cell:
        detection = next(iter(assessment.detections.values()))
        names = tuple(row.name for row in detection.clusters)
        codes = np.asarray(assessment.per_cell["preclusters"][0])
        groups["Pre-cluster"] = Factor("Pre-cluster", codes, names)
    if params.label is not None:
        first = params.harmony.batch[0]
        both = obs[params.label].astype("string") + " · " + obs[first].astype("string")
        groups[f"{params.label} · {first}"] = Factor.of("both", both)
    return groups

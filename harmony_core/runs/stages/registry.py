"""The list of stages, in the order of computing; all that is said of stages derives from it."""

from __future__ import annotations

from dataclasses import replace

from harmony_core.params import RunParams
from harmony_core.runs.stages import (
    assessment,
    clusters,
    correction,
    labels,
    layouts,
    neighbors,
    preparation,
    scib,
)
from harmony_core.runs.stages.stage import Stage, Step

STAGES: tuple[Stage, ...] = (
    preparation.prepare,
    correction.correct,
    neighbors.neighbors.before,
    layouts.layout_before,
    layouts.preview_after,
    neighbors.neighbors.after,
    assessment.reference,
    assessment.lisi.before,
    assessment.lisi.after,
    assessment.assess,
    correction.soft_clusters,
    layouts.layout_after,
    clusters.clusters.before,
    clusters.clusters.after,
    clusters.markers.before,
    clusters.markers.after,
    clusters.other_clusters.before,
    clusters.other_clusters.after,
)
"""Of every run; what a user waits for most comes first."""

RESULTS = tuple(stage.name for stage in STAGES if stage.is_result)
"""Stages of every run that do not only serve others."""

ON_DEMAND: tuple[Stage, ...] = (
    preparation.quality,
    preparation.doublets,
    scib.scib.before,
    scib.scib.after,
)
"""Computed only where somebody asks."""

_JUDGE_BY_LABELS = ("lisi", "assess", "scib")
"""Names in the store of the stages that need labels."""

LOADING: tuple[Step, ...] = (
    Step("read", "Reading the file"),
    Step("check", "Looking at what it holds"),
    Step("keep", "Putting it into the store"),
)
"""What happens to a file before any run."""


def stages_of(params: RunParams) -> dict[str, Stage]:
    """Return every stage of a run by its name, also those on demand, in the order of computing."""
    stages = {stage.name: stage for stage in (*STAGES, *ON_DEMAND)}
    if params.precomputed is not None:
        stages["correct"] = correction.precomputed
    if params.method is not None:
        title = f"Correcting with {params.method.method.title}"
        stages["correct"] = replace(correction.by_method, title=title)
    if params.gives_graph:
        stages["neighbors_after"] = neighbors.of_graph
        stages["preview_after"] = layouts.preview_of_graph
    return stages if params.panel is None else _with_marker_labels(stages)


def _with_marker_labels(stages: dict[str, Stage]) -> dict[str, Stage]:
    """Return the stages with labels made after preparation, for those that judge by labels."""
    made = labels.marker_labels
    first, *others = stages.values()
    return {stage.name: stage for stage in (first, made, *map(_judging_by, others))}


def _judging_by(stage: Stage) -> Stage:
    if stage.store_name not in _JUDGE_BY_LABELS:
        return stage
    name = labels.marker_labels.name
    keyed_by = (*stage.keyed_by, name) if stage.keyed_by else ()
    return replace(stage, needs=(*stage.needs, name), keyed_by=keyed_by)

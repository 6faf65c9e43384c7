"""Every stage of a run, in the order of computing; all that is said of stages derives from here."""

from __future__ import annotations

from harmony_core.params import RunParams
from harmony_core.runs.stages import (
    assessment,
    clusters,
    correction,
    neighbors,
    preparation,
    scib,
)
from harmony_core.runs.stages.stage import Stage, Step

STAGES: tuple[Stage, ...] = (
    preparation.PREPARE,
    correction.CORRECT,
    neighbors.NEIGHBORS_BEFORE,
    neighbors.LAYOUT_BEFORE,
    neighbors.PREVIEW_AFTER,
    neighbors.NEIGHBORS_AFTER,
    assessment.REFERENCE,
    assessment.LISI_BEFORE,
    assessment.LISI_AFTER,
    assessment.ASSESS,
    correction.SOFT_CLUSTERS,
    neighbors.LAYOUT_AFTER,
    clusters.CLUSTERS_BEFORE,
    clusters.CLUSTERS_AFTER,
    clusters.MARKERS_BEFORE,
    clusters.MARKERS_AFTER,
    clusters.OTHER_CLUSTERS_BEFORE,
    clusters.OTHER_CLUSTERS_AFTER,
)
"""Of every run; what a user waits for most comes first."""

RESULTS = tuple(stage.name for stage in STAGES if stage.is_result)
"""Stages of every run that do not only serve others."""

ON_DEMAND: tuple[Stage, ...] = (
    preparation.QUALITY,
    preparation.DOUBLETS,
    scib.SCIB_BEFORE,
    scib.SCIB_AFTER,
)
"""Computed only where somebody asks."""

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
        stages["correct"] = correction.PRECOMPUTED
    return stages

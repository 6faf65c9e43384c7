"""The evidence of a verdict: labels that lost purity and pre-clusters that were flagged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harmony_core import thresholds
from harmony_core.detector.results import Detection, LabelRow


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One row of the evidence table.

    Parameters
    ----------
    kind
        Whether the cells are those of a known label or of a pre-cluster of the uncorrected data.
    name
        The label, or the pre-cluster's name.
    batch_variable, batch
        Column and its level; ``batch`` is empty where the row is about all batches.
    merged_with
        What holds most of its new neighbours; empty where unknown.
    share
        How far it mixed with other batches, 1 being fully; ``None`` where not measured.
    score
        The number that speaks against it, over its limit: above 1 is too much.
    genes
        Up to ten genes that say so, the clearest first.
    cells
        Number of cells.
    cluster, resolution
        Pre-cluster and the Leiden resolution of its reference, for ``Reference.cells_of``;
        ``None`` for a label, whose cells are those with ``name`` in the label column.
    """

    kind: Literal["label", "pre-cluster"]
    name: str
    batch_variable: str
    batch: str
    merged_with: str
    share: float | None
    score: float
    genes: tuple[str, ...]
    cells: int
    cluster: int | None = None
    resolution: float | None = None


def label_evidence(labels: Sequence[LabelRow], batch_variable: str) -> list[Evidence]:
    """Return the labels that lost more purity than is unsuspicious, worst first."""
    lost = [label for label in labels if label.loss > thresholds.PURITY_LOSS_AMBER]
    return [
        Evidence(
            kind="label",
            name=label.name,
            batch_variable=batch_variable,
            batch=label.batch,
            merged_with=label.merged_with,
            share=label.share,
            score=label.loss / thresholds.PURITY_LOSS_RED,
            genes=label.genes,
            cells=label.cells,
        )
        for label in sorted(lost, key=lambda label: -label.loss)
    ]


def cluster_evidence(detection: Detection, batch_variable: str) -> list[Evidence]:
    """Return flagged pre-clusters, or the worst one where only the other references flag."""
    if not detection.flagged:
        return []
    assessed = [row for row in detection.clusters if row.judged]
    ranked = sorted(assessed, key=lambda row: -row.score)
    rows = [row for row in ranked if row.flagged] or ranked[:1]
    return [
        Evidence(
            kind="pre-cluster",
            name=row.name,
            batch_variable=batch_variable,
            batch=row.batch,
            merged_with=row.merged_with,
            share=row.share,
            score=row.score,
            genes=row.genes,
            cells=row.cells,
            cluster=row.cluster,
            resolution=detection.resolution,
        )
        for row in rows
    ]

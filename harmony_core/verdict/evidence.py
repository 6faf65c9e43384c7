"""The evidence of a verdict: labels and states that were merged, pre-clusters in conflict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harmony_core import thresholds
from harmony_core.detector.results import Detection, LabelRow, StateRow

SURE = 1.64
"""Standard errors that a loss must exceed: one time in twenty it does by chance."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One row of the evidence table.

    Parameters
    ----------
    kind
        Whether the cells are those of a known label, or of a state or a pre-cluster of the
        uncorrected data.
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
        Pre-cluster and the Leiden resolution of its reference, for ``Reference.cells_of``; of a
        state its number, without a resolution. ``None`` for a label, whose cells are those with
        ``name`` in the label column.
    """

    kind: Literal["label", "state", "pre-cluster"]
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


def is_large(label: LabelRow) -> bool:
    """Whether a label has as many cells as neighbours are looked at, to be judged by them."""
    return label.cells >= thresholds.N_NEIGHBORS


def is_merged(label: LabelRow) -> bool:
    """Whether a label of enough cells lost more purity than is unsuspicious, or than by chance."""
    return is_large(label) and label.loss > max(thresholds.PURITY_LOSS_AMBER, SURE * label.error)


def label_evidence(labels: Sequence[LabelRow], batch_variable: str) -> list[Evidence]:
    """Return the labels that lost more purity than is unsuspicious, worst first."""
    lost = [label for label in labels if is_merged(label)]
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
    """Return pre-clusters in conflict, or the worst one where only other references flag."""
    if not detection.conflict_flagged:
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


def state_evidence(detection: Detection, batch_variable: str) -> list[Evidence]:
    """Return the states that were merged, worst first."""
    return [
        Evidence(
            kind="state",
            name=row.name,
            batch_variable=batch_variable,
            batch=row.batch,
            merged_with=row.other,
            share=None,
            score=(row.amount or 0.0) / _limit(row),
            genes=row.genes,
            cells=row.cells,
            cluster=row.state,
        )
        for row in detection.states
        if row.outcome == "merged"
    ]


def _limit(row: StateRow) -> float:
    """Return the limit that a merged state exceeds: of loss, or of mixing with a replacing type."""
    has_lost = row.q is not None and row.q < thresholds.FALSE_DISCOVERIES
    return thresholds.STATE_LOSS if has_lost else thresholds.REPLACED_MERGED

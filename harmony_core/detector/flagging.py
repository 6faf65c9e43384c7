"""Which pre-clusters a run is flagged for: scores against their limits, as rows with names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harmony_core import thresholds
from harmony_core.detector.cluster_scores import ClusterScores, Lost
from harmony_core.detector.matched_mixing import MatchedMixing
from harmony_core.detector.reference import EVIDENCE, RESOLUTIONS, Partition, Reference
from harmony_core.detector.results import ClusterRow, Detection, MatchedRow


def summarise(
    reference: Reference,
    scores: Sequence[ClusterScores],
    matched: MatchedMixing,
    *,
    lost: Sequence[Lost],
    batch_names: Sequence[str],
    gene_names: Sequence[str],
    condition: bool,
) -> Detection:
    """Turn the scores of pre-clusters into a run's numbers and named rows.

    Parameters
    ----------
    reference
        That the scores are of.
    scores
        Of each partition of the reference.
    matched
        Mixing of the pre-clusters that correspond between batches.
    lost
        Lost markers of each pre-cluster that evidence is taken from.
    batch_names, gene_names
        Names of the batch codes, and of the columns of the expression.
    condition
        Whether the batch variable is a condition, which has limits of its own.

    Returns
    -------
    The numbers with their evidence.
    """
    limit = conflict_limit(has_genes=reference.has_genes, condition=condition)
    conflict = gap = None
    if all(s.assessed.any() for s in scores):
        conflict = float(np.mean([s.conflict.max() for s in scores]))
        gap = float(np.mean([s.gap.max() for s in scores]))
    run_score = (conflict or 0.0) / limit
    names = cluster_names(reference, reference.evidence, batch_names, gene_names)
    return Detection(
        conflict=conflict,
        gap=gap,
        gap_basis="genes" if reference.has_genes else "components",
        condition=condition,
        flagged=run_score > 1.0,
        conflict_flagged=run_score > 1.0,
        score=run_score,
        mcm=matched.mcm,
        clusters=_cluster_rows(
            reference, scores[EVIDENCE], names, lost, batch_names, gene_names, limit
        ),
        resolution=RESOLUTIONS[EVIDENCE],
        matched=_matched_rows(reference, matched, batch_names, gene_names),
        notes=reference.notes,
    )


def conflict_limit(*, has_genes: bool, condition: bool) -> float:
    """Return the largest conflict that is not flagged.

    Parameters
    ----------
    has_genes, condition
        Whether genes or components were compared, and whether the batch variable is a condition.
    """
    if has_genes:
        return thresholds.CONFLICT_MAX_CONDITION if condition else thresholds.CONFLICT_MAX
    return thresholds.CONFLICT_MAX_PC_CONDITION if condition else thresholds.CONFLICT_MAX_PC


def cluster_names(
    reference: Reference,
    partition: Partition,
    batch_names: Sequence[str],
    gene_names: Sequence[str],
) -> list[str]:
    """Name every pre-cluster by its batch, its rank by size and its best markers.

    Parameters
    ----------
    reference, partition
        Of the uncorrected data, and the pre-clusters to name.
    batch_names, gene_names
        Names of the batch codes, and of the columns of the expression; without the latter no
        markers are named.

    Returns
    -------
    One name a pre-cluster.
    """
    names = []
    for cluster, batch in enumerate(partition.batch):
        name = f"{batch_names[batch]} · cluster {partition.rank_in_batch(cluster)}"
        best = partition.markers[cluster, : thresholds.NAME_GENES]
        genes = _gene_names(reference, best[best >= 0], gene_names)
        names.append(f"{name} ({', '.join(genes)})" if genes else name)
    return names


def _gene_names(
    reference: Reference, positions: npt.NDArray[np.integer], gene_names: Sequence[str]
) -> tuple[str, ...]:
    if not reference.has_genes or not len(gene_names):
        return ()
    return tuple(str(gene_names[column]) for column in reference.genes[positions])


def _cluster_rows(
    reference: Reference,
    scores: ClusterScores,
    names: Sequence[str],
    lost: Sequence[Lost],
    batch_names: Sequence[str],
    gene_names: Sequence[str],
    limit: float,
) -> tuple[ClusterRow, ...]:
    partition = reference.evidence
    rows = []
    for cluster, name in enumerate(names):
        partner = int(scores.between[cluster].argmax()) if scores.edges[cluster] else -1
        fraction = scores.between[cluster].max() / max(scores.edges[cluster], 1)
        residual = np.abs(scores.residual[cluster])
        assessed = bool(scores.assessed[cluster])
        order = np.argsort(-residual, kind="stable")
        top = order[: thresholds.EVIDENCE_GENES if assessed else 0]
        lost_fraction, lost_genes = lost[cluster]
        rows.append(
            ClusterRow(
                cluster=cluster,
                name=name,
                batch=str(batch_names[partition.batch[cluster]]),
                cells=int(partition.sizes[cluster]),
                judged=assessed,
                share=float(scores.mixing[cluster]),
                conflict=float(scores.conflict[cluster]),
                gap=float(scores.gap[cluster]),
                lost=lost_fraction,
                merged_with=names[partner] if partner >= 0 else "",
                merged_cluster=partner,
                merged_part=float(fraction),
                genes=_gene_names(reference, top, gene_names),
                lost_genes=_gene_names(
                    reference, lost_genes[: thresholds.EVIDENCE_GENES], gene_names
                ),
                score=float(scores.conflict[cluster]) / limit,
            )
        )
    return tuple(rows)


def _matched_rows(
    reference: Reference,
    matched: MatchedMixing,
    batch_names: Sequence[str],
    gene_names: Sequence[str],
) -> tuple[MatchedRow, ...]:
    partition = reference.matching
    names = cluster_names(reference, partition, batch_names, gene_names)
    order = np.argsort(matched.mixing, kind="stable")
    return tuple(
        MatchedRow(
            name=names[own],
            partner=names[partner],
            batch=str(batch_names[partition.batch[own]]),
            partner_batch=str(batch_names[partition.batch[partner]]),
            cluster=int(own),
            partner_cluster=int(partner),
            cells=int(partition.sizes[own]),
            mixing=float(matched.mixing[at]),
        )
        for at in order
        for own, partner in [matched.pairs[at]]
    )

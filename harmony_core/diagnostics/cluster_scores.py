"""Conflict, gap and lost markers of every pre-cluster, from a run's neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harmony_core.diagnostics import kernels
from harmony_core.diagnostics import thresholds as limit
from harmony_core.diagnostics.reference import Partition, Reference
from harmony_core.diagnostics.transfer import TABLE_STEPS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Lost = tuple[float | None, Ints]
Expression = sparse.csc_matrix | sparse.csr_matrix


@dataclass(frozen=True, kw_only=True)
class ClusterScores:
    """The numbers of every pre-cluster of one partition.

    Parameters
    ----------
    edges
        Cross-batch neighbours.
    between
        The same by the neighbour's pre-cluster (pre-clusters × pre-clusters).
    share
        Cross-batch part of the neighbours over the part expected, at most 1.
    judged
        Whether there are enough cells and cross-batch neighbours.
    conflict
        Transfer conflict minus that at theta 0; 0 where not judged.
    gap
        Cross-batch gap; 0 where not judged.
    residual
        Difference to the cross-batch neighbours minus the batch's common one, pre-clusters ×
        judged genes (or components); NaN where not judged.
    """

    edges: Counts
    between: Counts
    share: Floats
    judged: Flags
    conflict: Floats
    gap: Floats
    residual: Floats


def score_partitions(
    reference: Reference,
    indices_after: Ints,
    indices_floor: Ints,
    expression: Expression | None,
) -> list[ClusterScores]:
    """Score the pre-clusters of each partition; parameters as for ``score``."""
    after = indices_after[:, : limit.N_NEIGHBORS]
    floor = indices_floor[:, : limit.N_NEIGHBORS]
    values, columns = _values(reference, expression)
    return [
        _score_partition(reference, partition, after, floor, values, columns)
        for partition in reference.partitions
    ]


def _score_partition(
    reference: Reference,
    partition: Partition,
    after: Ints,
    floor: Ints,
    values: sparse.csc_matrix,
    columns: Ints,
) -> ClusterScores:
    codes = reference.codes
    edges, between, share, judged = _mixing(codes, partition, after)
    conflict = share * _conflict(codes, partition, after)
    _, _, floor_share, floor_judged = _mixing(codes, partition, floor)
    at_floor = np.where(floor_judged, floor_share * _conflict(codes, partition, floor), 0.0)
    enough = judged & (partition.sizes >= limit.MIN_CELLS_CONFLICT)
    residual = _residual(codes, partition, after, edges, judged, values, columns)
    if reference.has_genes:
        differs = (np.abs(residual) > np.log(limit.GAP_FOLD)).mean(1)
    else:
        apart = np.linalg.norm(np.nan_to_num(residual), axis=1)
        differs = np.minimum(apart / partition.nearest, 1.0)
    return ClusterScores(
        edges=edges,
        between=between,
        share=share,
        judged=judged,
        conflict=np.where(enough, conflict - at_floor, 0.0),
        gap=np.where(judged, share * differs, 0.0),
        residual=residual,
    )


def _mixing(
    codes: Ints, partition: Partition, indices: Ints
) -> tuple[Counts, Counts, Floats, Flags]:
    edges, between = kernels.count_edges(indices, codes, partition.pre, len(partition.sizes))
    batch_part = np.bincount(codes)[partition.batch] / len(codes)
    expected = partition.sizes * indices.shape[1] * (1 - batch_part)
    share = np.minimum(edges / np.maximum(expected, 1e-9), 1.0)
    judged = (partition.sizes >= limit.MIN_CELLS_REFERENCE) & (edges >= limit.MIN_EDGES)
    return edges, between, share, judged


def _conflict(codes: Ints, partition: Partition, indices: Ints) -> Floats:
    mean: Floats = kernels.mean_conflict(
        indices, codes, partition.pre, partition.conflict, len(partition.sizes)
    )
    return mean / TABLE_STEPS


def _residual(
    codes: Ints,
    partition: Partition,
    after: Ints,
    edges: Counts,
    judged: Flags,
    values: sparse.csc_matrix,
    columns: Ints,
) -> Floats:
    """Difference of each pre-cluster to its cross-batch neighbours, less the batch's own one."""
    n_clusters = len(partition.sizes)
    weights = kernels.neighbor_weights(after, codes, partition.pre, n_clusters)
    scale = np.ones((int(codes.max()) + 1, len(columns)))
    matrix = (values.indptr, values.indices, values.data)
    sums = kernels.weighted_sums(matrix, columns, weights, n_clusters, codes, scale)
    difference = -sums / np.maximum(edges, 1)[:, None]
    residual = np.full(difference.shape, np.nan)
    for batch in range(int(codes.max()) + 1):
        own = np.flatnonzero(judged & (partition.batch == batch))
        if not len(own):
            continue
        if len(own) >= limit.GAP_MIN_CLUSTERS:
            common = np.median(difference[own], axis=0)
        else:
            common = np.average(difference[own], axis=0, weights=edges[own])
        residual[own] = difference[own] - common
    return residual


def lost_markers(
    reference: Reference,
    indices_after: Ints,
    scores: ClusterScores,
    expression: Expression | None,
) -> list[Lost]:
    """Find the markers of each evidence pre-cluster that its cross-batch neighbours lack.

    Returns
    -------
    For each pre-cluster: share × lost part of its markers (``None`` without markers, or where it
    is not judged), and the lost markers as positions in the judged genes, best marker first.
    """
    partition = reference.evidence
    n_clusters = len(partition.sizes)
    if not reference.has_genes or not (partition.markers >= 0).any():
        return [(None, np.zeros(0, dtype=np.int32))] * n_clusters
    used = np.unique(partition.markers[partition.markers >= 0])
    values, columns = _values(reference, expression)
    codes = reference.codes
    after = indices_after[:, : limit.N_NEIGHBORS]
    start, group, weight = kernels.neighbor_weights(after, codes, partition.pre, n_clusters)
    # Neighbours only: a cell's own pre-cluster has a negative weight.
    weights = (start, group, np.maximum(weight, 0.0))
    scale = 1.0 / (reference.batch_sd[:, used].astype(np.float64) + limit.Z_SD_FLOOR)
    matrix = (values.indptr, values.indices, values.data)
    sums = kernels.weighted_sums(matrix, columns[used], weights, n_clusters, codes, scale)
    by_batch = np.zeros((n_clusters, reference.n_batches))
    for batch in range(reference.n_batches):
        theirs = partition.batch == batch
        by_batch[:, batch] = scores.between[:, theirs].sum(1)
    z = sums - by_batch @ (reference.batch_mean[:, used] * scale)
    z /= np.maximum(scores.edges, 1)[:, None]
    result: list[Lost] = []
    for cluster in range(n_clusters):
        genes = partition.markers[cluster]
        genes = genes[genes >= 0]
        if not len(genes) or not scores.judged[cluster]:
            result.append((None, np.zeros(0, dtype=np.int32)))
            continue
        own = partition.marker_z[cluster, : len(genes)]
        least = limit.MARKER_KEPT * np.maximum(own, limit.MARKER_Z_FLOOR)
        lost = z[cluster, np.searchsorted(used, genes)] < least
        result.append((float(scores.share[cluster] * lost.mean()), genes[lost]))
    return result


def _values(reference: Reference, expression: Expression | None) -> tuple[sparse.csc_matrix, Ints]:
    """Return the judged values and which of their columns to use."""
    if expression is None:
        components = sparse.csc_matrix(reference.components)
        return components, np.arange(components.shape[1], dtype=np.int32)
    return expression.tocsc(), reference.genes

"""Conflict, gap and lost markers of every pre-cluster, from a run's neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harmony_core import thresholds
from harmony_core._typing import Flags, Floats, Ints
from harmony_core.detector.reference import EVIDENCE, Partition, Reference
from harmony_core.detector.transfer import TABLE_STEPS
from harmony_core.metrics import kernels

Counts = npt.NDArray[np.int64]
Weights = tuple[npt.NDArray[np.int64], Ints, npt.NDArray[np.float32]]
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
    mixing
        Cross-batch fraction of the neighbours over that expected, at most 1.
    assessed
        Whether there are enough cells and cross-batch neighbours.
    conflict
        Transfer conflict after minus before; 0 where not assessed.
    gap
        Cross-batch gap minus the batch's median; 0 where not assessed.
    residual
        Difference to the cross-batch neighbours minus the batch's common one, pre-clusters ×
        assessed genes (or components, in standard deviations); NaN where not assessed.
    """

    edges: Counts
    between: Counts
    mixing: Floats
    assessed: Flags
    conflict: Floats
    gap: Floats
    residual: Floats


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Cross-batch neighbours of every pre-cluster of every partition, as weights of cells.

    Cells that share their pre-cluster in all partitions form an atom. Sums are taken over atoms
    and added up, which costs a third of doing so for each partition.

    Parameters
    ----------
    codes
        Batch of each cell.
    weights
        What ``kernels.weighted_sums`` takes; a cell has a negative weight in its own atom.
    members
        For each partition, which atoms (columns) make up a pre-cluster (row).
    """

    codes: Ints
    weights: Weights
    members: list[Floats]

    @classmethod
    def of(cls, reference: Reference, indices: Ints) -> Contrast:
        """List the neighbours of a run.

        Parameters
        ----------
        reference
            Of the uncorrected data.
        indices
            Nearest neighbours in the corrected embedding (cells × 30 or more).
        """
        key = np.zeros(len(reference.codes), dtype=np.int64)
        for partition in reference.partitions:
            key = key * len(partition.sizes) + partition.pre
        _, first, atom = np.unique(key, return_index=True, return_inverse=True)
        members: list[Floats] = []
        for partition in reference.partitions:
            member = np.zeros((len(partition.sizes), len(first)))
            member[partition.pre[first], np.arange(len(first))] = 1.0
            members.append(member)
        weights = kernels.neighbor_weights(
            indices[:, : thresholds.N_NEIGHBORS],
            reference.codes,
            atom.astype(np.int32),
            len(first),
        )
        return cls(codes=reference.codes, weights=weights, members=members)

    def sums(self, values: sparse.csc_matrix, columns: Ints) -> list[Floats]:
        """Return neighbours' sum minus own sum for each partition.

        Parameters
        ----------
        values
            Cells × genes (or components).
        columns
            Those to sum.

        Returns
        -------
        Pre-clusters × columns, for each partition.
        """
        scale = np.ones((int(self.codes.max()) + 1, len(columns)), dtype=np.float32)
        sums = self._over_atoms(values, columns, self.weights, scale)
        return [member @ sums for member in self.members]

    def neighbor_sums(
        self,
        values: sparse.csc_matrix,
        columns: Ints,
        partition: int,
        scale: npt.NDArray[np.float32],
    ) -> Floats:
        """Return the neighbours' sum only, for one partition.

        Parameters
        ----------
        values
            Cells × genes (or components).
        columns
            Those to sum.
        partition
            Its position in the reference.
        scale
            Batches × columns; multiplies the values of a batch's cells.

        Returns
        -------
        Pre-clusters × columns.
        """
        starts, groups, amounts = self.weights
        weights = (starts, groups, np.maximum(amounts, 0.0))
        return self.members[partition] @ self._over_atoms(values, columns, weights, scale)

    def _over_atoms(
        self,
        values: sparse.csc_matrix,
        columns: Ints,
        weights: Weights,
        scale: npt.NDArray[np.float32],
    ) -> Floats:
        matrix = (values.indptr, values.indices, values.data)
        n_atoms = self.members[0].shape[1]
        sums: Floats = kernels.weighted_sums(matrix, columns, weights, n_atoms, self.codes, scale)
        return sums


def score_partitions(
    reference: Reference,
    indices_after: Ints,
    indices_before: Ints,
    contrast: Contrast,
    expression: Expression | None,
) -> list[ClusterScores]:
    """Score the pre-clusters of each partition.

    Parameters
    ----------
    reference
        Of the uncorrected data.
    indices_after, indices_before
        Nearest neighbours in the corrected and the uncorrected embedding (cells × 30 or more).
    contrast
        Of ``indices_after``.
    expression
        The matrix that the reference was built from (cells × genes); None where it has none.

    Returns
    -------
    Scores of the pre-clusters, for each partition of the reference.
    """
    after = indices_after[:, : thresholds.N_NEIGHBORS]
    before = indices_before[:, : thresholds.N_NEIGHBORS]
    sums = contrast.sums(*_values(reference, expression))
    return [
        _score_partition(reference, partition, after, before, own)
        for partition, own in zip(reference.partitions, sums, strict=True)
    ]


def _score_partition(
    reference: Reference, partition: Partition, after: Ints, before: Ints, sums: Floats
) -> ClusterScores:
    codes = reference.codes
    edges, between, mixing, assessed = _mixing(codes, partition, after)
    rise = _conflict(codes, partition, after) - _conflict(codes, partition, before)
    enough = assessed & (partition.sizes >= thresholds.MIN_CELLS_CONFLICT)
    difference = -sums / np.maximum(edges, 1)[:, None]
    if not reference.has_genes:
        difference /= partition.sd
    residual = _residual(partition.batch, edges, assessed, difference)
    tolerated = np.log(thresholds.GAP_FOLD) if reference.has_genes else 0.0
    excess = np.maximum(np.abs(np.nan_to_num(residual)) - tolerated, 0.0)
    return ClusterScores(
        edges=edges,
        between=between,
        mixing=mixing,
        assessed=assessed,
        conflict=np.where(enough, rise, 0.0),
        gap=_above_median(partition.batch, assessed, mixing * np.sqrt((excess**2).sum(1))),
        residual=residual,
    )


def _mixing(
    codes: Ints, partition: Partition, indices: Ints
) -> tuple[Counts, Counts, Floats, Flags]:
    between = kernels.count_edges(indices, codes, partition.pre, len(partition.sizes))
    edges = between.sum(axis=1)
    batch_fraction = np.bincount(codes)[partition.batch] / len(codes)
    expected = partition.sizes * indices.shape[1] * (1 - batch_fraction)
    mixing = np.minimum(edges / np.maximum(expected, 1e-9), 1.0)
    assessed = (partition.sizes >= thresholds.MIN_CELLS_REFERENCE) & (edges >= thresholds.MIN_EDGES)
    return edges, between, mixing, assessed


def _conflict(codes: Ints, partition: Partition, indices: Ints) -> Floats:
    """Fraction of all neighbours of a pre-cluster that look like another cluster of its batch."""
    n_clusters = len(partition.sizes)
    total: Floats = kernels.sum_over_edges(
        indices, codes, partition.pre, partition.conflict, n_clusters
    )
    return np.asarray(total / TABLE_STEPS / (partition.sizes * indices.shape[1]))


def _above_median(batch_of: Ints, assessed: Flags, values: Floats) -> Floats:
    """Subtract from each assessed pre-cluster the median of its batch; 0 where not assessed.

    A batch effect that differs between cell types sets all of them apart, over-correction a few.
    """
    result = np.zeros(len(values))
    for batch in np.unique(batch_of[assessed]):
        own = assessed & (batch_of == batch)
        typical = np.median(values[own]) if own.sum() >= thresholds.GAP_MIN_CLUSTERS else 0.0
        result[own] = values[own] - typical
    return result


def _residual(batch_of: Ints, edges: Counts, assessed: Flags, difference: Floats) -> Floats:
    """Take from each pre-cluster's difference what its batch's pre-clusters have in common."""
    residual = np.full(difference.shape, np.nan)
    for batch in range(int(batch_of.max()) + 1):
        own = np.flatnonzero(assessed & (batch_of == batch))
        if not len(own):
            continue
        if len(own) >= thresholds.GAP_MIN_CLUSTERS:
            common = np.median(difference[own], axis=0)
        else:
            common = np.average(difference[own], axis=0, weights=edges[own])
        residual[own] = difference[own] - common
    return residual


def lost_markers(
    reference: Reference,
    scores: ClusterScores,
    contrast: Contrast,
    expression: Expression | None,
) -> list[Lost]:
    """Find the markers of each evidence pre-cluster that its cross-batch neighbours lack.

    Parameters
    ----------
    reference
        Of the uncorrected data.
    scores, contrast
        Of the partition that evidence is taken from, and of the run's neighbours.
    expression
        The matrix that the reference was built from (cells × genes); None where it has none.

    Returns
    -------
    For each pre-cluster: mixing × lost fraction of its markers (``None`` without markers, or where
    it is not assessed), and the lost markers as positions in the reference's genes, best first.
    """
    partition = reference.evidence
    n_clusters = len(partition.sizes)
    if not reference.has_genes or not (partition.markers >= 0).any():
        return [(None, np.zeros(0, dtype=np.int32))] * n_clusters
    used = np.unique(partition.markers[partition.markers >= 0])
    values, columns = _values(reference, expression)
    scale = 1.0 / (reference.batch_sd[:, used] + np.float32(thresholds.Z_SD_FLOOR))
    sums = contrast.neighbor_sums(values, columns[used], EVIDENCE, scale)
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
        if not len(genes) or not scores.assessed[cluster]:
            result.append((None, np.zeros(0, dtype=np.int32)))
            continue
        own = partition.marker_z[cluster, : len(genes)]
        least = thresholds.MARKER_KEPT * np.maximum(own, thresholds.MARKER_Z_FLOOR)
        lost = z[cluster, np.searchsorted(used, genes)] < least
        result.append((float(scores.mixing[cluster] * lost.mean()), genes[lost]))
    return result


def _values(reference: Reference, expression: Expression | None) -> tuple[sparse.csc_matrix, Ints]:
    """Return the assessed values and which of their columns to use."""
    if expression is None or not reference.has_genes:
        return _all_stored(reference.components)
    return expression.tocsc(), reference.genes


def _all_stored(dense: npt.NDArray[np.float32]) -> tuple[sparse.csc_matrix, Ints]:
    """Return an array as CSC with its columns; scipy would look for zeros first, at length."""
    n, dims = dense.shape
    cells = np.tile(np.arange(n, dtype=np.int32), dims)
    parts = (np.asarray(dense).ravel(order="F"), cells, np.arange(dims + 1) * n)
    return sparse.csc_matrix(parts, shape=dense.shape), np.arange(dims, dtype=np.int32)

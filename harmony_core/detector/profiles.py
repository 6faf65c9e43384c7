"""Mean profiles of pre-clusters, and what follows from them: distinctness, markers, partners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints
from harmony_core.metrics import kernels


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """Moments of each pre-cluster over the compared genes.

    Parameters
    ----------
    sizes
        Cells of each pre-cluster.
    batch
        Batch of each pre-cluster.
    mean, variance
        Pre-clusters × genes.
    are_genes
        Whether the columns are genes; components otherwise, whose unit is arbitrary.
    """

    sizes: Ints
    batch: Ints
    mean: Floats
    variance: Floats
    are_genes: bool

    @property
    def n_batches(self) -> int:
        return int(self.batch.max()) + 1

    @property
    def pooled_sd(self) -> Floats:
        """Standard deviation within pre-clusters.

        Returns
        -------
        A value a gene, to which a floor is added, or a component.
        """
        within = np.sqrt((self.sizes[:, None] * self.variance).sum(0) / self.sizes.sum())
        if self.are_genes:
            return np.asarray(within + thresholds.SD_FLOOR)
        return np.where(within > 0, within, 1.0)

    def of_batch(self, batch: int, *, min_cells: int) -> npt.NDArray[np.intp]:
        """Return the pre-clusters of a batch that have enough cells.

        Parameters
        ----------
        batch
            Number of the batch.
        min_cells
            Fewest cells of a pre-cluster.
        """
        return np.flatnonzero((self.batch == batch) & (self.sizes >= min_cells))

    def centred(self, *, min_cells: int) -> Floats:
        """Return mean profiles minus those of their batch.

        Parameters
        ----------
        min_cells
            Smaller pre-clusters don't count in the batch's mean, and stay as they are.

        Returns
        -------
        Pre-clusters × genes.
        """
        centred = self.mean.copy()
        for batch in range(self.n_batches):
            own = self.of_batch(batch, min_cells=min_cells)
            if len(own):
                centred[own] -= np.average(self.mean[own], axis=0, weights=self.sizes[own])
        return centred


def choose_genes(expression: sparse.csc_matrix) -> Ints:
    """Choose the genes to compare: variance over max(mean, 0.05), at most 2,000.

    Parameters
    ----------
    expression
        Cells × genes, log-normalised.

    Returns
    -------
    Ascending columns of ``expression``. Genes without variance are left out.
    """
    n = expression.shape[0]
    columns = np.arange(expression.shape[1], dtype=np.int32)
    one_group = np.zeros(n, dtype=np.int32)
    total, squares = kernels.moments(
        expression.indptr, expression.indices, expression.data, columns, one_group, 1
    )
    mean = total[0] / n
    variance = squares[0] / n - mean**2
    score = variance / np.maximum(mean, thresholds.GENE_MEAN_FLOOR)
    best = np.argsort(-score, kind="stable")[: thresholds.MAX_GENES]
    return np.sort(best[score[best] > 0]).astype(np.int32)


def profile(
    values: sparse.csc_matrix, columns: Ints, pre: Ints, batch_codes: Ints, *, are_genes: bool
) -> Profiles:
    """Compute the moments of each pre-cluster over some columns.

    Parameters
    ----------
    values
        Cells × genes (or components).
    columns
        Those to look at.
    pre, batch_codes
        Pre-cluster and batch of each cell.
    are_genes
        Whether the columns are genes.

    Returns
    -------
    Sizes, batches, means and variances of the pre-clusters.
    """
    n_clusters = int(pre.max()) + 1
    total, squares = kernels.moments(
        values.indptr, values.indices, values.data, columns, pre, n_clusters
    )
    sizes = np.bincount(pre, minlength=n_clusters).astype(np.int32)
    mean = total / sizes[:, None]
    batch = np.zeros(n_clusters, dtype=np.int32)
    batch[pre] = batch_codes
    return Profiles(
        sizes=sizes,
        batch=batch,
        mean=mean,
        variance=np.maximum(squares / sizes[:, None] - mean**2, 0.0),
        are_genes=are_genes,
    )


def distinctness(profiles: Profiles, clusters: npt.NDArray[np.intp]) -> tuple[Floats, Ints]:
    """How distinct each two pre-clusters of one batch are, and the columns that say so.

    Splits of one state count little: what separates two pre-clusters is taken relative to the
    batch's median pair. For genes it is the number that are differentially expressed, for
    components the squared distance.

    Parameters
    ----------
    profiles
        Of all pre-clusters.
    clusters
        At least two pre-clusters of one batch.

    Returns
    -------
    Distinctness from 0 to 1, clusters × clusters, and the union of each pair's top genes
    (ascending columns of the profiles; all of them, if they are components).
    """
    if profiles.are_genes:
        separation, columns = _differing_genes(profiles, clusters)
    else:
        centres = profiles.mean[clusters] / profiles.pooled_sd
        squared = (centres**2).sum(1)
        separation = np.maximum(squared[:, None] + squared - 2 * centres @ centres.T, 0.0)
        columns = np.arange(profiles.mean.shape[1], dtype=np.int32)
    typical = max(float(np.median(separation[~np.eye(len(clusters), dtype=bool)])), 1e-9)
    span = thresholds.DISTINCT_HIGH - thresholds.DISTINCT_LOW
    distinct = np.clip((separation / typical - thresholds.DISTINCT_LOW) / span, 0.0, 1.0)
    if profiles.are_genes:
        distinct[separation < thresholds.DE_MIN_GENES] = 0.0
    return distinct, columns


def _differing_genes(profiles: Profiles, clusters: npt.NDArray[np.intp]) -> tuple[Floats, Ints]:
    """Count the genes in which each two pre-clusters differ, and collect each pair's top ones."""
    mean, error = profiles.mean[clusters], profiles.variance[clusters]
    error = error / profiles.sizes[clusters][:, None]
    counts = np.zeros((len(clusters), len(clusters)))
    is_top = np.zeros(mean.shape[1], dtype=bool)
    for x in range(len(clusters)):
        difference = np.abs(mean[x] - mean)
        t = difference / np.sqrt(error[x] + error + thresholds.DE_VARIANCE_FLOOR)
        differs = (t > thresholds.DE_T) & (difference > np.log(thresholds.DE_FOLD))
        counts[x] = differs.sum(1)
        t[~differs] = 0.0
        top = np.argsort(-t, axis=1, kind="stable")[:, : thresholds.DE_TOP]
        is_top[top[np.take_along_axis(differs, top, axis=1)]] = True
    return counts, np.flatnonzero(is_top).astype(np.int32)


def partners(profiles: Profiles) -> Ints:
    """Match the pre-clusters of each two batches.

    Returns
    -------
    Pre-clusters that are each other's best match, pairs × 2.
    """
    centred = profiles.centred(min_cells=thresholds.MIN_CELLS_MATCHED)
    of_batch = [
        profiles.of_batch(batch, min_cells=thresholds.MIN_CELLS_MATCHED)
        for batch in range(profiles.n_batches)
    ]
    sd = profiles.pooled_sd
    pairs = [
        pair
        for at, first in enumerate(of_batch)
        for second in of_batch[at + 1 :]
        for pair in best_pairs(centred, sd, first, second, min_r=thresholds.PARTNER_R)
    ]
    return np.asarray(pairs, dtype=np.int32).reshape(-1, 2)


def best_pairs(
    centred: Floats,
    sd: Floats,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    *,
    min_r: float,
) -> list[tuple[int, int]]:
    """Find mutually best pairs of pre-clusters of two batches by Pearson correlation.

    Parameters
    ----------
    centred, sd
        Profiles without their batch's mean (pre-clusters × genes), and what to scale genes by.
    first, second
        Pre-clusters of the one batch and of the other.
    min_r
        Correlation that a pair must exceed.

    Returns
    -------
    Pairs of pre-clusters, the first batch's first.
    """
    if not len(first) or not len(second):
        return []

    def unit(rows: Floats) -> Floats:
        rows = rows / sd
        rows = rows - rows.mean(1, keepdims=True)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))

    r = unit(centred[first]) @ unit(centred[second]).T
    return [(int(first[i]), int(second[j])) for i, j in mutually_best(r, min_r)]


def mutually_best(r: Floats, min_r: float) -> list[tuple[int, int]]:
    """Find the pairs of row and column that are each other's best.

    Parameters
    ----------
    r
        Likeness (rows × columns).
    min_r
        Likeness that a pair must exceed.
    """
    to_column, to_row = r.argmax(1), r.argmax(0)
    return [(i, int(j)) for i, j in enumerate(to_column) if to_row[j] == i and r[i, j] > min_r]


def markers(profiles: Profiles, batch_mean: Floats, batch_sd: Floats) -> tuple[Ints, Floats]:
    """Find each pre-cluster's markers against the other pre-clusters of its batch.

    Parameters
    ----------
    profiles
        Of all pre-clusters.
    batch_mean, batch_sd
        Batches × genes: mean and standard deviation of all cells of a batch.

    Returns
    -------
    Columns of the profiles, pre-clusters × 30, best first, -1 where there are fewer, and the
    mean z of the same genes. A pre-cluster with fewer than five markers has none, and none has
    any among components.
    """
    n_clusters = len(profiles.sizes)
    found = np.full((n_clusters, thresholds.MARKER_TOP), -1, dtype=np.int32)
    z_found = np.zeros((n_clusters, thresholds.MARKER_TOP))
    if not profiles.are_genes:
        return found, z_found
    sizes = profiles.sizes[:, None].astype(float)
    total = sizes * profiles.mean
    squares = sizes * (profiles.variance + profiles.mean**2)
    for batch in range(profiles.n_batches):
        own = profiles.of_batch(batch, min_cells=1)
        if len(own) < 2:
            continue
        rest = sizes[own].sum() - sizes[own]
        rest_mean = (total[own].sum(0) - total[own]) / rest
        rest_variance = np.maximum((squares[own].sum(0) - squares[own]) / rest - rest_mean**2, 0.0)
        error = profiles.variance[own] / sizes[own] + rest_variance / rest
        t = (profiles.mean[own] - rest_mean) / np.sqrt(error + thresholds.DE_VARIANCE_FLOOR)
        z = (profiles.mean[own] - batch_mean[batch]) / (batch_sd[batch] + thresholds.Z_SD_FLOOR)
        t[(t <= thresholds.MARKER_T) | (z <= thresholds.MARKER_Z)] = 0.0
        top = np.argsort(-t, axis=1, kind="stable")[:, : thresholds.MARKER_TOP]
        for row, cluster in enumerate(own):
            genes = top[row][t[row, top[row]] > 0]
            if len(genes) >= thresholds.MARKER_MIN:
                found[cluster, : len(genes)] = genes
                z_found[cluster, : len(genes)] = z[row, genes]
    return found, z_found

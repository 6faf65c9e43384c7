"""Scores that others judge a correction by, from the definitions in their papers.

The benchmark sets them beside the product's verdict, on the same runs: see `JUDGES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.special import logsumexp
from scipy.stats import trim_mean

Embedding = NDArray[np.floating[Any]]

LDF_NEIGHBORS = 75
LDF_DIMENSIONS = 20
LDF_SCALE = 0.5
GRAPH_MIN_BATCH = 100
GRAPH_MIN_TYPE = 10
GRAPH_GENES = 1000
GRAPH_COMPONENTS = 10
GRAPH_TRIM = 0.2


@dataclass(frozen=True)
class Judge:
    """A score of an embedding that settings are chosen by.

    Attributes
    ----------
    title
        In the table.
    best
        1 if more is better, -1 if less is.
    alarm
        1 if more speaks for over-correction, -1 if less does.
    """

    title: str
    best: int
    alarm: int


JUDGES: Mapping[str, Judge] = {
    "ilisi": Judge("iLISI (most mixing)", 1, 1),
    "scib_total": Judge("scIB total (true labels)", 1, -1),
    "ldf_diff": Judge("CellMixS' ldfDiff", -1, 1),
    "scgraph": Judge("scGraph (true labels)", 1, -1),
}


def ldf_differences(
    before: Embedding,
    after: Embedding,
    batch: NDArray[np.str_],
    *,
    n_neighbors: int = LDF_NEIGHBORS,
    n_dimensions: int = LDF_DIMENSIONS,
) -> NDArray[np.float64]:
    """Return how each cell's relative density in its own batch changed: CellMixS' ldfDiff.

    Within a batch, the neighbours of each cell are those before correction, and the same cells
    afterwards; only distances change. With d(x) a cell's distance to its last neighbour and D
    dimensions, the local density estimate LDE(x) is the mean over neighbours y of
    (2π)^(-D/2) d(y)^(-D) exp(-max(d(y), |x - y|)² / 2 d(y)²), and the local density factor is
    m / (LDE(x) + c m), with m the neighbours' mean LDE and c = 0.5. The result is the factor
    after minus the factor before.

    Parameters
    ----------
    before, after
        Embeddings (cells × dimensions); the first ``n_dimensions`` count.
    batch
        Of each cell.
    n_neighbors
        In the batch; a smaller batch takes all its other cells.

    Returns
    -------
    One value a cell, from -2 to 2; 0 where nothing changed. NaN in batches of fewer than 3 cells.

    Notes
    -----
    The package computes components of each batch for the density before; here the batch's cells in
    the joint uncorrected embedding are taken, which is what the correction started from.

    References
    ----------
    Lütge et al. 2021, 10.26508/lsa.202001004; the factor is of Latecki et al. 2007,
    10.1007/978-3-540-73499-4_6
    """
    from sklearn.neighbors import NearestNeighbors

    difference = np.full(len(before), np.nan)
    for name in np.unique(batch):
        cells = np.flatnonzero(batch == name)
        if len(cells) < 3:
            continue
        old, new = (np.asarray(e[cells, :n_dimensions], dtype=float) for e in (before, after))
        k = min(n_neighbors, len(cells) - 1)
        near = NearestNeighbors(n_neighbors=k).fit(old).kneighbors(return_distance=False)
        difference[cells] = density_factor(new, near) - density_factor(old, near)
    return difference


def density_factor(points: Embedding, near: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the local density factor of each point, see `ldf_differences`.

    Parameters
    ----------
    points
        Points × dimensions.
    near
        Neighbours of each point, the farthest (before correction) last.
    """
    distance = np.linalg.norm(points[near] - points[:, None], axis=2)
    width = np.maximum(distance[near, -1], 1e-12)
    reach = np.maximum(width, distance)
    # A power of many dimensions leaves the range of numbers; densities matter by their ratio only.
    log_kernel = -points.shape[1] * np.log(width) - (reach / width) ** 2 / 2
    log_density = logsumexp(log_kernel, axis=1)
    log_ratio = log_density - logsumexp(log_density[near], axis=1) + np.log(near.shape[1])
    return np.asarray(1 / (np.exp(np.minimum(log_ratio, 700)) + LDF_SCALE))


def type_distances(
    points: Embedding, labels: NDArray[np.str_], types: Sequence[str]
) -> pd.DataFrame:
    """Return distances between types' trimmed centroids, each column divided by its largest.

    A centroid is the mean of each coordinate without its lowest and highest fifth.
    """
    present = [name for name in types if (labels == name).any()]
    centroids = [trim_mean(points[labels == name], GRAPH_TRIM, axis=0) for name in present]
    if len(present) < 2:
        return pd.DataFrame(index=present, columns=present, dtype=float)
    distances = squareform(pdist(np.asarray(centroids)))
    return pd.DataFrame(distances / distances.max(axis=0), index=present, columns=present)


def graph_consensus(
    expression: Any, batch: NDArray[np.str_], labels: NDArray[np.str_]
) -> pd.DataFrame | None:
    """Return what scGraph compares with: how far types lie from each other in single batches.

    Each batch of at least 100 cells gets its own 1,000 variable genes and 10 components; the
    distances of its types (`type_distances`) are averaged over batches and scaled again. Types
    of fewer than 10 cells are left out.

    Parameters
    ----------
    expression
        Log-normalised, cells × genes, dense or sparse.
    batch, labels
        Of each cell.

    Returns
    -------
    Types × types, NaN where no batch has both; None without a batch of two types.

    References
    ----------
    Wang et al. 2024, 10.1101/2024.04.02.587824
    """
    import anndata as ad
    import scanpy as sc

    names, sizes = np.unique(labels, return_counts=True)
    types = [str(name) for name in names[sizes >= GRAPH_MIN_TYPE]]
    tables = []
    for name in np.unique(batch):
        cells = batch == name
        if cells.sum() < GRAPH_MIN_BATCH:
            continue
        own = ad.AnnData(expression[cells].copy())
        sc.pp.filter_genes(own, min_cells=1)
        sc.pp.highly_variable_genes(own, n_top_genes=min(GRAPH_GENES, own.n_vars))
        sc.pp.pca(own, n_comps=GRAPH_COMPONENTS, mask_var="highly_variable")
        tables.append(type_distances(own.obsm["X_pca"], labels[cells], types))
    tables = [table for table in tables if len(table) > 1]
    if not tables:
        return None
    stacked = pd.concat(tables)
    mean = stacked.groupby(stacked.index).mean()
    mean = mean.loc[mean.columns]
    return mean / mean.max(axis=0)


def scgraph(
    embedding: Embedding, labels: NDArray[np.str_], consensus: pd.DataFrame
) -> float | None:
    """Return how well an embedding keeps the types' distances of single batches: scGraph.

    For each type, its distances to all others in the embedding are correlated (Pearson) with
    those of the consensus, weighted by 1 ÷ the consensus' distance so that close types count
    most; then the mean over types.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    labels
        Of each cell.
    consensus
        From `graph_consensus`.

    Returns
    -------
    -1 to 1, more is better; None where no type can be compared with two others.

    References
    ----------
    Wang et al. 2024, 10.1101/2024.04.02.587824, its weighted score
    """
    found = type_distances(embedding, labels, list(consensus.columns))
    scores = []
    for name in found.columns:
        pair = pd.concat([found[name], consensus[name]], axis=1).dropna()
        pair = pair[pair.iloc[:, 1] > 0]  # the type itself has no weight
        if len(pair) > 1:
            scores.append(_weighted_correlation(*pair.to_numpy().T, 1 / pair.iloc[:, 1].to_numpy()))
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else None


def _weighted_correlation(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    covariance = np.cov(x, y, aweights=weights)
    spread = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / spread) if spread > 0 else float("nan")

"""What a correction changes for each cell: how far it is moved, and which neighbours it loses.

Plain numpy, so that a page can use it. Conventions as in `mixing`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmony_core._typing import Floats, Ints
from harmony_core.thresholds import N_NEIGHBORS

_CELLS_AT_ONCE = 2_000


def distance_moved(before: Floats, after: Floats) -> Floats:
    """Euclidean distance between each cell's two positions.

    Parameters
    ----------
    before, after
        The embedding before and after, cells × dimensions; ``before`` may be one position for all.

    Returns
    -------
    One distance a cell, in the units of the embedding.
    """
    return np.asarray(np.sqrt(((np.asarray(after) - before) ** 2).sum(axis=1)))


def radius(embedding: Floats) -> float:
    """Return the mean distance of the cells to their middle; above 0 for any cells.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    """
    centre = np.asarray(embedding.mean(axis=0))
    return max(float(distance_moved(centre, embedding).mean()), 1e-12)


def displacement(before: Floats, after: Floats, clusters: Ints) -> NDArray[np.float32]:
    """How far each cell was moved, in units of its distance to the nearest other cluster.

    1 means that the cell moved as far as the next cluster's centre lies: far enough to change
    sides. A shift that all cells of a batch share counts in full.

    Parameters
    ----------
    before, after
        Uncorrected and corrected embedding, cells × dimensions.
    clusters
        Cluster of each cell, -1 where it has none: then all clusters are others.

    Returns
    -------
    One value a cell; NaN where there is no other cluster.
    """
    start = np.asarray(before, dtype=np.float32)
    moved = distance_moved(start, np.asarray(after, dtype=np.float32))
    known = clusters >= 0
    n_clusters = int(np.max(clusters, initial=-1)) + 1
    sizes = np.bincount(clusters[known], minlength=n_clusters)
    centres = np.zeros((n_clusters, start.shape[1]), dtype=np.float32)
    for dim in range(start.shape[1]):
        sums = np.bincount(clusters[known], weights=start[known, dim], minlength=n_clusters)
        centres[:, dim] = sums / np.maximum(sizes, 1)
    squared = (start**2).sum(axis=1)[:, None] - 2 * start @ centres.T + (centres**2).sum(axis=1)
    squared[:, sizes == 0] = np.inf
    squared[np.flatnonzero(known), clusters[known]] = np.inf
    to_other = np.sqrt(np.maximum(np.min(squared, axis=1, initial=np.inf), 0))
    ratio = np.full(len(start), np.nan, dtype=np.float32)
    possible = np.isfinite(to_other) & (to_other > 0)
    ratio[possible] = moved[possible] / to_other[possible]
    return ratio


def is_shared(indices: Ints, others: Ints) -> NDArray[np.bool_]:
    """Tell which neighbours of a cell are among its neighbours in another graph too.

    Parameters
    ----------
    indices, others
        Neighbours of the same cells in two graphs (cells × k each, k may differ).

    Returns
    -------
    For each of ``indices`` whether it stands in the same row of ``others`` (cells × k).
    """
    shared = np.zeros(indices.shape, dtype=bool)
    for start in range(0, len(indices), _CELLS_AT_ONCE):
        some = slice(start, start + _CELLS_AT_ONCE)
        for column in np.ascontiguousarray(others[some].T):
            shared[some] |= indices[some] == column[:, None]
    return shared


def neighbors_replaced(
    indices_before: Ints, indices_after: Ints, *, n_neighbors: int = N_NEIGHBORS
) -> NDArray[np.float32]:
    """Fraction of each cell's nearest neighbours before that are not among those after.

    Parameters
    ----------
    indices_before, indices_after
        Neighbours of each cell, nearest first (cells × k).
    n_neighbors
        Nearest neighbours looked at; where a graph has fewer, as many as it has.

    Returns
    -------
    One value a cell, 0 to 1.
    """
    k = min(n_neighbors, indices_before.shape[1], indices_after.shape[1])
    before, after = (np.asarray(i[:, :k]) for i in (indices_before, indices_after))
    lost = k - is_shared(before, after).sum(axis=1)
    return np.asarray(lost / max(k, 1), dtype=np.float32)

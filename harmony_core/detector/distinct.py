"""States: clusters within a batch, merged until every two of them are distinct."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints


def merge_connected(clusters: Ints, neighbors: Ints) -> Ints:
    """Merge the fine clusters of one batch while two of them share many neighbours.

    Parameters
    ----------
    clusters
        Cluster of each cell of the batch, from 0.
    neighbors
        Nearest neighbours within the batch, as positions in it (cells × k).

    Returns
    -------
    State of each cluster, from 0. Two states share less than `STATE_CONTACT` of the neighbours
    that two halves of one cloud of cells would share, and each has `MIN_CELLS_REFERENCE` cells
    (unless there is a single one).
    """
    shared = shared_neighbors(clusters, neighbors)
    n = len(shared)
    cells = np.bincount(clusters, minlength=n).astype(float)

    def likeness(group: Ints) -> Floats:
        member = np.eye(int(group.max()) + 1)[group].T
        return contact(member @ shared @ member.T, member @ cells)

    return _merge(np.arange(n), cells, likeness, thresholds.STATE_CONTACT)


def shared_neighbors(groups: Ints, neighbors: Ints) -> Floats:
    """Count the neighbours that each two groups of cells have in each other.

    Parameters
    ----------
    groups
        Group of each cell, from 0.
    neighbors
        Nearest neighbours, as positions (cells × k).

    Returns
    -------
    Groups × groups, counted from both sides.
    """
    n = int(groups.max()) + 1
    keys = (groups[:, None].astype(np.int64) * n + groups[neighbors]).ravel()
    found = np.bincount(keys, minlength=n * n).reshape(n, n).astype(float)
    return np.asarray(found + found.T)


def contact(shared: Floats, sizes: Floats) -> Floats:
    """Return how much each two groups touch: 1 as two halves of one cloud of cells would.

    Parameters
    ----------
    shared
        From `shared_neighbors`.
    sizes
        Cells of each group.

    Returns
    -------
    Groups × groups: shared neighbours over those of an even mixture; 0 on the diagonal.
    """
    even = sizes / (sizes[:, None] + sizes)
    part = shared / np.maximum(shared.sum(1, keepdims=True), 1) / even
    part = np.maximum(part, part.T)
    np.fill_diagonal(part, 0)
    return np.asarray(part)


def merge_alike(group: Ints, cells: Floats, total: Floats, squares: Floats) -> Ints:
    """Go on merging a batch's states while the two most alike differ in too few genes.

    Parameters
    ----------
    group
        State of each fine cluster.
    cells, total, squares
        Cells of each cluster, and its sums and sums of squares over genes (clusters × genes).

    Returns
    -------
    State of each cluster; every two differ in `DE_MIN_GENES` genes or more.
    """

    def likeness(group: Ints) -> Floats:
        """Return minus the number of genes that tell each two states apart."""
        member = np.eye(int(group.max()) + 1)[group].T
        n = member @ cells
        mean = member @ total / n[:, None]
        error = np.maximum(member @ squares / n[:, None] - mean**2, 0) / n[:, None]
        alike = -differing_genes(mean, error).astype(float)
        np.fill_diagonal(alike, -np.inf)
        return alike

    return _merge(group, None, likeness, -float(thresholds.DE_MIN_GENES))


def join_across_batches(state: Ints, pool: Ints, part: Floats, likeness: Floats) -> Ints:
    """Join states of one pool that only their batches tell apart.

    Where a pool's batches are not wholly mixed, one cell type may fall into two clusters, one a
    batch. Two states that share no batch and are each other's most alike are taken for one.

    Parameters
    ----------
    state, pool
        State of each cell, and pool of each state.
    part
        Part of each state's cells that each batch has (states × batches).
    likeness
        Correlation of each two states, each minus its batches' means (states × states).

    Returns
    -------
    State of each cell, numbered through the pools as before.
    """
    alike = np.where(pool[:, None] == pool, likeness, -np.inf)
    np.fill_diagonal(alike, -np.inf)
    best, to = alike.argmax(1), np.arange(len(pool))
    for one, other in enumerate(best):
        shared = np.minimum(part[one], part[other]).sum()
        mutual = best[other] == one and alike[one, other] > thresholds.PARTNER_R
        if one < other and mutual and shared < thresholds.SHARED_BATCHES:
            to[other] = one
    return np.asarray(np.unique(to[state], return_inverse=True)[1], dtype=np.int32)


def differing_genes(mean: Floats, error: Floats) -> Ints:
    """Count the genes that tell each two states apart by Welch's t and fold change.

    Parameters
    ----------
    mean, error
        Means and squared standard errors (states × genes).

    Returns
    -------
    States × states.
    """
    count = np.zeros((len(mean), len(mean)), dtype=np.int32)
    for state in range(len(mean)):
        difference = np.abs(mean[state] - mean)
        t = difference / np.sqrt(error[state] + error + thresholds.DE_VARIANCE_FLOOR)
        differs = (t > thresholds.DE_T) & (difference > np.log(thresholds.DE_FOLD))
        count[state] = differs.sum(1)
    return count


def _merge(
    group: Ints, cells: Floats | None, likeness: Callable[[Ints], Floats], limit: float
) -> Ints:
    """Merge the two most alike groups until none is more alike than the limit.

    Groups of fewer than `MIN_CELLS_REFERENCE` ``cells`` go to what is most like them first.
    """
    group = np.unique(group, return_inverse=True)[1]
    while group.max() > 0:
        alike = likeness(group)
        one, other = (int(i) for i in np.unravel_index(int(alike.argmax()), alike.shape))
        few = False
        if cells is not None:
            sizes = np.bincount(group, weights=cells)
            smallest = int(sizes.argmin())
            few = bool(sizes[smallest] < thresholds.MIN_CELLS_REFERENCE)
            if few:
                one, other = smallest, int(alike[smallest].argmax())
        if not few and alike[one, other] <= limit:
            break
        if few and one == other:
            other = int(np.delete(np.arange(len(alike)), one)[0])
        group = np.where(group == max(one, other), min(one, other), group)
        group = np.unique(group, return_inverse=True)[1]
    return np.asarray(group, dtype=np.int32)

"""Compiled loops over neighbours and over the columns of a sparse matrix.

All take plain arrays and are compiled once per machine (numba's cache). Those that use all cores
add whole numbers, or keep to a column each, so that their results depend on no number of cores.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from harmony_core._numba import compiled, parallel

Array = npt.NDArray[Any]

_BLOCKS = 8


@compiled
def moments(
    indptr: Array, indices: Array, data: Array, columns: Array, groups: Array, n_groups: int
) -> tuple[Array, Array]:
    """Sum and sum of squares of each group of rows, for some columns of a CSC matrix.

    Parameters
    ----------
    indptr, indices, data
        The matrix, cells × genes.
    columns
        Those to sum.
    groups, n_groups
        Group of each cell, and how many there are.

    Returns
    -------
    Two arrays, groups × columns.
    """
    total = np.zeros((n_groups, len(columns)))
    squares = np.zeros((n_groups, len(columns)))
    for at in range(len(columns)):
        for e in range(indptr[columns[at]], indptr[columns[at] + 1]):
            x = np.float64(data[e])
            group = groups[indices[e]]
            total[group, at] += x
            squares[group, at] += x * x
    return total, squares


@parallel
def weighted_sums(
    matrix: tuple[Array, Array, Array],
    columns: Array,
    weights: tuple[Array, Array, Array],
    n_groups: int,
    batch: Array,
    scale: Array,
) -> Array:
    """Weighted sums of rows per group, where a row may count in several groups.

    Parameters
    ----------
    matrix
        indptr, indices and data of a CSC matrix (cells × genes).
    columns
        Those to sum.
    weights
        Starts, groups and weights: row j counts in ``groups[starts[j]:starts[j + 1]]`` with the
        weights at the same places.
    n_groups
        Number of groups.
    batch, scale
        Batch of each cell, and what its values are multiplied by (batches × columns).

    Returns
    -------
    Groups × columns.
    """
    indptr, indices, data = matrix
    starts, groups, amounts = weights
    result = np.zeros((len(columns), n_groups))
    for at in numba.prange(len(columns)):
        for e in range(indptr[columns[at]], indptr[columns[at] + 1]):
            cell = indices[e]
            x = data[e] * scale[batch[cell], at]
            for w in range(starts[cell], starts[cell + 1]):
                result[at, groups[w]] += x * amounts[w]
    return result.T


@parallel
def mean_weight(neighbors: Array, group: Array, weight: Array) -> Array:
    """Mean over each cell's neighbours of the weight that its group and theirs have together.

    Parameters
    ----------
    neighbors
        Nearest neighbours (cells × k); -1 is none.
    group
        Group of each cell, -1 where missing.
    weight
        Groups × groups.

    Returns
    -------
    Float32, one value a cell; NaN where the cell or all of its neighbours have no group.
    """
    result = np.full(len(neighbors), np.nan, dtype=np.float32)
    for cell in numba.prange(len(neighbors)):
        own = group[cell]
        total, known = 0.0, 0
        for at in range(neighbors.shape[1]):
            other = neighbors[cell, at]
            if other >= 0 and group[other] >= 0 and own >= 0:
                total += weight[own, group[other]]
                known += 1
        if known > 0:
            result[cell] = total / known
    return result


@parallel
def count_edges(neighbors: Array, batch: Array, group: Array, n_groups: int) -> Array:
    """Count cross-batch neighbours from each pre-cluster to each.

    Parameters
    ----------
    neighbors
        Nearest neighbours (cells × k).
    batch, group
        Batch and pre-cluster of each cell.
    n_groups
        Number of pre-clusters.

    Returns
    -------
    Whole numbers, groups × groups.
    """
    n = neighbors.shape[0]
    between = np.zeros((_BLOCKS, n_groups, n_groups), dtype=np.int64)
    for block in numba.prange(_BLOCKS):
        for i in range(n * block // _BLOCKS, n * (block + 1) // _BLOCKS):
            for k in range(neighbors.shape[1]):
                j = neighbors[i, k]
                if batch[j] != batch[i]:
                    between[block, group[i], group[j]] += 1
    whole: Array = between.sum(axis=0)
    return whole


@parallel
def sum_over_edges(
    neighbors: Array, batch: Array, group: Array, table: Array, n_groups: int
) -> Array:
    """Sum of whole numbers ``table[neighbour, own group]`` over cross-batch neighbours.

    Parameters
    ----------
    neighbors
        Nearest neighbours (cells × k).
    batch, group
        Batch and pre-cluster of each cell.
    table
        Whole numbers, cells × groups.
    n_groups
        Number of pre-clusters.

    Returns
    -------
    One sum a group.
    """
    n = neighbors.shape[0]
    total = np.zeros((_BLOCKS, n_groups), dtype=np.int64)
    for block in numba.prange(_BLOCKS):
        for i in range(n * block // _BLOCKS, n * (block + 1) // _BLOCKS):
            own = group[i]
            for k in range(neighbors.shape[1]):
                j = neighbors[i, k]
                if batch[j] != batch[i]:
                    total[block, own] += table[j, own]
    whole: Array = total.sum(axis=0)
    return whole


@compiled
def neighbor_weights(
    neighbors: Array, batch: Array, group: Array, n_groups: int
) -> tuple[Array, Array, Array]:
    """For each cell, the groups it is a cross-batch neighbour of and how often.

    Each cell is listed in its own group too, with minus its own number of cross-batch neighbours.

    Parameters
    ----------
    neighbors
        Nearest neighbours (cells × k).
    batch, group
        Batch and pre-cluster of each cell.
    n_groups
        Number of pre-clusters.

    Returns
    -------
    Starts (cells + 1), groups and counts, as ``weighted_sums`` takes them.
    """
    n, width = neighbors.shape
    own_edges = np.zeros(n, dtype=np.int32)
    start = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        for k in range(width):
            j = neighbors[i, k]
            if batch[j] != batch[i]:
                own_edges[i] += 1
                start[j + 1] += 1
    for j in range(n):
        start[j + 1] += start[j]
    source = np.empty(start[n], dtype=np.int32)
    filled = start[:-1].copy()
    for i in range(n):
        for k in range(width):
            j = neighbors[i, k]
            if batch[j] != batch[i]:
                source[filled[j]] = group[i]
                filled[j] += 1
    starts = np.zeros(n + 1, dtype=np.int64)
    groups = np.empty(start[n] + n, dtype=np.int32)
    counts = np.empty(start[n] + n, dtype=np.float32)
    count = np.zeros(n_groups, dtype=np.int64)
    at = 0
    for j in range(n):
        if own_edges[j]:
            groups[at] = group[j]
            counts[at] = -own_edges[j]
            at += 1
        for e in range(start[j], start[j + 1]):
            count[source[e]] += 1
        for e in range(start[j], start[j + 1]):
            g = source[e]
            if count[g]:
                groups[at] = g
                counts[at] = count[g]
                count[g] = 0
                at += 1
        starts[j + 1] = at
    return starts, groups[:at].copy(), counts[:at].copy()

"""What differs between two embeddings of the same cells: a number for "the UMAP looks the same".

Plain numpy, so that a page can use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core.metrics.movement import distance_moved, neighbors_replaced, radius

MOST = 0.5
"""A cluster went into another if more than this fraction of its cells did."""


@dataclass(frozen=True)
class Change:
    """How the second of two results differs from the first.

    Attributes
    ----------
    replaced
        Fraction of each cell's nearest neighbours in the first that are not among those in the
        second, 0 to 1 (cells).
    moved
        Distance between each cell's two positions in the embedding, over the cells' mean distance
        to the middle of the first (cells); None where the two have no space in common.
    merged
        Clusters of the first that went mostly into the same cluster of the second, by that cluster.
    split
        Clusters of the second that came mostly from the same cluster of the first, by that cluster.
    regrouped
        Fraction of the cells outside the cluster into which most of their own cluster went, or
        outside the cluster from which most of their new one came, whichever is more.
    """

    replaced: npt.NDArray[np.float32]
    moved: npt.NDArray[np.float32] | None
    merged: dict[int, tuple[int, ...]]
    split: dict[int, tuple[int, ...]]
    regrouped: float

    def farthest(self, fraction: float = 0.02) -> npt.NDArray[np.bool_]:
        """Return the cells that moved most.

        Parameters
        ----------
        fraction
            Of all cells, 0 to 1; at least one cell is returned, and none if none moved.

        Returns
        -------
        Whether each cell is among them (cells).
        """
        if self.moved is None:
            return np.zeros(len(self.replaced), dtype=bool)
        n = max(1, round(fraction * len(self.moved)))
        limit = np.partition(self.moved, -n)[-n]
        return np.asarray((self.moved >= limit) & (self.moved > 0))


def compare(
    embeddings: tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]] | None,
    neighbors: tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]],
    clusters: tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]],
) -> Change:
    """Compare two results for the same cells in the same order.

    Parameters
    ----------
    embeddings
        Cells × dimensions, of the first and of the second; None where they are of two tools, so
        that distances between them mean nothing.
    neighbors
        Nearest neighbours of each cell, nearest first (cells × k); the first
        `harmony_core.thresholds.N_NEIGHBORS` count.
    clusters
        Cluster of each cell, from 0.
    """
    table = _table(*(np.asarray(c) for c in clusters))
    stayed = min(int(table.max(axis=axis, initial=0).sum()) for axis in (0, 1))
    return Change(
        replaced=neighbors_replaced(*neighbors),
        moved=None if embeddings is None else distance_moved(*embeddings) / radius(embeddings[0]),
        merged=_gathered(table),
        split=_gathered(table.T),
        regrouped=1 - stayed / len(clusters[0]),
    )


def _table(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
    """Count the cells of each pair of clusters (clusters of the first × of the second)."""
    shape = (int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1)
    pairs = np.ravel_multi_index((first, second), shape)
    counts: npt.NDArray[Any] = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    return counts


def _gathered(table: npt.NDArray[Any]) -> dict[int, tuple[int, ...]]:
    """Return, by column, the rows that have most of their cells there, where there are several."""
    sizes = np.maximum(table.sum(axis=1, keepdims=True), 1)
    into = table / sizes > MOST
    rows_by_column = {
        int(c): tuple(map(int, np.flatnonzero(into[:, c]))) for c in range(table.shape[1])
    }
    return {column: rows for column, rows in rows_by_column.items() if len(rows) > 1}

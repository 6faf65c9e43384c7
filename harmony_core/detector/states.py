"""Pre-clusters: Leiden clusters within each batch of the uncorrected data."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from igraph import Graph

from harmony_core import thresholds
from harmony_core._typing import Ints
from harmony_core.methods.leiden import as_igraph, leiden_of_igraph
from harmony_core.methods.neighbors import nearest_neighbors


def neighbors_within_batches(
    embedding: npt.NDArray[np.float32], batch_codes: Ints, *, seed: int
) -> list[tuple[Ints, Ints]]:
    """Find each cell's nearest neighbours among the cells of its own batch.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    batch_codes
        Batch of each cell, 0 … batches − 1.

    Returns
    -------
    For each batch its cells (ascending) and their neighbours as positions in that list,
    cells of the batch × up to 15, nearest first. A batch of one cell has no neighbours.
    """
    found: list[tuple[Ints, Ints]] = []
    for batch in range(int(batch_codes.max()) + 1):
        cells = np.flatnonzero(batch_codes == batch).astype(np.int32)
        k = min(thresholds.N_NEIGHBORS_REFERENCE, len(cells) - 1)
        if k < 1:
            neighbors = np.zeros((len(cells), 0), dtype=np.int32)
        else:
            neighbors = nearest_neighbors(embedding[cells], k, seed=seed).indices
        found.append((cells, neighbors.astype(np.int32, copy=False)))
    return found


def leiden_within_batches(
    within: Sequence[tuple[Ints, Ints]], resolutions: Sequence[float], *, seed: int
) -> list[Ints]:
    """Cluster each batch at each resolution.

    Parameters
    ----------
    within
        What ``neighbors_within_batches`` returns.
    resolutions
        Leiden resolutions (modularity).

    Returns
    -------
    For each resolution the pre-cluster of every cell. Pre-clusters are numbered through the
    batches, the largest of a batch first.
    """
    n_cells = sum(len(cells) for cells, _ in within)
    result: list[Ints] = [np.zeros(n_cells, dtype=np.int32) for _ in resolutions]
    offsets = [0] * len(result)
    for cells, neighbors in within:
        if not len(cells):
            continue
        graph = _graph(neighbors)
        for at, resolution in enumerate(resolutions):
            codes = leiden_of_igraph(
                graph,
                resolution,
                random.Random(seed),
                n_iterations=thresholds.LEIDEN_ITERATIONS,
            )
            result[at][cells] = codes + offsets[at]
            offsets[at] += int(codes.max()) + 1
    return result


def _graph(neighbors: Ints) -> Graph:
    """Return the undirected graph in which an edge stands if either cell named the other."""
    n, k = neighbors.shape
    rows = np.repeat(np.arange(n, dtype=np.int64), k)
    cols = neighbors.ravel().astype(np.int64)
    keys = np.unique(np.minimum(rows, cols) * n + np.maximum(rows, cols))
    return as_igraph(n, keys // n, keys % n)

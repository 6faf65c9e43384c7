"""Leiden clusters of a neighbour graph."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import igraph
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.params import ClusterParams

Ints = npt.NDArray[np.int32]

_EDGES_AT_ONCE = 1_000_000


def leiden(graph: sp.csr_matrix, resolutions: Sequence[float], params: ClusterParams) -> list[Ints]:
    """Cluster the cells of a neighbour graph at each resolution.

    The same calls as ``scanpy.tl.leiden`` with the same flavour: igraph's with two iterations on
    the undirected graph, leidenalg's until it is stable.

    Parameters
    ----------
    graph
        Symmetric weighted graph, cells × cells.
    resolutions
        More gives more, smaller clusters.
    params
        Flavour and seed.

    Returns
    -------
    For each resolution the cluster of each cell, numbered by size (0 is the largest).

    References
    ----------
    Traag et al. 2019, 10.1038/s41598-019-41695-z
    """
    directed = params.flavor == "leidenalg"
    # Leiden visits nodes at random, so only the same neighbours in the same order give the same
    # clusters. scanpy lists the edges of an undirected graph in both directions; one of them with
    # twice the weight is the same to Leiden, to the last bit, in two thirds of the time.
    edges = graph.copy() if directed else sp.triu(graph, format="csr")
    edges.eliminate_zeros()
    edges.sort_indices()
    edges = edges.tocoo()
    weights = edges.data.astype(np.float64) * (1 if directed else 2)
    g = as_igraph(graph.shape[0], edges.row, edges.col, directed=directed)
    if directed:
        return [_leidenalg(g, weights, resolution, params.seed) for resolution in resolutions]
    return [
        leiden_of_igraph(g, resolution, _NumpyGenerator(params.seed), weights=weights)
        for resolution in resolutions
    ]


def as_igraph(
    n: int,
    sources: npt.NDArray[np.integer],
    targets: npt.NDArray[np.integer],
    *,
    directed: bool = False,
) -> igraph.Graph:
    """Return the graph of some edges, in their order.

    Parameters
    ----------
    n
        Number of nodes.
    sources, targets
        The two nodes of each edge (length edges), counted from 0.
    """
    return igraph.Graph(n=n, edges=_pairs(sources, targets), directed=directed)


def _pairs(
    sources: npt.NDArray[np.integer], targets: npt.NDArray[np.integer]
) -> Iterator[tuple[int, int]]:
    """Yield edges as igraph reads them fastest, some at a time to spare memory."""
    for first in range(0, len(sources), _EDGES_AT_ONCE):
        some = slice(first, first + _EDGES_AT_ONCE)
        yield from zip(sources[some].tolist(), targets[some].tolist(), strict=True)


def leiden_of_igraph(
    graph: igraph.Graph,
    resolution: float,
    generator: Any,
    *,
    weights: npt.NDArray[np.float64] | None = None,
    n_iterations: int = 2,
) -> Ints:
    """Cluster an undirected graph by modularity with igraph's Leiden.

    Parameters
    ----------
    graph
        From `as_igraph`.
    resolution
        More gives more, smaller clusters.
    generator
        Draws as Python's `random.Random` does.
    weights
        Weight of each edge; by default all are equal.
    n_iterations
        Rounds of Leiden.

    Returns
    -------
    Cluster of each node, numbered by size (0 is the largest).
    """
    # igraph has one generator for the whole process: give it ours, then put the default back.
    igraph.set_random_number_generator(generator)
    try:
        partition = graph.community_leiden(
            objective_function="modularity",
            weights=weights,
            resolution=resolution,
            n_iterations=n_iterations,
        )
    finally:
        igraph.set_random_number_generator(random)
    return _numbered_by_size(partition.membership)


def _leidenalg(
    graph: igraph.Graph, weights: npt.NDArray[np.float64], resolution: float, seed: int
) -> Ints:
    import leidenalg

    partition = leidenalg.find_partition(
        graph,
        leidenalg.RBConfigurationVertexPartition,
        weights=weights,
        resolution_parameter=resolution,
        n_iterations=-1,
        seed=seed,
    )
    return _numbered_by_size(partition.membership)


class _NumpyGenerator:
    """numpy's generator with the methods igraph asks for, drawing as scanpy's adapter draws."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)

    def getrandbits(self, k: int) -> int:
        return int(self._state.tomaxint()) & ((1 << k) - 1)

    def randint(self, low: int, high: int) -> int:
        return int(self._state.randint(low, high + 1))

    def random(self) -> float:
        return float(self._state.random_sample())

    def gauss(self, mean: float, sd: float) -> float:
        return float(self._state.normal(mean, sd))


def _numbered_by_size(membership: Sequence[int]) -> Ints:
    sizes = np.bincount(membership)
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes), dtype=np.int32)
    return np.take(rank, membership)

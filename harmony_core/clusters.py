"""Leiden clusters of a neighbour graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.params import ClusterParams


def leiden(graph: sp.csr_matrix, resolution: float, params: ClusterParams) -> npt.NDArray[np.int32]:
    """Return each cell's Leiden cluster, numbered by size (0 is the largest).

    The same calls as ``scanpy.tl.leiden`` with the same flavour: igraph's with two iterations on
    the undirected graph, leidenalg's until it is stable.

    Parameters
    ----------
    graph
        Symmetric weighted graph, cells × cells.
    resolution
        More gives more, smaller clusters.

    References
    ----------
    Traag et al. 2019, 10.1038/s41598-019-41695-z
    """
    membership = (_igraph if params.flavor == "igraph" else _leidenalg)(
        graph, resolution, params.seed
    )
    return _numbered_by_size(np.asarray(membership))


def _igraph(graph: sp.csr_matrix, resolution: float, seed: int) -> list[int]:
    import random

    import igraph

    g, weights = _as_igraph(graph, directed=False)
    # The generator is global to igraph: give it one of our own, then put the default back.
    igraph.set_random_number_generator(_NumpyGenerator(seed))
    try:
        partition = g.community_leiden(
            objective_function="modularity",
            weights=weights,
            resolution=resolution,
            n_iterations=2,
        )
    finally:
        igraph.set_random_number_generator(random)
    return list(partition.membership)


def _leidenalg(graph: sp.csr_matrix, resolution: float, seed: int) -> list[int]:
    import leidenalg

    g, weights = _as_igraph(graph, directed=True)
    partition = leidenalg.find_partition(
        g,
        leidenalg.RBConfigurationVertexPartition,
        weights=weights,
        resolution_parameter=resolution,
        n_iterations=-1,
        seed=seed,
    )
    return list(partition.membership)


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


def _as_igraph(graph: sp.csr_matrix, *, directed: bool) -> tuple[Any, npt.NDArray[np.float64]]:
    """Return the graph with every edge in both directions, in scanpy's order.

    Leiden visits nodes at random, so only the same edges in the same order give the same clusters.
    """
    import igraph

    ordered = graph.copy()
    ordered.eliminate_zeros()
    ordered.sort_indices()
    edges = ordered.tocoo()
    pairs = np.column_stack([edges.row, edges.col])
    g = igraph.Graph(n=graph.shape[0], edges=pairs, directed=directed)
    return g, edges.data.astype(np.float64)


def _numbered_by_size(membership: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    sizes = np.bincount(membership)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[order] = np.arange(len(sizes), dtype=np.int32)
    numbered: npt.NDArray[np.int32] = rank[membership]
    return numbered

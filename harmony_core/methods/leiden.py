"""Leiden clusters of a neighbour graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.params import ClusterParams

_EDGES_AT_ONCE = 1_000_000


def leiden(
    graph: sp.csr_matrix, resolutions: Sequence[float], params: ClusterParams
) -> list[npt.NDArray[np.int32]]:
    """Return each cell's Leiden cluster at each resolution, numbered by size (0 is the largest).

    The same calls as ``scanpy.tl.leiden`` with the same flavour: igraph's with two iterations on
    the undirected graph, leidenalg's until it is stable.

    Parameters
    ----------
    graph
        Symmetric weighted graph, cells × cells.
    resolutions
        More gives more, smaller clusters.

    References
    ----------
    Traag et al. 2019, 10.1038/s41598-019-41695-z
    """
    find = _igraph if params.flavor == "igraph" else _leidenalg
    g, weights = _as_igraph(graph, directed=params.flavor == "leidenalg")
    found = [find(g, weights, resolution, params.seed) for resolution in resolutions]
    return [_numbered_by_size(np.asarray(membership)) for membership in found]


def _igraph(g: Any, weights: Any, resolution: float, seed: int) -> list[int]:
    import random

    import igraph

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


def _leidenalg(g: Any, weights: Any, resolution: float, seed: int) -> list[int]:
    import leidenalg

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
    """Return the graph and its weights, in scanpy's order of edges.

    Leiden visits nodes at random, so only the same neighbours in the same order give the same
    clusters. scanpy lists the edges of an undirected graph in both directions; one of them with
    twice the weight is the same to Leiden, to the last bit, in two thirds of the time.
    """
    import igraph

    ordered = graph.copy() if directed else sp.triu(graph, format="csr")
    ordered.eliminate_zeros()
    ordered.sort_indices()
    edges = ordered.tocoo()
    g = igraph.Graph(n=graph.shape[0], edges=_pairs(edges), directed=directed)
    return g, edges.data.astype(np.float64) * (1 if directed else 2)


def _pairs(edges: sp.coo_matrix) -> Iterator[tuple[int, int]]:
    """Give the edges as igraph reads them fastest, a part at a time to spare memory."""
    for first in range(0, edges.nnz, _EDGES_AT_ONCE):
        part = slice(first, first + _EDGES_AT_ONCE)
        yield from zip(edges.row[part].tolist(), edges.col[part].tolist(), strict=True)


def _numbered_by_size(membership: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    sizes = np.bincount(membership)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[order] = np.arange(len(sizes), dtype=np.int32)
    numbered: npt.NDArray[np.int32] = rank[membership]
    return numbered

"""Two-dimensional layouts: UMAP on neighbours that are searched once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core._numba import import_umap
from harmony_core.methods.neighbors import Neighbors
from harmony_core.params import GraphParams, LayoutParams

Progress = Callable[[float], None]
"""Called with the fraction done, 0 to 1; may raise Cancelled to stop the work."""

EPOCHS_FROM_SCRATCH, RATE_FROM_SCRATCH = 300, 1.0
EPOCHS_FROM_LAYOUT, RATE_FROM_LAYOUT = 60, 0.25
"""From a layout of the same cells: few rounds and small steps keep more of what it shows."""


def fuzzy_graph(neighbors: Neighbors, params: GraphParams) -> sp.csr_matrix:
    """Return UMAP's weighted neighbour graph (cells × cells), as scanpy's connectivities.

    Parameters
    ----------
    neighbors
        At least ``params.n_neighbors - 1`` neighbours a cell.
    params
        How many of them are used.

    Returns
    -------
    Symmetric weights, 0 to 1 (cells × cells).
    """
    import_umap()
    from umap.umap_ import fuzzy_simplicial_set

    indices, distances = neighbors.with_self(params.n_neighbors)
    graph, *_ = fuzzy_simplicial_set(
        sp.coo_matrix((len(indices), 1)),
        indices.shape[1],
        None,
        None,
        knn_indices=indices,
        knn_dists=distances,
        set_op_mix_ratio=1.0,
        local_connectivity=1.0,
    )
    return sp.csr_matrix(graph)


def layout(
    graph: sp.csr_matrix,
    start: npt.NDArray[np.floating],
    params: LayoutParams,
    *,
    epochs: int,
    rate: float,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Lay the graph out as UMAP does, from a starting layout, on all cores.

    The same input gives the same bytes on any number of cores. umap-learn's own optimiser promises
    that on one thread only, where it takes five to ten times as long; how well both show the
    neighbours is measured in ``benchmarks/interactive.py``.

    Parameters
    ----------
    graph
        From `fuzzy_graph`.
    start
        Starting positions (cells × 2).
    params
        ``min_dist``, ``spread`` and the seed.
    epochs
        Rounds of optimisation.
    rate
        How far a cell moves in the first round, in units of the pull on it; falls to 0.

    Returns
    -------
    Positions (cells × 2).

    References
    ----------
    McInnes et al. 2018, 10.48550/arXiv.1802.03426
    """
    import_umap()
    from umap.umap_ import find_ab_params

    from harmony_core.methods.umap_kernel import optimise

    a, b = find_ab_params(params.spread, params.min_dist)
    positions: npt.NDArray[np.float32] = optimise(
        graph, start, a, b, params.seed, epochs, rate, progress
    )
    return positions


def start_from_embedding(embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return a starting layout from the two leading dimensions of an embedding.

    Scaled as umap-learn scales its own initialisations, with a trace of seeded noise so that
    identical cells can part.

    Parameters
    ----------
    embedding
        Cells × dimensions, at least two.

    Returns
    -------
    Positions (cells × 2), within about 10 of the origin.
    """
    leading = np.asarray(embedding[:, :2], dtype=np.float64)
    leading = leading - leading.mean(axis=0)
    scaled = leading * (10.0 / np.maximum(np.abs(leading).max(), 1e-12))
    noise = np.random.RandomState(0).normal(scale=1e-4, size=scaled.shape)
    return np.asarray(scaled + noise, dtype=np.float32)


def oriented_like(
    positions: npt.NDArray[np.floating], like: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """Turn, mirror and shift a layout onto another of the same cells, without stretching it.

    Parameters
    ----------
    positions, like
        The layout to turn and the one to match (cells × 2 each).

    Returns
    -------
    Positions (cells × 2) with the same distances as before.
    """
    ours = positions - positions.mean(axis=0)
    target = like - like.mean(axis=0)
    u, _, vt = np.linalg.svd(ours.astype(np.float64).T @ target.astype(np.float64))
    return np.asarray(ours @ (u @ vt) + like.mean(axis=0), dtype=np.float32)

"""Two-dimensional pictures: UMAP on neighbours that were found once."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.compiled import import_umap
from harmony_core.neighbors import Neighbors
from harmony_core.params import GraphParams, LayoutParams

Progress = Callable[[float], None]
"""Called with the share done, 0 to 1; may raise Cancelled to stop the work."""

EPOCHS_FROM_SCRATCH = 300
EPOCHS_FROM_LAYOUT = 150


def fuzzy_graph(neighbors: Neighbors, params: GraphParams) -> sp.csr_matrix:
    """Return UMAP's weighted neighbour graph (cells × cells), as scanpy's connectivities.

    Parameters
    ----------
    neighbors
        At least ``params.n_neighbors - 1`` neighbours a cell.
    params
        How many of them are used.
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
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Lay the graph out from a starting layout; the same input gives the same bytes.

    The optimisation runs on one thread: umap-learn's parallel mode races and can't be repeated.

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

    References
    ----------
    McInnes et al. 2018, 10.48550/arXiv.1802.03426
    """
    import_umap()
    from umap.umap_ import find_ab_params, simplicial_set_embedding

    a, b = find_ab_params(params.spread, params.min_dist)
    with contextlib.redirect_stdout(io.StringIO()):  # it also prints what it tells the bar
        positions, _ = simplicial_set_embedding(
            None,
            graph.tocoo(),
            n_components=2,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=epochs,
            init=np.ascontiguousarray(start, dtype=np.float32),
            random_state=np.random.RandomState(params.seed),
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
            parallel=False,
            verbose=progress is not None,
            tqdm_kwds=None if progress is None else _watch(progress),
        )
    return np.asarray(positions, dtype=np.float32)


def start_from_embedding(embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return a starting layout from the two leading dimensions of an embedding.

    Scaled as umap-learn scales its own initialisations, with a trace of seeded noise so that
    identical cells can part.
    """
    leading = np.asarray(embedding[:, :2], dtype=np.float64)
    leading = leading - leading.mean(axis=0)
    scaled = leading * (10.0 / np.maximum(np.abs(leading).max(), 1e-12))
    noise = np.random.RandomState(0).normal(scale=1e-4, size=scaled.shape)
    return np.asarray(scaled + noise, dtype=np.float32)


def oriented_like(
    positions: npt.NDArray[np.floating], like: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """Turn, mirror and shift a layout onto another of the same cells, without stretching it."""
    ours = positions - positions.mean(axis=0)
    target = like - like.mean(axis=0)
    u, _, vt = np.linalg.svd(ours.astype(np.float64).T @ target.astype(np.float64))
    return np.asarray(ours @ (u @ vt) + like.mean(axis=0), dtype=np.float32)


class _ProgressFile:
    """A file for tqdm's bar: umap-learn's only way to hear of an epoch, and to stop between two."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def write(self, text: str) -> None:
        share = text.strip().strip("%")
        if share:
            self._progress(min(1.0, float(share) / 100))

    def flush(self) -> None:
        pass


def _watch(progress: Progress) -> dict[str, object]:
    return {
        "file": _ProgressFile(progress),
        "bar_format": "{percentage}%",
        "mininterval": 0.1,
        "ascii": True,
    }

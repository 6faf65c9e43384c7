"""Nearest neighbours: one search a run, wide enough for everything that comes after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError

EXACT_UP_TO = 20_000
"""Cells up to which an exhaustive search is fast enough to be used."""

_PROBES = 16
_TRAINING_POINTS = 64
_CELLS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Neighbors:
    """Nearest neighbours of every cell, nearest first, the cell itself left out.

    Attributes
    ----------
    indices
        int32 array (cells × k).
    distances
        float32 array (cells × k) of Euclidean distances in the units of the embedding.
    """

    indices: npt.NDArray[np.int32]
    distances: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.indices.shape != self.distances.shape or self.indices.ndim != 2:
            raise ValueError(f"shapes differ: {self.indices.shape} and {self.distances.shape}")

    @property
    def k(self) -> int:
        return int(self.indices.shape[1])

    def with_self(self, k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Return the first ``k`` neighbours counting the cell itself first, as umap-learn does."""
        k = min(k, self.k + 1)
        own = np.arange(len(self.indices), dtype=np.int32)[:, None]
        zero = np.zeros((len(self.indices), 1), dtype=np.float32)
        return (
            np.hstack([own, self.indices[:, : k - 1]]),
            np.hstack([zero, self.distances[:, : k - 1]]),
        )


def nearest_neighbors(
    X: npt.NDArray[np.floating],
    k: int = 90,
    *,
    seed: int = 0,
    exact: bool | None = None,
    progress: Callable[[float], None] | None = None,
) -> Neighbors:
    """Find the ``k`` nearest cells of every cell.

    Exhaustive up to `EXACT_UP_TO` cells. Above, an inverted-file index (faiss ``IndexIVFFlat``)
    with recall above 0.99, measured in ``benchmarks/interactive.py``.

    Parameters
    ----------
    X
        Embedding (cells × dimensions).
    k
        Neighbours wanted; at most cells - 1 are returned.
    seed
        Seed of the index's own clustering; not used by the exhaustive search.
    exact
        Force the exhaustive search (True) or the index (False).
    progress
        Hears of the share done after every 20,000 cells; stops the search by raising.

    Raises
    ------
    DataError
        With fewer than two cells.

    References
    ----------
    Douze et al., The Faiss library, 10.48550/arXiv.2401.08281
    """
    data = np.ascontiguousarray(X, dtype=np.float32)
    n = len(data)
    if n < 2:
        raise DataError("Neighbours need at least two cells.")
    k = min(k, n - 1)
    if exact is None:
        exact = n <= EXACT_UP_TO
    index = search_index(data, exact=exact, seed=seed)
    indices = np.empty((n, k), dtype=np.int32)
    distances = np.empty((n, k), dtype=np.float32)
    # A part of the cells at a time: the search answers in three times the memory that is kept.
    order = np.arange(n) if exact else _by_list(index)
    for first in range(0, n, _CELLS_AT_ONCE):
        cells = order[first : first + _CELLS_AT_ONCE]
        squared, found = index.search(data[cells], k + 1)
        indices[cells], distances[cells] = _without_self(cells, found, squared)
        if progress is not None:
            progress(min(1.0, (first + _CELLS_AT_ONCE) / n))
    return Neighbors(indices, distances)


def search_index(
    data: npt.NDArray[np.float32], *, exact: bool, seed: int = 0, probes: int = _PROBES
) -> Any:
    """Return a faiss index of points (points × dimensions), exhaustive or an inverted file."""
    n, dims = data.shape
    if exact:
        index: Any = faiss.IndexFlatL2(dims)
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dims), dims, int(np.sqrt(n)))
        index.cp.seed = seed + 1
        index.cp.max_points_per_centroid = _TRAINING_POINTS
        index.nprobe = probes
        index.train(data)
    index.add(data)
    return index


def _by_list(index: Any) -> npt.NDArray[np.int64]:
    """Return all cells in the order of the index's lists: one after the other looks at the same."""
    lists = index.invlists
    ids = [
        faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i))
        for i in range(index.nlist)
        if lists.list_size(i)
    ]
    return np.concatenate(ids)


def _without_self(
    cells: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
    squared: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Drop each cell from its own row; among exact duplicates it may stand anywhere, or nowhere."""
    indices = found[:, 1:].astype(np.int32)
    distances = squared[:, 1:].copy()
    # Most cells come first in their row. Of the others, shift what stands before them.
    for row in np.flatnonzero(found[:, 0] != cells):
        place = np.flatnonzero(found[row] == cells[row])
        before = int(place[0]) if len(place) else found.shape[1] - 1
        indices[row, :before] = found[row, :before]
        distances[row, :before] = squared[row, :before]
    np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
    # An inverted file whose probed lists hold fewer cells than asked for answers -1.
    for row in np.flatnonzero(indices[:, -1] < 0):
        last = max(int(np.argmax(indices[row] < 0)) - 1, 0)
        indices[row, last + 1 :] = indices[row, last]
        distances[row, last + 1 :] = distances[row, last]
    return indices, distances

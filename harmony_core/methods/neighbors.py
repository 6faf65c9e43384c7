"""Nearest neighbours: one search a run, wide enough for everything that comes after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError

EXACT_UP_TO = 20_000
"""Cells up to which an exhaustive search is fast enough to be used."""

LISTS_UP_TO = 300_000
"""Cells up to which our search by lists is faster than faiss's inverted file: 1.3 times there."""

PROBES = 12
"""Lists of cells that a cell is near to; see `harmony_core.methods.neighbors_kernel`."""

PROBES_OF_FILE = 24
"""Lists of the inverted file that each cell searches: 0.999 of the nearest 15 among a million."""

SearchName = Literal["exhaustive", "lists", "inverted file"]


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
        """Return the first ``k`` neighbours counting the cell itself first, as umap-learn does.

        Returns
        -------
        Indices and distances (cells × k each; fewer where fewer are known).
        """
        k = min(k, self.k + 1)
        own = np.arange(len(self.indices), dtype=np.int32)[:, None]
        zero = np.zeros((len(self.indices), 1), dtype=np.float32)
        return (
            np.hstack([own, self.indices[:, : k - 1]]),
            np.hstack([zero, self.distances[:, : k - 1]]),
        )


def search_for(n_cells: int) -> SearchName:
    """Return which search is used for so many cells."""
    if n_cells <= EXACT_UP_TO:
        return "exhaustive"
    return "lists" if n_cells <= LISTS_UP_TO else "inverted file"


def nearest_neighbors(
    X: npt.NDArray[np.floating],
    k: int = 90,
    *,
    seed: int = 0,
    search: SearchName | None = None,
    progress: Callable[[float], None] | None = None,
) -> Neighbors:
    """Find the ``k`` nearest cells of every cell; the same to the last bit on any number of cores.

    Exhaustive up to `EXACT_UP_TO` cells (faiss). Up to `LISTS_UP_TO`, by lists of cells near each
    other (`harmony_core.methods.neighbors_kernel`), and above by faiss's inverted file, which is
    as fast there; both with recall of the nearest 15 above 0.999, measured in
    ``benchmarks/neighbors.py``.

    Parameters
    ----------
    X
        Embedding (cells × dimensions).
    k
        Neighbours wanted; at most cells - 1 are returned.
    seed
        Seed of the lists; not used by the exhaustive search.
    search
        Which search, by default that of `search_for`.
    progress
        Called with the fraction done after some thousand cells; stops the search by raising.

    Returns
    -------
    Neighbours of each cell, nearest first, without the cell itself.

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
    search = search or search_for(n)
    if search == "lists":
        from harmony_core.methods.neighbors_kernel import search_by_lists

        indices, squared = search_by_lists(data, None, k, seed, PROBES, progress)
        return Neighbors(indices, np.sqrt(squared, out=squared))
    from harmony_core.methods.index_search import search_exhaustively, search_inverted_file

    if search == "exhaustive":
        found, squared = search_exhaustively(data, k + 1, progress)
    else:
        found, squared = search_inverted_file(data, k + 1, seed, PROBES_OF_FILE, progress)
    return Neighbors(*without_self(np.arange(n), found, squared))


def nearest_of(
    X: npt.NDArray[np.floating], cells: npt.NDArray[np.integer], k: int = 90
) -> Neighbors:
    """Find the ``k`` nearest cells of some cells, exhaustively; of all, `nearest_neighbors`.

    Parameters
    ----------
    X
        Embedding (cells × dimensions).
    cells
        Positions of those whose neighbours are wanted.
    k
        Neighbours wanted; at most cells - 1 are returned.

    Returns
    -------
    Neighbours of each of these cells, nearest first, without the cell itself.
    """
    import faiss

    from harmony_core.methods.index_search import search_in_parts

    data = np.ascontiguousarray(X, dtype=np.float32)
    index = faiss.IndexFlatL2(data.shape[1])
    index.add(data)
    found, squared = search_in_parts(index, data[cells], min(k, len(data) - 1) + 1)
    return Neighbors(*without_self(cells, found, squared))


def without_self(
    cells: npt.NDArray[np.integer],
    found: npt.NDArray[np.integer],
    squared: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Drop each cell from its own row; among exact duplicates it may stand anywhere, or nowhere.

    Parameters
    ----------
    cells
        Which cells the rows are of.
    found, squared
        Nearest cells of each, itself included, and their squared distances (cells × k + 1).

    Returns
    -------
    Neighbours and their distances, nearest first (cells × k each).
    """
    indices = found[:, 1:].astype(np.int32)
    distances = squared[:, 1:].copy()
    # Most cells come first in their row. Of the others, shift what stands before them.
    for row in np.flatnonzero(found[:, 0] != cells):
        place = np.flatnonzero(found[row] == cells[row])
        before = int(place[0]) if len(place) else found.shape[1] - 1
        indices[row, :before] = found[row, :before]
        distances[row, :before] = squared[row, :before]
    np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
    return indices, distances

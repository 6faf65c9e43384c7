"""Search an index of faiss on all cores, with the same answer on any number of them.

Exported scripts carry these functions without their types, so that they repeat a run's neighbours:
they use numpy, numba, faiss and threadpoolctl alone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import faiss
import numba
import numpy as np
import threadpoolctl
from numpy.typing import NDArray

Nearest = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Positions of the neighbours of each query, nearest first, and their squared distances."""

CELLS_AT_ONCE = 4_000
"""Fewer would be searched in another way by faiss; a part holds up to twice as many."""


def search_in_parts(
    index: faiss.Index,
    queries: NDArray[np.float32],
    k: int,
    progress: Callable[[float], None] | None = None,
) -> Nearest:
    """Return the ``k`` nearest points of each query and their squared distances.

    How faiss and BLAS share one search out among cores decides the last digits of distances, and
    with them which of two neighbours comes first. So each thread answers for a part of the queries
    alone, and the parts depend on nothing but their number.
    """
    found = np.empty((len(queries), k), dtype=np.int32)
    squared = np.empty((len(queries), k), dtype=np.float32)
    parts = np.array_split(np.arange(len(queries)), max(1, len(queries) // CELLS_AT_ONCE))

    def answer(part: NDArray[np.integer]) -> None:
        some = slice(part[0], part[-1] + 1)
        squared[some], found[some] = index.search(queries[some], k)

    cores = min(numba.get_num_threads(), len(parts))
    pool = ThreadPoolExecutor(cores, initializer=faiss.omp_set_num_threads, initargs=(1,))
    try:
        for done, _ in enumerate(pool.map(answer, parts), start=1):
            if progress is not None:
                progress(done / len(parts))
    finally:
        pool.shutdown(cancel_futures=True)
    return found, squared


def search_exhaustively(
    points: NDArray[np.float32], k: int, progress: Callable[[float], None] | None = None
) -> Nearest:
    """Return the ``k`` nearest points of each point, itself included."""
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    with threadpoolctl.threadpool_limits(1, "blas"):
        return search_in_parts(index, points, k, progress)


def search_inverted_file(
    points: NDArray[np.float32],
    k: int,
    seed: int,
    probes: int,
    progress: Callable[[float], None] | None = None,
) -> Nearest:
    """Return the ``k`` nearest points of each point, itself included, by faiss's inverted file.

    √n lists of points near each other, of which each point searches the ``probes`` nearest.
    """
    n_lists = int(np.sqrt(len(points)))
    centres = faiss.IndexFlatL2(points.shape[1])
    index = faiss.IndexIVFFlat(centres, points.shape[1], n_lists)
    index.cp.seed = seed + 1
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, 64
    index.nprobe = min(probes, n_lists)
    # How BLAS shares work out decides the last digits.
    with threadpoolctl.threadpool_limits(1, "blas"):
        index.train(points)
        index.add(points)
        # By list, so that one query after the other finds the same lists in the processor's cache.
        order = np.argsort(search_in_parts(centres, points, 1)[0][:, 0], kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        found, squared = search_in_parts(index, points[order], k, progress)
        found, squared = found[place], squared[place]
        # Lists may be so small that there are not enough points in those searched.
        lacking = np.flatnonzero(found[:, -1] < 0)
        if len(lacking) > 0:
            index.nprobe = n_lists
            found[lacking], squared[lacking] = search_in_parts(index, points[lacking], k)
    return found, squared

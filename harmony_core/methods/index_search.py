"""Search an index of faiss on all cores, with the same answer on any number of them.

Exported scripts carry the function without its types, so that they repeat a run's neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import faiss
import numba
import numpy as np
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

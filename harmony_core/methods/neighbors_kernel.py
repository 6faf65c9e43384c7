"""Nearest neighbours by lists: cells near each other search the same lists of cells together.

The lists are those of an inverted file as in faiss. There every cell searches lists of its own
choice, one distance after the other; here the cells of a list share theirs, so that distances come
as matrix products, and what is far is passed over sixteen at a time. ``benchmarks/neighbors.py``
measures it beside faiss and others at equal recall.

Exported scripts carry these functions without their types, so that they repeat a run's neighbours:
they use numpy, numba, faiss, threadpoolctl and `search_in_parts` alone.
"""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numba
import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from harmony_core._numba import fast, fast_parallel
from harmony_core.methods.index_search import Nearest, search_in_parts

Float32s = NDArray[np.float32]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


def search_by_lists(
    points: Float32s,
    queries: Float32s | None,
    k: int,
    seed: int,
    probes: int,
    progress: Callable[[float], None] | None = None,
) -> Nearest:
    """Return the ``k`` nearest points of each query and their squared distances.

    ``queries`` is None for the points themselves: none of them then finds itself. Every list of
    which one in fifty of a list's queries is nearest among ``probes`` is searched.
    """
    of_points = queries is None
    queries = points if queries is None else queries
    n_lists = int(np.sqrt(len(points)))
    trained = faiss.Kmeans(
        *(points.shape[1], n_lists),
        niter=10,
        seed=seed + 1,
        min_points_per_centroid=1,
        max_points_per_centroid=64,
    )
    indices = np.empty((len(queries), k), dtype=np.int32)
    squared = np.empty((len(queries), k), dtype=np.float32)
    # How BLAS shares work out decides the last digits; of ours, each thread multiplies for itself.
    with threadpoolctl.threadpool_limits(1, "blas"):
        trained.train(points)
        near = search_in_parts(trained.index, queries, min(probes, n_lists))[0]
        own = near[:, 0] if of_points else search_in_parts(trained.index, points, 1)[0][:, 0]
        order, starts = sorted_by_list(own, n_lists)
        in_lists = points[order]
        asking, first, sorted_queries = order, starts, in_lists
        if not of_points:
            asking, first = sorted_by_list(near[:, 0], n_lists)
            sorted_queries = queries[asking]
        centres = np.asarray(trained.centroids)
        lists, list_starts = lists_to_search(near, centres, first, starts, k)
        blocks = [
            (at, begin, min(begin + 256, first[at + 1]))
            for at in range(n_lists)
            for begin in range(first[at], first[at + 1], 256)
        ]
        some = max(1, 20_000 * len(blocks) // len(queries))
        for begin in range(0, len(blocks), some):
            part = np.array(blocks[begin : begin + some])
            by_list = (in_lists, order, starts, sorted_queries, asking, first)
            among = (centres, lists, list_starts, part, k, of_points)
            search_blocks(*by_list, *among, indices, squared)
            if progress is not None:
                progress(min(1.0, (begin + some) / len(blocks)))
    return indices, squared


def sorted_by_list(lists: Int32s, n_lists: int) -> tuple[Int32s, Int64s]:
    """Return positions in the order of their lists, and where each list starts among them."""
    order = np.argsort(lists, kind="stable")
    return order.astype(np.int32), np.searchsorted(lists[order], np.arange(n_lists + 1))


def lists_to_search(
    near: Int32s, centres: Float32s, first: Int64s, starts: Int64s, k: int
) -> tuple[Int64s, Int64s]:
    """Return the lists that each list's queries search, one after the other, and their starts.

    Its own comes first; then those that most of the queries are near to.
    """
    n_lists, n_queries, sizes = len(centres), np.diff(first), np.diff(starts)
    pairs = near[:, :1] * n_lists + near
    counts = np.bincount(pairs.ravel(), minlength=n_lists**2).reshape(n_lists, n_lists)
    np.fill_diagonal(counts, len(near) + 1)
    centred = centres - centres.mean(axis=0)
    length = (centred**2).sum(axis=1)
    distance = length[:, None] + length - 2 * centred @ centred.T
    lists, list_starts = [], [0]
    for at in range(n_lists):
        ranked = np.lexsort((distance[at], -counts[at]))
        enough = int((counts[at] > n_queries[at] / 50).sum())
        # There must be enough cells to choose from, however small the lists.
        needed = 1 + int(np.searchsorted(np.cumsum(sizes[ranked]), k + 1))
        enough = min(max(enough, needed), n_lists)
        lists.append(ranked[:enough])
        list_starts.append(list_starts[-1] + len(lists[-1]))
    return np.concatenate(lists), np.array(list_starts)


@fast_parallel
def search_blocks(
    points: Float32s,
    order: Int32s,
    starts: Int64s,
    queries: Float32s,
    asking: Int32s,
    first: Int64s,
    centres: Float32s,
    lists: Int64s,
    list_starts: Int64s,
    blocks: Int64s,
    k: int,
    of_points: bool,
    indices: Int32s,
    squared: Float32s,
) -> None:
    """Search for blocks of queries of one list each: list, begin and end of the queries."""
    for b in numba.prange(len(blocks)):
        at, begin, end = blocks[b]
        searched = lists[list_starts[at] : list_starts[at + 1]]
        candidates = points_of_lists(points, order, starts, centres[at], searched)
        n = len(candidates[0])
        scratch = (np.empty(n + 16, np.int32), np.empty(n + 16, np.float32), np.empty(k, np.int64))
        reach = np.float32(-1)
        for q in range(begin, end, 32):
            some = min(32, end - q)
            block = np.empty((some, points.shape[1]), np.float32)
            for i in range(some):
                for t in range(points.shape[1]):
                    block[i, t] = queries[q + i, t] - centres[at, t]
            products = np.dot(block, candidates[0].T)
            for i in range(some):
                itself = q + i - first[at] if of_points else -1
                results = (indices[asking[q + i]], squared[asking[q + i]])
                reach = write_nearest(
                    products[i], block[i], candidates, itself, reach, scratch, results
                )


@fast
def points_of_lists(
    points: Float32s, order: Int32s, starts: Int64s, centre: Float32s, lists: Int64s
) -> tuple[Float32s, Float32s, Int32s]:
    """Return the points of some lists, half their squared lengths, and which they are.

    Seen from a list's centre numbers are small, and little is lost by their differences.
    """
    n = 0
    for i in lists:
        n += starts[i + 1] - starts[i]
    near, ids = np.empty((n, points.shape[1]), np.float32), np.empty(n, np.int32)
    half = np.empty(n, np.float32)
    n = 0
    for i in lists:
        for p in range(starts[i], starts[i + 1]):
            for t in range(points.shape[1]):
                near[n, t] = points[p, t] - centre[t]
            half[n] = squared_distance(points[p], centre) / 2
            ids[n] = order[p]
            n += 1
    return near, half, ids


@fast
def write_nearest(
    row: Float32s,
    query: Float32s,
    points: tuple[Float32s, Float32s, Int32s],
    itself: int,
    reach: np.float32,
    scratch: tuple[Int32s, Float32s, Int64s],
    results: tuple[Int32s, Float32s],
) -> np.float32:
    """Write down the nearest points of one query, given its products with all.

    ``reach`` is the squared distance within which the queries before had all their neighbours, or
    below 0: what is much farther is passed over. Returns it for the query that comes next.
    """
    near, half, ids = points
    places, values, keys = scratch
    indices, squared = results
    n, k = len(row), len(indices)
    # Half the squared distance, less what is the same for all points.
    for j in range(n):
        row[j] = half[j] - row[j]
    if itself >= 0:
        row[itself] = np.inf
    base = np.float32(0)
    for t in range(len(query)):
        base += query[t] * query[t] / 2
    count = 0
    if reach >= 0:
        count = note_below(row, np.float32(0.55) * reach - base, places, values)
    if count < k:
        # None of the nearest is farther than the farthest of any k.
        count = min(n, 3 * k)
        for j in range(count):
            places[j], values[j] = j, row[j]
        smallest_first(values, places, count, k)
        farthest = values[0]
        for j in range(1, k):
            farthest = max(farthest, values[j])
        count = note_below(row, np.nextafter(farthest, np.float32(np.inf)), places, values)
    smallest_first(values, places, count, k)
    # Sorted by the bits of the exact distance, then by place: both in one whole number.
    one = np.empty(1, np.float32)
    bits = one.view(np.int32)
    for j in range(k):
        one[0] = squared_distance(query, near[places[j]])
        key = (np.int64(bits[0]) << 32) | places[j]
        at = j
        while at > 0 and keys[at - 1] > key:
            keys[at] = keys[at - 1]
            at -= 1
        keys[at] = key
    for j in range(k):
        indices[j] = ids[keys[j] & 0xFFFFFFFF]
        bits[0] = keys[j] >> 32
        squared[j] = one[0]
    last = np.float32(one[0])
    return last if reach < 0 else np.float32(0.7) * reach + np.float32(0.3) * last


@fast
def squared_distance(a: Float32s, b: Float32s) -> np.float32:
    """Squared Euclidean distance of two points."""
    total = np.float32(0)
    for t in range(len(a)):
        total += (a[t] - b[t]) ** 2
    return total


@fast
def note_below(row: Float32s, limit: np.float32, places: Int32s, values: Float32s) -> int:
    """Write down places and values below a limit; returns how many there are."""
    count = 0
    for start in range(0, len(row), 16):
        end = min(start + 16, len(row))
        least = row[start]
        for j in range(start, end):
            least = min(least, row[j])
        if least < limit:
            for j in range(start, end):
                places[count] = j
                values[count] = row[j]
                count += row[j] < limit
    return count


@fast
def smallest_first(values: Float32s, places: Int32s, n: int, k: int) -> None:
    """Bring the ``k`` smallest of ``n`` values to the front, in any order (Hoare's selection)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                places[i], places[j] = places[j], places[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            return

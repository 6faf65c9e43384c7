"""Nearest neighbours by lists: cells near each other look at the same lists of cells together.

The lists are those of an inverted file as in faiss. There every cell looks at lists of its own
choice, one distance after the other; here the cells of a list share theirs, so that distances come
as matrix products, and what is far is passed over sixteen at a time. With lists enough for all of
them, that finds more of the true neighbours in two thirds of the time
(``benchmarks/interactive.py``).

Exported scripts carry these functions as they stand here, so that they repeat a run's neighbours:
they use numpy, numba, faiss, threadpoolctl and `search_in_parts` alone, and are annotated with
``Any`` only.
"""

from __future__ import annotations

from typing import Any

import faiss
import numba
import numpy as np
import threadpoolctl

from harmony_core._numba import fast, fast_parallel
from harmony_core.methods.index_search import search_in_parts


def search_by_lists(
    points: Any, queries: Any, k: Any, seed: Any, probes: Any, progress: Any = None
) -> Any:
    """Return the ``k`` nearest points of each query and their squared distances.

    ``queries`` is None for the points themselves: none of them then finds itself. Every list of
    which one in fifty of a list's queries is nearest among ``probes`` is looked at.
    """
    alone = queries is None
    asked = points if alone else queries
    n_lists = int(np.sqrt(len(points)))
    trained = faiss.Kmeans(
        *(points.shape[1], n_lists),
        niter=10,
        seed=seed + 1,
        min_points_per_centroid=1,
        max_points_per_centroid=64,
    )
    found = np.empty((len(asked), k), dtype=np.int32)
    squared = np.empty((len(asked), k), dtype=np.float32)
    # How BLAS shares work out decides the last digits; of ours, each thread multiplies for itself.
    with threadpoolctl.threadpool_limits(1, "blas"):
        trained.train(points)
        near = search_in_parts(trained.index, asked, min(probes, n_lists))[0]
        home = near[:, 0] if alone else search_in_parts(trained.index, points, 1)[0][:, 0]
        order, starts = sorted_by_list(home, n_lists)
        asking, first = (order, starts) if alone else sorted_by_list(near[:, 0], n_lists)
        in_lists = points[order]
        by_list = (in_lists, order, starts, in_lists if alone else asked[asking], asking, first)
        lists, list_starts = lists_to_look_at(near, trained.centroids, first, starts, k)
        blocks = [
            (at, begin, min(begin + 256, first[at + 1]))
            for at in range(n_lists)
            for begin in range(first[at], first[at + 1], 256)
        ]
        some = max(1, 20_000 * len(blocks) // len(asked))
        for begin in range(0, len(blocks), some):
            part = np.array(blocks[begin : begin + some])
            among = (trained.centroids, lists, list_starts, part, k, alone)
            search_blocks(*by_list, *among, found, squared)
            if progress is not None:
                progress(min(1.0, (begin + some) / len(blocks)))
    return found, squared


def sorted_by_list(home: Any, n_lists: Any) -> Any:
    """Return positions in the order of their lists, and where each list starts among them."""
    order = np.argsort(home, kind="stable")
    return order.astype(np.int32), np.searchsorted(home[order], np.arange(n_lists + 1))


def lists_to_look_at(near: Any, centres: Any, first: Any, starts: Any, k: Any) -> Any:
    """Return the lists that each list's queries look at, one after the other, and their starts.

    Its own comes first; then those that most of the queries are near to.
    """
    n_lists, n_asking, sizes = len(centres), np.diff(first), np.diff(starts)
    pairs = near[:, :1] * n_lists + near
    counts = np.bincount(pairs.ravel(), minlength=n_lists**2).reshape(n_lists, n_lists)
    np.fill_diagonal(counts, len(near) + 1)
    middle = centres - centres.mean(axis=0)
    length = (middle**2).sum(axis=1)
    distance = length[:, None] + length - 2 * middle @ middle.T
    lists, list_starts = [], [0]
    for at in range(n_lists):
        ranked = np.lexsort((distance[at], -counts[at]))
        enough = int((counts[at] > n_asking[at] / 50).sum())
        # There must be enough cells to choose from, however small the lists.
        needed = 1 + int(np.searchsorted(np.cumsum(sizes[ranked]), k + 1))
        enough = min(max(enough, needed), n_lists)
        lists.append(ranked[:enough])
        list_starts.append(list_starts[-1] + len(lists[-1]))
    return np.concatenate(lists), np.array(list_starts)


@fast_parallel
def search_blocks(
    points: Any,
    order: Any,
    starts: Any,
    queries: Any,
    asking: Any,
    first: Any,
    centres: Any,
    lists: Any,
    list_starts: Any,
    blocks: Any,
    k: Any,
    alone: Any,
    found: Any,
    squared: Any,
) -> None:
    """Search for blocks of queries of one list each: list, begin and end of the queries."""
    for b in numba.prange(len(blocks)):
        at, begin, end = blocks[b]
        looked_at = lists[list_starts[at] : list_starts[at + 1]]
        theirs = around(points, order, starts, centres[at], looked_at)
        n = len(theirs[0])
        room = (np.empty(n + 16, np.int32), np.empty(n + 16, np.float32), np.empty(k, np.int64))
        usual = np.float32(-1)
        for q in range(begin, end, 32):
            some = min(32, end - q)
            block = np.empty((some, points.shape[1]), np.float32)
            for i in range(some):
                for t in range(points.shape[1]):
                    block[i, t] = queries[q + i, t] - centres[at, t]
            products = np.dot(block, theirs[0].T)
            for i in range(some):
                itself = q + i - first[at] if alone else -1
                answers = (found[asking[q + i]], squared[asking[q + i]])
                usual = nearest(products[i], block[i], theirs, itself, usual, room, answers)


@fast
def around(points: Any, order: Any, starts: Any, centre: Any, looked_at: Any) -> Any:
    """Return the points of some lists, half their squared lengths, and which they are.

    Seen from a list's centre numbers are small, and little is lost by their differences.
    """
    n = 0
    for i in looked_at:
        n += starts[i + 1] - starts[i]
    near, ids = np.empty((n, points.shape[1]), np.float32), np.empty(n, np.int32)
    half = np.empty(n, np.float32)
    n = 0
    for i in looked_at:
        for p in range(starts[i], starts[i + 1]):
            for t in range(points.shape[1]):
                near[n, t] = points[p, t] - centre[t]
            half[n] = apart(points[p], centre) / 2
            ids[n] = order[p]
            n += 1
    return near, half, ids


@fast
def nearest(
    row: Any, query: Any, points: Any, itself: Any, usual: Any, room: Any, answers: Any
) -> Any:
    """Write down the nearest points of one query, given its products with all.

    ``usual`` is the squared distance within which the queries before had all their neighbours, or
    below 0: what is much farther is not looked at. Returns it for the query that comes next.
    """
    near, half, ids = points
    places, values, keys = room
    found, squared = answers
    n, k = len(row), len(found)
    # Half the squared distance, less what is the same for all points.
    for j in range(n):
        row[j] = half[j] - row[j]
    if itself >= 0:
        row[itself] = np.inf
    base = np.float32(0)
    for t in range(len(query)):
        base += query[t] * query[t] / 2
    have = 0
    if usual >= 0:
        have = collect(row, np.float32(0.55) * usual - base, places, values)
    if have < k:
        # None of the nearest is farther than the farthest of any k.
        have = min(n, 3 * k)
        for j in range(have):
            places[j], values[j] = j, row[j]
        split(values, places, have, k)
        farthest = values[0]
        for j in range(1, k):
            farthest = max(farthest, values[j])
        have = collect(row, np.nextafter(farthest, np.float32(np.inf)), places, values)
    split(values, places, have, k)
    # Sorted by the bits of the exact distance, then by place: both in one whole number.
    one = np.empty(1, np.float32)
    bits = one.view(np.int32)
    for j in range(k):
        one[0] = apart(query, near[places[j]])
        key = (np.int64(bits[0]) << 32) | places[j]
        at = j
        while at > 0 and keys[at - 1] > key:
            keys[at] = keys[at - 1]
            at -= 1
        keys[at] = key
    for j in range(k):
        found[j] = ids[keys[j] & 0xFFFFFFFF]
        bits[0] = keys[j] >> 32
        squared[j] = one[0]
    return one[0] if usual < 0 else np.float32(0.7) * usual + np.float32(0.3) * one[0]


@fast
def apart(a: Any, b: Any) -> Any:
    """Squared distance of two points."""
    total = np.float32(0)
    for t in range(len(a)):
        total += (a[t] - b[t]) ** 2
    return total


@fast
def collect(row: Any, limit: Any, places: Any, values: Any) -> Any:
    """Note the places and values below a limit; returns how many there are."""
    have = 0
    for start in range(0, len(row), 16):
        end = min(start + 16, len(row))
        least = row[start]
        for j in range(start, end):
            least = min(least, row[j])
        if least < limit:
            for j in range(start, end):
                places[have] = j
                values[have] = row[j]
                have += row[j] < limit
    return have


@fast
def split(values: Any, places: Any, n: Any, k: Any) -> None:
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

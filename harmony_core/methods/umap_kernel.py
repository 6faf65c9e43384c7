"""UMAP's optimiser: the loop that moves cells until their layout shows the neighbour graph.

Exported scripts carry these three functions without their types, so that they repeat a layout to
the last bit: they use numpy and numba alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core._numba import parallel

Float32s = NDArray[np.float32]


def optimise(
    graph: sp.csr_matrix,
    start: NDArray[np.floating],
    a: float,
    b: float,
    seed: int,
    epochs: int,
    rate: float,
    progress: Callable[[float], None] | None = None,
) -> Float32s:
    """Move cells from a starting picture; returns their positions.

    A graph's edge is due the more often the heavier it is; one so light that it never would be is
    left out. The steps shorten from ``rate`` to nothing.
    """
    kept = graph.tocsr(copy=True)
    kept.data[kept.data < kept.data.max(initial=0) / epochs] = 0
    kept.eliminate_zeros()
    period = (kept.data.max(initial=0) / kept.data).astype(np.float32)
    due = period.copy()
    random = np.random.RandomState(seed)
    states = random.randint(1, 2**63 - 1, len(start), dtype=np.int64).astype(np.uint64)
    positions = np.array(start, dtype=np.float32, order="C")
    earlier = positions.copy()
    pulls, pushes = forces(a, b)
    fixed = (kept.indptr, kept.indices, period, due, states, positions, earlier, pulls, pushes)
    for epoch in range(epochs):
        one_epoch(*fixed, np.float32(rate * (1 - epoch / epochs)), epoch)
        if progress is not None:
            progress((epoch + 1) / epochs)
    return positions


def forces(a: float, b: float) -> tuple[Float32s, ...]:
    """Tabulate UMAP's pull and push, as factors of the difference of two positions.

    The place in the tables is the upper half of the squared distance's bits: 128 steps from each
    power of two to the next. Looking them up is three times as fast as computing powers.
    """
    upper = np.arange(2**15, dtype=np.int32)
    with np.errstate(invalid="ignore", over="ignore"):
        squared = (upper * 2**16 + 2**15).view(np.float32).astype(np.float64)
        power = squared**b
        # Twice: in UMAP both ends of an edge pull both cells; here each end moves its own cell.
        pull = -4 * a * b * power / (squared * (1 + a * power))
        push = 2 * b / ((0.001 + squared) * (1 + a * power))
    pull[0] = 0  # the same place
    largest = np.finfo(np.float32).max
    tables = (np.clip(np.nan_to_num(f), -largest, largest).astype(np.float32) for f in (pull, push))
    return tuple(tables)


@parallel
def one_epoch(
    indptr: NDArray[np.int32],
    indices: NDArray[np.int32],
    period: Float32s,
    due: Float32s,
    states: NDArray[np.uint64],
    positions: Float32s,
    earlier: Float32s,
    pulls: Float32s,
    pushes: Float32s,
    rate: np.float32,
    epoch: int,
) -> None:
    """Move every cell once, in place.

    A cell is pulled by the neighbours whose edges are due and pushed by five random cells for each
    pull, as in UMAP. Unlike umap-learn's loop, it sees the others where they stood at the start of
    the epoch and draws from a generator of its own. So cells can move side by side on all cores,
    and the result is the same on any number of them.
    """
    n, widest = len(positions), np.float32(4)
    for i in numba.prange(n):
        earlier[i, 0] = positions[i, 0]
        earlier[i, 1] = positions[i, 1]
    for i in numba.prange(n):
        x, y, state = earlier[i, 0], earlier[i, 1], states[i]
        for edge in range(indptr[i], indptr[i + 1]):
            if due[edge] > epoch:
                continue
            due[edge] += period[edge]
            other = indices[edge]
            dx, dy = x - earlier[other, 0], y - earlier[other, 1]
            pull = pulls[np.float32(dx * dx + dy * dy).view(np.int32) >> 16]
            x += rate * min(widest, max(-widest, pull * dx))
            y += rate * min(widest, max(-widest, pull * dy))
            for _ in range(5):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                other = np.int64(((state >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))
                dx, dy = x - earlier[other, 0], y - earlier[other, 1]
                push = pushes[np.float32(dx * dx + dy * dy).view(np.int32) >> 16]
                x += rate * min(widest, max(-widest, push * dx))
                y += rate * min(widest, max(-widest, push * dy))
        positions[i, 0], positions[i, 1], states[i] = x, y, state

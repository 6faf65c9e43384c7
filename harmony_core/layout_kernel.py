"""The compiled loop that moves cells until their picture shows the neighbour graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np

_F = TypeVar("_F", bound=Callable[..., Any])

if TYPE_CHECKING:

    def compiled(function: _F) -> _F: ...
else:
    compiled = numba.njit(cache=True, parallel=True)


@compiled
def one_epoch(
    indptr: Any,
    indices: Any,
    period: Any,
    due: Any,
    states: Any,
    positions: Any,
    earlier: Any,
    a: Any,
    b: Any,
    rate: Any,
    epoch: Any,
) -> None:
    """Move every cell once, in place.

    A cell is pulled by the neighbours whose edges are due and pushed by five random cells for each
    pull, as in UMAP. Unlike umap-learn's loop, it sees the others where they stood at the start of
    the epoch and draws from a generator of its own. So cells can move side by side on all cores,
    and the result is the same on any number of them.
    """
    n, two, widest = len(positions), np.float32(2), np.float32(4)
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
            squared = dx * dx + dy * dy
            if squared > 0:
                power = squared**b
                pull = -two * a * b * power / (squared * (np.float32(1) + a * power))
                # Twice: in UMAP both ends of an edge pull both cells; here only this cell moves.
                x += two * rate * min(widest, max(-widest, pull * dx))
                y += two * rate * min(widest, max(-widest, pull * dy))
            for _ in range(5):
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
                other = np.int64(((state >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))
                dx, dy = x - earlier[other, 0], y - earlier[other, 1]
                squared = dx * dx + dy * dy
                push = two * b / ((np.float32(0.001) + squared) * (np.float32(1) + a * squared**b))
                x += rate * min(widest, max(-widest, push * dx))
                y += rate * min(widest, max(-widest, push * dy))
        positions[i, 0], positions[i, 1], states[i] = x, y, state

"""The compiled loop of LISI over cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

_F = TypeVar("_F", bound=Callable[..., Any])
_Array = NDArray[Any]

if TYPE_CHECKING:

    def _parallel(function: _F) -> _F: ...
    def _compiled(function: _F) -> _F: ...
else:
    # No fastmath: the search below starts between infinite bounds.
    _parallel = numba.njit(cache=True, parallel=True)
    _compiled = numba.njit(cache=True)

_TOLERANCE = 1e-5
_STEPS = 50


@_compiled
def _weigh(distances: _Array, weights: _Array, perplexity: float) -> None:
    """Fill ``weights``, which come as zeros, with exp(-beta × distance) of the wanted perplexity.

    Infinite distances get no weight. The smallest distance is taken off first: it changes no
    ratio of weights, and keeps far-away cells from having none at all.
    """
    nearest = np.inf
    for d in distances:
        nearest = min(nearest, d)
    if nearest == np.inf:
        return
    wanted = np.log(perplexity)
    low, high, beta, total = -np.inf, np.inf, 1.0, 0.0
    for _ in range(_STEPS):
        total, moment = 0.0, 0.0
        for j in range(len(distances)):
            if distances[j] == np.inf:
                weights[j] = 0.0
                continue
            d = np.float64(distances[j]) - nearest
            weights[j] = np.exp(-beta * d)
            total += weights[j]
            moment += d * weights[j]
        surplus = np.log(total) + beta * moment / total - wanted
        if abs(surplus) < _TOLERANCE:
            break
        if surplus > 0:
            low = beta
            beta = beta * 2 if high == np.inf else (beta + high) / 2
        else:
            high = beta
            beta = beta / 2 if low == -np.inf else (beta + low) / 2


@_parallel
def lisi_of_all(
    indices: _Array, distances: _Array, codes: _Array, n_levels: int, perplexity: float
) -> NDArray[np.float32]:
    """Inverse Simpson index of each variable (row of ``codes``) around each cell.

    NaN where the cell has no code, or none of its weighed neighbours has one.
    """
    n, k = indices.shape
    n_columns = codes.shape[0]
    result = np.full((n_columns, n), np.nan, dtype=np.float32)
    for i in numba.prange(n):
        weights = np.zeros(k)
        mass = np.empty(n_levels)
        _weigh(distances[i], weights, perplexity)
        for c in range(n_columns):
            if codes[c, i] < 0:
                continue
            mass[:] = 0.0
            for j in range(k):
                level = codes[c, indices[i, j]]
                if level >= 0:
                    mass[level] += weights[j]
            total = mass.sum()
            if total > 0.0:
                mass /= total
                result[c, i] = 1.0 / (mass * mass).sum()
    return result

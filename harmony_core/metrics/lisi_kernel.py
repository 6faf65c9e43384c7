"""The compiled loop of LISI over cells."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from harmony_core._numba import compiled, parallel

_Array = NDArray[Any]

_TOLERANCE = 1e-5
_STEPS = 50
_LONGEST = 3.0


@compiled
def _weigh(distances: _Array, weights: _Array, perplexity: float) -> None:
    """Fill ``weights``, which come as zeros, with exp(-beta × distance) of the wanted perplexity.

    Infinite distances get no weight. The smallest distance is taken off first: it changes no
    ratio of weights, and keeps far-away cells from having none at all. Beta is found by Newton
    steps on its logarithm, kept between bounds; harmonypy halves and doubles to the same end.
    """
    nearest, spread, n = np.inf, 0.0, 0
    for d in distances:
        nearest = min(nearest, d)
    for d in distances:
        if d < np.inf:
            spread += d - nearest
            n += 1
    if spread == 0.0 or n <= perplexity:
        # No beta is large or small enough to matter: all weigh the same.
        for j in range(len(distances)):
            if distances[j] < np.inf:
                weights[j] = 1.0
        return
    wanted = np.log(perplexity)
    low, high, beta = 0.0, np.inf, n / spread
    for _ in range(_STEPS):
        total, first, second = 0.0, 0.0, 0.0
        for j in range(len(distances)):
            if distances[j] < np.inf:
                d = np.float64(distances[j]) - nearest
                w = np.exp(-beta * d)
                weights[j] = w
                total += w
                first += d * w
                second += d * d * w
        mean = first / total
        surplus = np.log(total) + beta * mean - wanted
        if abs(surplus) < _TOLERANCE:
            break
        if surplus > 0:
            low = beta
        else:
            high = beta
        slope = beta * beta * (second / total - mean * mean)
        step = 0.0 if slope <= 0.0 else max(min(surplus / slope, _LONGEST), -_LONGEST)
        beta *= np.exp(step)
        if step == 0.0 or not low < beta < high:
            beta = low * 2 if high == np.inf else (low + high) / 2


# No fastmath: the search of beta has an infinite bound, and infinite distances have a meaning.
@parallel
def lisi_of_all(
    indices: _Array, distances: _Array, codes: _Array, n_levels: int, perplexity: float
) -> NDArray[np.float32]:
    """Inverse Simpson index of each variable (row of ``codes``) around each cell.

    Parameters
    ----------
    indices, distances
        Nearest neighbours and their distances (cells × k); infinite ones have no weight.
    codes, n_levels
        Level of each cell, -1 where missing (variables × cells), and most levels of a variable.
    perplexity
        Effective number of neighbours.

    Returns
    -------
    Variables × cells; NaN where the cell has no level, or none of its weighed neighbours has one.
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

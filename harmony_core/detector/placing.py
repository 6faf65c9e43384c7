"""Places of states among components: the nearest to a cell, and how often chance takes another."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from harmony_core._typing import Floats, Ints

_RIDGE = 0.05
"""Part of the mean variance added to every component's, so that a metric of few cells exists."""


def group_means(values: Floats, group: Ints, n: int) -> Floats:
    """Return the mean of each group (groups × dimensions); NaN where it has no cells.

    Parameters
    ----------
    values
        Cells × dimensions.
    group, n
        Group of each cell, and how many groups there are.
    """
    member = sparse.csr_matrix(
        (np.ones(len(group)), (group, np.arange(len(group)))), shape=(n, len(group))
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(member @ values) / np.bincount(group, minlength=n)[:, None]


def nearest_place(points: Floats, places: Floats, metric: Floats) -> Ints:
    """Return the nearest place of each point, by Mahalanobis' distance.

    Parameters
    ----------
    points, places
        Points × dimensions and places × dimensions.
    metric
        Covariance of what is no difference (dimensions × dimensions).
    """
    ridge = _RIDGE * np.trace(metric) / len(metric) + 1e-6
    lower = np.linalg.cholesky(metric + ridge * np.eye(len(metric)))
    points, places = np.linalg.solve(lower, points.T).T, np.linalg.solve(lower, places.T).T
    distance = (places**2).sum(1) - 2 * points @ places.T
    return np.asarray(distance.argmin(1))


def misplaced_by_chance(
    embedding: Floats,
    state: Ints,
    metric: Floats,
    smooth: sparse.csr_matrix,
    *,
    apart: Floats,
    seed: int,
) -> Floats:
    """Measure how often a pool's states would be lent wrongly to cells that are its own.

    The pool is split at random. Each half's cells take the nearest state of the other half, as
    the cells of another pool do, with nothing between the two but chance.

    Parameters
    ----------
    embedding
        Uncorrected components of the pool's cells (cells × dimensions).
    state
        State of each, from 0.
    metric
        Covariance within states (dimensions × dimensions).
    smooth
        What averages each cell with its neighbours (cells × cells).
    apart
        How much it counts that a cell of one state takes another (states × states).
    seed
        Seeds the split.

    Returns
    -------
    Fraction of each state's cells that took another state, by how much that counts.
    """
    n = int(state.max()) + 1
    half = np.random.default_rng(seed).random(len(state)) < 0.5
    whole = group_means(embedding, state, n)
    nearest = np.zeros((len(state), n), dtype=np.float32)
    for side in (half, ~half):
        places = group_means(embedding[~side], state[~side], n)
        places = np.where(np.isfinite(places), places, whole)
        cells = np.flatnonzero(side)
        nearest[cells, nearest_place(embedding[cells], places, metric)] = 1
    taken = np.asarray((smooth @ nearest).argmax(1)).ravel()
    wrong = np.bincount(state, weights=apart[state, taken], minlength=n)
    return np.asarray(wrong / np.bincount(state, minlength=n))

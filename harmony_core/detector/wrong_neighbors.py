"""Neighbours of another borrowed state: what a state's purity is measured by.

A neighbour of another state counts as much as the two states were apart before correction. Where
they touch, it is chance, and the choice of genes, on which side of a border a cell falls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints
from harmony_core.detector.distinct import contact, shared_neighbors
from harmony_core.metrics import kernels


def apartness(state: Ints, pool: Ints, within: Sequence[tuple[Ints, Ints]]) -> Floats:
    """Return how far each two states of a pool are apart before correction.

    Parameters
    ----------
    state
        State of each cell, numbered through the pools.
    pool
        Pool of each state.
    within
        Cells of each pool, and their neighbours as positions in it (cells × k).

    Returns
    -------
    States × states: 0 where two states share `STATE_CONTACT` of the neighbours that an even mixture
    would, 1 where they share half of that or less, or are of two pools.
    """
    touching = np.zeros((len(pool), len(pool)))
    for cells, neighbors in within:
        if len(cells) and neighbors.shape[1]:
            first = int(state[cells].min())
            own = state[cells] - first
            found = contact(shared_neighbors(own, neighbors), np.bincount(own).astype(float))
            there = slice(first, first + len(found))
            touching[there, there] = found
    limit = thresholds.STATE_CONTACT
    apart = np.clip((limit - touching) / (limit / 2), 0, 1)
    np.fill_diagonal(apart, 0)
    return np.asarray(apart)


def wrong_by_state(lent: Ints, state: Ints, apart: Floats, near: Ints) -> tuple[Floats, Floats]:
    """Return the fraction of neighbours with another borrowed state, of every state.

    Parameters
    ----------
    lent
        Pools × cells, see `harmony_core.detector.lending.LentStates`.
    state
        Own state of each cell.
    apart
        States × states, from `apartness`: how much a neighbour of another state counts.
    near
        Nearest neighbours (cells × k); -1 is none.

    Returns
    -------
    Means (states × 2: over all cells that borrow the state, over its own) and the standard errors
    of the second (states). NaN where there are no cells.
    """
    n = len(apart)
    means, errors = np.full((n, 2), np.nan), np.full(n, np.nan)
    for labels in lent:
        if labels[0] < 0:
            continue
        wrong = kernels.mean_weight(near, labels, apart)
        total, count, _ = _moments(wrong, labels, n)
        own = labels == state
        own_total, own_count, own_squares = _moments(wrong[own], labels[own], n)
        there = count > 0
        means[there, 0] = (total / np.maximum(count, 1))[there]
        mine = own_count > 0
        mean = own_total / np.maximum(own_count, 1)
        variance = np.maximum(own_squares / np.maximum(own_count, 1) - mean**2, 0)
        means[mine, 1] = mean[mine]
        errors[mine] = np.sqrt(variance / np.maximum(own_count, 1))[mine]
    return means, errors


def wrong_before(
    lent: Ints, state: Ints, apart: Floats, near: Ints, within: Ints
) -> npt.NDArray[np.float32]:
    """Return the larger of two uncorrected values: what states' own overlap gives is no loss.

    Parameters
    ----------
    lent, state, apart
        See `wrong_by_state`.
    near, within
        Nearest neighbours in the uncorrected data, of all cells and of the own pool (cells × k).

    Returns
    -------
    States × 2, see `wrong_by_state`.
    """
    by_all = wrong_by_state(lent, state, apart, near[:, : thresholds.N_NEIGHBORS])[0]
    by_pool = wrong_by_state(lent, state, apart, within)[0]
    return np.fmax(by_all, by_pool).astype(np.float32)


def _moments(values: Floats, labels: Ints, n: int) -> tuple[Floats, Floats, Floats]:
    """Sum, number and sum of squares of the values of each label."""
    known = np.isfinite(values)
    values, labels = values[known], labels[known]
    values = values.astype(np.float64)
    count = np.bincount(labels, minlength=n).astype(np.float64)
    total, squares = (np.bincount(labels, weights=w, minlength=n) for w in (values, values**2))
    return np.asarray(total, np.float64), count, np.asarray(squares, np.float64)

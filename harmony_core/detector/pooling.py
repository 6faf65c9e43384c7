"""Pools of batches: those between which there is nothing to correct are described as one.

Forty donors of two hundred cells have states of a handful of cells each, and nothing can be said of
them one by one; where donors are mixed before any correction, their cells describe states together.
"""

from __future__ import annotations

import numpy as np

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints


def pool_batches(indices: Ints, codes: Ints) -> Ints:
    """Join batches that are mixed before correction, the best mixed first.

    Two pools are joined while each makes up at least `POOL_MIXING` of the share of the other's
    neighbours that their sizes let expect. A pool of fewer than `POOL_CELLS` cells is joined from
    `POOL_MIXING_SMALL` on, and the rest of more than `MAX_POOLS` likewise.

    Parameters
    ----------
    indices
        Nearest neighbours in the uncorrected embedding (cells × k).
    codes
        Batch of each cell, 0 … batches − 1.

    Returns
    -------
    Pool of each batch (batches), numbered from 0 by first batch.
    """
    n_batches = int(codes.max()) + 1
    sizes = np.bincount(codes, minlength=n_batches).astype(float)
    between = contacts(indices, codes, n_batches)
    members = [[batch] for batch in range(n_batches)]
    while len(members) > 1:
        mixing = _mutual_mixing(between, sizes)
        small = (sizes < thresholds.POOL_CELLS) | (len(members) > thresholds.MAX_POOLS)
        enough = np.where(
            small[:, None] | small, thresholds.POOL_MIXING_SMALL, thresholds.POOL_MIXING
        )
        one, other = sorted(np.unravel_index(int((mixing - enough).argmax()), mixing.shape))
        if mixing[one, other] < enough[one, other]:
            break
        members[one] += members.pop(other)
        sizes[one] += sizes[other]
        between[one] += between[other]
        between[:, one] += between[:, other]
        sizes = np.delete(sizes, other)
        between = np.delete(np.delete(between, other, 0), other, 1)
    pool = np.zeros(n_batches, dtype=np.int32)
    for number, batches in enumerate(sorted(members, key=min)):
        pool[batches] = number
    return pool


def contacts(indices: Ints, groups: Ints, n_groups: int) -> Floats:
    """Count neighbours between groups of cells.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k).
    groups, n_groups
        Batch, pool or state of each cell, and how many there are.

    Returns
    -------
    Groups × groups: how many neighbours the cells of one have in the other.
    """
    keys = groups[:, None].astype(np.int64) * n_groups + groups[indices]
    counts = np.bincount(keys.ravel(), minlength=n_groups**2)
    return counts.reshape(n_groups, n_groups).astype(float)


def batch_mixing(indices: Ints, codes: Ints) -> Floats:
    """Measure how far each batch lies among the others.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k).
    codes
        Batch of each cell.

    Returns
    -------
    For each batch the fraction of its cells' neighbours in other batches, over the fraction that
    sizes let expect, at most 1; NaN for a batch without cells.
    """
    sizes = np.bincount(codes)
    between = contacts(indices, codes, len(sizes))
    expected = 1 - sizes / sizes.sum()
    total = between.sum(1)
    outside = (total - np.diag(between)) / np.where(total > 0, total, np.nan)
    return np.asarray(np.minimum(outside / np.maximum(expected, 1e-9), 1.0))


def _mutual_mixing(between: Floats, sizes: Floats) -> Floats:
    """Mixing of each two pools as the less mixed of them sees it; -1 on the diagonal."""
    within = np.diag(between)[:, None]
    fraction = between / np.maximum(between + within, 1)
    mixing = fraction / np.maximum(sizes / np.maximum(sizes + sizes[:, None], 1), 1e-9)
    mixing = np.minimum(mixing, mixing.T)
    np.fill_diagonal(mixing, -1)
    return np.asarray(mixing)

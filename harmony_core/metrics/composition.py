"""Neighbour composition by group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harmony_core._typing import Ints
from harmony_core.thresholds import N_NEIGHBORS


def neighbor_composition(
    indices: Ints, groups: Ints, kinds: Ints, *, n_neighbors: int = N_NEIGHBORS
) -> npt.NDArray[np.float64]:
    """Fractions of each kind of cell among the neighbours of each group of cells.

    Parameters
    ----------
    indices
        Neighbours of each cell (cells × neighbours).
    groups, kinds
        Group and kind of each cell, -1 where it has none; such cells are left out, as are
        neighbours without a kind.
    n_neighbors
        Neighbours looked at.

    Returns
    -------
    Fractions (groups × kinds); rows sum to 1, or hold NaN where a group has no neighbours.
    """
    near = kinds[indices[:, :n_neighbors]]
    known = (near >= 0) & (groups >= 0)[:, None]
    shape = (int(np.max(groups, initial=-1)) + 1, int(np.max(kinds, initial=-1)) + 1)
    pairs = groups[:, None].astype(np.int64) * shape[1] + near
    counts = np.bincount(pairs[known], minlength=shape[0] * shape[1]).reshape(shape)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, counts / np.maximum(total, 1), np.nan))

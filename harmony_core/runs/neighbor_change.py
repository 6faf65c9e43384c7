"""How the neighbours of selected cells differ between two results, and whose the new ones are.

Plain numpy, so that a page can use it between two clicks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harmony_core.metrics.movement import is_shared
from harmony_core.thresholds import N_NEIGHBORS

MOST_CELLS = 100_000
"""Of a larger selection, this many evenly spread cells stand for all: fractions to within 0.2 %."""


@dataclass(frozen=True)
class NeighborChange:
    """The neighbours of selected cells in the second of two results, beside those in the first.

    Attributes
    ----------
    cells
        Selected cells of each batch (batches).
    retained
        Fraction of their nearest neighbours in the second result that they had in the first, by
        batch of the selected cell; NaN where a batch has none of them (batches).
    origin
        Of the neighbours that are new, the fraction from each batch (batches of the selected cell ×
        batches of the neighbour); NaN where there is no new neighbour.
    retained_by_all, origin_for_all
        The same for all selected cells together.
    """

    cells: npt.NDArray[np.int64]
    retained: npt.NDArray[np.float64]
    origin: npt.NDArray[np.float64]
    retained_by_all: float
    origin_for_all: npt.NDArray[np.float64]


def neighbor_change(
    selected: npt.NDArray[np.bool_],
    neighbors: tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]],
    batches: npt.NDArray[np.integer],
    n_batches: int,
) -> NeighborChange:
    """Compare the nearest neighbours of selected cells in two results.

    Parameters
    ----------
    selected
        Which cells are selected, at least one (cells).
    neighbors
        Nearest neighbours of each cell in the first and in the second result, nearest first
        (cells × k); the first `harmony_core.thresholds.N_NEIGHBORS` count. May be memory maps.
    batches
        Batch of each cell, 0 to ``n_batches`` - 1 (cells).
    """
    rows = np.flatnonzero(selected)
    cells = np.bincount(batches[rows], minlength=n_batches)
    if len(rows) > MOST_CELLS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_CELLS).astype(np.int64)]
    first, second = (np.asarray(side[:, :N_NEIGHBORS][rows]) for side in neighbors)
    is_retained = is_shared(second, first)
    own = batches[rows]
    n_retained = np.bincount(own, weights=is_retained.sum(axis=1), minlength=n_batches)
    n_compared = np.bincount(own, minlength=n_batches) * second.shape[1]
    pairs = np.repeat(own, (~is_retained).sum(axis=1)) * n_batches + batches[second[~is_retained]]
    new_from = np.bincount(pairs, minlength=n_batches**2).reshape(n_batches, n_batches)
    with np.errstate(invalid="ignore"):
        return NeighborChange(
            cells=cells,
            retained=n_retained / n_compared,
            origin=new_from / new_from.sum(axis=1, keepdims=True),
            retained_by_all=float(is_retained.mean()),
            origin_for_all=new_from.sum(axis=0) / new_from.sum(),
        )

"""What a correction truly did to simulated cells, from their neighbours and their true types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_NEIGHBORS = 30


@dataclass(frozen=True, kw_only=True)
class TrueOverCorrection:
    """Rise of each type's wrong-type fraction, and the type where it is worst."""

    rise: dict[str, float]
    worst_type: str
    worst: float


def wrong_type_fraction(
    indices: NDArray[np.integer[Any]], cell_type: NDArray[np.str_]
) -> dict[str, float]:
    """Return, for each type, the fraction of its cells' 30 nearest neighbours of another type.

    Parameters
    ----------
    indices
        Cells × neighbours, nearest first, self excluded.
    cell_type
        True type of each cell.
    """
    names, codes = np.unique(cell_type, return_inverse=True)
    wrong = (codes[indices[:, :N_NEIGHBORS]] != codes[:, None]).mean(axis=1)
    mean = np.bincount(codes, weights=wrong) / np.bincount(codes)
    return {str(name): float(value) for name, value in zip(names, mean, strict=True)}


def true_overcorrection(
    after: NDArray[np.integer[Any]],
    raw: NDArray[np.integer[Any]],
    clean: NDArray[np.integer[Any]],
    cell_type: NDArray[np.str_],
) -> TrueOverCorrection:
    """Return how much purity each true type lost.

    Parameters
    ----------
    after, raw
        Neighbours of the simulated cells, corrected and not; cells × at least 30.
    clean
        Neighbours of the same cells drawn without batch effect.
    cell_type
        True type of each cell.

    Returns
    -------
    Per type: wrong-type fraction after, minus the same fraction in the raw or in the clean data,
    whichever is better (lower). A run is truly over-corrected if the worst is above 0.10.
    """
    fractions = [wrong_type_fraction(i, cell_type) for i in (after, raw, clean)]
    rise = {t: fractions[0][t] - min(fractions[1][t], fractions[2][t]) for t in fractions[0]}
    worst_type = max(rise, key=lambda t: rise[t])
    return TrueOverCorrection(rise=rise, worst_type=worst_type, worst=rise[worst_type])


def true_mixing(
    indices: NDArray[np.integer[Any]],
    cell_type: NDArray[np.str_],
    batch: NDArray[np.str_],
) -> float:
    """Return how well the types that several batches share are mixed, from 0 to 1.

    Per shared type: the cross-batch fraction of its cells' neighbours of the same type, divided by
    the fraction expected from the type's cells in each batch, at most 1; then the mean over types.
    NaN where no type is shared. Below 0.5 a run is truly under-corrected.
    """
    _, types = np.unique(cell_type, return_inverse=True)
    _, batches = np.unique(batch, return_inverse=True)
    near = indices[:, :N_NEIGHBORS]
    same_type = types[near] == types[:, None]
    cross = same_type & (batches[near] != batches[:, None])
    sizes = np.zeros((types.max() + 1, batches.max() + 1))
    np.add.at(sizes, (types, batches), 1)
    total = sizes.sum(axis=1)
    n_same = same_type.sum(axis=1)
    mixing = []
    for t in np.flatnonzero((sizes > 0).sum(axis=1) > 1):
        cells = np.flatnonzero((types == t) & (n_same > 0))
        expected = (total[t] - sizes[t, batches[cells]]) / (total[t] - 1)
        observed = cross[cells].sum(axis=1) / n_same[cells]
        if expected.sum() > 0:
            mixing.append(min(1.0, observed.sum() / expected.sum()))
    return float(np.mean(mixing)) if mixing else float("nan")

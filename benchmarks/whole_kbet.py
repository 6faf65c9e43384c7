"""kBET of all cells at once, as scib-metrics computes it; the product tests inside each label."""

from __future__ import annotations

import numpy as np

from harmony_core.metrics.kbet import batch_test_p
from harmony_core.thresholds import N_NEIGHBORS


def kbet(
    indices: np.ndarray, codes: np.ndarray, *, n_neighbors: int = N_NEIGHBORS, alpha: float = 0.05
) -> float:
    """Fraction of the cells whose neighbourhood passes a chi-squared test for the batch sizes.

    Parameters
    ----------
    indices
        Cells × neighbours, nearest first; the first ``n_neighbors`` are tested.
    codes
        Batch of each cell, -1 where missing.

    Returns
    -------
    1 is mixed as by chance (1 - alpha is then expected), 0 is not mixed; NaN with a single batch.
    """
    near, known = indices[:, :n_neighbors], codes >= 0
    accepted = batch_test_p(near, codes, known, known[near]) >= alpha
    usable = known & (len(np.unique(codes[known])) > 1)
    return float(accepted[usable].mean()) if usable.any() else float("nan")

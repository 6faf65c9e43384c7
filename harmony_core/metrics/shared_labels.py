"""Mixing of the labels that batches share: batch by batch, so that one that stays apart shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harmony_core._typing import Ints
from harmony_core.thresholds import MIN_CELLS_PURITY, N_NEIGHBORS


@dataclass(frozen=True, kw_only=True)
class SharedMixing:
    """How far the cells of one label in one batch lie among those of the label's other batches.

    Attributes
    ----------
    label, batch
        Level numbers.
    cells
        Cells of the label in the batch.
    mixing
        Fraction of their neighbours of the same label that are of other batches, over the fraction
        expected from the label's cells in each batch, at most 1.
    """

    label: int
    batch: int
    cells: int
    mixing: float


def shared_mixing(
    indices: Ints, labels: Ints, batch: Ints, *, min_cells: int = MIN_CELLS_PURITY
) -> tuple[SharedMixing, ...]:
    """Measure mixing of every label in every batch that shares it.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k); the first 30 are looked at.
    labels, batch
        Level numbers of each cell, -1 where missing.
    min_cells
        Cells of a label from which a batch shares it.

    Returns
    -------
    One row a label and batch; labels of a single batch have none.
    """
    n_batches = int(batch.max()) + 1
    near = indices[:, :N_NEIGHBORS]
    rows = []
    for label in range(int(labels.max(initial=-1)) + 1):
        mine = np.flatnonzero((labels == label) & (batch >= 0))
        sizes = np.bincount(batch[mine], minlength=n_batches)
        shares = sizes >= min_cells
        if shares.sum() < 2:
            continue
        cells = mine[shares[batch[mine]]]
        total = sizes[shares].sum()
        of_near = batch[near[cells]]
        same = (labels[near[cells]] == label) & (of_near >= 0) & shares[of_near]
        cross = (same & (of_near != batch[cells][:, None])).sum(1)
        expected = same.sum(1) * (total - sizes[batch[cells]]) / (total - 1)
        for b in np.flatnonzero(shares):
            own = batch[cells] == b
            mixing = min(1.0, cross[own].sum() / max(expected[own].sum(), 1e-9))
            rows.append(
                SharedMixing(label=label, batch=int(b), cells=int(sizes[b]), mixing=float(mixing))
            )
    return tuple(rows)


def mean_shared_mixing(rows: Sequence[SharedMixing]) -> float | None:
    """Return the mean weighted by cells; ``None`` where nothing is shared."""
    if not rows:
        return None
    return float(np.average([r.mixing for r in rows], weights=[r.cells for r in rows]))


def least_mixed_batch(rows: Sequence[SharedMixing]) -> tuple[int, float] | None:
    """Return the batch whose shared labels are mixed least, and how far they are.

    Returns
    -------
    Level number and mean mixing weighted by cells; ``None`` where nothing is shared.
    """
    batches = sorted({row.batch for row in rows})
    means = [(b, mean_shared_mixing([r for r in rows if r.batch == b]) or 0.0) for b in batches]
    return min(means, key=lambda item: item[1], default=None)

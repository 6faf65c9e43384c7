"""Whether normalised batches are on one scale; Harmony takes two scales for a batch effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.data.candidates import SMALL_BATCH
from harmony_core.data.columns import listed, shown
from harmony_core.data.values import LARGEST_LOG, ValueKind, cells_of_each

_CELLS_LOOKED_AT = 50
_TOO_FAR = 5.0
"""Batches normalised alike have alike sums; another total or base of the logarithm changes these by
a factor of ten and more."""


def warn_about_scales(matrix: Any, kind: ValueKind, batch: pd.Series[Any]) -> str | None:
    """Return a sentence if some batches were normalised to another total or logged to another base.

    Parameters
    ----------
    matrix
        Cells × genes, dense or sparse. At most 50 cells of a batch are looked at.
    kind
        What its values are; counts differ between batches by nature and are left alone.
    batch
        Batch of each cell. Batches under 20 cells are left out.
    """
    if kind not in (ValueKind.NORMALISED, ValueKind.LOG):
        return None
    levels, chosen = cells_of_each(batch, _CELLS_LOOKED_AT)
    judged = [(str(x), rows) for x, rows in zip(levels, chosen, strict=True)]
    judged = [(x, rows) for x, rows in judged if len(rows) >= SMALL_BATCH]
    if len(judged) < 2:
        return None
    block = sp.csr_matrix(matrix[np.concatenate([rows for _, rows in judged])], dtype=np.float64)
    if kind is ValueKind.LOG:
        block.data = np.expm1(np.minimum(block.data, LARGEST_LOG))
    sums = np.asarray(block.sum(axis=1)).ravel()
    ends = np.cumsum([len(rows) for _, rows in judged])[:-1]
    middle = np.array([np.median(part) for part in np.split(sums, ends)])
    usual = np.median(middle)
    apart = (middle > usual * _TOO_FAR) | (middle * _TOO_FAR < usual)
    if len(middle) == 2:
        apart = np.array([False, middle.max() > _TOO_FAR * middle.min()])
    if not apart.any():
        return None
    odd = [name for (name, _), is_apart in zip(judged, apart, strict=True) if is_apart]
    return (
        f"The values of {listed(odd)} in {shown(batch.name)} are on another scale than those of "
        "the other batches (another total, or another base of the logarithm), which looks like a "
        "batch effect; normalise all batches alike, best from counts."
    )

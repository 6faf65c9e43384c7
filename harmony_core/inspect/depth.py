"""How many genes a cell must have: read from the data where the usual minimum does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core.matrices.blocks import cell_blocks
from harmony_core.params import PrepareParams

_PANEL = 1_000
"""Fewer genes than this are a panel, which whole transcriptomes' thresholds do not fit."""
_MOST_LEFT_OUT = 0.1
"""Share of the cells that the usual minimum may leave out before it is lowered."""
_SHARE_OF_GENES = 50
"""A cell has at least one in so many of the genes measured: 200 of 10,000."""
_FEWEST_OF_A_CELL = 50
"""Barcodes that mostly have fewer genes than this are droplets before cells were called."""
_DEVIATIONS = 3
_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, of a normal distribution."""


def genes_per_cell(counts: Any) -> npt.NDArray[np.int64]:
    """Count the genes of each cell that have a count.

    Parameters
    ----------
    counts
        Cells × genes, dense or sparse, in memory or backed by its file.
    """
    blocks = (np.asarray((block > 0).sum(axis=1)).ravel() for block in cell_blocks(counts))
    return np.concatenate([np.zeros(0, dtype=np.int64), *blocks]).astype(np.int64)


def suggested_min_genes(n_genes: npt.NDArray[np.integer], n_measured: int) -> int:
    """Return the fewest genes that a cell must have, as the data suggest.

    The usual minimum holds unless the genes are a panel or it would leave out more than a tenth of
    the cells that have any gene. Then it is lowered to a fiftieth of the genes measured, or to
    three robust deviations below the median cell (on a log scale) where that is less. Barcodes of
    which the median has hardly any gene are not cells, and keep the usual minimum.

    Parameters
    ----------
    n_genes
        Genes of each cell that have a count.
    n_measured
        Genes that the data have.

    Returns
    -------
    At least 1, so that empty cells go; at most the default of `PrepareParams`.
    """
    usual = PrepareParams().min_genes
    n_genes = n_genes[n_genes > 0]
    if not len(n_genes):
        return usual
    if n_measured >= _PANEL and np.mean(n_genes < usual) <= _MOST_LEFT_OUT:
        return usual
    of_measured = n_measured // _SHARE_OF_GENES
    logs = np.log(n_genes)
    median = float(np.median(logs))
    if np.exp(median) < min(_FEWEST_OF_A_CELL, of_measured):
        return usual
    deviation = _TO_SD * float(np.median(np.abs(logs - median)))
    outlier = int(np.exp(median - _DEVIATIONS * deviation))
    return max(1, min(usual, of_measured, outlier))

"""Thresholds of quality control that fit the data: read from them where the usual ones don't.

A usual threshold holds as long as it leaves out few cells. Where it would leave out many it is
loosened to where outliers begin, and never made stricter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core import thresholds
from harmony_core.matrices.blocks import cell_blocks
from harmony_core.params import RANGES, PrepareParams

_PANEL = 1_000
"""Fewer genes than this are a panel, which whole transcriptomes' thresholds do not fit."""
_MOST_LEFT_OUT = 0.1
"""Share of the cells that a usual threshold may leave out before it is loosened."""
_SHARE_OF_GENES = 50
"""A cell has at least one in so many of the genes measured: 200 of 10,000."""
_FEWEST_OF_A_CELL = 50
"""Barcodes that mostly have fewer genes than this may be droplets before cells were called."""
_DEVIATIONS = 3
_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, of a normal distribution."""


@dataclass(frozen=True)
class Depth:
    """What the thresholds are read from, one number a cell.

    Attributes
    ----------
    n_genes
        Genes that have a count.
    mito
        Mitochondrial counts, in percent of all; 0 for an empty cell.
    """

    n_genes: npt.NDArray[np.int64]
    mito: npt.NDArray[np.float64]


def depth_of(counts: Any, is_mito: npt.NDArray[np.bool_]) -> Depth:
    """Count the genes of each cell, and its mitochondrial counts.

    Parameters
    ----------
    counts
        Cells × genes, dense or sparse, in memory or backed by its file.
    is_mito
        Which genes are mitochondrial.
    """
    n_genes = [np.zeros(0, dtype=np.int64)]
    mito = [np.zeros(0)]
    for block in cell_blocks(counts):
        n_genes.append(np.asarray((block > 0).sum(axis=1)).ravel().astype(np.int64))
        total, of_mito = (
            np.asarray(part.sum(axis=1, dtype=np.float64)).ravel()
            for part in (block, block[:, is_mito])
        )
        mito.append(np.divide(100 * of_mito, total, out=np.zeros_like(total), where=total > 0))
    return Depth(np.concatenate(n_genes), np.concatenate(mito))


def suggested_thresholds(depth: Depth, n_measured: int) -> PrepareParams:
    """Return settings of preparation with the thresholds that the data suggest.

    Parameters
    ----------
    depth
        From `depth_of`.
    n_measured
        Genes that the data have.

    Returns
    -------
    The defaults, or ``min_genes`` below its default, ``max_genes`` and ``max_mito`` above theirs:
    each where more than a tenth of the cells lie beyond the default.
    """
    usual = PrepareParams()
    least = _fewest_genes(depth.n_genes, n_measured)
    cell = depth.n_genes >= least
    n_genes, mito = depth.n_genes[cell], depth.mito[cell]
    loose: dict[str, Any] = {}
    if _leaves_out_many(n_genes > usual.max_genes):
        center, deviation = _robust(np.log(n_genes))
        loose["max_genes"] = int(_whole_steps("max_genes", np.exp(_outlier(center, deviation))))
    if _leaves_out_many(mito > usual.max_mito):
        loose["max_mito"] = _whole_steps("max_mito", _outlier(*_robust(mito)))
    looser = {name: max(value, getattr(usual, name)) for name, value in loose.items()}
    return PrepareParams(min_genes=least, **looser)


def _leaves_out_many(beyond: npt.NDArray[np.bool_]) -> bool:
    return len(beyond) > 0 and float(beyond.mean()) > _MOST_LEFT_OUT


def _outlier(center: float, deviation: float) -> float:
    return center + _DEVIATIONS * deviation


def _whole_steps(setting: str, value: float) -> float:
    """Return the next whole step of a setting from a value on, as thresholds are for people."""
    allowed = RANGES[setting]
    return float(min(allowed.high, allowed.step * np.ceil(value / allowed.step)))


def _robust(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    center = float(np.median(values))
    return center, _TO_SD * float(np.median(np.abs(values - center)))


def _fewest_genes(n_genes: npt.NDArray[np.integer], n_measured: int) -> int:
    """Return the fewest genes that a cell must have.

    The usual minimum holds unless the genes are a panel or it would leave out more than a tenth of
    the cells that have any gene. Then it is lowered to a fiftieth of the genes measured, or to
    three robust deviations below the median cell (on a log scale) where that is less. Barcodes of
    which the median has hardly any gene, while enough have many, are droplets before cells were
    called, and keep the usual minimum.

    Returns
    -------
    At least 1, so that empty cells go; at most the default of `PrepareParams`.
    """
    usual = PrepareParams().min_genes
    n_genes = n_genes[n_genes > 0]
    if not len(n_genes):
        return usual
    if n_measured >= _PANEL and not _leaves_out_many(n_genes < usual):
        return usual
    of_measured = n_measured // _SHARE_OF_GENES
    center, deviation = _robust(np.log(n_genes))
    has_cells = np.sum(n_genes >= usual) >= thresholds.MIN_CELLS
    if has_cells and np.exp(center) < min(_FEWEST_OF_A_CELL, of_measured):
        return usual
    outlier = int(np.exp(_outlier(center, -deviation)))
    return max(1, min(usual, of_measured, outlier))

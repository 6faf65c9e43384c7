"""What figures on screen and on paper have in common, so that they show the same.

Genes summarised by group, where colours end, which cells and levels are drawn, names of clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STOP_REASONS: Mapping[str, str] = {
    "converged": "converged",
    "limit": "reached the limit of iterations",
    "rose": "reached the limit of iterations, the objective rising",
    "none": "no iteration was asked for",
}
"""Why Harmony stopped, by `harmony_core.methods.harmony.Correction.stop_reason`, for a title."""


@dataclass(frozen=True)
class Dots:
    """What a dot plot shows.

    Attributes
    ----------
    genes
        Symbols, one a row.
    levels
        Groups, one a column.
    fraction
        Fraction of a group's cells with any expression of the gene, 0 to 1 (genes × groups).
    mean
        Mean log-normalised expression (genes × groups).
    """

    genes: tuple[str, ...]
    levels: tuple[str, ...]
    fraction: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]

    @property
    def relative(self) -> npt.NDArray[np.float64]:
        """Each gene's mean, relative to the group that has most of it.

        Returns
        -------
        Fractions, 0 to 1 (genes × groups); 0 for a gene that no group has.
        """
        top = self.mean.max(axis=1, keepdims=True, initial=0.0)
        return np.asarray(np.divide(self.mean, top, out=np.zeros_like(self.mean), where=top > 0))


def dots(
    expression: Mapping[str, npt.NDArray[np.floating]],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
) -> Dots:
    """Summarise genes by group.

    Parameters
    ----------
    expression
        Log-normalised values over the cells, by gene symbol.
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    levels
        Names of the groups. A group without cells has fraction and mean 0.
    """
    known = np.asarray(codes) >= 0
    used = np.asarray(codes)[known]
    sizes = np.maximum(np.bincount(used, minlength=len(levels)), 1)
    shape = (len(expression), len(levels))
    fraction, mean = np.zeros(shape), np.zeros(shape)
    for row, values in enumerate(expression.values()):
        expressed = np.asarray(values, dtype=np.float64)[known]
        fraction[row] = np.bincount(used, weights=expressed > 0, minlength=len(levels)) / sizes
        mean[row] = np.bincount(used, weights=expressed, minlength=len(levels)) / sizes
    return Dots(tuple(expression), levels, fraction, mean)


def clip_limit(values: npt.NDArray[np.floating]) -> float:
    """Return where a gene's colours end: the 99th percentile of the cells.

    A gene seen in less than 1 % of the cells ends at its largest value instead, as everything
    would be clipped to nothing; a gene that no cell has ends at 1.

    Parameters
    ----------
    values
        Log-normalised expression over the cells.

    Returns
    -------
    Expression at which the colours end, above 0.
    """
    # A value that some cell has: interpolated, a rare gene's colours would end at nearly nothing.
    limit = float(np.percentile(values, 99, method="higher")) if len(values) else 0.0
    if limit <= 0:
        limit = float(np.max(values, initial=0.0))
    return limit if limit > 0 else 1.0


MOST_IN_VIOLIN = 500
"""Cells that one violin's shape is estimated from; of more a random sample is taken."""


def violin_bandwidth(highest: float) -> float:
    """Return how far a violin is smoothed, from a gene's highest value.

    One for all violins of a gene: its own would make one of mostly zeros a spike beside the others.
    """
    return max(highest / 20, 0.05)


MOST_LOG2 = 3.0
"""Where colours of `log2_of_even` end: an eighth and eight times."""


def log2_of_even(
    observed: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return the log2 ratio of observed to evenly distributed cells of each batch.

    Parameters
    ----------
    observed, expected
        Harmony's O and E (soft clusters × batches), in cells.

    Returns
    -------
    Log2 ratios (soft clusters × batches).
    """
    # Half a cell keeps an empty cluster from reading as infinitely far off.
    return np.asarray(np.log2((observed + 0.5) / (expected + 0.5)))


def sampled_cells(n_cells: int, most: int) -> npt.NDArray[np.intp]:
    """Return the cells to draw: all, or a random sample that is the same each time.

    Parameters
    ----------
    n_cells, most
        How many cells there are, and how many are drawn at most.

    Returns
    -------
    Positions of the cells, ascending.
    """
    if n_cells <= most:
        return np.arange(n_cells)
    return np.sort(np.random.default_rng(0).choice(n_cells, most, replace=False))


def largest_levels(sizes: npt.NDArray[np.number], most: int) -> npt.NDArray[np.intp]:
    """Return the largest levels of a column, in their own order.

    Parameters
    ----------
    sizes
        Cells of each level.
    most
        How many levels to return at most.

    Returns
    -------
    Positions of the levels, ascending.
    """
    return np.sort(np.argsort(-sizes, kind="stable")[:most])


def cluster_names(clusters: npt.NDArray[np.integer]) -> tuple[str, ...]:
    """Return the names of clusters, which are their numbers.

    Parameters
    ----------
    clusters
        Cluster of each cell, from 0.
    """
    return tuple(str(i) for i in range(int(clusters.max()) + 1))

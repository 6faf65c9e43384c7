"""What kind of values an expression matrix holds: counts, normalised, log, scaled.

Harmony runs on anything, so a file in which some batches hold counts and others log values goes
through without a word and comes out mixed. The values themselves give it away.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

ROWS_LOOKED_AT = 2_000
_MIXED_SHARE = 0.02
LARGEST_LOG = 25.0
"""log2 of a million is 20; nothing on a log scale comes near 25."""
_SCALED_SHARE = 0.3
"""Share of the values below zero from which on a cell is scaled: mostly more than half are."""
_HEAVY_TAIL = 20.0
"""A cell's largest value over its mean: hundreds in normalised values, below ten in logarithms."""
_TWO_KINDS = 0.1
"""Where this share of the cells is of one kind and this share of another, that is no chance."""
_MOST_OF_ROOTS = 100.0
"""Above, a square in single precision is too coarse to tell whether it was a whole number."""


class ValueKind(Enum):
    """Kinds of expression values; the text is how a page names them."""

    COUNTS = "counts"
    FRACTIONAL_COUNTS = "counts with fractions"
    NORMALISED = "normalised values, not log-transformed"
    LOG = "log-transformed values"
    ROOTS = "square roots of counts or of normalised values"
    SCALED = "scaled or corrected values, some below zero"
    BELOW_ZERO = "counts of which some are below zero"
    MIXED = "values of different kinds in different cells"
    EMPTY = "nothing but zeros"
    MISSING = "nothing but missing, infinite or zero values"

    @property
    def is_counts(self) -> bool:
        """Whether normalising and log-transforming these values is right."""
        return self in (ValueKind.COUNTS, ValueKind.FRACTIONAL_COUNTS)

    @property
    def is_nothing(self) -> bool:
        """Whether there are no values at all."""
        return self in (ValueKind.EMPTY, ValueKind.MISSING)

    @property
    def is_usable(self) -> bool:
        """Whether a correction may start from such values."""
        return not (self.is_nothing or self is ValueKind.ROOTS)


@dataclass(frozen=True)
class _Rows:
    """Some cells' values other than zero, cell after cell, without NaN and infinity."""

    values: NDArray[np.float64]
    row: NDArray[np.intp]
    n_rows: int
    is_complete: bool = True
    """No value was NaN or infinite."""

    def any_per_row(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.bincount(self.row, weights=mask, minlength=self.n_rows) > 0

    def take(self, rows: NDArray[np.bool_]) -> _Rows:
        new_number = np.cumsum(rows) - 1
        kept = rows[self.row]
        return _Rows(self.values[kept], new_number[self.row[kept]], int(rows.sum()))


def value_kind(matrix: Any) -> ValueKind:
    """Tell what kind of values a matrix holds.

    Parameters
    ----------
    matrix
        Cells × genes, dense or sparse. At most 2,000 cells, evenly spaced, are looked at.

    Returns
    -------
    The kind. Zeros, NaN and infinite values don't count.

    Notes
    -----
    Whole numbers are counts, roots of whole numbers square roots, values below zero scaled. Between
    the others decides what undoes the normalisation: in most cells one count is the smallest value
    other than zero, so the others are whole multiples of it, as they stand (normalised), after
    undoing log1p or log2 (log-transformed) or squared (square roots). Where nothing gives whole
    multiples (imputed data, gene lengths), constant sums per cell decide, then the largest value
    and the share of whole numbers. Logarithms may have constant sums too, but none of their values
    stands far above the others.
    """
    n_rows = matrix.shape[0]
    return _kind(_rows(matrix, _spread(np.arange(n_rows), ROWS_LOOKED_AT)))


def value_kind_per_batch(matrix: Any, batch: pd.Series[Any]) -> dict[str, ValueKind]:
    """Tell what kind of values each batch holds.

    Parameters
    ----------
    matrix
        Cells × genes, dense or sparse. At most 200 cells of a batch are looked at.
    batch
        Batch of each cell; cells without one are left out.
    """
    levels, chosen = cells_of_each(batch, 200)
    # Taken out together: from a matrix stored by gene every taking reads all of it.
    block = sp.csr_matrix(matrix[np.concatenate(chosen)]) if chosen else None
    starts = np.cumsum([0, *(len(rows) for rows in chosen)])

    def rows_of(i: int) -> _Rows:
        return _rows(block, np.arange(starts[i], starts[i + 1]))

    kinds = [_kind(rows_of(i)) for i in range(len(levels))]
    logs = [i for i, kind in enumerate(kinds) if kind is ValueKind.LOG]
    scaled = [i for i, kind in enumerate(kinds) if kind is ValueKind.SCALED]
    # A tool that corrects each batch moves some up and others down: they are of one kind still.
    pairs = [*((i, logs[0]) for i in scaled if logs), *((scaled[0], i) for i in logs if scaled)]
    if pairs and not any(_are_apart(rows_of(a), rows_of(b)) for a, b in pairs):
        kinds = [ValueKind.SCALED if kind is ValueKind.LOG else kind for kind in kinds]
    return {str(level): kind for level, kind in zip(levels, kinds, strict=True)}


def cells_of_each(batch: pd.Series[Any], most: int) -> tuple[list[Any], list[NDArray[np.intp]]]:
    """Return the levels of a column and positions of cells of each, evenly spaced.

    Parameters
    ----------
    batch
        Level of each cell (cells).
    most
        At most so many cells of a level.
    """
    codes, levels = pd.factorize(batch, sort=True)
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(levels) + 1))
    rows = [_spread(order[ends[i] : ends[i + 1]], most) for i in range(len(levels))]
    return list(levels), rows


def _spread(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def _rows(matrix: Any, rows: NDArray[np.intp]) -> _Rows:
    block = sp.csr_matrix(matrix[rows])
    values = np.asarray(block.data, dtype=np.float64)
    row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    finite = np.isfinite(values)
    kept = finite & (values != 0)
    return _Rows(values[kept], row[kept], block.shape[0], bool(finite.all()))


def _kind(rows: _Rows) -> ValueKind:
    filled = rows.any_per_row(np.ones(len(rows.values), dtype=bool))
    if not filled.any():
        return ValueKind.EMPTY if rows.is_complete else ValueKind.MISSING
    rows = rows.take(filled)
    negative = rows.any_per_row(rows.values < 0)
    if negative.any():
        if _is_whole(rows.values).all():
            return ValueKind.BELOW_ZERO
        return ValueKind.MIXED if _is_scaled_beside_other(rows, negative) else ValueKind.SCALED
    fractional = rows.any_per_row(~_is_whole(rows.values))
    if not fractional.any():
        return ValueKind.COUNTS
    kind = _kind_of_fractions(rows.take(fractional))
    # Normalising may give whole numbers by chance, but then the smallest is more than one count.
    counts = ~fractional & rows.any_per_row(rows.values == 1)
    if kind is ValueKind.ROOTS or _is_log2_of_counts(rows.values[fractional[rows.row]]):
        # Counts of 1, 3 and 7 give whole logarithms, those of 1, 4 and 9 whole roots, hardly ever
        # beyond those of the other cells.
        beyond = rows.any_per_row(rows.values > rows.values[fractional[rows.row]].max())
        counts &= _mean(beyond[counts]) > _TWO_KINDS
    if kind is not ValueKind.FRACTIONAL_COUNTS and _is_mixture(counts):
        return ValueKind.MIXED
    return kind


def _is_mixture(part: NDArray[np.bool_]) -> bool:
    return bool(_MIXED_SHARE < part.mean() < 1 - _MIXED_SHARE)


def _is_scaled_beside_other(rows: _Rows, negative: NDArray[np.bool_]) -> bool:
    """Whether some cells hold scaled values and others counts, normalised values or logarithms.

    Hardly any scaled cell is free of values below zero, many of its values are, and none is zero.
    Where few are (corrected values, logarithms of what is less than 1), or the other cells have no
    zeros either, these are no other kind.
    """
    if not _is_mixture(negative):
        return False
    return _are_apart(rows.take(negative), rows.take(~negative))


def _are_apart(scaled: _Rows, others: _Rows) -> bool:
    """Whether cells with values below zero are scaled, and others are not."""
    if _is_whole(others.values).all():
        return True
    has_zeros = len(others.values) / others.n_rows < 0.9 * len(scaled.values) / scaled.n_rows
    return bool((scaled.values < 0).mean() > _SCALED_SHARE and has_zeros)


def _is_whole(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    # Counts that went through float32 arithmetic are whole up to its precision.
    return np.abs(values - np.rint(values)) <= 1e-6 * np.maximum(1.0, values)


def _kind_of_fractions(rows: _Rows) -> ValueKind:
    if _are_roots_of_counts(rows.values):
        return ValueKind.ROOTS
    if _are_counts(rows.values):
        return ValueKind.FRACTIONAL_COUNTS
    largest = np.zeros(rows.n_rows)
    np.maximum.at(largest, rows.row, rows.values)
    no_log = largest >= LARGEST_LOG
    low = np.minimum(rows.values, LARGEST_LOG)
    undone = [_Rows(undo(low), rows.row, rows.n_rows) for undo in (np.expm1, _undo_log2)]
    normalised = _holds_multiples(rows)
    log = np.where(no_log, 0.0, np.fmax(*(_holds_multiples(r) for r in undone)))
    # Cells that are normalised can't be log-transformed ones, nor can those of large values.
    if min(_mean((log > 0) & ~(normalised > 0)), _mean(no_log | (normalised > 0))) > _TWO_KINDS:
        return ValueKind.MIXED
    if max(_mean(normalised), _mean(log)) > 0.6:
        return ValueKind.NORMALISED if _mean(normalised) >= _mean(log) else ValueKind.LOG
    roots = _holds_multiples(_Rows(rows.values**2, rows.row, rows.n_rows))
    # The squares of whole multiples are such multiples, too.
    if _mean(np.where(normalised > 0, 0.0, roots)) > 0.6:
        return ValueKind.ROOTS
    if _has_constant_sums(rows):
        # Arrays, stabilised variances and logarithms of many genes have equal sums as well.
        is_normalised = no_log.any() or largest.max() <= 1 or _has_heavy_tail(rows, largest)
        return ValueKind.NORMALISED if is_normalised else ValueKind.LOG
    if no_log.any():
        return ValueKind.FRACTIONAL_COUNTS
    if any(_has_constant_sums(r) for r in undone):
        return ValueKind.LOG
    return ValueKind.FRACTIONAL_COUNTS if _is_whole(rows.values).mean() > 0.2 else ValueKind.LOG


def _undo_log2(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp2(values) - 1)


def _mean(shares: NDArray[Any]) -> float:
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if len(known) else 0.0


def _are_counts(values: NDArray[np.float64]) -> bool:
    """Whether most values are whole, and the others are not logarithms to base 2 of counts."""
    whole = _is_whole(values)
    return bool(whole.mean() > 0.5 and not _is_log2_of_counts(values[~whole]))


def _are_roots_of_counts(values: NDArray[np.float64]) -> bool:
    """Whether nearly all values that are not whole have whole squares."""
    square = values[~_is_whole(values) & (values < _MOST_OF_ROOTS)] ** 2
    return bool(len(square) and (np.abs(square - np.rint(square)) <= 1e-6 * square).mean() > 0.9)


def _is_log2_of_counts(values: NDArray[np.float64]) -> bool:
    undone = _undo_log2(np.minimum(values, LARGEST_LOG))
    return bool((np.abs(undone - np.rint(undone)) <= 1e-5 * undone).mean() > 0.9)


def _holds_multiples(rows: _Rows) -> NDArray[np.float64]:
    """Tell for each cell whether its values are whole multiples of its smallest one.

    Returns
    -------
    1 where they are, 0 where not, NaN where too few values could tell.
    """
    smallest = np.full(rows.n_rows, np.inf)
    np.minimum.at(smallest, rows.row, rows.values)
    ratio = rows.values / smallest[rows.row]
    # A value equal to the smallest says nothing, and far above it precision is used up.
    telling = (ratio > 1.02) & (ratio < 50)
    whole = np.abs(ratio - np.rint(ratio)) < 0.02
    n_telling = np.bincount(rows.row, weights=telling, minlength=rows.n_rows)
    n_whole = np.bincount(rows.row, weights=telling & whole, minlength=rows.n_rows)
    return np.where(n_telling >= 3, n_whole > 0.9 * n_telling, np.nan)


def _has_heavy_tail(rows: _Rows, largest: NDArray[np.float64]) -> bool:
    sums = np.bincount(rows.row, weights=rows.values, minlength=rows.n_rows)
    means = sums / np.bincount(rows.row, minlength=rows.n_rows)
    return bool(np.median(largest / means) > _HEAVY_TAIL)


def _has_constant_sums(rows: _Rows) -> bool:
    sums = np.bincount(rows.row, weights=rows.values, minlength=rows.n_rows)
    low, middle, high = np.quantile(sums, [0.05, 0.5, 0.95])
    return rows.n_rows >= 10 and bool(high - low < 0.02 * middle)

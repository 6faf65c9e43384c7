"""Whether the values of batches can be compared: common genes, and one scale.

Harmony takes what differs here for a batch effect, and runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.inspect.columns import listed, quoted
from harmony_core.inspect.values import LARGEST_LOG, ValueKind, cells_of_each

_CELLS_LOOKED_AT = 50
_FEWEST_CELLS = 20
_FEWEST_GENES = 20
_FEW_SHARED = 0.1
_FRACTIONS_OF_COUNTS = 0.2
"""Share of values that are no whole numbers; of counts few are."""
_OTHER_SCALE = 5.0
"""Batches normalised alike have alike sums; another total or base of the logarithm changes these by
a factor of ten and more."""


def warn_about_batches(matrix: Any, kind: ValueKind, batch: pd.Series[Any]) -> Iterator[str]:
    """Say which batches of a column hold what those of others cannot be compared with.

    Parameters
    ----------
    matrix
        Cells × genes, dense or sparse. At most 50 cells of a batch are looked at.
    kind
        What its values are.
    batch
        Batch of each cell.
    """
    levels, chosen = cells_of_each(batch, _CELLS_LOOKED_AT)
    if len(levels) < 2:
        return
    group = np.repeat(np.arange(len(levels)), [len(rows) for rows in chosen])
    # Taken out together: from a matrix stored by gene every taking reads all of it.
    block = sp.csr_matrix(matrix[np.concatenate(chosen)], dtype=np.float64)
    yield from _few_shared_genes(block, group, levels, str(batch.name))
    if kind in (ValueKind.NORMALISED, ValueKind.LOG):
        yield from _other_scale(block, group, levels, str(batch.name), kind)
    elif kind is ValueKind.FRACTIONAL_COUNTS:
        yield from _per_length(block, group, levels, str(batch.name))


def _few_shared_genes(
    block: sp.csr_matrix[Any], group: NDArray[np.intp], levels: Sequence[Any], name: str
) -> Iterator[str]:
    of_batch = sp.csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))))
    counted = sp.csr_matrix(of_batch @ (abs(block) > 0).astype(np.float64))
    seen = sp.csr_matrix((counted > 0).astype(np.float64))
    n_genes = np.diff(seen.indptr)
    enough = np.flatnonzero(n_genes >= _FEWEST_GENES)
    if len(enough) < 2:
        return
    shared = (seen[enough] @ seen[enough].T).toarray()
    smaller = np.minimum.outer(n_genes[enough], n_genes[enough])
    first, second = np.unravel_index((shared / smaller).argmin(), shared.shape)
    if shared[first, second] < _FEW_SHARED * smaller[first, second]:
        a, b = (quoted(levels[enough[i]]) for i in sorted((first, second)))
        yield (
            f"The batches {a} and {b} of {quoted(name)} hardly have genes in common "
            f"({int(shared[first, second]):,} of {int(smaller[first, second]):,}), so nothing can "
            "bring their cells together; name the genes alike in both (of two species: orthologs)."
        )


def _other_scale(
    block: sp.csr_matrix[Any],
    group: NDArray[np.intp],
    levels: Sequence[Any],
    name: str,
    kind: ValueKind,
) -> Iterator[str]:
    values = block.copy()
    if kind is ValueKind.LOG:
        values.data = np.expm1(np.minimum(values.data, LARGEST_LOG))
    sums = np.asarray(values.sum(axis=1)).ravel()
    judged = np.flatnonzero(np.bincount(group) >= _FEWEST_CELLS)
    if len(judged) < 2:
        return
    middle = np.array([np.median(sums[group == i]) for i in judged])
    usual = np.sort(middle)[(len(middle) - 1) // 2]
    apart = (middle > usual * _OTHER_SCALE) | (middle * _OTHER_SCALE < usual)
    if apart.any():
        odd = [levels[i] for i in judged[apart]]
        yield (
            f"The values of {listed(odd)} in {quoted(name)} are on another scale than those of the "
            "other batches (another total, or another base of the logarithm), which looks like a "
            "batch effect; normalise all batches alike, best from counts."
        )


def _per_length(
    block: sp.csr_matrix[Any], group: NDArray[np.intp], levels: Sequence[Any], name: str
) -> Iterator[str]:
    """Name batches of large values with fractions beside batches of counts."""
    sums = np.asarray(block.sum(axis=1)).ravel()
    whole = block.copy()
    whole.data = (np.abs(block.data - np.rint(block.data)) > 1e-6 * np.abs(block.data)) * 1.0
    fractions = np.asarray(whole.sum(axis=1)).ravel() / np.maximum(1, np.diff(block.indptr))
    judged = np.flatnonzero(np.bincount(group) >= _FEWEST_CELLS)
    middle = {i: float(np.median(sums[group == i])) for i in judged}
    counts = [i for i in judged if fractions[group == i].mean() < _FRACTIONS_OF_COUNTS]
    if not counts:
        return
    usual = float(np.median([middle[i] for i in counts]))
    odd = [i for i in judged if i not in counts and middle[i] > usual * _OTHER_SCALE]
    if odd:
        named = listed([levels[int(i)] for i in odd])
        yield (
            f"The values of {named} in {quoted(name)} have fractions "
            f"and sum up to about {middle[odd[0]]:,.0f} in a cell, those of batches with counts "
            f"to about {usual:,.0f}: two scales, most likely values by length of gene (TPM, RPKM) "
            "beside counts, which looks like a batch effect; take counts of all batches."
        )

"""Whether the values of batches can be compared: one kind, common genes, and one scale.

Harmony takes what differs here for a batch effect, and runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import BatchError
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
_MILLION = 1e6
"""What the values of a cell sum up to as CPM and as TPM."""


def check_same_kind(kinds: Mapping[str, ValueKind], name: str) -> None:
    """Raise unless all batches hold the same kind of values.

    Parameters
    ----------
    kinds
        Kind of each batch, from `value_kind_per_batch`.
    name
        Name of the batch variable, for the message.

    Raises
    ------
    BatchError
        Batches differ; the message names them.
    """
    groups = _by_kind(kinds)
    if set(groups) == {ValueKind.FRACTIONAL_COUNTS, ValueKind.BELOW_ZERO}:
        raise BatchError(
            f"Batches of {quoted(name)} ({_some(groups[ValueKind.BELOW_ZERO])}) hold counts below "
            "zero, which no count is: most likely marks of missing values, or what a subtraction "
            "left; set them to zero, or take the counts as they were measured."
        )
    if ValueKind.MIXED in groups:
        raise BatchError(
            f"Within batches of {quoted(name)} ({_some(groups[ValueKind.MIXED])}) some cells hold "
            "another kind of values than others, such as counts beside log-transformed values; "
            "bring all cells to counts first."
        )
    if len(groups) < 2:
        return
    raise BatchError(
        f"The batches of {quoted(name)} hold different kinds of values: {_levels_by_kind(groups)}. "
        "Mixing would look better than it is; bring all batches to counts first."
    )


def _levels_by_kind(groups: Mapping[ValueKind, list[str]]) -> str:
    return "; ".join(
        f"{'counts' if kind is ValueKind.FRACTIONAL_COUNTS else kind.value} in {_some(levels)}"
        for kind, levels in groups.items()
    )


def _by_kind(kinds: Mapping[str, ValueKind]) -> dict[ValueKind, list[str]]:
    groups: dict[ValueKind, list[str]] = {}
    for level, kind in kinds.items():
        # A shallow batch can hold whole numbers only where the others have a few fractions.
        same = ValueKind.FRACTIONAL_COUNTS if kind is ValueKind.COUNTS else kind
        if not kind.is_nothing:
            groups.setdefault(same, []).append(level)
    return groups


def _some(names: list[str], most: int = 10) -> str:
    listed = ", ".join(name[:60] for name in names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


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
    elif kind.is_counts:
        yield from _beside_counts(block, group, levels, str(batch.name))


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


def _beside_counts(
    block: sp.csr_matrix[Any], group: NDArray[np.intp], levels: Sequence[Any], name: str
) -> Iterator[str]:
    """Name batches beside batches of counts whose values are none: fractions, or shares."""
    sums = np.asarray(block.sum(axis=1)).ravel()
    whole = block.copy()
    whole.data = (np.abs(block.data - np.rint(block.data)) > 1e-6 * np.abs(block.data)) * 1.0
    fractions = np.asarray(whole.sum(axis=1)).ravel() / np.maximum(1, np.diff(block.indptr))
    judged = np.flatnonzero(np.bincount(group) >= _FEWEST_CELLS)
    middle = {i: float(np.median(sums[group == i])) for i in judged}
    # Rounding changes each value by a half at most.
    is_million = np.abs(sums - _MILLION) <= 0.5 * block.shape[1]
    shares = [i for i in judged if is_million[group == i].mean() > 0.9]
    whole_or_few = [i for i in judged if fractions[group == i].mean() < _FRACTIONS_OF_COUNTS]
    counts = [i for i in whole_or_few if i not in shares]
    if not counts:
        return
    usual = float(np.median([middle[i] for i in counts]))
    of_counts = f"those of batches with counts to about {usual:,.0f}"
    large = [i for i in judged if i not in counts and middle[i] > usual * _OTHER_SCALE]
    if odd := [i for i in large if i not in shares]:
        yield (
            f"The values of {listed([levels[int(i)] for i in odd])} in {quoted(name)} have "
            f"fractions and sum up to about {middle[odd[0]]:,.0f} in a cell, {of_counts}: two "
            "scales, most likely values by length of gene (TPM, RPKM) beside counts, which looks "
            "like a batch effect; take counts of all batches."
        )
    if shares:
        yield (
            f"The values of {listed([levels[int(i)] for i in shares])} in {quoted(name)} sum up to "
            f"a million in every cell, {of_counts}: two scales, most likely shares (CPM, TPM) "
            "beside counts, which looks like a batch effect; take counts of all batches."
        )

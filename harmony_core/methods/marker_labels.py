"""Cell types from marker genes: a label for data that have none, made before any correction.

Each set of marker genes is scored in every cell, against the level of its genes in the cells of the
same batch that look like other types. So neither the depth of a batch nor a type that it lacks
shifts the scores, and nothing that Harmony does later can change the labels. A cell of which the
best set is not clearly above the next, or above nothing, stays unsure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core._typing import Ints
from harmony_core.errors import DataError
from harmony_core.inspect.gene_sets import GeneSets, find_sets, readable_symbols

SURE = 0.6
"""Confidence from which on a cell gets a label."""

_OWN_WEIGHT = 0.2
"""Of a cell's own score beside the mean of its neighbours': rare cells have few of their kind."""
_SCALE, _NOTHING = 0.15, 0.25
"""Spread of a score, and the score of no type."""
_ROUNDS = 2
_MOST_SPREADS = 10
"""What one cell's value of a gene may count, in the gene's units."""
_CELLS_OF_PRIOR = 10
"""With fewer other cells in a batch, a gene's level there is mostly that in all batches."""


@dataclass(frozen=True)
class MarkerLabels:
    """Cell types by marker genes.

    Attributes
    ----------
    types
        The types that can be told, in the order of the panel.
    codes
        Type of each cell as its place in ``types``, int32; -1 where it is unsure.
    confidence
        How sure the best type of each cell is, 0 to 1, float32, also where that is too little.
    genes
        Symbols of the genes that decided, by type.
    left_out
        Types of which the data lack too many genes.
    """

    types: tuple[str, ...]
    codes: Ints
    confidence: npt.NDArray[np.float32]
    genes: GeneSets
    left_out: tuple[str, ...]


def marker_labels(
    expression: sp.csc_matrix,
    symbols: Sequence[str],
    within: Sequence[tuple[Ints, Ints]],
    panel: GeneSets,
) -> MarkerLabels:
    """Label cells by sets of marker genes, within their batches.

    Parameters
    ----------
    expression
        Log-normalised, uncorrected values (cells × genes).
    symbols
        Gene symbols, or Ensembl ids of genes of the blood panel, in the order of the columns.
    within
        For each batch its cells and their nearest neighbours as positions in that list, from the
        uncorrected embedding: what `harmony_core.detector.states.neighbors_within_batches` returns.
        A cell in none stays unsure.
    panel
        Marker genes by type, whatever their capitals. A type counts with two genes of its set in
        the data, or one where the set has but one.

    Raises
    ------
    DataError
        If the data have no set's genes.

    Notes
    -----
    A gene counts by how far it stands above its level in the cells of the same batch that are now
    held for types without it, in units of its spread. The mean over a set's genes, smoothed over a
    cell's neighbours in its own batch, is the set's score. Confidence is the share of the best set
    in the exponentials of all scores, with no type among them at a fixed score.
    """
    found = find_sets(panel, readable_symbols(symbols))
    genes = {t: g for t, g in found.sets.items() if len(g) >= min(2, len(panel[t]))}
    if not genes:
        raise DataError(
            "The data have too few genes of these marker sets to make cell types from: each set "
            "needs at least two. Check that genes are named by symbols, or give sets of your own."
        )
    wanted = list(dict.fromkeys(gene for of_type in genes.values() for gene in of_type))
    values = expression[:, [found.positions[gene] for gene in wanted]].toarray()
    of_type = np.array([[gene in of_set for gene in wanted] for of_set in genes.values()])
    share, codes = _confidence(_scores(values, of_type, within))
    share[_batch_of_cells(within, len(values)) < 0] = 0
    return MarkerLabels(
        types=tuple(genes),
        codes=np.where(share >= SURE, codes, -1).astype(np.int32),
        confidence=share,
        genes=genes,
        left_out=tuple(t for t in panel if t not in genes),
    )


def _scores(
    values: npt.NDArray[np.float32],
    of_type: npt.NDArray[np.bool_],
    within: Sequence[tuple[Ints, Ints]],
) -> npt.NDArray[np.float32]:
    """Score each type in each cell (cells × types)."""
    neighbors = _neighbor_mean(within, len(values))
    weights = (of_type / of_type.sum(axis=1, keepdims=True)).astype(np.float32)
    scores = _smoothed(_in_spreads(values - values.mean(axis=0)) @ weights.T, neighbors)
    batch = _batch_of_cells(within, len(values))
    for _ in range(_ROUNDS):
        others = ~of_type[scores.argmax(axis=1)]
        above = values - _level(values, others, batch)
        scores = _smoothed(_in_spreads(above) @ weights.T, neighbors)
    return scores


def _level(
    values: npt.NDArray[np.float32], others: npt.NDArray[np.bool_], batch: Ints
) -> npt.NDArray[np.float32]:
    """Return the mean of each gene in a cell's batch over the cells of types without it."""
    everywhere = (values * others).sum(axis=0) / np.maximum(others.sum(axis=0), 1)
    level = np.empty_like(values)
    for code in np.unique(batch):
        mine = batch == code
        counted = others[mine]
        total = (values[mine] * counted).sum(axis=0) + _CELLS_OF_PRIOR * everywhere
        level[mine] = total / (counted.sum(axis=0) + _CELLS_OF_PRIOR)
    return level


def _in_spreads(above: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return values in units of their gene's spread; a gene that is hardly seen counts less."""
    spread = above.std(axis=0)
    seen = spread[spread > 0]
    least = 0.5 * float(np.median(seen)) if len(seen) else 1.0
    return np.asarray(np.clip(above / (spread + least), -_MOST_SPREADS, _MOST_SPREADS))


def _confidence(
    scores: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Return how sure the best type of each cell is, and which it is."""
    best = scores.max(axis=1)
    against = np.exp((scores - best[:, None]) / _SCALE).sum(axis=1)
    against += np.exp(np.minimum((_NOTHING - best) / _SCALE, 80))
    return (1 / against).astype(np.float32), scores.argmax(axis=1)


def _smoothed(scores: npt.NDArray[np.float32], neighbors: sp.csr_matrix) -> npt.NDArray[np.float32]:
    near = np.asarray(neighbors @ scores, dtype=np.float32)
    return np.asarray(_OWN_WEIGHT * scores + (1 - _OWN_WEIGHT) * near, dtype=np.float32)


def _neighbor_mean(within: Sequence[tuple[Ints, Ints]], n_cells: int) -> sp.csr_matrix:
    """Return the matrix that averages over a cell's neighbours; alone, over the cell itself."""
    rows, columns = [], []
    for cells, near in within:
        k = near.shape[1]
        rows.append(np.repeat(cells, max(k, 1)))
        columns.append(cells[near.ravel()] if k else cells)
    row, column = np.concatenate(rows), np.concatenate(columns)
    weight = (1 / np.bincount(row, minlength=n_cells)[row]).astype(np.float32)
    return sp.csr_matrix((weight, (row, column)), shape=(n_cells, n_cells))


def _batch_of_cells(within: Sequence[tuple[Ints, Ints]], n_cells: int) -> Ints:
    batch = np.full(n_cells, -1, dtype=np.int32)
    for code, (cells, _) in enumerate(within):
        batch[cells] = code
    return batch

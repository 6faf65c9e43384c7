"""How far batches are mixed in a neighbour graph.

Conventions here and in `conservation`: ``indices`` holds each cell's nearest neighbours (int32,
cells × k, nearest first, the cell itself left out), ``distances`` their Euclidean distances
(float32, same shape), ``codes`` a level number for each cell, with -1 where the value is missing.
A cell without a value gets NaN, and counts for nobody else: what remains of a cell's neighbours is
weighed as if the others were not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harmony_core._typing import Floats, Ints
from harmony_core.errors import DataError
from harmony_core.metrics.lisi_kernel import lisi_of_all
from harmony_core.thresholds import (
    LISI_PERPLEXITY,
    MIN_BATCHES_CILISI,
    MIN_CELLS_CILISI,
    N_NEIGHBORS,
)


@dataclass(frozen=True, kw_only=True)
class NullMixing:
    """Mean iLISI beside what the same graph gives when batches are dealt out at random.

    Attributes
    ----------
    mean
        Mean LISI of the batch, from 1 to the number of batches.
    null
        The same with the batch permuted over the cells.
    ratio
        (mean - 1) / (null - 1): 0 is not mixed, 1 is mixed as by chance. ``None`` where the null
        is 1, as with a single batch.
    """

    mean: float
    null: float
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class LabelMixing:
    """Mixing inside one label (a level number of the label column).

    Attributes
    ----------
    label
        Level number.
    cells, batches
        What counted: cells in batches that hold enough cells of this label, and those batches.
    value
        CiLISI, or kBET's acceptance: 0 is not mixed, 1 is mixed.
    """

    label: int
    cells: int
    batches: int
    value: float


def joint_codes(columns: Sequence[Ints]) -> NDArray[np.int32]:
    """Return one code for every combination of several variables that occurs.

    Parameters
    ----------
    columns
        Codes of each variable; -1 in any of them gives -1.

    Returns
    -------
    Codes from 0 without holes, ordered as the combinations sort.
    """
    stacked = np.column_stack([np.asarray(c) for c in columns])
    known = (stacked >= 0).all(axis=1)
    joint = np.full(len(stacked), -1, dtype=np.int32)
    if known.any():
        joint[known] = np.unique(stacked[known], axis=0, return_inverse=True)[1].ravel()
    return joint


def lisi(
    indices: Ints,
    distances: Floats,
    codes: Ints,
    *,
    n_levels: int | None = None,
    perplexity: float = LISI_PERPLEXITY,
) -> NDArray[np.float32]:
    """Local inverse Simpson index: how many levels a cell's neighbourhood holds, effectively.

    Parameters
    ----------
    indices, distances
        Neighbours; the nearest 3 × perplexity are used, or as many as there are. With no more
        neighbours than the perplexity all weigh the same, as in harmonypy.
    codes
        Level of each cell.
    n_levels
        Number of levels; found from ``codes`` if not given.
    perplexity
        Effective number of neighbours.

    Returns
    -------
    One value a cell, from 1 (one level only) to the number of levels.

    References
    ----------
    Korsunsky et al. 2019, 10.1038/s41592-019-0619-0
    """
    found = lisi_many(indices, distances, [codes], n_levels=n_levels, perplexity=perplexity)
    return np.asarray(found[0])


def lisi_many(
    indices: Ints,
    distances: Floats,
    columns: Sequence[Ints],
    *,
    n_levels: int | None = None,
    perplexity: float = LISI_PERPLEXITY,
) -> NDArray[np.float32]:
    """`lisi` of several variables on one graph, in little more time than one.

    Parameters
    ----------
    indices, distances, n_levels, perplexity
        As for `lisi`; the most levels of any variable.
    columns
        Level of each cell, for each variable.

    Returns
    -------
    Variables × cells.

    Raises
    ------
    DataError
        If neighbours, distances and variables are not of the same cells.
    """
    stacked = np.ascontiguousarray(np.stack([np.asarray(c) for c in columns]), dtype=np.int32)
    if indices.shape != distances.shape or stacked.shape[1] != len(indices):
        raise DataError(
            f"Neighbours {indices.shape}, distances {distances.shape} and codes "
            f"{stacked.shape[1:]} do not describe the same cells."
        )
    k = min(indices.shape[1], round(3 * perplexity))
    levels = max(n_levels or 0, int(stacked.max(initial=0)) + 1)
    found: NDArray[np.float32] = lisi_of_all(
        indices[:, :k], distances[:, :k], stacked, levels, float(perplexity)
    )
    return found


def permuted(codes: Ints, *, seed: int = 0) -> NDArray[np.int32]:
    """Permute a variable at random over the cells that have a value.

    Parameters
    ----------
    codes
        Level of each cell, -1 where missing.
    seed
        The same seed gives the same permutation.

    Returns
    -------
    Codes of the same cells; -1 stays where it is.
    """
    shuffled = np.array(codes, dtype=np.int32)
    known = shuffled >= 0
    shuffled[known] = np.random.default_rng(seed).permutation(shuffled[known])
    return shuffled


def against_null(observed: Floats, null: Floats) -> NullMixing:
    """Compare the LISI of a batch with the LISI of the permuted batch on the same graph.

    Parameters
    ----------
    observed, null
        `lisi` of the batch and of the `permuted` batch (cells); NaN where missing.

    Returns
    -------
    Both means and their ratio.

    References
    ----------
    Korsunsky et al. 2019, 10.1038/s41592-019-0619-0; the null after 10.1101/gr.279886.124
    """
    mean, expected = _mean(observed), _mean(null)
    ratio = (mean - 1) / (expected - 1) if expected > 1 + 1e-6 else None
    return NullMixing(mean=mean, null=expected, ratio=ratio)


def cilisi(
    indices: Ints,
    distances: Floats,
    codes: Ints,
    labels: Ints,
    *,
    perplexity: float = LISI_PERPLEXITY,
    min_cells: int = MIN_CELLS_CILISI,
) -> list[LabelMixing]:
    """LISI of the batch inside each label, from 0 (not mixed) to 1.

    A label is assessed if at least two batches hold ``min_cells`` of its cells; its cells in other
    batches are left out. The value is the mean of (LISI - 1) / (batches of the label - 1).

    Parameters
    ----------
    indices, distances
        Neighbours (cells × k); the nearest 3 × perplexity are used.
    codes, labels
        Batch and label of each cell, -1 where missing.
    perplexity
        Effective number of neighbours.
    min_cells
        Cells of a label from which a batch counts for it.

    Returns
    -------
    One row a label that can be assessed.

    Notes
    -----
    The published method searches new neighbours among the cells of each label. Here those of the
    one graph that carry the cell's label are taken, which is the same where neighbourhoods are
    pure; elsewhere fewer neighbours count. Cells with none are left out.

    References
    ----------
    Andreatta et al. 2024, 10.1038/s41467-024-45240-z
    """
    k = min(indices.shape[1], round(3 * perplexity))
    near, far = indices[:, :k], np.array(distances[:, :k], dtype=np.float32)
    comparable, counted = comparable_labels(codes, labels, min_cells, MIN_BATCHES_CILISI)
    # A neighbour of another label is as good as infinitely far away: it gets no weight.
    other = (labels[near] != labels[:, None]) | ~counted[near]
    far[other] = np.inf
    levels = int(np.max(codes, initial=0)) + 1
    own = np.where(counted, codes, -1).astype(np.int32)[None]
    value = lisi_of_all(near, far, own, levels, float(perplexity))[0]
    result = []
    for label, batches in comparable:
        cells = counted & (labels == label) & np.isfinite(value)
        score = float(np.mean((value[cells] - 1) / (batches - 1))) if cells.any() else 0.0
        result.append(
            LabelMixing(label=label, cells=int(cells.sum()), batches=batches, value=score)
        )
    return result


def comparable_labels(
    codes: Ints, labels: Ints, min_cells: int, min_batches: int
) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
    """Find the labels that several batches hold, inside which batches can be compared.

    Parameters
    ----------
    codes, labels
        Batch and label of each cell, -1 where missing.
    min_cells
        Cells of a label from which a batch counts for it.
    min_batches
        Such batches from which a label counts.

    Returns
    -------
    Those labels with their numbers of batches, and which cells count (length cells).
    """
    known = (codes >= 0) & (labels >= 0)
    shape = (int(labels.max(initial=0)) + 1, int(codes.max(initial=0)) + 1)
    table = np.zeros(shape, dtype=np.int64)
    np.add.at(table, (labels[known], codes[known]), 1)
    enough = table >= min_cells
    enough[enough.sum(axis=1) < min_batches] = False
    counted = known.copy()
    counted[known] = enough[labels[known], codes[known]]
    return [(int(i), int(enough[i].sum())) for i in np.flatnonzero(enough.any(axis=1))], counted


def local_mixing(
    indices: Ints, codes: Ints, *, n_neighbors: int = N_NEIGHBORS
) -> NDArray[np.float32]:
    """Cross-batch fraction of each cell's neighbours ÷ that expected from batch sizes, at most 1.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k).
    codes
        Batch of each cell, -1 where missing.
    n_neighbors
        Nearest neighbours looked at.

    Returns
    -------
    One value a cell. 0: all neighbours are of the cell's own batch; 1: as many of other batches
    as by chance. NaN where the cell or all its neighbours have no batch, and with a single batch.
    """
    near = codes[indices[:, :n_neighbors]]
    known = near >= 0
    crossing = (near != codes[:, None]) & known
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    expected = 1 - sizes[np.maximum(codes, 0)] / max(sizes.sum(), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = crossing.sum(axis=1) / known.sum(axis=1) / expected
    ratio[(codes < 0) | (expected <= 0)] = np.nan
    return np.asarray(np.minimum(ratio, 1), dtype=np.float32)


def _mean(values: Floats) -> float:
    known = np.isfinite(values)
    return float(np.mean(values[known], dtype=np.float64)) if known.any() else float("nan")

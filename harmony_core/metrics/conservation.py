"""How much of the biology a correction kept. Conventions as in `mixing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from harmony_core._numba import parallel
from harmony_core._typing import Floats, Ints
from harmony_core.thresholds import MIN_CELLS_PURITY, N_NEIGHBORS


@dataclass(frozen=True, kw_only=True)
class LabelPurity:
    """Labels among the neighbours of one label's cells before and after a correction.

    Attributes
    ----------
    label
        Level number.
    cells
        Cells that carry it.
    before, within_batch, after
        Mean fraction of the neighbours with another label: in the uncorrected data, in the
        uncorrected data among cells of the same batch, and in the corrected data.
    loss
        after - the larger of before and within_batch.
    error
        Standard error of ``loss`` over the label's cells.
    """

    label: int
    cells: int
    before: float
    within_batch: float
    after: float
    loss: float
    error: float


@dataclass(frozen=True, kw_only=True)
class PurityLoss:
    """Purity of all judged labels, largest loss first, and what was left out.

    Attributes
    ----------
    labels
        Judged labels.
    too_small
        Labels with fewer cells than are judged.
    cells_without_label
        Cells without a label; they count nowhere.
    """

    labels: tuple[LabelPurity, ...]
    too_small: tuple[int, ...]
    cells_without_label: int

    @property
    def worst(self) -> LabelPurity | None:
        """The label that lost most; ``None`` where no label could be judged."""
        return self.labels[0] if self.labels else None


@dataclass(frozen=True, kw_only=True)
class LabelChange:
    """Mean of a number over one label's cells, before and after."""

    label: int
    cells: int
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class CLisi:
    """cLISI (1 is best: one label around each cell) before and after.

    Attributes
    ----------
    before, after
        Mean over all labelled cells.
    labels
        Judged labels, largest rise first.
    """

    before: float
    after: float
    labels: tuple[LabelChange, ...]

    @property
    def worst(self) -> LabelChange | None:
        """The label whose cLISI rose most; ``None`` where no label could be judged."""
        return self.labels[0] if self.labels else None


def wrong_label_fraction(
    indices: Ints, labels: Ints, *, n_neighbors: int = N_NEIGHBORS, cells: Ints | None = None
) -> NDArray[np.float32]:
    """Fraction of each cell's labelled neighbours that carry another label than the cell.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k).
    labels
        Label of each cell, -1 where missing.
    n_neighbors
        Nearest neighbours looked at.
    cells
        Positions of the cells that the rows of ``indices`` are of, where they are not all.

    Returns
    -------
    One value a row, 0 to 1; NaN where the cell, or all of its neighbours, have no label.
    """
    near = labels[indices[:, :n_neighbors]]
    own = labels if cells is None else labels[cells]
    wrong = ((near != own[:, None]) & (near >= 0)).sum(axis=1)
    return _fraction(wrong, (near >= 0).sum(axis=1), own >= 0)


def wrong_label_fraction_within_batch(
    indices: Ints, labels: Ints, batch: Ints, *, n_neighbors: int = N_NEIGHBORS
) -> NDArray[np.float32]:
    """`wrong_label_fraction` among the nearest neighbours of the cell's own batch.

    They are picked from the graph as it is: where a cell has fewer than ``n_neighbors`` of its
    batch among its neighbours, those count. No more labelled ones are looked at than the batch has
    other cells of the label, or a label rare in a batch would seem mixed by its number alone.

    Parameters
    ----------
    indices
        Nearest neighbours (cells × k).
    labels, batch
        Label and batch of each cell, -1 where missing.
    n_neighbors
        Nearest neighbours of the own batch looked at.

    Returns
    -------
    One value a cell, 0 to 1; NaN also where it has no neighbour of its batch, or is the only cell
    of its label there.
    """
    codes, batches = (np.asarray(values, dtype=np.int32) for values in (labels, batch))
    counts = _count_within(indices, codes, batches, _others_alike(codes, batches), n_neighbors)
    return _fraction(counts[:, 0], counts[:, 1], codes >= 0)


def without_contradicted(
    indices: Ints, labels: Ints, batch: Ints, *, n_neighbors: int = N_NEIGHBORS
) -> NDArray[np.int32]:
    """Take off the labels that no cell nearby in the same batch carries: errors, most likely.

    They would be wrong before and after any correction, and so hide what their label loses.

    Parameters
    ----------
    indices
        Nearest neighbours in the uncorrected embedding (cells × k).
    labels, batch
        Label and batch of each cell, -1 where missing.
    n_neighbors
        Nearest neighbours of the own batch looked at.

    Returns
    -------
    The labels, -1 where missing or taken off. Cells with fewer than half as many labelled
    neighbours in their batch keep theirs.
    """
    codes, batches = (np.asarray(values, dtype=np.int32) for values in (labels, batch))
    everyone = np.full(len(codes), n_neighbors, dtype=np.int32)
    wrong, labelled = _count_within(indices, codes, batches, everyone, n_neighbors).T
    alone = (wrong == labelled) & (2 * labelled >= n_neighbors)
    return np.where(alone, np.int32(-1), codes)


def purity_loss(
    indices_before: Ints,
    indices_after: Ints,
    labels: Ints,
    batch: Ints,
    *,
    indices_within_batch: Ints | None = None,
    n_neighbors: int = N_NEIGHBORS,
    min_cells: int = MIN_CELLS_PURITY,
) -> PurityLoss:
    """Rise of the wrong-label fraction of the neighbours, label by label.

    The larger of two uncorrected values is taken off: what the labels' own overlap and errors
    give is no loss, be it seen across batches or only inside them.

    Parameters
    ----------
    indices_before, indices_after
        Neighbours in the uncorrected and in the corrected embedding.
    labels, batch
        Level numbers of each cell, -1 where missing.
    indices_within_batch
        Neighbours in the uncorrected embedding, searched among the cells of the same batch. If
        not given, those of the same batch are picked from ``indices_before``: give it more than
        ``n_neighbors`` columns (the 90 of LISI do) then, as only these can be picked from.
    n_neighbors
        Nearest neighbours looked at.
    min_cells
        Cells from which a label is assessed.

    Returns
    -------
    One row a label with enough cells, and what was left out.
    """
    before = wrong_label_fraction(indices_before, labels, n_neighbors=n_neighbors)
    after = wrong_label_fraction(indices_after, labels, n_neighbors=n_neighbors)
    if indices_within_batch is None:
        within = wrong_label_fraction_within_batch(
            indices_before, labels, batch, n_neighbors=n_neighbors
        )
    else:
        within = wrong_label_fraction(indices_within_batch, labels, n_neighbors=n_neighbors)
    # A cell without a neighbour of its batch has no second value; the first one stands for it.
    within = np.where(np.isnan(within), before, within)

    means = [_label_means(v, labels) for v in (before, within, after)]
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    rows = []
    for label in np.flatnonzero(sizes >= min_cells):
        raw, raw_within, now = (float(m[label]) for m in means)
        mine = labels == label
        rows.append(
            LabelPurity(
                label=int(label),
                cells=int(sizes[label]),
                before=raw,
                within_batch=raw_within,
                after=now,
                loss=now - max(raw, raw_within),
                error=_error_of_mean(after - (before if raw >= raw_within else within), mine),
            )
        )
    return PurityLoss(
        labels=tuple(sorted(rows, key=lambda row: -row.loss)),
        too_small=tuple(int(i) for i in np.flatnonzero((sizes > 0) & (sizes < min_cells))),
        cells_without_label=int((labels < 0).sum()),
    )


def clisi(
    lisi_before: Floats, lisi_after: Floats, labels: Ints, *, min_cells: int = MIN_CELLS_PURITY
) -> CLisi:
    """Compare the LISI of the labels before and after, overall and label by label.

    Parameters
    ----------
    lisi_before, lisi_after
        `mixing.lisi` of the labels in the two graphs (cells); NaN for cells without a label.
    labels
        Label of each cell, -1 where missing.
    min_cells
        Cells from which a label is assessed.

    Returns
    -------
    Means over all labelled cells and over each label's.

    References
    ----------
    Korsunsky et al. 2019, 10.1038/s41592-019-0619-0
    """
    before, after = _label_means(lisi_before, labels), _label_means(lisi_after, labels)
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    rows = [
        LabelChange(
            label=int(i), cells=int(sizes[i]), before=float(before[i]), after=float(after[i])
        )
        for i in np.flatnonzero(sizes >= min_cells)
    ]
    known = labels >= 0
    return CLisi(
        before=float(np.nanmean(lisi_before[known])) if known.any() else float("nan"),
        after=float(np.nanmean(lisi_after[known])) if known.any() else float("nan"),
        labels=tuple(sorted(rows, key=lambda row: -row.change)),
    )


def _error_of_mean(change: Floats, cells: NDArray[np.bool_]) -> float:
    """Return the standard error of the mean change of some cells."""
    return float(np.nanstd(change[cells]) / np.sqrt(cells.sum()))


def _others_alike(labels: Ints, batch: Ints) -> Ints:
    """Count the other cells of each cell's label in its batch."""
    group = (labels + 1) * (int(batch.max(initial=-1)) + 2) + batch + 1
    return np.asarray(np.bincount(group)[group] - 1, dtype=np.int32)


def _fraction(count: Ints, total: Ints, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    fraction = np.full(len(total), np.nan, dtype=np.float32)
    possible = known & (total > 0)
    fraction[possible] = count[possible] / total[possible]
    return fraction


def _label_means(values: Floats, labels: Ints) -> NDArray[np.float64]:
    """Mean per label over the cells that have a value; NaN where none has."""
    usable = (labels >= 0) & np.isfinite(values)
    n_labels = int(np.max(labels, initial=0)) + 1
    total = np.bincount(labels[usable], weights=values[usable], minlength=n_labels)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.bincount(labels[usable], minlength=n_labels))


@parallel
def _count_within(
    indices: NDArray[Any],
    labels: NDArray[Any],
    batch: NDArray[Any],
    most_labelled: NDArray[Any],
    wanted: int,
) -> NDArray[np.int32]:
    """Wrong-label and all labelled neighbours among the first ``wanted`` of the own batch."""
    counts = np.zeros((indices.shape[0], 2), dtype=np.int32)
    for i in numba.prange(indices.shape[0]):
        taken = 0
        for e in range(indices.shape[1]):
            if taken == wanted or counts[i, 1] == most_labelled[i]:
                break
            j = indices[i, e]
            if batch[j] != batch[i]:
                continue
            if labels[j] >= 0:
                counts[i, 1] += 1
                if labels[j] != labels[i]:
                    counts[i, 0] += 1
            taken += 1
    return counts

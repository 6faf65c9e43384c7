"""What a correction truly did to real cells, from their labels and an independent neighbour search.

Nothing here comes from the product: neighbours are scikit-learn's, and labels are the data's own.
Cells without a label or without a batch must be left out before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]
Embedding = NDArray[np.floating[Any]]
Values = NDArray[np.float64]
TrueKind = Literal["over", "under", "null", "good"]

N_NEIGHBORS = 30
WIDE = 90
"""Neighbours that LISI and the scIB set look at."""
MIN_TYPE = 30
"""Cells of a label, or of a state, below which its loss is noise."""
MIN_SHARED = 15
"""Cells of a label from which a batch counts as having it."""
OVER, OVER_GREY = 0.10, 0.05
"""Rise of the wrong-label fraction: over-corrected above the first, unclear above the second."""
UNDER, UNDER_GREY = 0.5, (0.4, 0.6)
"""Mixing of shared labels: under-corrected below the first, unclear between the others."""
NULL = 0.9
"""Mixing before correction from which there is nothing to correct."""
APART = 0.1
"""Mixing with all others below which a batch is wholly apart."""
PURE = 0.8
"""Fraction of one label from which a state can be measured against it."""


@dataclass(frozen=True)
class Nearest:
    """Nearest neighbours of each cell, nearest first, the cell itself left out.

    Attributes
    ----------
    indices, distances
        Cells × neighbours.
    """

    indices: NDArray[np.int64]
    distances: Values


def nearest(embedding: Embedding, n_neighbors: int = WIDE) -> Nearest:
    """Search neighbours exactly, by scikit-learn.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    n_neighbors
        Neighbours of each cell; fewer where there are fewer other cells.
    """
    from sklearn.neighbors import NearestNeighbors

    k = min(n_neighbors, len(embedding) - 1)
    distances, indices = NearestNeighbors(n_neighbors=k).fit(embedding).kneighbors()
    return Nearest(indices, distances)


@dataclass(frozen=True, kw_only=True)
class WrongLabels:
    """Fraction of each cell's 30 neighbours that carry another label (length cells each).

    Attributes
    ----------
    before, after
        Among all cells, uncorrected and corrected.
    within
        Among the cells of its own batch, uncorrected; in a batch too small for it, as ``before``.
    """

    before: Values
    after: Values
    within: Values

    def loss(self, cells: NDArray[np.bool_]) -> float:
        """Return how much more wrong labels some cells have than before or than in their batch."""
        better = min(self.before[cells].mean(), self.within[cells].mean())
        return float(self.after[cells].mean() - better)


@dataclass(frozen=True, kw_only=True)
class RunTruth:
    """What one run truly did.

    Attributes
    ----------
    loss
        Of each label of at least 30 cells.
    mixing_before, mixing_after
        Of the labels that batches share, see `mixing`; None where none is shared.
    apart
        Batches that are mixed with no other.
    """

    loss: Mapping[str, float]
    mixing_before: float | None
    mixing_after: float | None
    apart: tuple[str, ...]

    @property
    def worst(self) -> float | None:
        return max(self.loss.values(), default=None)

    @property
    def kind(self) -> TrueKind | None:
        """The one right answer, over-correction first; None where nothing can be said."""
        if self.worst is not None and self.worst > OVER:
            return "over"
        if self.worst is None or self.mixing_before is None or self.mixing_after is None:
            return None
        if self.mixing_after < UNDER:
            return "under"
        return "null" if self.mixing_before >= NULL else "good"

    @property
    def is_grey(self) -> bool:
        """Whether the run is too near a limit to count."""
        if self.kind is None or self.kind == "over":
            return False
        return OVER_GREY < (self.worst or 0.0) <= OVER or self._mixing_is_grey

    @property
    def _mixing_is_grey(self) -> bool:
        return self.mixing_after is not None and UNDER_GREY[0] <= self.mixing_after < UNDER_GREY[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        worst_label = max(self.loss, key=lambda name: self.loss[name], default=None)
        return {
            "truth": self.kind,
            "grey": self.is_grey,
            "loss": self.worst,
            "worst_label": worst_label,
            "mixing_before": self.mixing_before,
            "mixing_after": self.mixing_after,
            "apart": list(self.apart),
        }


@dataclass(frozen=True)
class LabelledCells:
    """The cells of a run that truth is measured on.

    Attributes
    ----------
    labels, batches
        Of each cell.
    before, after
        Neighbours in the uncorrected and in the corrected embedding.
    wrong
        Wrong labels among them.
    """

    labels: NDArray[np.str_]
    batches: NDArray[np.str_]
    before: Nearest
    after: Nearest
    wrong: WrongLabels

    @classmethod
    def of(
        cls,
        labels: NDArray[np.str_],
        batches: NDArray[np.str_],
        before: Embedding,
        after: Embedding,
    ) -> LabelledCells:
        """Search the neighbours of the cells and compare their labels.

        Parameters
        ----------
        labels, batches
            Of each cell (length cells).
        before, after
            Embeddings (cells × dimensions).
        """
        near_before, near_after = nearest(before), nearest(after)
        wrong_before = wrong_fraction(near_before.indices, labels)
        within = wrong_before.copy()
        for batch in np.unique(batches):
            cells = np.flatnonzero(batches == batch)
            if len(cells) > N_NEIGHBORS:
                own = nearest(before[cells], N_NEIGHBORS)
                within[cells] = wrong_fraction(own.indices, labels[cells])
        wrong = WrongLabels(
            before=wrong_before, after=wrong_fraction(near_after.indices, labels), within=within
        )
        return cls(labels, batches, near_before, near_after, wrong)

    def truth(self) -> RunTruth:
        """Return what the run truly did to these cells."""
        names, sizes = np.unique(self.labels, return_counts=True)
        large = names[sizes >= MIN_TYPE]
        after = BatchMixing.of(self.after.indices, self.labels, self.batches)
        return RunTruth(
            loss={str(name): self.wrong.loss(self.labels == name) for name in large},
            mixing_before=BatchMixing.of(self.before.indices, self.labels, self.batches).mean,
            mixing_after=after.mean,
            apart=tuple(b for b, value in after.by_batch.items() if value < APART),
        )

    def state_loss(self, cells: NDArray[np.bool_]) -> float | None:
        """Return the loss of a state's own label among its cells.

        Parameters
        ----------
        cells
            Which cells the state has (length cells).

        Returns
        -------
        None for a state of fewer than 30 cells, or without a label that 80 % of them carry.
        """
        if cells.sum() < MIN_TYPE:
            return None
        names, sizes = np.unique(self.labels[cells], return_counts=True)
        if sizes.max() < PURE * cells.sum():
            return None
        return self.wrong.loss(cells & (self.labels == names[sizes.argmax()]))


def wrong_fraction(indices: Codes, labels: NDArray[np.str_]) -> Values:
    """Return the fraction of each cell's 30 nearest neighbours that carry another label."""
    codes = np.unique(labels, return_inverse=True)[1]
    near = codes[indices[:, :N_NEIGHBORS]]
    return np.asarray((near != codes[:, None]).mean(axis=1))


@dataclass(frozen=True)
class BatchMixing:
    """How well batches mix inside the labels that they share, against what sizes allow.

    A label counts for the batches that hold at least 15 of its cells, if there are two of them.
    Among a cell's neighbours of its own label, those of other batches are compared with the
    label's cells in other batches.

    Attributes
    ----------
    mean
        Observed ÷ expected, at most 1 a label; mean over labels, weighted by their cells. None
        where no label is shared.
    by_batch
        Observed ÷ expected over all shared labels of each batch that has any.
    """

    mean: float | None
    by_batch: Mapping[str, float]

    @classmethod
    def of(cls, indices: Codes, labels: NDArray[np.str_], batches: NDArray[np.str_]) -> BatchMixing:
        """Compare neighbours with what the sizes of labels in batches allow."""
        types = np.unique(labels, return_inverse=True)[1]
        names, codes = np.unique(batches, return_inverse=True)
        sizes = np.zeros((types.max() + 1, len(names)))
        np.add.at(sizes, (types, codes), 1)
        sizes[sizes < MIN_SHARED] = 0
        sizes[(sizes > 0).sum(axis=1) < 2] = 0
        shared = sizes[types, codes] > 0
        if not shared.any():
            return cls(None, {})
        near = indices[:, :N_NEIGHBORS]
        like = (types[near] == types[:, None]) & shared[near] & shared[:, None]
        crossing = (like & (codes[near] != codes[:, None])).sum(axis=1)
        total = sizes.sum(axis=1)[types]
        chance = (total - sizes[types, codes]) / np.maximum(total - 1, 1)
        expected = like.sum(axis=1) * chance
        by_label = _ratios(crossing[shared], expected[shared], types[shared], len(sizes))
        by_batch = _ratios(crossing[shared], expected[shared], codes[shared], len(names))
        weights = np.bincount(types[shared], minlength=len(sizes))
        with_shared = np.flatnonzero(np.bincount(codes[shared], minlength=len(names)))
        return cls(
            float(np.average(np.minimum(by_label, 1), weights=weights)),
            {str(names[b]): float(by_batch[b]) for b in with_shared},
        )


def _ratios(observed: NDArray[Any], expected: NDArray[Any], groups: Codes, n_groups: int) -> Values:
    """Return the sum of what was observed ÷ the sum of what was expected, by group."""
    sums = (np.bincount(groups, weights=w, minlength=n_groups) for w in (observed, expected))
    return np.asarray(next(sums) / np.maximum(next(sums), 1e-9))

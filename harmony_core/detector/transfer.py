"""Transfer conflict: which cluster of another batch each cell resembles, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints
from harmony_core.detector.profiles import Profiles, best_pairs, distinctness

TABLE_STEPS = 255
"""The table is kept in bytes; a step is 1/255, far below what a threshold resolves."""

_CHUNK = 2048


def conflict_table(
    values: sparse.csr_matrix, profiles: Profiles, within: Sequence[tuple[Ints, Ints]]
) -> npt.NDArray[np.uint8]:
    """How much each cell would conflict with each pre-cluster of another batch as a neighbour.

    A cell is averaged with its own-batch neighbours, shifted by the difference between the two
    batches, and compared with the pre-clusters of the other batch on that batch's marker genes.
    The entry is 0 if the pre-cluster is the nearest one, and rises to the distinctness of the
    two when the cell sits on another pre-cluster.

    Parameters
    ----------
    values
        Cells × compared genes.
    profiles
        Of the pre-clusters, over the same genes.
    within
        Neighbours within batches.

    Returns
    -------
    Cells × pre-clusters, in steps of 1/255.
    """
    table = np.zeros((values.shape[0], len(profiles.sizes)), dtype=np.uint8)
    targets = _targets(profiles)
    if not targets:
        return table
    sd = profiles.pooled_sd
    centred = profiles.centred(min_cells=thresholds.MIN_CELLS_REFERENCE)
    weights = np.hstack([target.weights for target in targets]).astype(np.float32)
    for batch, (cells, neighbors) in enumerate(within):
        theirs = profiles.of_batch(batch, min_cells=thresholds.MIN_CELLS_REFERENCE)
        if not len(theirs):
            continue
        along_all = _smooth(_product(values, cells, weights), neighbors)
        at = 0
        for target in targets:
            along = along_all[:, at : at + len(target.clusters)]
            at += len(target.clusters)
            if target.batch != batch:
                shift = _shift(profiles, centred, sd, target.clusters, theirs)
                conflict = target.conflict(along, (shift / sd)[target.genes])
                table[np.ix_(cells, target.clusters)] = np.rint(conflict * TABLE_STEPS)
    return table


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The pre-clusters of a batch as seen by cells of the others.

    ``mean`` is in pooled standard deviations on the batch's marker ``genes``, minus ``origin``;
    ``weights`` turn a whole profile into its product with each mean.
    """

    batch: int
    clusters: npt.NDArray[np.intp]
    genes: Ints
    mean: Floats
    origin: Floats
    distinct: Floats
    weights: Floats

    def conflict(self, along: npt.NDArray[np.float32], shift: Floats) -> Floats:
        """Return conflict with each pre-cluster, given the cells' products with the means."""
        # |x|² is the same for all pre-clusters of a cell, so it is left out of the distances.
        squared = (self.mean**2).sum(1)
        distance = squared - 2 * (along + self.mean @ (shift - self.origin))
        nearest = distance.argmin(1)
        excess = distance - np.take_along_axis(distance, nearest[:, None], axis=1)
        apart = np.maximum(squared[:, None] + squared - 2 * self.mean @ self.mean.T, 1e-9)
        return np.asarray(np.clip(excess / apart[nearest], 0.0, 1.0) * self.distinct[nearest])


def _targets(profiles: Profiles) -> list[_Target]:
    """Describe every batch that has pre-clusters to be told apart."""
    found = []
    sd = profiles.pooled_sd
    for batch in range(profiles.n_batches):
        own = profiles.of_batch(batch, min_cells=thresholds.MIN_CELLS_REFERENCE)
        if len(own) < 2:
            continue
        distinct, genes = distinctness(profiles, own)
        if len(genes) < thresholds.MIN_GENES_CONFLICT:
            continue
        mean = profiles.mean[np.ix_(own, genes)] / sd[genes]
        origin = mean.mean(0)
        weights = np.zeros((profiles.mean.shape[1], len(own)))
        weights[genes] = ((mean - origin) / sd[genes]).T
        found.append(
            _Target(
                batch=batch,
                clusters=own,
                genes=genes,
                mean=mean - origin,
                origin=origin,
                distinct=distinct,
                weights=weights,
            )
        )
    return found


def _shift(
    profiles: Profiles,
    centred: Floats,
    sd: Floats,
    own: npt.NDArray[np.intp],
    theirs: npt.NDArray[np.intp],
) -> Floats:
    """Estimate what to add to the other batch's profiles to bring them here (genes)."""
    pairs = best_pairs(centred, sd, own, theirs, min_r=thresholds.SHIFT_PARTNER_R)
    if len(pairs) >= thresholds.SHIFT_MIN_PARTNERS:
        return np.asarray(np.median([profiles.mean[x] - profiles.mean[y] for x, y in pairs], 0))
    return np.asarray(profiles.mean[own].mean(0) - profiles.mean[theirs].mean(0))


def _product(
    values: sparse.csr_matrix, cells: Ints, weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return ``values[cells] @ weights``, some thousand cells at a time."""
    # A dense block beats scipy's sparse × dense product at the density of expression data.
    parts = [
        values[cells[at : at + _CHUNK]].toarray() @ weights for at in range(0, len(cells), _CHUNK)
    ]
    return np.concatenate(parts)


def _smooth(rows: npt.NDArray[np.float32], neighbors: Ints) -> npt.NDArray[np.float32]:
    """Average each row with its neighbours' rows."""
    result = rows.copy()
    for column in range(neighbors.shape[1]):
        result += rows[neighbors[:, column]]
    return result / np.float32(neighbors.shape[1] + 1)

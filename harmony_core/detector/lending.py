"""States of each batch, lent to the cells of all others: labels for data that have none.

Each pool of batches has states of its own (`distinct`). Cells of another pool are moved by the
local difference between the two pools and take the nearest of them. After a correction, the loss
of purity of these borrowed labels says which state was merged, as it does of known labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import sparse

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints
from harmony_core.detector.distinct import join_across_batches, merge_alike, merge_connected
from harmony_core.detector.placing import group_means, misplaced_by_chance, nearest_place
from harmony_core.detector.profiles import Profiles, mutually_best, profile
from harmony_core.detector.replaced import MIN_PAIRS, Pair, replaced_pairs
from harmony_core.detector.states import leiden_within_batches, neighbors_within_batches
from harmony_core.detector.wrong_neighbors import apartness, wrong_before


@dataclass(frozen=True, kw_only=True)
class LentStates:
    """States of every pool of batches, and which of them every cell would be.

    Attributes
    ----------
    pool_of
        Pool of each batch.
    state
        State of each cell, among those of its own pool.
    pool
        Pool of each state; the states of a pool follow one another.
    lent
        Pools × cells: the state that each cell borrows from each pool; its own in its own pool, -1
        throughout where a pool has a single state, with which nothing can be told.
    apart
        How far each two states of a pool were apart before (states × states), see
        `harmony_core.detector.wrong_neighbors.apartness`.
    wrong_before
        States × 2: fraction of neighbours of another borrowed label in the uncorrected data (the
        larger of all neighbours and those within pools), over all cells that borrow the state and
        over its own.
    chance
        Loss that each state has by chance alone, when mixed evenly with the cells that borrow it:
        as many of them borrow another state as cells of the pool do when its halves, split at
        random, lend each other their states.
    mean, error
        Expression of each state: mean and squared standard error (states × compared genes).
    pairs
        Matching states of two pools, pairs × 2: each the other's best.
    replaced
        Whether the two of a pair differ as two types do.
    """

    pool_of: Ints
    state: Ints
    pool: Ints
    lent: npt.NDArray[np.int16]
    apart: npt.NDArray[np.float32]
    wrong_before: npt.NDArray[np.float32]
    chance: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    error: npt.NDArray[np.float32]
    pairs: Ints
    replaced: npt.NDArray[np.bool_]

    @property
    def sizes(self) -> Ints:
        """Cells of each state in its own pool."""
        return np.bincount(self.state, minlength=len(self.pool)).astype(np.int32)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as a flat dict of arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, flat: Mapping[str, np.ndarray]) -> LentStates:
        """Rebuild from ``to_arrays``; memory maps stay memory maps."""
        return cls(**{field.name: flat[field.name] for field in fields(cls)})


def lend_states(
    embedding: npt.NDArray[np.float32],
    codes: Ints,
    pool_of: Ints,
    values: sparse.csc_matrix,
    genes: Ints,
    near: Ints,
    *,
    are_genes: bool,
    seed: int,
) -> LentStates:
    """Find the states of each pool and lend them to all cells.

    Parameters
    ----------
    embedding
        Uncorrected components (cells × dimensions).
    codes, pool_of
        Batch of each cell, and pool of each batch.
    values, genes
        Expression (cells × genes, log-normalised) and which of its columns to compare; components
        where ``are_genes`` is False.
    near
        Nearest neighbours in the uncorrected embedding (cells × at least 30).
    seed
        Seeds neighbours and clusters.

    Returns
    -------
    The states and what every cell borrows.
    """
    pools = pool_of[codes].astype(np.int32)
    within = neighbors_within_batches(embedding, pools, seed=seed)
    fine = leiden_within_batches(within, (thresholds.RESOLUTION_FINE,), seed=seed)[0]
    state = _distinct(fine, within, values, genes, are_genes=are_genes)
    state, profiles = _joined(state, codes, pools, values, genes, are_genes=are_genes)
    embedding = np.asarray(embedding, dtype=np.float64)
    place = group_means(embedding, state, len(profiles.sizes))
    apart = apartness(state, profiles.batch, within)
    likeness = _likeness(profiles)
    matches = _matches(profiles, likeness)
    lent = np.full((int(pools.max()) + 1, len(state)), -1, dtype=np.int16)
    chance = np.zeros(len(profiles.sizes), dtype=np.float32)
    smooth = _smoother(within, len(state))
    for pool in range(len(lent)):
        own = np.flatnonzero(profiles.batch == pool)
        if len(own) > 1:
            mine = np.flatnonzero(pools == pool)
            spread = embedding[mine] - place[state[mine]]
            covariance = spread.T @ spread / max(len(spread), 1)
            nearest = _nearest_state(
                pool, own, embedding, state, profiles, place, covariance, likeness
            )
            lent[pool] = own[np.asarray((smooth @ nearest).argmax(1)).ravel()]
            lent[pool, mine] = state[mine]
            misplaced = misplaced_by_chance(
                *(embedding[mine], state[mine] - own[0], covariance, smooth[mine][:, mine]),
                apart=apart[np.ix_(own, own)],
                seed=seed,
            )
            # Where all is mixed evenly, so many neighbours are of other pools.
            borrowers = np.bincount(lent[pool] - own[0], minlength=len(own))
            chance[own] = misplaced * (1 - profiles.sizes[own] / borrowers)
    pairs = np.array(sorted({p for found in matches.values() for p in found}), dtype=np.int32)
    pairs = pairs.reshape(-1, 2)
    replaced = replaced_pairs(profiles, likeness, matches)
    return LentStates(
        pool_of=pool_of,
        state=state,
        pool=profiles.batch,
        lent=lent,
        apart=apart.astype(np.float32),
        wrong_before=wrong_before(lent, state, apart, near, _within(within, len(state))),
        chance=chance,
        mean=profiles.mean.astype(np.float32),
        error=(profiles.variance / profiles.sizes[:, None]).astype(np.float32),
        pairs=pairs,
        replaced=np.array([tuple(p) in replaced for p in pairs.tolist()], dtype=bool),
    )


def _distinct(
    fine: Ints,
    within: Sequence[tuple[Ints, Ints]],
    values: sparse.csc_matrix,
    genes: Ints,
    *,
    are_genes: bool,
) -> Ints:
    """Merge the fine clusters of each pool to states, numbered through the pools."""
    state = np.zeros(len(fine), dtype=np.int32)
    pools = np.zeros(len(fine), dtype=np.int32)
    parts = profile(values, genes, fine, pools, are_genes=are_genes)
    n = parts.sizes.astype(float)
    total = parts.mean * n[:, None]
    squares = (parts.variance + parts.mean**2) * n[:, None]
    offset = 0
    for cells, neighbors in within:
        if not len(cells):
            continue
        clusters, own = np.unique(fine[cells], return_inverse=True)
        group: Ints = np.zeros(len(clusters), dtype=np.int32)
        if neighbors.shape[1]:
            group = merge_connected(own, neighbors)
        if are_genes:
            group = merge_alike(group, n[clusters], total[clusters], squares[clusters])
        state[cells] = group[own] + offset
        offset += int(group.max()) + 1
    return state


def _joined(
    state: Ints,
    codes: Ints,
    pools: Ints,
    values: sparse.csc_matrix,
    genes: Ints,
    *,
    are_genes: bool,
) -> tuple[Ints, Profiles]:
    """Join the states that only their batches tell apart, and describe what there is then."""
    batches = np.unique(codes, return_inverse=True)[1].astype(np.int32)
    batch_mean = profile(values, genes, batches, batches, are_genes=are_genes).mean
    while True:
        profiles = profile(values, genes, state, pools, are_genes=are_genes)
        part = _parts(state, batches)
        alike = _correlation((profiles.mean - part @ batch_mean) / profiles.pooled_sd)
        joined = join_across_batches(state, profiles.batch, part, alike)
        if joined.max() == state.max():
            return state, profiles
        state = joined


def _parts(state: Ints, batches: Ints) -> Floats:
    """Return which part of each state's cells each batch has (states × batches)."""
    n, n_batches = int(state.max()) + 1, int(batches.max()) + 1
    held = np.bincount(state * n_batches + batches, minlength=n * n_batches).reshape(n, n_batches)
    return np.asarray(held / held.sum(1, keepdims=True))


def _correlation(rows: Floats) -> Floats:
    rows = rows - rows.mean(1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    return np.asarray(rows @ rows.T)


def _likeness(profiles: Profiles) -> Floats:
    """Correlate the states' profiles, each minus its pool's mean (states × states).

    Large states count no more than the pool's median in that mean, so that composition matters
    little.
    """
    centred = profiles.mean.copy()
    for pool in range(profiles.n_batches):
        own = np.flatnonzero(profiles.batch == pool)
        if len(own):
            weight = np.minimum(profiles.sizes[own], np.median(profiles.sizes[own]))
            centred[own] -= np.average(profiles.mean[own], axis=0, weights=weight)
    return _correlation(centred / profiles.pooled_sd)


def _matches(profiles: Profiles, likeness: Floats) -> dict[Pair, list[Pair]]:
    """Return the mutually best states of each two pools, the lower pool first."""
    found: dict[Pair, list[Pair]] = {}
    states = [np.flatnonzero(profiles.batch == pool) for pool in range(profiles.n_batches)]
    for a, own in enumerate(states):
        for b in range(a + 1, len(states)):
            theirs = states[b]
            if len(own) > 1 and len(theirs) > 1:
                best = mutually_best(likeness[np.ix_(own, theirs)], thresholds.SHIFT_PARTNER_R)
                found[a, b] = [(int(own[i]), int(theirs[j])) for i, j in best]
    return found


def _nearest_state(
    pool: int,
    own: Ints,
    embedding: Floats,
    state: Ints,
    profiles: Profiles,
    place: Floats,
    covariance: Floats,
    likeness: Floats,
) -> Floats:
    """Return for each cell which state of the pool is nearest, as ones (cells × its states)."""
    nearest = np.zeros((len(state), len(own)), dtype=np.float32)
    inside = np.isin(state, own)
    nearest[inside, state[inside] - own[0]] = 1
    for other in range(profiles.n_batches):
        theirs = np.flatnonzero(profiles.batch == other)
        if other == pool or not len(theirs):
            continue
        cells = np.flatnonzero(np.isin(state, theirs))
        shift, uncertain = _local_shift(own, theirs, profiles.sizes, place, likeness)
        moved = embedding[cells] + shift[state[cells] - theirs[0]]
        nearest[cells, nearest_place(moved, place[own], covariance + uncertain)] = 1
    return nearest


def _local_shift(
    own: Ints, theirs: Ints, sizes: Ints, place: Floats, likeness: Floats
) -> tuple[Floats, Floats]:
    """Estimate what moves each of another pool's states to this one.

    Returns
    -------
    Shifts (their states × dimensions), and how far the matching pairs disagree about it
    (dimensions × dimensions).
    """
    pairs = mutually_best(likeness[np.ix_(own, theirs)], thresholds.SHIFT_PARTNER_R)
    none = np.zeros((place.shape[1], place.shape[1]))
    if not pairs:
        common = place[own].mean(0) - place[theirs].mean(0)
        return np.tile(common, (len(theirs), 1)), none
    difference = np.array([place[own[i]] - place[theirs[j]] for i, j in pairs])
    if len(pairs) < MIN_PAIRS:
        weight = [min(sizes[own[i]], sizes[theirs[j]], 100) for i, j in pairs]
        return np.tile(np.average(difference, axis=0, weights=weight), (len(theirs), 1)), none
    median = np.median(difference, axis=0)
    around = difference - median
    alike = np.clip(likeness[np.ix_(theirs, theirs[[j for _, j in pairs]])], 0, 1) ** 2
    shift = (alike @ difference + median) / (alike.sum(1, keepdims=True) + 1)
    return shift, around.T @ around / len(pairs)


def _smoother(within: Sequence[tuple[Ints, Ints]], n_cells: int) -> sparse.csr_matrix:
    """Return what averages each cell with its neighbours of the same pool (cells × cells)."""
    rows, columns, data = [], [], []
    for cells, neighbors in within:
        near = np.hstack([np.arange(len(cells))[:, None], neighbors])
        rows.append(np.repeat(cells, near.shape[1]))
        columns.append(cells[near].ravel())
        data.append(np.full(near.size, 1 / max(near.shape[1], 1), dtype=np.float32))
    parts = (np.concatenate(data), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(parts, shape=(n_cells, n_cells))


def _within(within: Sequence[tuple[Ints, Ints]], n_cells: int) -> Ints:
    """Return the neighbours within pools as positions of cells; in a lone pool's place, the cell.

    A pool of few cells has fewer neighbours than others; its rows repeat them.
    """
    k = thresholds.N_NEIGHBORS_REFERENCE
    near = np.repeat(np.arange(n_cells, dtype=np.int32)[:, None], k, axis=1)
    for cells, neighbors in within:
        if neighbors.shape[1]:
            near[cells] = cells[neighbors[:, np.arange(k) % neighbors.shape[1]]]
    return near

"""Types that replace each other: matching states of two pools that are two types all the same.

Each is in one pool only, so each is the other's best match, and borrowed labels don't see them
merge. They are outliers among the matching pairs of their pools, which show what the batches do to
a type: in what is left of their difference, in correlation, and in the markers that one lacks of
the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harmony_core import thresholds
from harmony_core._typing import Floats, Ints
from harmony_core.detector.profiles import Profiles, distinctness, markers

Pair = tuple[int, int]

MIN_PAIRS = 3
"""Matching states of two pools from which their local difference, or an outlier, can be told."""


def replaced_pairs(
    profiles: Profiles, likeness: Floats, matches: Mapping[Pair, Sequence[Pair]]
) -> set[Pair]:
    """Tell the matching pairs that are two types from those that are one.

    Parameters
    ----------
    profiles
        Of the states, with pools in the place of batches.
    likeness
        Correlation of the states' profiles (states × states).
    matches
        Pairs of matching states of each two pools.

    Returns
    -------
    The pairs that replace each other; none where components were compared, or of pools with fewer
    than three pairs.
    """
    if not profiles.are_genes:
        return set()
    lost = _LostMarkers.of(profiles)
    found: set[Pair] = set()
    for pools, pairs in matches.items():
        own, theirs = (
            profiles.of_batch(p, min_cells=thresholds.MIN_CELLS_REFERENCE) for p in pools
        )
        big = [pair for pair in pairs if pair[0] in own and pair[1] in theirs]
        if len(big) >= MIN_PAIRS:
            left = _left_over(profiles, big, own, theirs)
            r = np.array([likeness[pair] for pair in big])
            missing = np.array([lost.between(*pair) for pair in big])
            found |= {pair for at, pair in enumerate(big) if _is_outlier(at, left, r, missing)}
    return found


def _is_outlier(at: int, left: Floats, r: Floats, lost: Floats) -> bool:
    """Whether one pair differs from the others as two types do.

    Either by far in difference and correlation, or by less where no other pair comes near it in
    difference, correlation and markers alike.
    """
    others = [np.delete(values, at) for values in (left, r, lost)]
    usual = thresholds.REPLACED_RATIO * float(np.median(others[0]))
    is_far = (
        left[at] > max(thresholds.REPLACED_DIFFERENCE, usual)
        and r[at] < np.median(others[1]) - thresholds.REPLACED_R
    )
    is_worst = (
        left[at] > max(thresholds.REPLACED_ALONE, usual)
        and r[at] < others[1].min()
        and lost[at] > thresholds.REPLACED_LOST * max(others[2].max(), thresholds.REPLACED_LOST_MIN)
    )
    return bool(is_far or is_worst)


def _left_over(
    profiles: Profiles,
    pairs: Sequence[Pair],
    own: npt.NDArray[np.intp],
    theirs: npt.NDArray[np.intp],
) -> Floats:
    """Return what is left of each pair's difference when that of the others is taken off.

    Returns
    -------
    Squared, over that of the nearest two states of a pool; zeros where no gene tells those apart.
    """
    genes = np.union1d(distinctness(profiles, own)[1], distinctness(profiles, theirs)[1])
    if len(genes) < thresholds.MIN_GENES_CONFLICT:
        return np.zeros(len(pairs))
    scale = profiles.pooled_sd[genes]
    mean = profiles.mean[:, genes] / scale
    noise = (profiles.variance[:, genes] / profiles.sizes[:, None] / scale**2).sum(1)
    nearest = {x: _nearest_other(mean, noise, x, own) for x, _ in pairs}
    nearest |= {y: _nearest_other(mean, noise, y, theirs) for _, y in pairs}
    difference = np.array([mean[x] - mean[y] for x, y in pairs])
    left = np.zeros(len(pairs))
    for at, (x, y) in enumerate(pairs):
        others = np.delete(difference, at, axis=0)
        common = np.median(others, axis=0) if len(others) >= MIN_PAIRS else others.mean(0)
        apart = ((difference[at] - common) ** 2).sum() - noise[x] - noise[y]
        left[at] = max(apart, 0) / max(nearest[x], nearest[y], 1e-9)
    return left


def _nearest_other(mean: Floats, noise: Floats, state: int, states: npt.NDArray[np.intp]) -> float:
    """Squared distance to the nearest other state of the pool, beyond what noise gives."""
    others = states[states != state]
    squared = ((mean[others] - mean[state]) ** 2).sum(1) - noise[others] - noise[state]
    return float(squared.min())


@dataclass(frozen=True)
class _LostMarkers:
    """Markers of each state within its pool, and every state's z there (states × genes)."""

    genes: Ints
    z: Floats

    @classmethod
    def of(cls, profiles: Profiles) -> _LostMarkers:
        """Find the markers of all states."""
        mean, sd = _pool_moments(profiles)
        genes, _ = markers(profiles, mean, sd)
        pool = profiles.batch
        return cls(genes, (profiles.mean - mean[pool]) / (sd[pool] + thresholds.Z_SD_FLOOR))

    def between(self, one: int, other: int) -> float:
        """Return the part of the two states' markers that the other state lacks, their mean."""
        parts = [self._lost(a, b) for a, b in ((one, other), (other, one))]
        known = [part for part in parts if part is not None]
        return float(np.mean(known)) if known else 0.0

    def _lost(self, one: int, other: int) -> float | None:
        genes = self.genes[one]
        genes = genes[genes >= 0]
        if not len(genes):
            return None
        return float((self.z[other, genes] < thresholds.MARKER_KEPT * self.z[one, genes]).mean())


def _pool_moments(profiles: Profiles) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the cells of each pool (pools × genes)."""
    shape = (profiles.n_batches, profiles.mean.shape[1])
    mean, sd = np.zeros(shape), np.ones(shape)
    for pool in range(profiles.n_batches):
        own = profiles.of_batch(pool, min_cells=1)
        if len(own):
            weight = profiles.sizes[own]
            mean[pool] = np.average(profiles.mean[own], axis=0, weights=weight)
            square = profiles.variance[own] + profiles.mean[own] ** 2
            sd[pool] = np.sqrt(
                np.maximum(np.average(square, axis=0, weights=weight) - mean[pool] ** 2, 0)
            )
    return mean, sd

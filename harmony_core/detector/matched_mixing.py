"""Matched-cluster mixing: did the clusters that correspond across batches come together?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harmony_core import thresholds
from harmony_core._typing import Ints
from harmony_core.detector.reference import Partition, Reference


@dataclass(frozen=True, kw_only=True)
class MatchedMixing:
    """Matched-cluster mixing of one embedding.

    Parameters
    ----------
    mcm
        Mean over the pairs, weighted by size; ``None`` where no pre-clusters match.
    pairs
        Pre-clusters and their partners, each pair in both directions (n × 2).
    mixing
        Of each of those, 0 (apart) to 1 (as mixed as their sizes allow).
    """

    mcm: float | None
    pairs: Ints
    mixing: npt.NDArray[np.float64]


def matched_mixing(reference: Reference, indices: Ints) -> MatchedMixing:
    """Compute matched-cluster mixing from the neighbours in any embedding of the same cells.

    For a pre-cluster and its partner in another batch: the partner batch's fraction of those of its
    neighbours that are in the two batches, over the fraction expected if the two pre-clusters were
    fully mixed, at most 1.

    Parameters
    ----------
    reference
        Of the uncorrected data.
    indices
        Nearest neighbours, cells × at least one, itself left out; the first 30 are used.

    Returns
    -------
    Mean and each pair's mixing.
    """
    partition = reference.matching
    pairs = np.vstack([partition.partners, partition.partners[:, ::-1]])
    if not len(pairs):
        return MatchedMixing(mcm=None, pairs=pairs, mixing=np.zeros(0))
    by_batch = _neighbor_batches(reference, partition, indices[:, : thresholds.N_NEIGHBORS])
    own, partner = pairs.T
    to_partner = by_batch[own, partition.batch[partner]]
    in_both = to_partner + by_batch[own, partition.batch[own]]
    expected = partition.sizes[partner] / (partition.sizes[own] + partition.sizes[partner])
    mixing = np.minimum(to_partner / np.maximum(in_both, 1) / expected, 1.0)
    mcm = float(np.average(mixing, weights=partition.sizes[own]))
    return MatchedMixing(mcm=mcm, pairs=pairs, mixing=mixing)


def _neighbor_batches(reference: Reference, partition: Partition, indices: Ints) -> Ints:
    """Count the neighbours of each pre-cluster by batch (pre-clusters × batches)."""
    n_batches = reference.n_batches
    keys = partition.pre[:, None].astype(np.int64) * n_batches + reference.codes[indices]
    n_clusters = len(partition.sizes)
    counts = np.bincount(keys.ravel(), minlength=n_clusters * n_batches)
    return counts.reshape(n_clusters, n_batches).astype(np.int32)

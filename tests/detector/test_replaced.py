"""Types that replace each other are told from types that a batch changes."""

from __future__ import annotations

import numpy as np
import pytest

from harmony_core.detector.profiles import Profiles, mutually_best
from harmony_core.detector.replaced import replaced_pairs

N_TYPES, N_GENES = 6, 300
MARKERS = 12


def pools(
    *, unlike: float = 0.0, shifted: float = 0.0, are_genes: bool = True, n_types: int = N_TYPES
) -> tuple[Profiles, np.ndarray, dict[tuple[int, int], list[tuple[int, int]]]]:
    """Two pools of the same types, each type with markers of its own, but for one.

    Of the first type of the second pool, a part of the markers is other genes (``unlike``), or all
    genes are changed (``shifted``), as a batch effect of this type does.
    """
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 1.5, N_GENES)
    one = np.tile(base, (n_types, 1))
    for t in range(n_types):
        one[t, MARKERS * t : MARKERS * (t + 1)] += 2.5
    other = one + rng.normal(0, 0.1, N_GENES)
    n = round(unlike * MARKERS)
    other[0, :n] -= 2.5
    other[0, 250 : 250 + n] += 2.5
    other[0] += rng.normal(0, shifted, N_GENES)
    mean = np.vstack([one, other])
    profiles = Profiles(
        sizes=np.full(2 * n_types, 120, dtype=np.int32),
        batch=np.repeat([0, 1], n_types).astype(np.int32),
        mean=mean,
        variance=np.full_like(mean, 0.4),
        are_genes=are_genes,
    )
    centred = mean.copy()
    for pool in (0, 1):
        centred[profiles.batch == pool] -= mean[profiles.batch == pool].mean(0)
    likeness = np.corrcoef(centred)
    best = mutually_best(likeness[:n_types, n_types:], 0.3)
    return profiles, likeness, {(0, 1): [(i, n_types + j) for i, j in best]}


@pytest.mark.parametrize("part", [0.5, 0.17])
def test_a_type_with_other_markers_is_two_types(part: float) -> None:
    assert replaced_pairs(*pools(unlike=part)) == {(0, N_TYPES)}


def test_types_that_are_the_same_are_not() -> None:
    assert replaced_pairs(*pools()) == set()


def test_a_batch_effect_that_leaves_the_markers_is_none_of_it() -> None:
    profiles, likeness, matches = pools(shifted=0.2)
    assert (0, N_TYPES) in matches[0, 1]
    assert replaced_pairs(profiles, likeness, matches) == set()


def test_what_cant_be_compared_is_not_called_two_types() -> None:
    assert replaced_pairs(*pools(unlike=0.5, are_genes=False)) == set()
    assert replaced_pairs(*pools(unlike=0.5, n_types=2)) == set()

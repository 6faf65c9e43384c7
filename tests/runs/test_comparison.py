"""Comparing two results: numbers against direct counting, and against changes made on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.runs.comparison import compare

RNG = np.random.default_rng(0)
CENTRES = 20 * np.eye(4, 6)
GROUPS = np.repeat([0, 1, 2, 3], 100)
FIRST = (CENTRES[GROUPS] + RNG.normal(size=(400, 6))).astype(np.float32)


def near(embedding: NDArray[np.float32]) -> NDArray[np.int32]:
    return nearest_neighbors(embedding, 40).indices


def test_the_same_result_has_not_changed() -> None:
    found = compare((FIRST, FIRST), (near(FIRST), near(FIRST)), (GROUPS, GROUPS))
    assert found.replaced.max() == found.moved.max() == found.regrouped == 0
    assert found.merged == found.split == {}
    assert not found.farthest().any()


def test_numbering_clusters_anew_is_no_change() -> None:
    renumbered = np.array([2, 0, 3, 1])[GROUPS]
    found = compare((FIRST, FIRST), (near(FIRST), near(FIRST)), (GROUPS, renumbered))
    assert found.regrouped == 0
    assert found.merged == found.split == {}


def test_replaced_neighbours_are_counted() -> None:
    second = FIRST + RNG.normal(size=FIRST.shape).astype(np.float32)
    a, b = near(FIRST), near(second)
    found = compare((FIRST, second), (a, b), (GROUPS, GROUPS))
    counted = [1 - len(set(x[:30]) & set(y[:30])) / 30 for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found.replaced, counted, atol=1e-6)


def test_merged_and_split_clusters_are_named() -> None:
    merged = np.array([0, 0, 1, 2])[GROUPS]
    same = (FIRST, FIRST), (near(FIRST), near(FIRST))
    there = compare(*same, (GROUPS, merged))
    assert (there.merged, there.split) == ({0: (0, 1)}, {})
    back = compare(*same, (merged, GROUPS))
    assert (back.merged, back.split) == ({}, {0: (0, 1)})
    assert there.regrouped == back.regrouped == pytest.approx(0.25)


def test_the_cells_that_were_moved_are_found() -> None:
    second = FIRST.copy()
    second[[3, 250]] += 30
    found = compare((FIRST, second), (near(FIRST), near(second)), (GROUPS, GROUPS))
    assert np.flatnonzero(found.farthest(2 / 400)).tolist() == [3, 250]
    assert np.flatnonzero(found.farthest(0.5)).tolist() == [3, 250]

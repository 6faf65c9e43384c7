"""How far cells are moved and whose neighbours they stay: against sets and dense distances."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances

from harmony_core.metrics.movement import (
    displacement,
    distance_moved,
    is_shared,
    neighbors_replaced,
    radius,
)
from tests.metrics.brute_force import neighbours


def test_neighbours_replaced_equals_set_difference():
    rng = np.random.default_rng(4)
    before, _ = neighbours(rng.normal(size=(80, 3)), 40)
    after, _ = neighbours(rng.normal(size=(80, 3)), 40)
    expected = [len(set(a[:30]) - set(b[:30])) / 30 for a, b in zip(before, after, strict=True)]
    np.testing.assert_allclose(neighbors_replaced(before, after), expected, rtol=1e-6)
    assert neighbors_replaced(before, before).max() == 0
    assert neighbors_replaced(before[:, :5], after).shape == (80,)


def test_displacement_equals_a_dense_computation():
    rng = np.random.default_rng(5)
    before, shift = rng.normal(size=(100, 4)) * 5, rng.normal(size=(100, 4))
    clusters = np.arange(100) % 4
    centres = np.array([before[clusters == c].mean(axis=0) for c in range(4)])
    to_centre = pairwise_distances(before, centres)
    to_centre[np.arange(100), clusters] = np.inf
    expected = np.linalg.norm(shift, axis=1) / to_centre.min(axis=1)
    found = displacement(before, before + shift, clusters)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert displacement(before, before, clusters).max() == 0


def test_displacement_without_another_cluster_or_without_a_cluster():
    X = np.random.default_rng(6).normal(size=(20, 2))
    assert np.isnan(displacement(X, X + 1, np.zeros(20, int))).all()
    assert np.isnan(displacement(X, X + 1, np.full(20, -1))).all()
    with_gap = np.array([-1] + [0] * 10 + [3] * 9)
    assert np.isfinite(displacement(X, X + 1, with_gap)).all()


def test_shared_neighbours_in_graphs_of_different_widths() -> None:
    rng = np.random.default_rng(7)
    first, second = (rng.permuted(np.tile(np.arange(50), (5_000, 1)), axis=1) for _ in range(2))
    found = is_shared(first[:, :12], second[:, :20])
    assert found.shape == (5_000, 12)
    rows = zip(first[:, :12], second[:, :20], strict=True)
    assert (found == [np.isin(one, other) for one, other in rows]).all()


def test_distances_moved_and_the_radius_of_an_embedding() -> None:
    X = np.array([[0, 0], [2, 0], [0, 2], [2, 2]], dtype=np.float32)
    assert distance_moved(X, X + np.float32([3, 4])).tolist() == [5, 5, 5, 5]
    np.testing.assert_allclose(radius(X), np.sqrt(2), rtol=1e-6)
    assert radius(np.zeros((3, 2))) > 0

"""Places of states, and how often chance alone takes another."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist

from harmony_core.detector.placing import group_means, misplaced_by_chance, nearest_place

RNG = np.random.default_rng(5)
APART = 1.0 - np.eye(4)
"""Every state counts in full against each other."""


def test_nearest_place_equals_scipys_distances() -> None:
    points, places = RNG.normal(size=(50, 4)), RNG.normal(size=(6, 4))
    metric = np.cov(RNG.normal(size=(100, 4)).T)
    ridge = 0.05 * np.trace(metric) / 4 + 1e-6
    inverse = np.linalg.inv(metric + ridge * np.eye(4))
    expected = cdist(points, places, "mahalanobis", VI=inverse).argmin(1)
    np.testing.assert_array_equal(nearest_place(points, places, metric), expected)


def test_group_means_by_hand_and_none_of_no_cells() -> None:
    means = group_means(np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 2]), 3)
    np.testing.assert_array_equal(means[[0, 2], 0], [2.0, 8.0])
    assert np.isnan(means[1, 0])


def test_chance_takes_nothing_of_states_apart_and_half_of_states_that_are_one() -> None:
    """Two states are apart; a third and a fourth are one cloud, told apart by lot."""
    centre = np.repeat([0.0, 30.0, 60.0, 60.0], 200)
    cells = np.column_stack([centre, np.zeros(800)]) + RNG.normal(size=(800, 2))
    state = np.repeat(np.arange(4), 200)
    alone = sparse.eye_array(800, format="csr")
    found = misplaced_by_chance(cells, state, np.eye(2), alone, apart=APART, seed=0)
    np.testing.assert_array_equal(found[:2], 0)
    assert 0.35 < found[2:].mean() < 0.65
    again = misplaced_by_chance(cells, state, np.eye(2), alone, apart=APART, seed=0)
    np.testing.assert_array_equal(found, again)

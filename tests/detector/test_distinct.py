"""States of a pool that only their batches tell apart."""

from __future__ import annotations

import numpy as np

from harmony_core.detector.distinct import join_across_batches

LIKE = np.array(
    [
        [1.0, 0.9, -0.5, -0.4],
        [0.9, 1.0, -0.4, -0.5],
        [-0.5, -0.4, 1.0, 0.8],
        [-0.4, -0.5, 0.8, 1.0],
    ]
)
STATE = np.repeat(np.arange(4), 20)
POOL = np.zeros(4, dtype=int)
APART = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
"""Of each state's cells, how many are in each of two batches."""


def test_two_halves_of_a_type_in_two_batches_are_one_and_two_types_of_a_batch_are_two() -> None:
    """States 0 and 1 share no batch; 2 and 3 are as alike, but both are in both batches."""
    part = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    joined = join_across_batches(STATE, POOL, part, LIKE)
    assert joined.tolist() == np.repeat([0, 0, 1, 2], 20).tolist()


def test_a_state_that_one_batch_lacks_is_not_joined_with_what_it_does_not_resemble() -> None:
    unlike = np.where(LIKE > 0.85, np.where(np.eye(4), 1.0, 0.2), LIKE)
    assert join_across_batches(STATE, POOL, APART, unlike).tolist() == STATE.tolist()


def test_states_of_two_pools_are_never_joined() -> None:
    pool = np.array([0, 1, 1, 1])
    assert join_across_batches(STATE, pool, APART, LIKE).tolist() == STATE.tolist()

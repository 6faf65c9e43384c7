"""Neighbours of selected cells: counted one by one, with a few and with many cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from harmony_core.runs import neighbor_change as module
from harmony_core.runs.neighbor_change import neighbor_change


def lists(n_cells: int, k: int, seed: int) -> NDArray[np.int32]:
    """Return neighbours by chance; no cell is its neighbour twice."""
    rng = np.random.default_rng(seed)
    shifts = 1 + rng.permuted(np.tile(np.arange(n_cells - 1), (n_cells, 1)), axis=1)[:, :k]
    return ((np.arange(n_cells)[:, None] + shifts) % n_cells).astype(np.int32)


def test_kept_and_new_neighbours_are_those_counted_one_by_one() -> None:
    n = 80
    before, after = lists(n, 40, 1), lists(n, 40, 2)
    batches = np.arange(n) % 3
    selected = np.zeros(n, dtype=bool)
    selected[5:35] = True
    change = neighbor_change(selected, (before, after), batches, 4)
    kept: dict[int, list[bool]] = {b: [] for b in range(3)}
    origin = np.zeros((4, 4))
    for cell in np.flatnonzero(selected):
        had = set(before[cell, :30].tolist())
        for neighbor in after[cell, :30].tolist():
            kept[batches[cell]].append(neighbor in had)
            if neighbor not in had:
                origin[batches[cell], batches[neighbor]] += 1
    assert change.cells.tolist() == [10, 10, 10, 0]
    assert change.retained[:3].tolist() == pytest.approx([np.mean(kept[b]) for b in range(3)])
    assert math.isnan(change.retained[3])
    parts = origin[:3] / origin[:3].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(change.origin[:3], parts)
    assert change.retained_by_all == pytest.approx(np.mean(np.concatenate(list(kept.values()))))
    np.testing.assert_allclose(change.origin_for_all, origin.sum(axis=0) / origin.sum())


def test_where_nothing_changed_no_neighbour_is_new() -> None:
    same = lists(40, 30, 1)
    change = neighbor_change(np.ones(40, dtype=bool), (same, same), np.zeros(40, dtype=int), 1)
    assert change.retained_by_all == 1
    assert np.isnan(change.origin_for_all).all()


def test_a_large_selection_is_told_from_evenly_spread_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n = 2000
    before, after = lists(n, 30, 1), lists(n, 30, 2)
    after[: n // 2] = before[: n // 2]
    selected, batches = np.ones(n, dtype=bool), (np.arange(n) >= n // 2).astype(int)
    exact = neighbor_change(selected, (before, after), batches, 2)
    monkeypatch.setattr(module, "MOST_CELLS", 500)
    change = neighbor_change(selected, (before, after), batches, 2)
    assert change.cells.tolist() == [n // 2, n // 2]
    assert change.retained[0] == 1
    assert change.retained_by_all == pytest.approx(exact.retained_by_all, abs=0.005)
    np.testing.assert_allclose(change.origin_for_all, exact.origin_for_all, atol=0.01)

"""What is measured against the known truth, at its limits."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.truth import true_mixing, true_overcorrection


def test_truth_of_overcorrection_at_its_limits():
    types = np.repeat(["X", "Y"], 40)
    block = np.arange(80).reshape(2, 40)
    pure = np.vstack([np.tile(row[:30], (40, 1)) for row in block])
    swapped = pure[::-1]
    kept = true_overcorrection(pure, pure, pure, types)
    lost = true_overcorrection(swapped, pure, swapped, types)
    assert kept.worst == 0
    assert lost.rise == {"X": 1.0, "Y": 1.0}
    assert true_overcorrection(swapped, swapped, swapped, types).worst == 0


def test_truth_of_mixing_at_its_limits():
    types = np.repeat(["X", "Y"], 40)
    batch = np.tile(np.repeat(["A", "B"], 20), 2)
    own_batch = np.vstack([np.tile(np.arange(i, i + 20), (20, 1)) for i in (0, 20, 40, 60)])
    all_of_type = np.vstack([np.tile(np.arange(i, i + 40), (40, 1)) for i in (0, 40)])
    even = all_of_type[:, np.r_[0:15, 20:35]]
    assert true_mixing(own_batch, types, batch) == 0
    assert true_mixing(even, types, batch) == pytest.approx(0.5 * 39 / 20)
    assert np.isnan(true_mixing(even, types, types))

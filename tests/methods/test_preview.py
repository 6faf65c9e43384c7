"""The quick picture: every batch and group is there, and it looks like the full one."""

from __future__ import annotations

import numpy as np
import pytest

from harmony_core.methods import preview as module
from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.methods.preview import landmarks, preview
from harmony_core.methods.umap import fuzzy_graph, layout, start_from_embedding
from harmony_core.params import GraphParams, LayoutParams

RNG = np.random.default_rng(0)
N = 3000
GROUP = RNG.integers(0, 6, N)
X = (8 * RNG.normal(size=(6, 10))[GROUP] + RNG.normal(size=(N, 10))).astype(np.float32)
START = start_from_embedding(X)


@pytest.fixture
def few_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST", 600)


def test_small_data_are_their_own_landmarks() -> None:
    np.testing.assert_array_equal(landmarks(START, np.zeros(N, dtype=int)), np.arange(N))


@pytest.mark.usefixtures("few_landmarks")
def test_landmarks_come_from_every_batch_in_proportion() -> None:
    batch = (np.arange(N) >= 2700).astype(int)
    batch[[5, 900]] = 2
    chosen = landmarks(START, batch)
    assert (np.diff(chosen) > 0).all()
    assert {5, 900} <= set(chosen.tolist())
    assert np.mean(batch[chosen] == 0) == pytest.approx(0.9, abs=0.2)
    assert 600 <= len(chosen) < 1500
    np.testing.assert_array_equal(chosen, landmarks(START, batch))


@pytest.mark.usefixtures("few_landmarks")
def test_the_preview_shows_what_the_full_picture_shows() -> None:
    moved = X + np.float32(0.5) * RNG.normal(size=X.shape).astype(np.float32)
    chosen = landmarks(START, np.zeros(N, dtype=int))
    quick = preview(moved, START, chosen, GraphParams(), LayoutParams())
    graph = fuzzy_graph(nearest_neighbors(moved, 30), GraphParams())
    full = layout(graph, START, LayoutParams(), epochs=60, rate=0.25)
    assert quick.shape == (N, 2)
    for positions in (quick, full):
        near = nearest_neighbors(positions, 15).indices
        assert np.mean(GROUP[near] == GROUP[:, None]) > 0.98
    # Groups stand where they stand in the full picture.
    centres = [np.stack([p[g == GROUP].mean(axis=0) for g in range(6)]) for p in (quick, full)]
    assert np.linalg.norm(centres[0] - centres[1], axis=1).max() < 0.25 * np.ptp(START)

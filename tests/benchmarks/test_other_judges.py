"""Scores of other tools: against their definitions, written out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.other_judges import (
    graph_consensus,
    ldf_differences,
    scgraph,
    type_distances,
)


def plain_factor(points: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The local density factor as Latecki et al. write it, with c = 0.5."""
    n, dimensions = points.shape
    density = np.zeros(n)
    for x in range(n):
        for y in near[x]:
            width = math.dist(points[y], points[near[y][-1]])
            reach = max(width, math.dist(points[x], points[y]))
            kernel = math.exp(-(reach**2) / (2 * width**2))
            density[x] += kernel / ((2 * math.pi) ** (dimensions / 2) * width**dimensions)
        density[x] /= len(near[x])
    around = np.array([density[row].mean() for row in near])
    return around / (density + 0.5 * around)


def plain_near(points: np.ndarray, k: int) -> np.ndarray:
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1)[:, :k]


def test_ldf_difference_equals_the_written_out_definition():
    rng = np.random.default_rng(1)
    before = rng.normal(size=(60, 4))
    after = before * rng.uniform(0.3, 1.5, (60, 1))
    batch = np.repeat(["A", "B", "C"], [35, 23, 2])
    found = ldf_differences(before, after, batch, n_neighbors=7, n_dimensions=3)
    for name in "AB":
        cells = batch == name
        near = plain_near(before[cells, :3], 7)
        expected = plain_factor(after[cells, :3], near) - plain_factor(before[cells, :3], near)
        np.testing.assert_allclose(found[cells], expected, atol=1e-9)
    assert np.isnan(found[batch == "C"]).all()
    assert np.abs(found[:58]).max() > 0.1


def test_ldf_difference_is_zero_where_batches_only_move():
    rng = np.random.default_rng(2)
    before = rng.normal(size=(80, 5))
    batch = np.repeat(["A", "B"], 40)
    moved = 3 * before + np.where(batch == "A", 10.0, -10.0)[:, None]
    np.testing.assert_allclose(ldf_differences(before, moved, batch), 0, atol=1e-9)


def test_type_distances_are_of_trimmed_centroids_and_scaled():
    points = np.array([[0.0], [0], [0], [0], [50], [3], [3], [3], [3], [3], [7], [7]])
    labels = np.array([*"aaaaabbbbbcc"])
    found = type_distances(points, labels, ["a", "b", "c", "absent"])
    expected = [[0, 3 / 4, 1], [3 / 7, 0, 4 / 7], [1, 1, 0]]
    np.testing.assert_allclose(found.to_numpy(), np.array(expected).T[[0, 1, 2]].T, atol=1e-12)


def test_scgraph_weighs_close_types_most():
    points = np.array([[0.0, 0], [1, 0], [5, 1], [9, 9]]).repeat(5, axis=0)
    labels = np.repeat([*"abcd"], 5)
    consensus = type_distances(points, labels, [*"abcd"])
    assert scgraph(points, labels, consensus) == pytest.approx(1)
    moved = points.copy()
    moved[labels == "b"] = [5, 3]
    found = type_distances(moved, labels, [*"abcd"])
    scores = []
    for name in "abcd":
        x, y = (table[name].drop(name).to_numpy() for table in (found, consensus))
        w = (1 / y) / (1 / y).sum()
        dx, dy = x - (w * x).sum(), y - (w * y).sum()
        scores.append((w * dx * dy).sum() / np.sqrt((w * dx**2).sum() * (w * dy**2).sum()))
    assert scgraph(moved, labels, consensus) == pytest.approx(np.mean(scores))
    assert np.mean(scores) < 0.9


def test_consensus_comes_from_batches_large_enough_and_averages_them():
    rng = np.random.default_rng(3)
    labels = np.array([*"abc"] * 80 + ["rare"] * 5)
    batch = np.array(["one"] * 120 + ["two"] * 120 + ["tiny"] * 5)
    profile = {name: rng.gamma(2, 1, 60) for name in ["a", "b", "c", "rare"]}
    profile["c"] = profile["a"] + 0.1 * profile["b"]  # close to a
    expression = np.log1p([rng.poisson(4 * profile[name]) for name in labels]).astype(np.float32)
    found = graph_consensus(expression, batch, labels)
    assert list(found.columns) == [*"abc"]
    assert found.loc["c", "a"] < found.loc["b", "a"] == 1
    one = graph_consensus(expression[:120], batch[:120], labels[:120])
    two = graph_consensus(expression[120:], batch[120:], labels[120:])
    mean = (one + two) / 2
    pd.testing.assert_frame_equal(found, mean / mean.max(axis=0), check_exact=False)
    assert graph_consensus(expression[:60], batch[:60], labels[:60]) is None

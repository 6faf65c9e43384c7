"""Mixing numbers against harmonypy, published values, scipy, and their own limits."""

from __future__ import annotations

from pathlib import Path

import harmonypy
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from benchmarks.whole_kbet import kbet
from harmony_core.errors import DataError
from harmony_core.metrics.kbet import kbet_per_label
from harmony_core.metrics.mixing import (
    NullMixing,
    against_null,
    cilisi,
    joint_codes,
    lisi,
    lisi_many,
    local_mixing,
    permuted,
)
from tests.metrics.brute_force import neighbours

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def blobs(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three labels far apart; two batches perfectly mixed in each."""
    labels = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 4)) + 30 * np.eye(3, 4)[labels]
    return X, labels, rng.integers(0, 2, n)


# --- LISI ------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the published LISI values are not here")
def test_lisi_equals_the_published_values():
    X = pd.read_csv(SHARED / "harmonypy_lisi_x.tsv.gz", sep="\t").to_numpy()
    metadata = pd.read_csv(SHARED / "harmonypy_lisi_metadata.tsv.gz", sep="\t")
    expected = pd.read_csv(SHARED / "harmonypy_lisi_lisi.tsv.gz", sep="\t", index_col=0)
    codes = [metadata[c].astype("category").cat.codes.to_numpy() for c in metadata]
    found = lisi_many(*neighbours(X, 90), codes)
    np.testing.assert_allclose(found.T, expected.to_numpy(), atol=2e-3)


@pytest.mark.parametrize("n", [5, 20, 60, 500])
def test_lisi_equals_harmonypy_also_with_few_cells(n):
    rng = np.random.default_rng(n)
    X, labels, batch = blobs(n, rng)
    expected = harmonypy.compute_lisi(X, pd.DataFrame({"b": batch, "l": labels}), ["b", "l"], 30)
    found = lisi_many(*neighbours(X, 90), [batch, labels])
    np.testing.assert_allclose(found.T, expected, atol=2e-4)


def test_lisi_of_duplicates_equals_harmonypy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    # Far from the others, so that no neighbourhood has to choose among equals at its edge.
    X[:40] = 50
    batch = rng.integers(0, 3, 300)
    found = lisi(*neighbours(X, 90), batch)
    expected = harmonypy.compute_lisi(X, pd.DataFrame({"b": batch}), ["b"], 30)[:, 0]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_lisi_at_its_limits():
    rng = np.random.default_rng(1)
    X, _, batch = blobs(600, rng)
    graph = neighbours(X, 90)
    apart = neighbours(X + 1e3 * batch[:, None], 90)
    assert lisi(*graph, np.zeros(600, int)).tolist() == [1.0] * 600
    assert lisi(*apart, batch).tolist() == [1.0] * 600
    assert lisi(*graph, batch).mean() > 1.85


def test_an_isolated_cell_has_a_lisi():
    X, _, batch = blobs(200, np.random.default_rng(2))
    X[0] = 1e6
    found = lisi(*neighbours(X, 90), batch)
    assert 1 < found[0] <= 2


def test_missing_values_get_nan_and_count_for_nobody():
    rng = np.random.default_rng(3)
    X, _, batch = blobs(400, rng)
    graph = neighbours(X, 90)
    missing = rng.random(400) < 0.3
    third_level = np.where(missing, 2, batch)
    with_gaps = np.where(missing, -1, batch)
    found = lisi(*graph, with_gaps)
    assert np.isnan(found[missing]).all()
    assert np.isfinite(found[~missing]).all()
    assert found[~missing].max() <= 2
    assert lisi(*graph, third_level)[~missing].mean() > found[~missing].mean()
    assert np.isnan(lisi(*graph, np.full(400, -1))).all()


def test_levels_without_cells_change_nothing():
    X, _, batch = blobs(200, np.random.default_rng(4))
    graph = neighbours(X, 90)
    np.testing.assert_array_equal(lisi(*graph, batch), lisi(*graph, batch, n_levels=7))


def test_codes_of_other_cells_are_refused():
    X, _, batch = blobs(50, np.random.default_rng(5))
    with pytest.raises(DataError, match="same cells"):
        lisi(*neighbours(X, 10), batch[:-1])


# --- the null --------------------------------------------------------------------------------


def against_chance(indices: np.ndarray, distances: np.ndarray, batch: np.ndarray) -> NullMixing:
    return against_null(*lisi_many(indices, distances, [batch, permuted(batch)]))


def test_mixing_by_chance_is_one_and_apart_is_zero():
    X, _, batch = blobs(900, np.random.default_rng(6))
    mixed = against_chance(*neighbours(X, 90), batch)
    apart = against_chance(*neighbours(X + 1e3 * batch[:, None], 90), batch)
    assert mixed.ratio == pytest.approx(1, abs=0.03)
    assert apart.ratio == pytest.approx(0, abs=1e-6)
    assert apart.mean == pytest.approx(1)
    assert apart.null == pytest.approx(mixed.null, rel=0.02)


def test_a_single_batch_has_no_ratio():
    X, _, batch = blobs(100, np.random.default_rng(7))
    alone = against_chance(*neighbours(X, 90), np.zeros_like(batch))
    assert (alone.mean, alone.null, alone.ratio) == (1.0, 1.0, None)


def test_null_without_any_batch_is_nan_not_an_error():
    nothing = np.full(10, np.nan, dtype=np.float32)
    result = against_null(nothing, nothing)
    assert np.isnan(result.mean)
    assert result.ratio is None


def test_permuting_keeps_sizes_and_missing_values():
    codes = np.array([0, 0, 0, 1, 1, 2, -1, -1])
    dealt = permuted(codes, seed=3)
    assert (dealt[-2:] == -1).all()
    assert sorted(dealt) == sorted(codes)


# --- inside labels ---------------------------------------------------------------------------


def test_cilisi_equals_lisi_of_each_label_alone():
    X, labels, batch = blobs(600, np.random.default_rng(8))
    found = cilisi(*neighbours(X, 90), batch, labels)
    for row in found:
        of_label = labels == row.label
        alone = harmonypy.compute_lisi(X[of_label], pd.DataFrame({"b": batch[of_label]}), ["b"], 30)
        assert row.cells == of_label.sum()
        assert row.value == pytest.approx(alone.mean() - 1, abs=1e-3)
    assert [row.label for row in found] == [0, 1, 2]


def test_cilisi_leaves_out_what_is_too_small_and_what_is_missing():
    X, labels, batch = blobs(600, np.random.default_rng(9))
    batch = np.where((labels == 0) & (batch == 1), 0, batch)  # label 0 lives in one batch
    few = np.flatnonzero((labels == 1) & (batch == 1))
    batch[few[5:]] = 0  # and label 1 has five cells in the other
    batch[few[0]] = -1
    labels[np.flatnonzero(labels == 2)[:7]] = -1
    found = cilisi(*neighbours(X, 90), batch, labels)
    assert [row.label for row in found] == [2]
    assert found[0].cells == (labels == 2).sum()
    assert cilisi(*neighbours(X, 90), batch, np.full(600, -1)) == []


def test_cilisi_of_batches_apart_is_zero():
    X, labels, batch = blobs(600, np.random.default_rng(10))
    found = cilisi(*neighbours(X + 1e3 * batch[:, None], 90), batch, labels)
    assert [row.value for row in found] == [0.0, 0.0, 0.0]


# --- kBET ------------------------------------------------------------------------------------


def test_kbet_equals_scipys_chi_squared_test():
    X, _, _ = blobs(300, np.random.default_rng(11))
    batch = np.random.default_rng(12).choice(3, 300, p=[0.5, 0.3, 0.2])
    batch[X[:, 0] > 15] = 0
    indices, _ = neighbours(X, 30)
    part = np.bincount(batch) / 300
    p = [
        scipy.stats.chisquare(np.bincount(batch[row], minlength=3), part * 30).pvalue
        for row in indices
    ]
    assert kbet(indices, batch) == pytest.approx(np.mean(np.array(p) >= 0.05))


def test_kbet_at_its_limits():
    X, labels, batch = blobs(900, np.random.default_rng(13))
    mixed, _ = neighbours(X, 30)
    apart, _ = neighbours(X + 1e3 * batch[:, None], 30)
    assert kbet(mixed, batch) == pytest.approx(0.95, abs=0.04)
    assert kbet(apart, batch) == 0
    assert np.isnan(kbet(mixed, np.zeros(900, int)))
    assert np.isnan(kbet(mixed, np.full(900, -1)))
    rows = kbet_per_label(mixed, batch, labels)
    assert [row.value for row in rows] == pytest.approx([0.95] * 3, abs=0.06)
    assert [row.value for row in kbet_per_label(apart, batch, labels)] == [0, 0, 0]


def test_kbet_inside_labels_forgives_composition():
    rng = np.random.default_rng(14)
    X, labels, _ = blobs(900, rng)
    batch = (rng.random(900) < np.array([0.1, 0.5, 0.9])[labels]).astype(int)
    indices, _ = neighbours(X, 30)
    assert kbet(indices, batch) < 0.5
    assert min(row.value for row in kbet_per_label(indices, batch, labels)) > 0.85


# --- each cell, several variables ------------------------------------------------------------


def test_local_mixing_at_its_limits():
    X, _, batch = blobs(900, np.random.default_rng(15))
    mixed, _ = neighbours(X, 90)
    apart, _ = neighbours(X + 1e3 * batch[:, None], 90)
    assert local_mixing(mixed, batch).mean() > 0.85
    assert local_mixing(apart, batch).max() == 0
    assert np.isnan(local_mixing(mixed, np.zeros(900, int))).all()
    gaps = np.where(np.arange(900) < 10, -1, batch)
    found = local_mixing(mixed, gaps)
    assert np.isnan(found[:10]).all()
    assert np.isfinite(found[10:]).all()


def test_local_mixing_by_hand():
    indices = np.array([[1, 2], [0, 3], [3, 0], [2, 1]])
    batch = np.array([0, 0, 1, 0])
    # Cell 0 expects a quarter of its neighbours from batch 1 and has one of two; cell 1 has none.
    assert local_mixing(indices, batch).tolist() == [1, 0, 1, 1]


def test_joint_codes():
    first = np.array([0, 0, 1, 1, -1, 0])
    second = np.array([0, 1, 0, 0, 0, -1])
    assert joint_codes([first, second]).tolist() == [0, 1, 2, 2, -1, -1]
    assert joint_codes([first]).tolist() == [0, 0, 1, 1, -1, 0]
    assert joint_codes([np.full(3, -1)]).tolist() == [-1, -1, -1]

"""The thresholds of quality control, from data of every depth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.inspect.depth import Depth, depth_of, suggested_thresholds
from harmony_core.params import PrepareParams


def _around(median: float, spread: float, n_cells: int = 2_000) -> np.ndarray:
    """Return genes per cell, log-normal around a median."""
    rng = np.random.default_rng(0)
    return np.round(median * np.exp(spread * rng.normal(size=n_cells))).astype(int)


def _thresholds(
    n_genes: np.ndarray, n_measured: int = 30_000, mito: np.ndarray | float = 0.0
) -> PrepareParams:
    return suggested_thresholds(Depth(n_genes, np.full(len(n_genes), mito)), n_measured)


def suggested_min_genes(n_genes: np.ndarray, n_measured: int) -> int:
    return _thresholds(n_genes, n_measured).min_genes


@pytest.mark.parametrize(
    ("n_genes", "n_measured"),
    [
        pytest.param(_around(1500, 0.4), 30_000, id="whole transcriptome"),
        pytest.param(np.r_[_around(1500, 0.2, 950), [60] * 50], 30_000, id="a few poor cells"),
        pytest.param(np.r_[_around(1500, 0.4, 200), _around(4, 0.5)], 30_000, id="raw droplets"),
        pytest.param(np.zeros(50, dtype=int), 30_000, id="empty"),
    ],
)
def test_the_usual_minimum_holds(n_genes: np.ndarray, n_measured: int) -> None:
    assert suggested_min_genes(n_genes, n_measured) == 200


@pytest.mark.parametrize(
    ("n_genes", "n_measured", "most"),
    [
        pytest.param(_around(100, 0.3), 1_000, 20, id="panel of a thousand"),
        pytest.param(_around(180, 0.3), 30_000, 90, id="shallow"),
        pytest.param(_around(12, 0.2), 60, 1, id="panel of sixty"),
        pytest.param(_around(260, 0.05), 300, 6, id="deep panel"),
        pytest.param(_around(30, 0.3), 4_000, 15, id="sparse panel of four thousand"),
    ],
)
def test_it_is_lowered_where_cells_have_few_genes(
    n_genes: np.ndarray, n_measured: int, most: int
) -> None:
    lowered = suggested_min_genes(n_genes, n_measured)
    assert 1 <= lowered <= most
    assert np.mean(n_genes < lowered) < 0.01
    # Cells without any gene neither count nor stay.
    assert suggested_min_genes(np.r_[n_genes, np.zeros(5_000, int)], n_measured) == lowered


def test_of_two_bounds_the_lower_holds() -> None:
    n_genes = _around(180, 0.3)
    logs = np.log(n_genes)
    bound = np.exp(np.median(logs) - 3 * 1.4826 * np.median(np.abs(logs - np.median(logs))))
    assert suggested_min_genes(n_genes, 30_000) == int(bound)
    assert suggested_min_genes(n_genes, 1_000) == 20


def test_ordinary_cells_get_the_usual_thresholds() -> None:
    n_genes = np.r_[_around(1500, 0.4), [60] * 50, [8000] * 100]
    mito = np.r_[np.full(2_000, 6.0), np.full(150, 45.0)]
    assert _thresholds(n_genes, mito=mito) == PrepareParams()


def test_cells_with_many_genes_are_kept() -> None:
    n_genes = np.r_[_around(5300, 0.25), [40_000] * 5]
    log = np.log(n_genes)
    bound = np.exp(np.median(log) + 3 * 1.4826 * np.median(np.abs(log - np.median(log))))
    found = _thresholds(n_genes)
    assert found == PrepareParams(max_genes=int(np.ceil(bound / 100)) * 100)
    assert np.mean(n_genes > 6000) > 0.3
    assert 5 <= np.sum(n_genes > found.max_genes) < 15


@pytest.mark.parametrize(
    ("center", "expected"), [(30.0, 45.0), (16.0, 31.0), (99.0, 100.0), (19.0, 34.0)]
)
def test_cells_rich_in_mitochondria_are_kept(center: float, expected: float) -> None:
    mito = center + 4.9 / 1.4826 * np.array([-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3] * 40)
    found = _thresholds(np.full(len(mito), 1500), mito=mito)
    assert found == PrepareParams(max_mito=expected)


def test_dying_cells_raise_no_ceiling() -> None:
    mito = np.r_[np.tile([3.0, 4.0, 5.0, 6.0, 7.0], 100), np.full(100, 60.0)]
    assert _thresholds(np.full(600, 1500), mito=mito) == PrepareParams()


def test_what_empty_droplets_hold_raises_no_ceiling() -> None:
    n_genes = np.r_[_around(1500, 0.4, 500), _around(4, 0.5)]
    mito = np.r_[np.full(500, 5.0), np.full(2_000, 50.0)]
    assert _thresholds(n_genes, mito=mito) == PrepareParams()


def test_genes_are_counted_where_they_have_counts() -> None:
    counts = np.random.default_rng(1).poisson(0.3, (30, 12))
    counts[0] = 0
    is_mito = np.arange(12) < 4
    stored = sp.csr_matrix(counts)
    stored.data[:3] = 0  # stored, and still no count
    for matrix, dense in ((counts, counts), (stored, stored.toarray())):
        found = depth_of(matrix, is_mito)
        np.testing.assert_array_equal(found.n_genes, (dense > 0).sum(axis=1))
        total = np.maximum(dense.sum(axis=1), 1)
        np.testing.assert_allclose(found.mito, 100 * dense[:, :4].sum(axis=1) / total)

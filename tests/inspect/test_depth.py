"""The fewest genes that a cell must have, from data of every depth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.inspect.depth import genes_per_cell, suggested_min_genes


def _around(median: float, spread: float, n_cells: int = 2_000) -> np.ndarray:
    """Return genes per cell, log-normal around a median."""
    rng = np.random.default_rng(0)
    return np.round(median * np.exp(spread * rng.normal(size=n_cells))).astype(int)


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


def test_genes_are_counted_where_they_have_counts() -> None:
    counts = np.random.default_rng(1).poisson(0.3, (30, 12))
    stored = sp.csr_matrix(counts)
    stored.data[:3] = 0  # stored, and still no count
    np.testing.assert_array_equal(genes_per_cell(counts), (counts > 0).sum(axis=1))
    np.testing.assert_array_equal(genes_per_cell(stored), (stored.toarray() > 0).sum(axis=1))

"""Sampling cells of files that don't fit whole."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from formats import N_CELLS, dataset, ten_x_h5

from harmony_core.data.h5ad_sample import sample_rows
from harmony_core.data.read import load
from harmony_core.errors import FileError


def test_equal_numbers_of_each_batch() -> None:
    batch = pd.Series(["a"] * 1000 + ["b"] * 30 + ["c"] * 500 + [None] * 10)
    rows = sample_rows(len(batch), 240, batch, seed=1)
    drawn = batch.iloc[rows].fillna("none").value_counts().to_dict()
    assert drawn == {"a": 100, "c": 100, "b": 30, "none": 10}
    assert list(rows) == sorted(set(rows))
    np.testing.assert_array_equal(rows, sample_rows(len(batch), 240, batch, seed=1))
    assert list(sample_rows(len(batch), 240, batch, seed=2)) != list(rows)


@pytest.mark.parametrize("n", [0, 1, 7, 50, 51])
def test_number_of_cells(n: int) -> None:
    for batch in (None, pd.Series(np.resize(["a", "b", "c"], 50))):
        assert len(sample_rows(50, n, batch)) == min(n, 50)


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, lambda m: m.toarray()])
def test_sample_of_an_h5ad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form) -> None:
    monkeypatch.setattr("harmony_core.data.h5ad_sample._VALUES_PER_BLOCK", 90)
    adata = dataset()
    adata.X = form(adata.X)
    adata.layers["counts"] = adata.X.copy()
    adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(N_CELLS, 4))
    adata.raw = adata
    adata.uns["neighbors"] = {"of": "all cells"}
    adata.write_h5ad(tmp_path / "x.h5ad")
    found = load(tmp_path / "x.h5ad", max_cells=20, sample_by="batch", limit=20_000)
    assert "20 of 50 cells of 'x.h5ad' were drawn at random." in found.notes
    assert found.format == "sample of an h5ad"
    sample = found.adata
    assert sample.n_obs == 20
    assert sample.obs["batch"].value_counts().to_dict() == {"a": 10, "b": 10}
    expected = adata[sample.obs_names]
    for left, right in (
        (sample.X, expected.X),
        (sample.layers["counts"], expected.layers["counts"]),
        (sample.raw.X, expected.raw.X),
    ):
        np.testing.assert_array_equal(dense(left), dense(right))
    np.testing.assert_array_equal(sample.obsm["X_pca"], expected.obsm["X_pca"])
    sample.write_h5ad(tmp_path / "again.h5ad")


def dense(matrix: object) -> np.ndarray:
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix)


def test_sample_of_a_file_that_does_not_fit(tmp_path: Path) -> None:
    adata = dataset()
    adata.write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(FileError, match="take a sample of its cells"):
        load(tmp_path / "x.h5ad", limit=10_000)
    assert load(tmp_path / "x.h5ad", limit=10_000, max_cells=10).adata.n_obs == 10
    with pytest.raises(FileError, match="take a sample of its cells"):
        load(tmp_path / "x.h5ad", limit=100, max_cells=10)


def test_sample_of_other_formats(tmp_path: Path) -> None:
    path = ten_x_h5(dataset(), tmp_path / "x.h5")
    found = load(path, max_cells=10)
    assert found.adata.n_obs == 10
    assert found.format == "sample of 10x h5"
    assert load(path, max_cells=1000).format == "10x h5"


def test_sample_by_a_column_that_is_not_there(tmp_path: Path) -> None:
    dataset().write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(FileError, match="no column 'lane' to sample by"):
        load(tmp_path / "x.h5ad", max_cells=10, sample_by="lane")


def test_sample_of_a_damaged_file(tmp_path: Path) -> None:
    dataset().write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad", "a") as file:
        file["X/indices"][3] = 10**6
    with pytest.raises(FileError, match="is damaged"):
        load(tmp_path / "x.h5ad", max_cells=10)


def test_sample_of_an_old_file(tmp_path: Path) -> None:
    ad.AnnData(np.ones((50, 3), dtype=np.float32)).write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad", "a") as file:
        del file["obs"]
        file["obs"] = np.zeros(50, dtype=[("index", "S4"), ("batch", "i4")])
    with pytest.raises(FileError, match=r"is no h5ad of anndata 0\.7 or later"):
        load(tmp_path / "x.h5ad", max_cells=10)

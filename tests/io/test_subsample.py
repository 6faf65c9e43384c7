"""Sampling cells of files that don't fit whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from harmony_core.errors import FileError, TooLarge
from harmony_core.io.subsample import sample_rows
from tests.io import formats
from tests.io.formats import N_CELLS, dataset, ten_x_h5
from tests.io.reading import load, load_many


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
    monkeypatch.setattr("harmony_core.matrices.blocks.VALUES_PER_BLOCK", 90)
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


def in_every_format(adata: ad.AnnData, folder: Path) -> dict[str, Path]:
    """Write the same cells in every format that a sample is drawn from block by block."""
    folder.mkdir(exist_ok=True)
    zarr = formats.zarr_folder(adata, folder / "folder.zarr")
    inside = {str(p.relative_to(folder)): p.read_bytes() for p in zarr.rglob("*") if p.is_file()}
    adata.write_h5ad(folder / "x.h5ad")
    return {
        "h5ad": folder / "x.h5ad",
        "10x h5": formats.ten_x_h5(adata, folder / "x.h5"),
        "10x h5 (v2)": formats.ten_x_h5_v2({"hg19": adata}, folder / "v2.h5"),
        "loom": formats.loom(adata, folder / "x.loom"),
        "zarr": zarr,
        "zarr (zip)": formats.zipped(inside, folder / "zarr.zip"),
        "10x matrix folder": formats.zipped(formats.matrix_folder(adata), folder / "mtx.zip"),
        "h5mu": formats.h5mu(folder / "x.h5mu", adata, adata[:, :3].copy()),
    }


FORMATS = (
    *("h5ad", "10x h5", "10x h5 (v2)", "loom", "zarr", "zarr (zip)"),
    *("10x matrix folder", "h5mu"),
)


@pytest.mark.parametrize("kind", FORMATS)
def test_sample_of_each_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("harmony_core.matrices.blocks.VALUES_PER_BLOCK", 90)
    monkeypatch.setattr("harmony_core.io.loom._VALUES_PER_BLOCK", 90)
    monkeypatch.setattr("harmony_core.io.matrix_folder._LINES_PER_BLOCK", 90)
    adata = dataset()
    path = in_every_format(adata, tmp_path / "files")[kind]
    found = load(path, max_cells=20)
    assert any("20 of 50 cells of" in note for note in found.notes)
    assert found.format.startswith("sample of")
    formats.assert_same(found.adata, adata[found.adata.obs_names])
    assert load(path, max_cells=1000).adata.n_obs == 50


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_does_not_fit_says_how_a_sample_is_drawn(tmp_path: Path, kind: str) -> None:
    path = in_every_format(dataset(), tmp_path / "files")[kind]
    with pytest.raises(TooLarge, match="take a sample of its cells") as caught:
        load(path, limit=2_000)
    columns = {"h5ad": ["batch"], "zarr": ["batch"], "zarr (zip)": ["batch"], "h5mu": ["batch"]}
    columns["loom"] = ["batch"]
    found = columns.get(kind, [])
    by = found[0] if found else None
    assert caught.value.sample == {"cells": 50, "columns": found, "by": by}
    with pytest.raises(TooLarge) as caught:
        load(path, limit=20, max_cells=10)
    assert caught.value.sample is None


@pytest.mark.parametrize("kind", ["10x h5", "10x h5 (v2)", "loom", "h5mu"])
def test_a_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = in_every_format(dataset(), tmp_path / "files")[kind]
    opened = []

    def counted(path: Path, mode: str) -> h5py.File:
        opened.append(path)
        return h5py.File(path, mode)

    stub = SimpleNamespace(**{name: getattr(h5py, name) for name in dir(h5py)} | {"File": counted})
    monkeypatch.setattr("harmony_core.io.hdf5.h5py", stub)
    with pytest.raises(TooLarge):
        load(path, limit=2_000)
    load(path)
    load(path, max_cells=20)
    assert opened == [path] * 3


def test_no_sample_is_offered_of_several_files_or_of_tables(tmp_path: Path) -> None:
    files = in_every_format(dataset(), tmp_path / "files")
    with pytest.raises(TooLarge) as caught:
        load_many([files["h5ad"], files["loom"]], limit=2_000)
    assert caught.value.sample is None
    dataset().to_df().to_csv(tmp_path / "table.csv")
    with pytest.raises(TooLarge) as caught:
        load(tmp_path / "table.csv", limit=2_000)
    assert caught.value.sample is None
    assert load(tmp_path / "table.csv", max_cells=10).adata.n_obs == 10


def test_sample_of_an_unfiltered_matrix_has_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harmony_core.io.tenx._UNFILTERED_FROM", 40)
    adata = dataset()
    empty = np.arange(N_CELLS) % 2 == 1
    adata.X = sp.csr_matrix(adata.X.toarray() * ~empty[:, None])
    found = load(ten_x_h5(adata, tmp_path / "x.h5"), max_cells=15)
    assert set(found.adata.obs_names) <= set(adata.obs_names[~empty])
    assert found.adata.n_obs == 15


@pytest.mark.parametrize("line", ["x y z", "1 99999 1", "0 1 1", "99999 1 1"])
def test_sample_of_a_damaged_matrix_folder(tmp_path: Path, line: str) -> None:
    files = formats.matrix_folder(dataset(), version=2)
    lines = files["matrix.mtx"].decode().splitlines()
    lines[5] = line
    files["matrix.mtx"] = "\n".join(lines).encode()
    with pytest.raises(FileError, match=r"'matrix\.mtx' cannot be read"):
        load(formats.zipped(files, tmp_path / "x.zip"), max_cells=10)


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


def test_sample_of_several_files(tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        paths.append(str(tmp_path / f"lane{number}.h5ad"))
        dataset(number).write_h5ad(paths[-1])
    names = ("lane0.h5ad", "lane1.h5ad")
    found = load_many(paths, names=names, max_cells=24, sample_by="file")
    assert found.adata.obs["file"].value_counts().to_dict() == {"lane0": 12, "lane1": 12}
    assert found.notes[-1] == "24 of 100 cells of 'lane0.h5ad' were drawn at random."

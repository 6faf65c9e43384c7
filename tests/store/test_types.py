"""Types of columns and matrices that anndata keeps and scipy, numba or parquet can't take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr

from harmony_core.errors import DataError
from harmony_core.io.read import open_dataset, read
from harmony_core.io.request import LoadRequest
from harmony_core.store import Store
from harmony_core.store.dataset import Dataset
from harmony_core.store.ingest import ingest, ingest_request

pytestmark = pytest.mark.filterwarnings("ignore:Writing zarr v2:UserWarning")

N = 120
EMBEDDING = np.random.default_rng(0).normal(size=(N, 4)).round(3)
COUNTS = np.random.default_rng(1).poisson(1.0, (N, 30)).astype(np.float32)


def data(**parts: Any) -> ad.AnnData:
    X = parts.pop("X", sp.csr_matrix(COUNTS))
    names = pd.Index([f"cell{i}" for i in range(N)])
    obs = pd.DataFrame({"batch": pd.Categorical(["A", "B"] * (N // 2))}, index=names)
    adata = ad.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(30)]))
    for name, values in parts.items():
        if name == "X_pca":
            adata.obsm[name] = values
        else:
            adata.obs[name] = values
    return adata


def ways(store: Store, adata: ad.AnnData, folder: Path) -> Iterator[tuple[str, Dataset]]:
    """Yield the data as they come in by each way."""
    yield "memory", ingest(store, adata, name="memory")
    paths = {"h5ad": folder / "a.h5ad", "zarr": folder / "a.zarr"}
    adata.write_h5ad(paths["h5ad"])
    adata.write_zarr(paths["zarr"])
    for name, path in paths.items():
        request = LoadRequest.of_path(path)
        yield name, ingest_request(store, request)
        some = LoadRequest(paths=(str(path),), names=(path.name,), max_cells=50)
        yield f"some of {name}", ingest_request(store, some)
    adata[: N // 2].copy().write_h5ad(folder / "x.h5ad")
    adata[N // 2 :].copy().write_h5ad(folder / "y.h5ad")
    two = (str(folder / "x.h5ad"), str(folder / "y.h5ad"))
    yield "two files", ingest_request(store, LoadRequest(paths=two, names=("x.h5ad", "y.h5ad")))


def rows(dataset: Dataset) -> list[int]:
    return [int(str(name).removeprefix("cell")) for name in dataset.obs.index]


COLUMNS: dict[str, tuple[Any, list[Any]]] = {
    "boolean with missing": (
        pd.array([True, False, pd.NA] * (N // 3), dtype="boolean"),
        ["True", "False", None] * (N // 3),
    ),
    "boolean": (pd.array([True, False] * (N // 2), dtype="boolean"), [True, False] * (N // 2)),
    "integer with missing": (
        pd.array([1, pd.NA, 3] * (N // 3), dtype="Int64"),
        [1.0, None, 3.0] * (N // 3),
    ),
    "integer": (pd.array([1, 2, 3] * (N // 3), dtype="UInt8"), [1, 2, 3] * (N // 3)),
    "text with missing": (
        pd.Categorical(["u", None, "v"] * (N // 3)),
        ["u", None, "v"] * (N // 3),
    ),
    "half precision": (np.tile(np.float16([0.5, 2]), N // 2), [0.5, 2.0] * (N // 2)),
    "other byte order": (np.arange(N).astype(">i4"), list(range(N))),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_is_the_same_by_every_way(store: Store, tmp_path: Path, kind: str) -> None:
    values, expected = COLUMNS[kind]
    for way, dataset in ways(store, data(extra=values), tmp_path):
        found = dataset.obs["extra"]
        present = [None if pd.isna(value) else value for value in found]
        assert present == [expected[row] for row in rows(dataset)], way


def test_the_newer_text_of_pandas(store: Store, tmp_path: Path) -> None:
    text = pd.array(["u", None, "v"] * (N // 3), dtype="string")
    with ad.settings.override(allow_write_nullable_strings=True):
        for way, dataset in ways(store, data(extra=text), tmp_path):
            expected = [text[row] for row in rows(dataset)]
            assert dataset.obs["extra"].astype(object).fillna("-").tolist() == [
                "-" if pd.isna(value) else value for value in expected
            ], way


def named(values: Any) -> pd.DataFrame:
    return pd.DataFrame(values, index=[f"cell{i}" for i in range(N)], columns=list("abcd"))


EMBEDDINGS: dict[str, Callable[[], Any]] = {
    "sparse by cell": lambda: sp.csr_matrix(EMBEDDING),
    "sparse by dimension": lambda: sp.csc_matrix(EMBEDDING),
    "sparse array": lambda: sp.csr_array(EMBEDDING),
    "half precision": lambda: EMBEDDING.astype(np.float16),
    "other byte order": lambda: EMBEDDING.astype(">f8"),
    "table": lambda: named(EMBEDDING),
    "table of text": lambda: named(EMBEDDING.astype(str)),
    "objects": lambda: EMBEDDING.astype(str).astype(object),
}


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_an_embedding_is_the_same_by_every_way(store: Store, tmp_path: Path, kind: str) -> None:
    for way, dataset in ways(store, data(X_pca=EMBEDDINGS[kind]()), tmp_path):
        if way == "two files":  # whose embeddings have axes of their own
            continue
        found = np.asarray(dataset.embedding("X_pca"))
        np.testing.assert_allclose(found, EMBEDDING[rows(dataset)], atol=2e-3, err_msg=way)


def test_a_sparse_embedding_is_the_dense_one_in_the_same_store(store: Store) -> None:
    first = ingest(store, data(X_pca=sp.csr_matrix(EMBEDDING)), name="sparse")
    second = ingest(store, data(X_pca=EMBEDDING), name="dense")
    assert second.fingerprint == first.fingerprint
    assert second.info.uncorrected == ("X_pca",)


def test_an_embedding_of_words_is_named_and_left(store: Store, tmp_path: Path) -> None:
    words = np.full((N, 2), "word", dtype=object)
    for way, dataset in ways(store, data(X_pca=words), tmp_path):
        if way == "two files":
            continue
        assert dataset.info.embeddings == (), way
        assert any("'obsm/X_pca' is not used" in line for line in dataset.info.warnings), way


MATRICES: dict[str, Callable[[], Any]] = {
    "half precision": lambda: COUNTS.astype(np.float16),
    "other byte order": lambda: COUNTS.astype(">f4"),
    "whole numbers of other byte order": lambda: COUNTS.astype(">i2"),
    "sparse array": lambda: sp.csr_array(COUNTS),
    "sparse array by gene": lambda: sp.csc_array(COUNTS),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_a_matrix_is_the_same_by_every_way(store: Store, tmp_path: Path, kind: str) -> None:
    for way, dataset in ways(store, data(X=MATRICES[kind]()), tmp_path):
        assert dataset.info.kind == "counts"
        np.testing.assert_array_equal(dataset.gene(3), COUNTS[rows(dataset), 3], err_msg=way)


@pytest.mark.parametrize("dtype", [">f4", ">i4"])
@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix, sp.csr_array])
def test_sparse_values_in_memory_that_scipy_does_not_copy(
    store: Store, dtype: str, kind: Callable[[Any], Any]
) -> None:
    def of_type(values: Any) -> Any:
        matrix = kind(values)
        matrix.data = matrix.data.astype(dtype)
        return matrix

    usual = data()
    adata = ad.AnnData(
        of_type(COUNTS),
        obs=usual.obs,
        var=usual.var,
        obsm={"X_pca": of_type(np.rint(EMBEDDING * 50) + 0.5)},
        layers={"counts": of_type(2 * COUNTS)},
        raw={"X": of_type(3 * COUNTS), "var": usual.var},
    )
    ours = ingest(store, adata, name="memory")
    np.testing.assert_array_equal(ours.gene(3), COUNTS[:, 3])
    expected = (np.rint(EMBEDDING * 50) + 0.5).astype(dtype).astype(np.float32)
    if dtype != ">i4":  # whole numbers in a sparse matrix are features
        np.testing.assert_array_equal(np.asarray(ours.embedding("X_pca")), expected)
    kept = ad.read_h5ad(ours.source)
    np.testing.assert_array_equal(kept.layers["counts"].toarray(), 2 * COUNTS)
    np.testing.assert_array_equal(kept.raw.X.toarray(), 3 * COUNTS)
    assert adata.X.dtype == np.dtype(dtype)  # what the caller has stays as it is
    with pytest.raises(DataError, match="Give the matrices a usual type before cells or genes"):
        ingest(store, data(X=of_type(COUNTS))[:60], name="view")


@pytest.mark.parametrize("dtype", ["<f2", ">f4", ">i4"])
@pytest.mark.parametrize("name", ["a.h5ad", "a.zarr"])
def test_sparse_values_that_scipy_does_not_know(tmp_path: Path, name: str, dtype: str) -> None:
    values = sp.csr_matrix(COUNTS).data.astype(dtype)
    path = tmp_path / name
    if name == "a.h5ad":
        data().write_h5ad(path)
        with h5py.File(path, "r+") as file:
            del file["X/data"]
            file["X"].create_dataset("data", data=values)
    else:
        data().write_zarr(path)
        group = zarr.open_group(path, mode="r+")
        del group["X/data"]
        group["X"].create_array("data", data=values)
        (path / ".zmetadata").unlink(missing_ok=True)  # it repeats what was there before
    np.testing.assert_array_equal(read(path).X.toarray(), COUNTS)
    with open_dataset(LoadRequest(paths=(str(path),), names=(name,), max_cells=50)) as some:
        kept = [int(cell.removeprefix("cell")) for cell in some.adata.obs_names]
        np.testing.assert_array_equal(some.adata.X.toarray(), COUNTS[kept])


def test_features_that_are_sparse_are_other_data_than_a_dense_embedding(store: Store) -> None:
    mostly_zero = np.where(np.arange(N * 4).reshape(N, 4) % 5 == 0, EMBEDDING, 0)
    first = ingest(store, data(X_pca=sp.csr_matrix(mostly_zero)), name="sparse")
    second = ingest(store, data(X_pca=mostly_zero), name="dense")
    assert first.info.embeddings == ()
    assert second.info.embeddings == ("X_pca",)


def test_entries_that_are_stored_in_parts_add_up(store: Store, tmp_path: Path) -> None:
    matrix = sp.csr_matrix(COUNTS)
    twice = np.repeat(matrix.data / 2, 2), np.repeat(matrix.indices, 2), matrix.indptr * 2
    for way, dataset in ways(store, data(X=sp.csr_matrix(twice, shape=COUNTS.shape)), tmp_path):
        assert dataset.info.kind == "counts", way
        np.testing.assert_array_equal(dataset.gene(3), COUNTS[rows(dataset), 3], err_msg=way)


def test_names_in_memory_that_no_file_can_hold(store: Store) -> None:
    adata = data(X_pca=named(EMBEDDING).set_axis(range(4), axis=1))
    adata.obs = adata.obs.assign(**{"_index": 1, " ": 2}).rename_axis("batch")
    adata.obs[("a", "b")] = np.arange(N)
    adata.obs[7] = ["u", "v"] * (N // 2)
    adata.obsm[3] = EMBEDDING + 1
    adata.uns = {"function": print, "numbers": np.arange(3)}
    ours = ingest(store, adata, name="memory")
    assert list(ours.obs) == ["batch", "index", "unnamed", "('a', 'b')", "7"]
    assert list(ours.obs["7"]) == ["u", "v"] * (N // 2)
    np.testing.assert_allclose(np.asarray(ours.embedding("3")), EMBEDDING + 1, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(ours.embedding("X_pca")), EMBEDDING, rtol=1e-6)
    assert "'uns/function' is left out: no file can hold it." in ours.info.warnings
    assert list(ad.read_h5ad(ours.source).uns) == ["numbers"]
    assert "function" in adata.uns

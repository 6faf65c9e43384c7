"""Matrices go from file to file in blocks: every bit the same, and memory stays as it is."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pytest
import scipy.sparse as sp
import zarr

from harmony_core.export import matrices
from harmony_core.export.matrices import stored_bytes, write_rows
from harmony_core.export.source import opened_source
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL

KINDS = ("csr", "csc", "dense")


def _matrix(kind: str, dtype: str = "float32") -> Any:
    values = 100 * np.random.default_rng(0).random((200, 37))
    values[(values > 30) | (np.arange(200) == 5)[:, None]] = 0  # one cell has no count at all
    found = sp.csr_matrix(values.astype(dtype))
    return found.toarray() if kind == "dense" else found.asformat(kind)


def _on_disk(file: h5py.File, matrix: Any) -> Any:
    ad.io.write_elem(file, "m", matrix)
    held = file["m"]
    return ad.io.sparse_dataset(held) if isinstance(held, h5py.Group) else held


def _arrays(matrix: Any) -> list[np.ndarray[Any, Any]]:
    return [matrix.data, matrix.indices, matrix.indptr] if sp.issparse(matrix) else [matrix]


@pytest.mark.parametrize("keep", ["all", "some", "first", "one"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", ["h5ad", "zarr"])
def test_every_bit_of_the_kept_rows_arrives(
    kind: str, keep: str, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrices, "_VALUES_PER_BLOCK", 100)  # many blocks, cut within rows
    matrix, kept = _matrix(kind), np.ones(200, dtype=bool)
    kept &= {
        "all": kept,
        "some": np.random.default_rng(0).random(200) < 0.6,
        "first": np.arange(200) < 30,
        "one": np.arange(200) == 5,
    }[keep]
    with h5py.File(tmp_path / "in.h5", "w") as source:
        if to == "zarr":
            group = zarr.open_group(str(tmp_path / "out.zarr"), mode="w", zarr_format=2)
            write_rows(group, "m", _on_disk(source, matrix), kept)
            found = ad.io.read_elem(group["m"])
        else:
            with h5py.File(tmp_path / "out.h5", "w") as file:
                options = {"compression": "lzf"}
                write_rows(file, "m", _on_disk(source, matrix), kept, options)
                part = file["m/data"] if kind != "dense" else file["m"]
                assert part.compression == "lzf"
                found = ad.io.read_elem(file["m"])
    expected = matrix[kept]
    assert found.shape == expected.shape
    assert sp.issparse(found) == sp.issparse(expected)
    if sp.issparse(found):
        assert found.format == kind
    for ours, theirs in zip(_arrays(found), _arrays(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["int32", "float64", "uint8", "bool"])
def test_types_stay_what_they_are(dtype: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as source, h5py.File(tmp_path / "o.h5", "w") as file:
        write_rows(file, "m", _on_disk(source, _matrix("csr", dtype)), np.arange(200) > 3)
        assert file["m/data"].dtype == dtype


def test_a_matrix_in_memory_is_written_too(tmp_path: Path) -> None:
    matrix, keep = _matrix("csr"), np.arange(200) % 2 == 0
    with h5py.File(tmp_path / "o.h5", "w") as file:
        write_rows(file, "m", matrix, keep)
        assert (ad.io.read_elem(file["m"]) != matrix[keep]).nnz == 0


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_matrix(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrices, "_VALUES_PER_BLOCK", 100_000)
    n_rows, n_columns = 20_000, 300
    keep = np.random.default_rng(0).random(n_rows) < 0.9
    matrix: Any = np.random.default_rng(1).random((n_rows, n_columns), dtype=np.float32)
    matrix = matrix if kind == "dense" else sp.csr_matrix(matrix).asformat(kind)
    with h5py.File(tmp_path / "in.h5", "w") as source, h5py.File(tmp_path / "o.h5", "w") as file:
        held = _on_disk(source, matrix)
        size = stored_bytes(held)
        assert size > 20_000_000
        del matrix
        tracemalloc.start()
        write_rows(file, "m", held, keep, {"compression": "lzf"})
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < size / 4


def test_the_data_of_a_run_stay_on_disk(dataset: Dataset) -> None:
    Pipeline(dataset, SMALL).run("prepare")
    with opened_source(RunResults(dataset, SMALL)) as source:
        assert hasattr(source.X, "group")

"""Large files, whose matrices stay on disk: the same dataset as if they were read."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.errors import FileError
from harmony_core.io import large_h5ad
from harmony_core.matrices import blocks
from harmony_core.matrices.by_gene import ByGene
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest_file


@pytest.fixture
def path(simulated: ad.AnnData, tmp_path: Path) -> Path:
    adata = simulated.copy()
    adata.layers["counts"] = sp.csr_matrix(adata.X)
    adata.X = sp.csr_matrix(np.log1p(adata.X))
    adata.raw = adata
    adata.obsm["X_lsi"] = np.random.default_rng(0).normal(size=(adata.n_obs, 5))
    adata.uns["settings"] = {"k": 3}
    adata.write_h5ad(tmp_path / "own.h5ad", compression="gzip")
    return tmp_path / "own.h5ad"


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_h5ad, "LARGE", 0)
    monkeypatch.setattr(blocks, "VALUES_PER_BLOCK", 997)


def contents(dataset: Dataset) -> dict[str, object]:
    files = {p.relative_to(dataset.folder): p for p in dataset.folder.rglob("*") if p.is_file()}
    return {
        str(name): json.loads(p.read_text()) if p.suffix == ".json" else p.read_bytes()
        for name, p in files.items()
    }


def test_what_is_kept_is_the_same(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    whole = ingest_file(Store(tmp_path / "a"), path, name="own")
    request.getfixturevalue("everything_is_large")
    store = Store(tmp_path / "b")
    in_blocks = ingest_file(store, path, name="own")
    assert in_blocks.fingerprint == whole.fingerprint
    assert contents(in_blocks) == contents(whole)
    assert [p.name for p in store.datasets_folder.iterdir()] == [whole.fingerprint]


@pytest.mark.usefixtures("everything_is_large")
def test_no_matrix_is_read_whole(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("read whole")

    monkeypatch.setattr(ad, "read_h5ad", refuse)
    monkeypatch.setattr("anndata.abc.CSRDataset.to_memory", refuse)
    assert ingest_file(Store(tmp_path / "a"), path, name="own").info.where == "layers/counts"


@pytest.mark.usefixtures("everything_is_large")
def test_a_part_that_cannot_be_read_is_left_out(path: Path, tmp_path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["uns/settings"].attrs["encoding-type"] = "of another time"
    found = ingest_file(Store(tmp_path / "a"), path, name="own")
    assert "uns/settings was left out: it could not be read." in found.info.warnings


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize(("part", "value"), [("indices", 10**6), ("indptr", -5)])
def test_a_matrix_that_contradicts_itself(
    path: Path, tmp_path: Path, part: str, value: int
) -> None:
    with h5py.File(path, "a") as file:
        file[f"X/{part}"][3] = value
    store = Store(tmp_path / "a")
    with pytest.raises(FileError, match=r"'own\.h5ad' is damaged: a sparse matrix contradicts"):
        ingest_file(store, path, name="own.h5ad")
    assert list(store.datasets_folder.iterdir()) == []


@pytest.mark.usefixtures("everything_is_large")
def test_no_room_to_unpack(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk:
        free = 10

    monkeypatch.setattr(large_h5ad.shutil, "disk_usage", lambda _: Disk)
    with pytest.raises(FileError, match=r"needs .* GB on the disk of .* make room"):
        ingest_file(Store(tmp_path / "a"), path, name="own")


def test_genes_and_cells_of_a_matrix_on_disk(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = ingest_file(Store(tmp_path / "a"), path, name="own")
    monkeypatch.setattr(blocks, "VALUES_PER_BLOCK", 997)
    by_gene = dataset.by_gene
    assert isinstance(by_gene, ByGene)
    assert len(list(by_gene.blocks())) > 5
    expected = ad.read_h5ad(path).layers["counts"].toarray()
    genes, cells = np.array([0, 3, 4, expected.shape[1] - 1]), np.array([7, 2, 399])
    np.testing.assert_array_equal(by_gene.genes(genes).toarray(), expected[:, genes])
    np.testing.assert_array_equal(by_gene[cells].toarray(), expected[cells])

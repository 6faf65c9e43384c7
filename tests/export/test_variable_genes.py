"""The genes behind the principal components are in the file, as scanpy marks them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from harmony_core.export import write_h5ad, write_zarr
from harmony_core.export.record import earlier_record
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Store
from harmony_core.store.ingest import ingest, ingest_file
from tests.conftest import SMALL


def scanpy_choice(logged: ad.AnnData) -> set[str]:
    """What scanpy chooses as the run is set: among all genes of logged data, batch by batch."""
    table = sc.pp.highly_variable_genes(
        logged,
        n_top_genes=SMALL.prepare.n_top_genes,
        batch_key="batch",
        flavor="seurat",
        inplace=False,
    )
    return set(table.index[table["highly_variable"]])


def logged(counts: ad.AnnData) -> ad.AnnData:
    found = counts.copy()
    sc.pp.normalize_total(found, target_sum=1e4)
    sc.pp.log1p(found)
    return found


def marked(var: pd.DataFrame) -> set[str]:
    assert var["highly_variable"].dtype == bool
    return set(var.index[var["highly_variable"]])


@pytest.fixture(scope="module")
def written(finished: RunResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "corrected.h5ad"
    assert write_h5ad(finished, path) == ()
    return path


def test_they_are_those_of_scanpy(
    finished: RunResults, simulated: ad.AnnData, written: Path, tmp_path: Path
) -> None:
    cells = simulated[np.asarray(finished.cells)].copy()
    sc.pp.filter_genes(cells, min_cells=SMALL.prepare.min_cells)
    expected = scanpy_choice(logged(cells))
    assert len(expected) == SMALL.prepare.n_top_genes
    assert marked(ad.read_h5ad(written).var) == expected
    write_zarr(finished, tmp_path / "corrected.zarr")
    assert marked(ad.read_zarr(tmp_path / "corrected.zarr").var) == expected


def test_in_raw_they_are_marked_there_and_a_column_of_the_data_is_kept(
    kept_store: Store, simulated: ad.AnnData, tmp_path: Path
) -> None:
    adata = logged(simulated)
    own = np.arange(adata.n_vars) % 2 == 0
    adata.var["highly_variable"] = own
    adata.raw = adata
    adata = adata[:, own].copy()
    adata.X = adata.X.toarray()
    sc.pp.scale(adata)
    dataset = ingest(kept_store, adata, name="raw")
    assert dataset.info.where == "raw"
    Pipeline(dataset, SMALL).run()
    notes = write_h5ad(RunResults(dataset, SMALL), tmp_path / "out.h5ad")
    (note,) = [note for note in notes if "highly_variable" in note]
    assert "kept as raw.var['highly_variable_original']" in note
    out = ad.read_h5ad(tmp_path / "out.h5ad")
    assert marked(out.raw.var) == scanpy_choice(logged(simulated))
    assert out.raw.var["highly_variable_original"].tolist() == own.tolist()
    assert out.var["highly_variable"].all()
    assert out.var.shape[1] == adata.var.shape[1]


def test_they_stay_with_the_components_and_go_with_them(
    finished: RunResults, kept_store: Store, written: Path, tmp_path: Path
) -> None:
    dataset = ingest_file(kept_store, written, name="again")
    resumed = dataset.info.run
    assert resumed is not None
    assert resumed.prepare.basis == "X_pca"
    first = marked(ad.read_h5ad(written).var)
    fewer = replace(resumed, prepare=replace(SMALL.prepare, n_top_genes=90))
    for params, n_genes in ((resumed, 150), (fewer, 90)):
        Pipeline(dataset, params).run()
        path = tmp_path / f"{n_genes}.h5ad"
        assert write_h5ad(RunResults(dataset, params), path) == ()
        out = ad.read_h5ad(path)
        assert len(marked(out.var)) == n_genes
        assert (marked(out.var) == first) == (n_genes == 150)
        assert "highly_variable_original" not in out.var
        record = earlier_record(out.uns)
        assert record is not None
        assert record["written"]["var"] == ["highly_variable"]

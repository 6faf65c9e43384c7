"""Whole folders of a tool: one version of each run is read, and it is said which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tests.io.formats import N_CELLS, N_GENES, assert_same, dataset, matrix_folder, ten_x_h5, zipped
from tests.io.reading import load, load_many
from tests.io.tool_folders import kb_python, listed, mtx, parse, velocyto, written

CELLS = dataset()


def with_empty_droplets() -> ad.AnnData:
    others = dataset(7)
    matrix = sp.vstack([CELLS.X, others.X.multiply(others.X > 2)], format="csr")
    names = [*CELLS.obs_names, *others.obs_names]
    batch = pd.Categorical(["a"] * len(names))
    return ad.AnnData(matrix, obs=pd.DataFrame({"batch": batch}, index=names), var=CELLS.var)


DROPLETS = with_empty_droplets()


def below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in files.items()}


def h5(adata: ad.AnnData, folder: Path) -> bytes:
    return ten_x_h5(adata, folder / "x.h5").read_bytes()


def cell_ranger() -> dict[str, bytes]:
    clusters = "".join(f"{name},1\n" for name in CELLS.obs_names)
    return {
        **below("outs/filtered_feature_bc_matrix", matrix_folder(CELLS)),
        **below("outs/raw_feature_bc_matrix", matrix_folder(DROPLETS)),
        "outs/analysis/clustering/clusters.csv": f"Barcode,Cluster\n{clusters}".encode(),
        "outs/analysis/pca/features_selected.csv": b"Feature\nENSG1\nENSG2\n",
        "outs/metrics_summary.csv": b"Cells,Reads\n50,100\n",
    }


def star_solo_whole() -> dict[str, bytes]:
    return {
        **below("Gene/filtered", matrix_folder(CELLS, version=2)),
        **below("Gene/raw", matrix_folder(DROPLETS, version=2)),
        **below("GeneFull/filtered", matrix_folder(CELLS, version=2)),
        **below("Velocyto/raw", velocyto(DROPLETS)),
        "SJ/raw/matrix.mtx": mtx(DROPLETS.X.T),
        "SJ/raw/barcodes.tsv": listed(DROPLETS.obs_names),
        "Gene/Summary.csv": b"Number of Reads,100\nSequencing Saturation,0.9\n",
        "Gene/UMIperCellSorted.txt": b"10\n9\n",
    }


def kb_python_whole() -> dict[str, bytes]:
    return {
        **below("counts_filtered", kb_python(CELLS)),
        **below("counts_unfiltered", kb_python(DROPLETS)),
        **below("counts_filtered/cellranger", matrix_folder(CELLS, version=2)),
        "filter_barcodes.txt": listed(CELLS.obs_names),
        "transcripts.txt": b"ENST1\nENST2\n",
    }


def parse_whole() -> dict[str, bytes]:
    return {
        **below("all-sample/DGE_filtered", parse(CELLS)),
        **below("all-sample/DGE_unfiltered", parse(DROPLETS)),
        **below("s1/DGE_filtered", parse(CELLS[:25].copy())),
        **below("s2/DGE_filtered", parse(CELLS[25:].copy())),
        "agg_samp_ana_summary.csv": b"statistic,s1\nnumber_of_cells,25\n",
    }


WHOLE = [
    (cell_ranger, "'filtered_feature_bc_matrix' is read", "'raw_feature_bc_matrix'"),
    (star_solo_whole, "'Gene/filtered' is read", "'Velocyto/raw'"),
    (kb_python_whole, "'counts_filtered' is read", "'counts_unfiltered'"),
    (parse_whole, "'all-sample/DGE_filtered' is read", "'s1/DGE_filtered', 's2/DGE_filtered'"),
]


@pytest.mark.parametrize(("files", "is_read", "aside"), WHOLE)
def test_one_version_of_a_run_is_read(tmp_path: Path, files, is_read: str, aside: str) -> None:
    """Put below each other they would be batches of the same cells."""
    for path in (written(tmp_path / "run", files()), zipped(files(), tmp_path / "run.zip")):
        found = load(path)
        assert_same(found.adata, CELLS)
        (said,) = (note for note in found.notes if note.startswith("Of each run"))
        assert is_read in said
        assert aside in said.split("Left out:")[1]


def test_cells_come_from_the_folder_or_the_h5_but_once(tmp_path: Path) -> None:
    names = {
        "filtered_feature_bc_matrix.h5": h5(CELLS, tmp_path),
        "raw_feature_bc_matrix.h5": h5(DROPLETS, tmp_path),
    }
    assert_same(load(written(tmp_path / "outs", names)).adata, CELLS)
    assert_same(load(written(tmp_path / "a", cell_ranger() | below("outs", names))).adata, CELLS)
    geo = {f"GSM{i}_{name}": data for i in (1, 2) for name, data in names.items()}
    found = load(zipped(geo, tmp_path / "GSE_RAW.zip"))
    assert found.adata.shape == (2 * N_CELLS, N_GENES)


def test_all_barcodes_beside_the_samples_of_a_multiplexed_run(tmp_path: Path) -> None:
    sample = "outs/per_sample_outs/{}/count/sample_filtered_feature_bc_matrix.h5"
    files = {
        sample.format("donor1"): h5(CELLS[:25].copy(), tmp_path),
        sample.format("donor2"): h5(CELLS[25:].copy(), tmp_path),
        "outs/multi/count/raw_feature_bc_matrix.h5": h5(DROPLETS, tmp_path),
    }
    found = load(written(tmp_path / "run", files))
    assert list(found.adata.obs["file"]) == ["donor1"] * 25 + ["donor2"] * 25
    assert any("Left out: 'multi'" in note for note in found.notes)


def test_what_has_no_better_version_is_read(tmp_path: Path) -> None:
    """Of two samples one was filtered: both are there, and so they are where named one by one."""
    files = {
        **below("s1/outs/filtered_feature_bc_matrix", matrix_folder(CELLS)),
        **below("s2/outs/raw_feature_bc_matrix", matrix_folder(dataset(1))),
    }
    found = load(written(tmp_path / "both", files))
    assert list(found.adata.obs["file"].cat.categories) == ["s1", "s2"]
    assert not any("Left out" in note for note in found.notes)
    paths = [tmp_path / "both" / folder for folder in ("s1", "s2")]
    assert load_many(paths).adata.n_obs == 2 * N_CELLS
    star = written(tmp_path / "star", below("aSolo.out/GeneFull/raw", matrix_folder(CELLS)))
    assert_same(load(star).adata, CELLS)


def test_samples_are_named_by_the_folder_that_is_their_own(tmp_path: Path) -> None:
    files = {
        **below("liverSolo.out/Gene/filtered", matrix_folder(CELLS, version=2)),
        **below("lungSolo.out/Gene/filtered", matrix_folder(dataset(1), version=2)),
    }
    found = load(written(tmp_path / "x", files))
    assert list(found.adata.obs["file"].cat.categories) == ["liver", "lung"]
    names = {f"{s}/outs/filtered_feature_bc_matrix.h5": i for s, i in (("liver", 0), ("lung", 1))}
    packed = {name: h5(dataset(seed), tmp_path) for name, seed in names.items()}
    found = load(zipped(packed, tmp_path / "x.zip"))
    assert list(found.adata.obs["file"].cat.categories) == ["liver", "lung"]
    np.testing.assert_array_equal(found.adata.X[:N_CELLS].toarray(), CELLS.X.toarray())

"""Every binary format and archive gives back the dataset that was written into it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from scipy.io import mmwrite

from harmony_core.errors import FileError
from harmony_core.io.r_objects import WRITE_IN_R
from tests.io.formats import (
    N_CELLS,
    N_GENES,
    assert_same,
    dataset,
    h5mu,
    loom,
    matrix_folder,
    tarred,
    ten_x_h5,
    ten_x_h5_v2,
    zarr_folder,
    zipped,
)
from tests.io.reading import load, load_many
from tests.io.tool_folders import (
    alevin_fry,
    alevin_fry_by_id,
    alevin_fry_in_three,
    kb_python,
    kb_python_lamanno,
    kb_python_nac,
    kb_python_plain,
    listed,
    mtx,
    parse,
    star_solo,
    velocyto,
    velocyto_in_columns,
    written,
)


@pytest.fixture
def adata() -> ad.AnnData:
    return dataset()


def test_10x_h5(adata: ad.AnnData, tmp_path: Path) -> None:
    path = ten_x_h5(adata, tmp_path / "x.h5")
    found = load(path)
    assert_same(found.adata, adata)
    assert_same(found.adata, sc.read_10x_h5(path))
    assert list(found.adata.var["gene_ids"]) == list(adata.var["gene_ids"])
    assert (found.format, found.notes) == ("10x h5", ())


def test_10x_h5_keeps_antibodies_aside(adata: ad.AnnData, tmp_path: Path) -> None:
    found = load(ten_x_h5(adata, tmp_path / "x.h5", antibodies=4))
    assert_same(found.adata, adata[:, :-4])
    np.testing.assert_array_equal(
        found.adata.obsm["Antibody Capture"].toarray(), adata.X[:, -4:].toarray()
    )
    assert list(found.adata.uns["Antibody Capture names"]) == list(adata.var_names[-4:])
    assert found.notes == ("4 features of the kind 'Antibody Capture' are kept aside.",)
    found.adata.write_h5ad(tmp_path / "again.h5ad")


def test_10x_h5_without_genes(adata: ad.AnnData, tmp_path: Path) -> None:
    found = load(ten_x_h5(adata, tmp_path / "x.h5", antibodies=N_GENES))
    assert found.adata.n_vars == N_GENES
    assert "There is no gene expression in 'x.h5'; 'Antibody Capture' is taken" in found.notes[0]


def test_10x_h5_of_version_2(adata: ad.AnnData, tmp_path: Path) -> None:
    path = ten_x_h5_v2({"hg19": adata}, tmp_path / "x.h5")
    found = load(path)
    assert_same(found.adata, adata)
    assert_same(found.adata, sc.read_10x_h5(path))


def test_10x_h5_of_two_genomes(adata: ad.AnnData, tmp_path: Path) -> None:
    mouse = dataset(1)[:40].copy()
    mouse.obs_names = [*adata.obs_names[10:40], *mouse.obs_names[:10]]
    found = load(ten_x_h5_v2({"hg19": adata, "mm10": mouse}, tmp_path / "x.h5")).adata
    assert found.shape == (60, 2 * N_GENES)
    both = adata.obs_names[15]
    expected = np.r_[adata[both].X.toarray()[0], mouse[both].X.toarray()[0]]
    np.testing.assert_array_equal(found[both].X.toarray()[0], expected)
    assert found[adata.obs_names[0]].X[:, N_GENES:].nnz == 0
    assert found.var_names[0] == "hg19_ACTB"
    assert found.var_names[N_GENES] == "mm10_ACTB"


def test_10x_h5_that_contradicts_itself(adata: ad.AnnData, tmp_path: Path) -> None:
    path = ten_x_h5(adata, tmp_path / "x.h5")
    with h5py.File(path, "a") as file:
        file["matrix/indices"][3] = 10**6
    with pytest.raises(FileError, match=r"'x\.h5' is damaged: part of it cannot be read"):
        load(path)
    with h5py.File(path, "a") as file:
        del file["matrix/data"]
    with pytest.raises(FileError, match=r"'x\.h5' is damaged: part of it cannot be read"):
        load(path)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("folder", ["", "filtered_feature_bc_matrix/GRCh38/"])
@pytest.mark.parametrize("pack", ["zip", "tar.gz", "tar", "tar.xz"])
def test_matrix_folder(
    adata: ad.AnnData, tmp_path: Path, version: int, folder: str, pack: str
) -> None:
    files = matrix_folder(adata, version=version, prefix=folder)
    files["__MACOSX/._matrix.mtx"] = b"clutter"
    files[f"{folder}web_summary.html"] = b"<html>not data</html>"
    path = tmp_path / f"sample.{pack}"
    if pack == "zip":
        zipped(files, path)
    else:
        tarred(files, path, mode=f"w:{pack.removeprefix('tar').removeprefix('.')}")
    found = load(path)
    assert_same(found.adata, adata)
    assert list(found.adata.var["gene_ids"]) == list(adata.var["gene_ids"])
    assert found.format == "10x matrix folder"


def test_matrix_folder_on_the_server(adata: ad.AnnData, tmp_path: Path) -> None:
    for name, data in matrix_folder(adata).items():
        (tmp_path / name).write_bytes(data)
    assert_same(load(tmp_path).adata, adata)
    assert_same(load(tmp_path).adata, sc.read_10x_mtx(tmp_path))


def test_three_files_uploaded_under_other_paths(adata: ad.AnnData, tmp_path: Path) -> None:
    files = matrix_folder(adata)
    paths = [tmp_path / f"upload{i}" for i in range(3)]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    assert_same(load_many(paths, names=list(files)).adata, adata)


def test_cells_by_genes_matrix(adata: ad.AnnData, tmp_path: Path) -> None:
    turned = matrix_folder(adata)

    path = tmp_path / "matrix.mtx"
    mmwrite(path, sp.coo_matrix(adata.X.astype(np.int32)))
    turned["matrix.mtx.gz"] = gzip.compress(path.read_bytes())
    assert_same(load(zipped(turned, tmp_path / "x.zip")).adata, adata)


def test_samples_of_geo_become_one_dataset(tmp_path: Path) -> None:
    first, second = dataset(0), dataset(1)
    files = {
        **matrix_folder(first, prefix="GSM1_ctrl_"),
        **matrix_folder(second, prefix="GSM2_stim_", version=2),
    }
    found = load(tarred(files, tmp_path / "GSE0_RAW.tar", mode="w"))
    assert found.adata.shape == (2 * N_CELLS, N_GENES)
    assert list(found.adata.obs["file"].cat.categories) == ["GSM1_ctrl", "GSM2_stim"]
    np.testing.assert_array_equal(found.adata.X[:N_CELLS].toarray(), first.X.toarray())
    np.testing.assert_array_equal(found.adata.X[N_CELLS:].toarray(), second.X.toarray())


def test_archives_within_an_archive_are_named_by_their_folder(tmp_path: Path) -> None:
    inner = {}
    for name, seed in (("patient1", 0), ("patient2", 1)):
        path = tarred(
            matrix_folder(dataset(seed), prefix="filtered_feature_bc_matrix/"), tmp_path / "inner"
        )
        inner[f"{name}.tar.gz"] = path.read_bytes()
    found = load(zipped(inner, tmp_path / "all.zip"))
    assert list(found.adata.obs["file"].cat.categories) == ["patient1", "patient2"]


def test_matrix_without_its_lists(adata: ad.AnnData, tmp_path: Path) -> None:
    files = matrix_folder(adata)
    del files["barcodes.tsv.gz"]
    with pytest.raises(FileError, match=r"'matrix\.mtx\.gz' comes without its lists of cells"):
        load(zipped(files, tmp_path / "x.zip"))


def test_lists_of_another_matrix(adata: ad.AnnData, tmp_path: Path) -> None:
    files = matrix_folder(adata)
    files["barcodes.tsv.gz"] = gzip.compress(b"AAAC-1\nAAAG-1\n")
    with pytest.raises(FileError, match=r"30 × 50 entries for 30 genes and 2 cells"):
        load(zipped(files, tmp_path / "x.zip"))


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b"%%MatrixMarket matrix coordinate integer general\n30 50 999999999999\n", "shorter than"),
        (b"%%MatrixMarket matrix coordinate integer general\n30 50\n", "has no sizes"),
        (b"%%MatrixMarket matrix coordinate integer general\n30 50 -1\n", "shorter than"),
        (b"%%MatrixMarket matrix coordinate integer general\n30 50 2\n99 1 1\n1 1 1\n", "read"),
        (b"gene,cell\n", "is no sparse matrix"),
    ],
)
def test_damaged_mtx(adata: ad.AnnData, tmp_path: Path, head: bytes, sentence: str) -> None:
    files = matrix_folder(adata, version=2)
    files["matrix.mtx"] = head
    with pytest.raises(FileError, match=sentence):
        load(zipped(files, tmp_path / "x.zip"))


def test_unfiltered_matrix_is_pointed_out(
    adata: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harmony_core.io.tenx._UNFILTERED_FROM", 10)
    dense = adata.X.toarray()
    dense[::2] = 0
    adata.X = sp.csr_matrix(dense)
    found = load(ten_x_h5(adata, tmp_path / "x.h5"))
    assert found.adata.n_obs == N_CELLS // 2
    assert "25 of 50 barcodes have no counts and are left out" in found.notes[0]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_zarr(adata: ad.AnnData, tmp_path: Path, zarr_format: int, packed: bool) -> None:
    path = zarr_folder(adata, tmp_path / "x.zarr", zarr_format=zarr_format)
    if packed:
        files = {
            str(p.relative_to(tmp_path)): p.read_bytes() for p in path.rglob("*") if p.is_file()
        }
        path = zipped(files, tmp_path / "x.zip")
    found = load(path)
    assert found.format == "zarr"
    assert_same(found.adata, adata)
    assert list(found.adata.obs["batch"]) == list(adata.obs["batch"])


def test_zarr_with_pickled_objects_is_refused(adata: ad.AnnData, tmp_path: Path) -> None:
    with ad.settings.override(zarr_write_format=2):
        zarr_folder(adata, tmp_path / "x.zarr")
    # Both where zarr writes it and where it may be repeated.
    for place in (
        tmp_path / "x.zarr" / "obs" / "_index" / ".zarray",
        tmp_path / "x.zarr" / ".zmetadata",
    ):
        original = place.read_text() if place.exists() else None
        values = {"shape": [50], "dtype": "|O", "filters": [{"id": "pickle"}], "zarr_format": 2}
        content = (
            values if place.name == ".zarray" else {"metadata": {"obs/_index/.zarray": values}}
        )
        place.write_text(json.dumps(content))
        with pytest.raises(FileError, match="refused: it is packed with 'pickle', which is not"):
            load(tmp_path / "x.zarr")
        place.unlink() if original is None else place.write_text(original)
    load(tmp_path / "x.zarr")


def test_zarr_that_links_outside(adata: ad.AnnData, tmp_path: Path) -> None:
    zarr_folder(adata, tmp_path / "x.zarr")
    (tmp_path / "x.zarr" / "uns" / "out").symlink_to(tmp_path)
    with pytest.raises(FileError, match="refused: it contains a link"):
        load(tmp_path / "x.zarr")


def test_zarr_of_something_else(tmp_path: Path) -> None:
    import zarr

    zarr.save_array(tmp_path / "x.zarr", np.arange(5))
    with pytest.raises(FileError, match="a zarr folder but not AnnData"):
        load(tmp_path / "x.zarr")


def test_zarr_that_declares_too_much(adata: ad.AnnData, tmp_path: Path) -> None:
    zarr_folder(adata, tmp_path / "x.zarr")
    place = tmp_path / "x.zarr" / "X" / "data" / "zarr.json"
    values = json.loads(place.read_text())
    values["shape"] = [10**13]
    place.write_text(json.dumps(values))
    with pytest.raises(FileError, match=r"needs about 88,000\.0 GB of memory"):
        load(tmp_path / "x.zarr")


def test_damaged_zarr(adata: ad.AnnData, tmp_path: Path) -> None:
    zarr_folder(adata, tmp_path / "x.zarr")
    for chunk in (tmp_path / "x.zarr" / "X" / "data").rglob("*"):
        if chunk.is_file() and "z" not in chunk.name:
            chunk.write_bytes(b"\x01\x02")
    with pytest.raises(FileError, match=r"'x\.zarr' is damaged and cannot be read"):
        load(tmp_path / "x.zarr")


def test_loom(adata: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = loom(adata, tmp_path / "x.loom")
    monkeypatch.setattr("harmony_core.io.loom._VALUES_PER_BLOCK", 500)
    found = load(path).adata
    assert_same(found, adata)
    assert list(found.obs["batch"]) == list(adata.obs["batch"])
    assert list(found.var["Accession"]) == list(adata.var["gene_ids"])
    assert found.obsm["X_pca"].shape == (N_CELLS, 3)
    np.testing.assert_array_equal(found.layers["spliced"].toarray(), 2 * adata.X.toarray())


def test_loom_that_would_not_fit_stops_early(adata: ad.AnnData, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="take a sample of its cells"):
        load(loom(adata, tmp_path / "x.loom"), limit=1000)


def test_damaged_loom(adata: ad.AnnData, tmp_path: Path) -> None:
    path = loom(adata, tmp_path / "x.loom")
    with h5py.File(path, "a") as file:
        del file["matrix"]
        file.create_group("matrix")
    with pytest.raises(FileError, match="is damaged: part of it cannot be read"):
        load(path)


def test_h5mu(adata: ad.AnnData, tmp_path: Path) -> None:
    protein = adata[:, :5].copy()
    protein.var_names = [f"CD{i}" for i in range(5)]
    path = h5mu(tmp_path / "x.h5mu", adata, protein)
    found = load(path)
    assert_same(found.adata, adata)
    assert found.modalities == ("prot", "rna")
    assert "Of the modalities 'prot', 'rna', 'rna' is shown." in found.notes
    assert list(found.adata.obs["donor"]) == ["d1", "d2"] * (N_CELLS // 2)
    assert found.adata.obsm["X_mofa"].shape == (N_CELLS, 4)
    assert "rna" not in found.adata.obsm
    assert list(found.adata.obs) == ["batch", "donor"]
    assert_same(load(path, modality="prot").adata, protein)
    with pytest.raises(FileError, match="no modality 'atac'; available: 'prot', 'rna'"):
        load(path, modality="atac")
    assert not any("left out" in note for note in load(path).notes)


def test_h5mu_whose_modality_has_some_cells(adata: ad.AnnData, tmp_path: Path) -> None:
    path = h5mu(tmp_path / "x.h5mu", adata, adata[20:, :5].copy())
    assert list(load(path, modality="prot").adata.obs["donor"]) == ["d1", "d2"] * 15


def test_h5ad_within_an_archive_or_compressed(adata: ad.AnnData, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "x.h5ad")
    data = (tmp_path / "x.h5ad").read_bytes()
    found = load(zipped({"deep/x.h5ad": data}, tmp_path / "x.zip"))
    assert_same(found.adata, adata)
    assert found.format == "packed h5ad"
    (tmp_path / "x.h5ad.gz").write_bytes(gzip.compress(data))
    assert_same(load(tmp_path / "x.h5ad.gz").adata, adata)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("object.rds", "in R, run: library"),
        ("sheet.xlsx", "save the sheet as csv"),
        ("data.pkl", "pickled objects can run code"),
        ("data.h5seurat", "in R, run: library"),
    ],
)
def test_formats_that_cannot_be_read_say_what_to_do(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 or anything")
    with pytest.raises(FileError, match=sentence):
        load(tmp_path / name)


def test_combining_files(adata: ad.AnnData, tmp_path: Path) -> None:
    other = dataset(1)[:, 5:].copy()
    other.obs["lane"] = pd.Categorical(["L1"] * N_CELLS)
    other.var_names = [*other.var_names[:-2], "ONLY1", "ONLY2"]
    adata.write_h5ad(tmp_path / "one.h5ad")
    ten_x_h5(dataset(2), tmp_path / "three.h5")
    other.write_h5ad(tmp_path / "two.h5ad")
    paths = [tmp_path / n for n in ("one.h5ad", "two.h5ad", "three.h5")]
    inner = load_many(paths)
    assert inner.adata.shape == (3 * N_CELLS, 23)
    assert list(inner.adata.obs["file"].cat.categories) == ["one", "two", "three"]
    assert inner.adata.obs["lane"].isna().sum() == 2 * N_CELLS
    assert any("23 genes are in all files and are kept" in note for note in inner.notes)
    assert any("7 of 30 in 'one', 2 of 25 in 'two'" in note for note in inner.notes)
    np.testing.assert_array_equal(
        inner.adata[:N_CELLS].X.toarray(), adata[:, inner.adata.var_names].X.toarray()
    )
    outer = load_many(paths, genes="union").adata
    assert outer.shape == (3 * N_CELLS, N_GENES + 2)
    assert outer[:N_CELLS, "ONLY1"].X.nnz == 0
    np.testing.assert_array_equal(
        outer[N_CELLS : 2 * N_CELLS, other.var_names].X.toarray(), other.X.toarray()
    )
    outer.write_h5ad(tmp_path / "again.h5ad")


@pytest.mark.parametrize("number", [int, float])
def test_combining_a_number_with_the_same_as_text(
    adata: ad.AnnData, tmp_path: Path, number: type
) -> None:
    lane = np.resize([1, 2], N_CELLS)
    for name, values in (("a", lane.astype(number)), ("b", lane.astype(str))):
        adata.obs["lane"] = values
        adata.write_h5ad(tmp_path / f"{name}.h5ad")
    found = load_many([tmp_path / "a.h5ad", tmp_path / "b.h5ad"]).adata
    assert list(found.obs["lane"].cat.categories) == ["1", "2"]
    assert list(found.obs["lane"]) == [*map(str, lane)] * 2


def test_combining_takes_counts_from_where_they_are(adata: ad.AnnData, tmp_path: Path) -> None:
    logged = dataset(1)
    logged.layers["counts"] = logged.X.copy()
    sc.pp.normalize_total(logged)
    sc.pp.log1p(logged)
    adata.write_h5ad(tmp_path / "a.h5ad")
    logged.write_h5ad(tmp_path / "b.h5ad")
    found = load_many([tmp_path / "a.h5ad", tmp_path / "b.h5ad"]).adata
    np.testing.assert_array_equal(found.X[N_CELLS:].toarray(), logged.layers["counts"].toarray())


def test_combining_ids_with_symbols(adata: ad.AnnData, tmp_path: Path) -> None:
    by_id = dataset(1)
    by_id.var = pd.DataFrame({"gene_symbols": by_id.var_names}, index=by_id.var["gene_ids"])
    adata.write_h5ad(tmp_path / "a.h5ad")
    by_id.write_h5ad(tmp_path / "b.h5ad")
    found = load_many([tmp_path / "a.h5ad", tmp_path / "b.h5ad"]).adata
    assert list(found.var_names) == list(adata.var_names)


def test_repeated_barcodes_get_the_file_added(adata: ad.AnnData, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "a.h5ad")
    adata.write_h5ad(tmp_path / "b.h5ad")
    found = load_many([tmp_path / "a.h5ad", tmp_path / "b.h5ad"]).adata
    assert found.obs_names.is_unique
    assert found.obs_names[0] == f"{adata.obs_names[0]}-a"


def test_combining_what_cannot_be_combined(adata: ad.AnnData, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "a.h5ad")
    other = dataset(1)
    other.var_names = [f"gene{i}" for i in range(N_GENES)]
    other.write_h5ad(tmp_path / "b.h5ad")
    with pytest.raises(
        FileError, match=r"no gene in common \(the first ones are 'ACTB', 'gene0'\)"
    ):
        load_many([tmp_path / "a.h5ad", tmp_path / "b.h5ad"])
    bare = ad.AnnData(obs=adata.obs, obsm={"X_pca": np.ones((N_CELLS, 3))})
    bare.write_h5ad(tmp_path / "c.h5ad")
    with pytest.raises(FileError, match="'c' has no expression values"):
        load_many([tmp_path / "a.h5ad", tmp_path / "c.h5ad"])


def test_barcodes_of_several_samples_name_them(adata: ad.AnnData, tmp_path: Path) -> None:
    wells = np.resize([1, 2, 10], N_CELLS)
    adata.obs_names = [f"{n[:-2]}-{w}" for n, w in zip(adata.obs_names, wells, strict=True)]
    found = load(ten_x_h5(adata, tmp_path / "aggregated.h5"))
    assert found.adata.obs["gem_well"].astype(int).tolist() == wells.tolist()
    assert list(found.adata.obs["gem_well"].cat.categories) == ["1", "2", "10"]
    assert any("have 3 different endings" in note for note in found.notes)
    adata.obs_names = [f"{n}-{i}" for i, n in enumerate(adata.obs_names)]
    assert "gem_well" not in load(ten_x_h5(adata, tmp_path / "x.h5")).adata.obs


def test_two_species_and_the_same_cells_twice(adata: ad.AnnData, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "a.h5ad")
    adata.write_h5ad(tmp_path / "b.h5ad")
    notes = load_many([tmp_path / "a.h5ad", tmp_path / "b.h5ad"]).notes
    assert "'a' and 'b' hold the same cells; leave one of them out." in notes
    mouse = dataset(1)
    mouse.var_names = ["ACTB", *(name.capitalize() for name in mouse.var_names[1:])]
    mouse.write_h5ad(tmp_path / "mouse.h5ad")
    with pytest.raises(FileError, match=r"have 1 gene in common .* bring them to the same species"):
        load_many([tmp_path / "a.h5ad", tmp_path / "mouse.h5ad"])


def test_lists_of_a_matrix_that_are_missing(adata: ad.AnnData, tmp_path: Path) -> None:
    files = {k: v for k, v in matrix_folder(adata).items() if "features" not in k}
    with pytest.raises(FileError, match="comes without its lists of cells and genes; give all"):
        load(zipped(files, tmp_path / "x.zip"))


def test_link_inside_that_leads_nowhere(adata: ad.AnnData, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad", "a") as file:
        file["uns/lost"] = h5py.SoftLink("/nowhere")
    found = load(tmp_path / "x.h5ad")
    assert "uns/lost was left out: it could not be read." in found.notes
    assert_same(found.adata, adata)


def test_texts_about_the_data_in_an_archive(adata: ad.AnnData, tmp_path: Path) -> None:
    table = adata.to_df().astype(int).to_csv().encode()
    about = {"README.txt": b"These are, counts\n", "a/md5sums.txt": b"x\n", "LICENSE.txt": b"MIT\n"}
    assert_same(load(zipped({"x.csv": table, **about}, tmp_path / "x.zip")).adata, adata)


OF_OTHER_TOOLS = [
    *(star_solo, velocyto, velocyto_in_columns, kb_python, kb_python_nac, kb_python_lamanno),
    *(kb_python_plain, alevin_fry, alevin_fry_in_three, alevin_fry_by_id, parse),
]


@pytest.mark.parametrize("files", OF_OTHER_TOOLS)
def test_folders_of_other_tools(adata: ad.AnnData, tmp_path: Path, files: Callable) -> None:
    found = load(written(tmp_path / "one", files(adata)))
    assert_same(found.adata, adata)
    assert not any("no gene expression" in note for note in found.notes)
    assert_same(load(zipped(files(adata), tmp_path / "x.zip")).adata, adata)


@pytest.mark.parametrize("files", OF_OTHER_TOOLS)
def test_some_cells_of_folders_of_other_tools(
    adata: ad.AnnData, tmp_path: Path, files: Callable
) -> None:
    found = load(written(tmp_path / "one", files(adata)), max_cells=20).adata
    assert_same(found, adata[found.obs_names])


@pytest.mark.parametrize("files", [*OF_OTHER_TOOLS, matrix_folder])
def test_with_as_many_cells_as_genes_the_tool_tells_which_is_which(
    adata: ad.AnnData, tmp_path: Path, files: Callable
) -> None:
    n = min(adata.shape)
    assert_same(load(written(tmp_path / "one", files(adata[:n, :n]))).adata, adata[:n, :n])


def test_lists_that_r_has_numbered_name_cells_and_genes(adata: ad.AnnData, tmp_path: Path) -> None:
    files = matrix_folder(adata, version=2)
    for name in ("barcodes.tsv", "genes.tsv"):
        lines = files[name].decode().splitlines()
        files[name] = listed([f"{i}\t{line}" for i, line in enumerate(lines, start=1)])
    assert_same(load(written(tmp_path / "one", files)).adata, adata)


def test_further_matrices_are_named_and_left_aside(adata: ad.AnnData, tmp_path: Path) -> None:
    notes = load(written(tmp_path / "solo", star_solo(adata))).notes
    assert any("Beside 'matrix.mtx' is 'UniqueAndMult-EM.mtx', of the same" in n for n in notes)
    notes = load(written(tmp_path / "velocyto", velocyto(adata))).notes
    several = "'spliced.mtx' are 'ambiguous.mtx', 'unspliced.mtx', of the same run; they are not"
    assert any(several in n for n in notes)
    notes = load(written(tmp_path / "lamanno", kb_python_lamanno(adata))).notes
    assert any("Beside 'spliced.mtx' is 'unspliced.mtx', of the same run" in n for n in notes)
    for cells in (None, 20):
        notes = load(written(tmp_path / "old", velocyto_in_columns(adata)), max_cells=cells).notes
        assert any("the spliced ones are taken. The matrix in the folder Gene" in n for n in notes)
    unknown = star_solo(adata) | {"other_sample.mtx": mtx(adata.X.T)}
    with pytest.raises(FileError, match=r"'other_sample\.mtx' comes without its lists"):
        load(written(tmp_path / "unknown", unknown))


def test_cell_metadata_of_parse_describe_the_cells(adata: ad.AnnData, tmp_path: Path) -> None:
    found = load(written(tmp_path / "x", parse(adata))).adata
    assert list(found.obs["sample"]) == list(adata.obs["batch"])
    assert list(found.var["gene_ids"]) == list(adata.var["gene_ids"])


def test_cell_metadata_of_several_samples_of_parse_describe_their_own(tmp_path: Path) -> None:
    first, second = dataset(0), dataset(1)
    second.obs_names = [*first.obs_names[:5], *second.obs_names[5:]]
    both = {f"a/DGE_filtered/{k}": v for k, v in parse(first).items()}
    both |= {f"b/DGE_filtered/{k}": v for k, v in parse(second).items()}
    found = load(written(tmp_path / "x", both)).adata
    assert list(found.obs["file"]) == ["a"] * N_CELLS + ["b"] * N_CELLS
    assert list(found.obs["sample"]) == [*first.obs["batch"], *second.obs["batch"]]


def test_matrices_of_other_tools_that_hold_no_genes_or_are_binary(
    adata: ad.AnnData, tmp_path: Path
) -> None:
    tcc = {k.replace("x_genes.", "x_tcc.", 1): v for k, v in kb_python(adata).items()}
    with pytest.raises(FileError, match="counts sets of transcripts rather than genes; give the"):
        load(written(tmp_path / "tcc", {k: v for k, v in tcc.items() if "genes" not in k}))
    binary = alevin_fry(adata) | {"quants_mat.gz": b"\x1f\x8b binary"}
    del binary["quants_mat.mtx"]
    with pytest.raises(FileError, match=r"comes without quants_mat\.mtx; .* --dumpMtx"):
        load(written(tmp_path / "alevin", binary))


def test_cells_that_several_files_hold_are_said(adata: ad.AnnData, tmp_path: Path) -> None:
    """All cells and some of them; barcodes alone may agree by chance."""
    adata.write_h5ad(tmp_path / "all.h5ad")
    adata[5:35, ::-1].copy().write_h5ad(tmp_path / "some.h5ad")
    other = dataset(1)
    other.obs_names = adata.obs_names
    other.write_h5ad(tmp_path / "other.h5ad")
    notes = load_many([tmp_path / f"{name}.h5ad" for name in ("all", "some", "other")]).notes
    said = [note for note in notes if "leave one of them out" in note]
    assert said == ["'all' and 'some' hold the same cells; leave one of them out."]


def test_ids_and_symbols_of_kb_python(adata: ad.AnnData, tmp_path: Path) -> None:
    found = load(written(tmp_path / "x", kb_python(adata))).adata
    assert list(found.var["gene_ids"]) == list(adata.var["gene_ids"])


@pytest.mark.parametrize("ending", [".rds", ".RData", ".rda", ".qs", ".h5seurat"])
def test_r_objects_are_refused_with_the_line_that_writes_them(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"x{ending}").write_bytes(b"RDX3")
    with pytest.raises(FileError, match=r"in R, run: library\(Seurat\); object <- .*x\.") as caught:
        load(tmp_path / f"x{ending}")
    assert WRITE_IN_R in str(caught.value)


XDR = b"X\n\x00\x00\x00\x03\x00\x04\x03\x01" + bytes(40)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        *(("object", gzip.compress), ("object.rds.gz", gzip.compress), ("counts.csv", bytes)),
        *(("data.h5", bz2.compress), ("x.bin", lzma.compress)),
    ],
)
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (XDR, 'readRDS("'),
        (b"A\n3\n262402\n197888\n6\nCP1252\n", 'readRDS("'),
        (b"RDX3\n" + XDR, 'get(load("'),
        (b"RDX2\n" + XDR, 'get(load("'),
        (b"\x0b\x0e\x0a\x0c" + bytes(60), 'qs::qread("'),
        (b"\x0b\x0e\x0a\xc1" + bytes(60), 'qs2::qs_read("'),
    ],
)
def test_r_objects_are_known_by_their_content(
    tmp_path: Path, content: bytes, pack: Callable, name: str, line: str
) -> None:
    (tmp_path / name).write_bytes(pack(content))
    with pytest.raises(FileError, match="holds an R object, which cannot be read here") as caught:
        load(tmp_path / name)
    assert f"object <- {line}{name}" in str(caught.value)


def test_r_objects_in_archives_and_under_names_of_hdf5(tmp_path: Path) -> None:
    path = zipped({"a/seurat.rds": gzip.compress(XDR), "a/notes.docx": b"x"}, tmp_path / "x.zip")
    with pytest.raises(FileError, match=r"'seurat\.rds' holds an R object, which .*readRDS"):
        load(path)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_group("assays/RNA")
        file["cell.names"] = np.array(["a"], dtype="S")
    with pytest.raises(FileError, match=r"h5Seurat file, .*LoadH5Seurat\(\"x\.h5\"\)"):
        load(tmp_path / "x.h5")


def test_what_the_line_of_r_writes_is_read(adata: ad.AnnData, tmp_path: Path) -> None:
    """The line itself, with the two functions of Seurat that it calls given by hand."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    files = {k: v for k, v in matrix_folder(adata, version=2).items() if k == "matrix.mtx"}
    names = {"cells.txt": listed(adata.obs_names), "genes.txt": listed(adata.var_names)}
    folder = written(tmp_path / "r", {"in.mtx": files["matrix.mtx"], **names})
    stands_for_seurat = """
        if (!requireNamespace("Matrix", quietly = TRUE)) quit(status = 3)
        counts <- as(Matrix::readMM("in.mtx"), "CsparseMatrix")
        dimnames(counts) <- list(readLines("genes.txt"), readLines("cells.txt"))
        object <- list(data.frame(donor = rep(c("a", "b"), 25), row.names = colnames(counts)))
        LayerData <- function(object, layer) counts
        class(object) <- "stand_in"
        `[[.stand_in` <- function(x, ...) unclass(x)[[1]]
    """
    script = ["Rscript", "-e", f"{stands_for_seurat}\n{WRITE_IN_R}"]
    done = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("R has no Matrix")
    assert done.returncode == 0, done.stderr
    four = ["matrix.mtx", "barcodes.tsv", "features.tsv", "metadata.csv"]
    found = load_many([folder / name for name in four]).adata
    assert_same(found, adata)
    assert list(found.obs["donor"]) == ["a", "b"] * (N_CELLS // 2)

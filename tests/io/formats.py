"""Writes the same small dataset in every format that is read."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
import zipfile
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite

N_CELLS, N_GENES = 50, 30


def dataset(seed: int = 0) -> ad.AnnData:
    """Counts of 50 cells and 30 genes, with names as in real files."""
    rng = np.random.default_rng(seed)
    barcodes = ["".join(rng.choice(list("ACGT"), 16)) + "-1" for _ in range(N_CELLS)]
    genes = ["ACTB", "GAPDH", "MT-CO1", "CD3D", "HLA-DRA"]
    genes += [f"RPL{i + 1}" for i in range(N_GENES - len(genes))]
    counts = rng.poisson(0.7, (N_CELLS, N_GENES)).astype(np.float32)
    return ad.AnnData(
        sp.csr_matrix(counts),
        obs=pd.DataFrame(
            {"batch": pd.Categorical(rng.choice(["a", "b"], N_CELLS))}, index=barcodes
        ),
        var=pd.DataFrame({"gene_ids": [f"ENSG{i:011d}" for i in range(N_GENES)]}, index=genes),
    )


def ten_x_h5(adata: ad.AnnData, path: Path, *, antibodies: int = 0) -> Path:
    """Write CellRanger 3's .h5."""
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        _compressed_sparse(group, adata.X)
        group["barcodes"] = np.array(adata.obs_names, dtype="S")
        features = group.create_group("features")
        kinds = ["Gene Expression"] * (N_GENES - antibodies) + ["Antibody Capture"] * antibodies
        features["id"] = np.array(adata.var["gene_ids"], dtype="S")
        features["name"] = np.array(adata.var_names, dtype="S")
        features["feature_type"] = np.array(kinds, dtype="S")
        features["genome"] = np.array(["GRCh38"] * N_GENES, dtype="S")
    return path


def ten_x_h5_v2(genomes: dict[str, ad.AnnData], path: Path) -> Path:
    """Write CellRanger 2's .h5, one group a genome."""
    with h5py.File(path, "w") as file:
        for genome, adata in genomes.items():
            group = file.create_group(genome)
            _compressed_sparse(group, adata.X)
            group["barcodes"] = np.array(adata.obs_names, dtype="S")
            group["genes"] = np.array(adata.var["gene_ids"], dtype="S")
            group["gene_names"] = np.array(adata.var_names, dtype="S")
    return path


def _compressed_sparse(group: h5py.Group, matrix: sp.csr_matrix) -> None:
    features_by_cells = sp.csc_matrix(matrix.T)
    group["data"] = features_by_cells.data.astype(np.int32)
    group["indices"] = features_by_cells.indices.astype(np.int64)
    group["indptr"] = features_by_cells.indptr.astype(np.int64)
    group["shape"] = np.array(features_by_cells.shape, dtype=np.int32)


def matrix_folder(adata: ad.AnnData, *, version: int = 3, prefix: str = "") -> dict[str, bytes]:
    """Return the three files of a matrix folder."""
    buffer = io.BytesIO()
    mmwrite(buffer, sp.coo_matrix(adata.X.T.astype(np.int32)))
    barcodes = "".join(f"{n}\n" for n in adata.obs_names).encode()
    columns = zip(adata.var["gene_ids"], adata.var_names, strict=True)
    if version == 2:
        genes = "".join(f"{i}\t{n}\n" for i, n in columns).encode()
        return {
            f"{prefix}matrix.mtx": buffer.getvalue(),
            f"{prefix}barcodes.tsv": barcodes,
            f"{prefix}genes.tsv": genes,
        }
    features = "".join(f"{i}\t{n}\tGene Expression\n" for i, n in columns).encode()
    return {
        f"{prefix}matrix.mtx.gz": gzip.compress(buffer.getvalue()),
        f"{prefix}barcodes.tsv.gz": gzip.compress(barcodes),
        f"{prefix}features.tsv.gz": gzip.compress(features),
    }


def zipped(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def stored(files: dict[str, bytes], path: Path) -> Path:
    """Write a zip that compresses nothing."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(files: dict[str, bytes], path: Path, *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def loom(adata: ad.AnnData, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("matrix", data=adata.X.T.toarray(), chunks=(16, 16), compression="gzip")
        file.create_group("layers").create_dataset("spliced", data=adata.X.T.toarray() * 2)
        rows, columns = file.create_group("row_attrs"), file.create_group("col_attrs")
        rows["Gene"] = np.array(adata.var_names, dtype=h5py.string_dtype())
        rows["Accession"] = np.array(adata.var["gene_ids"], dtype=h5py.string_dtype())
        columns["CellID"] = np.array(adata.obs_names, dtype=h5py.string_dtype())
        columns["batch"] = np.array(adata.obs["batch"], dtype=h5py.string_dtype())
        columns["depth"] = np.asarray(adata.X.sum(axis=1)).ravel()
        columns["X_pca"] = np.arange(N_CELLS * 3.0).reshape(N_CELLS, 3)
        file.create_group("row_graphs")
        file.create_group("col_graphs")
    return path


def zarr_folder(adata: ad.AnnData, path: Path, *, zarr_format: int = 3) -> Path:
    with warnings.catch_warnings(), ad.settings.override(zarr_write_format=zarr_format):
        # Version 2 is announced to end, and version 3 has no agreed form of text yet.
        warnings.simplefilter("ignore")
        adata.write_zarr(path)
    return path


def h5mu(path: Path, rna: ad.AnnData, protein: ad.AnnData) -> Path:
    """Write MuData as mudata does: the modalities, and a table of all cells."""
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "MuData"
        for name, adata in (("prot", protein), ("rna", rna)):
            ad.io.write_elem(file, f"mod/{name}", adata)
        shared = pd.DataFrame(
            {
                "donor": pd.Categorical(np.resize(["d1", "d2"], N_CELLS)),
                "rna:batch": rna.obs["batch"],
            },
            index=rna.obs_names,
        )
        ad.io.write_elem(file, "obs", shared)
        ad.io.write_elem(file, "var", pd.DataFrame(index=[*protein.var_names, *rna.var_names]))
        wide = {"X_mofa": np.ones((N_CELLS, 4)), "rna": np.ones(N_CELLS, dtype=bool)}
        ad.io.write_elem(file, "obsm", wide)
    return path


def assert_same(found: ad.AnnData, expected: ad.AnnData) -> None:
    """Compare names and values; the order of cells and genes is part of both."""
    assert list(found.obs_names) == list(expected.obs_names)
    assert list(found.var_names) == list(expected.var_names)
    dense = found.X.toarray() if sp.issparse(found.X) else np.asarray(found.X)
    np.testing.assert_array_equal(dense, expected.X.toarray())

"""10x Genomics: CellRanger's .h5, versions 2 and 3."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.hdf5 import open_checked
from harmony_core.io.loaded import Loaded, check_fits, unchanged
from harmony_core.io.subsample import Sample, drawn_note, rows_of_compressed

if TYPE_CHECKING:
    import anndata as ad
    import h5py

GENES = "Gene Expression"
_UNFILTERED_FROM = 50_000
_MOSTLY = 0.99
_FEWEST_OF_A_WELL = 5


def is_10x_h5(file: h5py.File) -> bool:
    """Whether an open HDF5 file is CellRanger's."""
    return bool(_genomes(file)) or "matrix/features" in file


def read_10x_h5(
    path: Path, name: str, *, limit: float | None = None, sample: Sample | None = None
) -> Loaded:
    """Read CellRanger's .h5.

    Parameters
    ----------
    path, name, limit
        As in `harmony_core.io.h5ad.read_h5ad`.
    sample
        Which cells to read; by default all. Of a file with several genomes all are read.

    Raises
    ------
    FileError
        Damaged, or too large.
    """
    with unchanged(path, name):
        with open_checked(path, name, limit=math.inf) as file:
            is_v3, genomes = "matrix/features" in file, _genomes(file)
        if sample is not None and (is_v3 or len(genomes) == 1):
            with open_checked(path, name, limit=math.inf) as file:
                group = file["matrix" if is_v3 else genomes[0]]
                var = _features_v3(group) if is_v3 else _features_v2(file, genomes[0])
                matrix, cells, note = _drawn(group, name, sample, limit)
            found = make_dataset(matrix, cells, var, name, "sample of 10x h5")
            return dataclasses.replace(found, notes=(note, *found.notes))
        with open_checked(path, name, limit=limit) as file:
            if not is_v3:
                return _read_v2(file, name)
            group = file["matrix"]
            cells, var = pd.Index(_strings(group["barcodes"])), _features_v3(group)
            return make_dataset(_sparse(group), cells, var, name, "10x h5")


def _genomes(file: h5py.File) -> list[str]:
    return [g for g in file if all(f"{g}/{part}" in file for part in ("genes", "barcodes", "data"))]


def _drawn(
    group: h5py.Group, name: str, sample: Sample, limit: float | None
) -> tuple[sp.csr_matrix, pd.Index, str]:
    """Read some cells, of those with counts where most barcodes have none."""
    n_features, n_cells = (int(n) for n in group["shape"][()])
    cells = pd.Index(_strings(group["barcodes"]))
    full = np.flatnonzero(np.diff(group["indptr"][()]))
    if n_cells <= _UNFILTERED_FROM or len(full) > _MOSTLY * n_cells:
        full = np.arange(n_cells)
    rows = full[sample.rows(pd.DataFrame(index=cells[full]), name)]
    parts = []
    n_values = 0
    for part in rows_of_compressed(group, [n_cells, n_features], rows):
        n_values += part.nnz
        check_fits(8.0 * n_values, name, limit=limit)
        parts.append(part)
    matrix = sp.csr_matrix(sp.vstack(parts, format="csr"))
    return matrix, cells[rows], drawn_note(len(rows), len(full), name)


def _features_v3(group: h5py.Group) -> pd.DataFrame:
    features = group["features"]
    ids = _strings(features["id"])
    var = pd.DataFrame(
        {
            "gene_ids": ids,
            "name": _strings(features["name"]) if "name" in features else ids,
            "feature_types": _strings(features["feature_type"])
            if "feature_type" in features
            else GENES,
        }
    )
    if "genome" in features:
        var["genome"] = _strings(features["genome"])
    return var


def _features_v2(file: h5py.File, genome: str, prefix: str = "") -> pd.DataFrame:
    group = file[genome]
    table = pd.DataFrame({"gene_ids": _strings(group["genes"]), "feature_types": GENES})
    names = _strings(group["gene_names"]) if "gene_names" in group else table["gene_ids"]
    table["name"], table["genome"] = [f"{prefix}{n}" for n in names], genome
    return table


def _read_v2(file: h5py.File, name: str) -> Loaded:
    """Several genomes become one matrix, as CellRanger 3 writes them."""
    genomes = _genomes(file)
    blocks, barcodes, tables = [], [], []
    for genome in genomes:
        group = file[genome]
        blocks.append(_sparse(group))
        barcodes.append(pd.Index(_strings(group["barcodes"])))
        tables.append(_features_v2(file, genome, f"{genome}_" if len(genomes) > 1 else ""))
    cells = barcodes[0]
    for more in barcodes[1:]:
        cells = cells.union(more, sort=False)
    aligned = []
    for block, own in zip(blocks, barcodes, strict=True):
        place = sp.csr_matrix(
            (np.ones(len(own), block.dtype), (cells.get_indexer(own), np.arange(len(own)))),
            shape=(len(cells), len(own)),
        )
        aligned.append(place @ block)
    return make_dataset(
        sp.csr_matrix(sp.hstack(aligned)), cells, pd.concat(tables), name, "10x h5 (version 2)"
    )


def _strings(dataset: h5py.Dataset) -> list[str]:
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in dataset[()]]


def _sparse(group: h5py.Group) -> sp.csr_matrix:
    """10x store features × cells by cell, which read as cells × features is by row."""
    n_features, n_cells = (int(n) for n in group["shape"][()])
    parts = (group["data"][()], group["indices"][()], group["indptr"][()])
    matrix = sp.csr_matrix(parts, shape=(n_cells, n_features))
    matrix.check_format(full_check=True)
    return matrix


def _wells(cells: pd.Index) -> pd.Categorical | None:
    """Return the number at the end of the barcodes, by which "cellranger aggr" tells samples."""
    endings = cells.astype(str).str.extract(r"-(\d+)$", expand=False)
    n = endings.nunique()
    if endings.isna().any() or n < 2 or n * _FEWEST_OF_A_WELL > len(cells):
        return None
    return pd.Categorical(endings, categories=sorted(endings.unique(), key=int))


def make_dataset(
    matrix: sp.csr_matrix, cells: pd.Index, var: pd.DataFrame, name: str, kind: str
) -> Loaded:
    """Take gene expression as X, and keep other features aside in obsm.

    Parameters
    ----------
    matrix
        Cells × features.
    cells
        Names of the cells.
    var
        Features: ``gene_ids``, ``name``, ``feature_types`` as CellRanger calls them.
    name
        Name of the file, for messages.
    kind
        Name of the format.
    """
    import anndata

    if matrix.shape != (len(cells), len(var)):
        raise FileError(f"{name} is damaged: names and matrix differ in length.")
    notes = []
    types = var["feature_types"].to_numpy(dtype=object)
    main = GENES if (types == GENES).any() else str(pd.Series(types).mode().iloc[0])
    if main != GENES:
        notes.append(f"There is no gene expression in {name}; {quoted(main)} is taken instead.")
    full = np.asarray(matrix.sum(axis=1)).ravel() > 0
    if len(cells) > _UNFILTERED_FROM and full.mean() < _MOSTLY:
        notes.append(
            f"{int((~full).sum()):,} of {len(cells):,} barcodes have no counts and are left out. "
            "This looks like the unfiltered matrix; the filtered one holds the cells."
        )
        matrix, cells = matrix[full], cells[full]
    genes = types == main
    table = var[genes].set_index("name")
    adata: ad.AnnData = anndata.AnnData(
        matrix[:, np.flatnonzero(genes)], obs=pd.DataFrame(index=cells), var=table
    )
    adata.var.index.name = None
    if (wells := _wells(cells)) is not None:
        adata.obs["gem_well"] = wells
        notes.append(
            f"The barcodes have {len(wells.categories)} different endings, one for each sample "
            "that was put together; the column 'gem_well' tells which."
        )
    aside = [str(t) for t in pd.unique(types) if t != main]
    for other in aside:
        columns: NDArray[np.intp] = np.flatnonzero(types == other)
        adata.obsm[other] = matrix[:, columns]
        adata.uns[f"{other} names"] = var["name"].to_numpy(dtype=object)[columns]
        notes.append(f"{len(columns):,} features of the kind {quoted(other)} are kept aside.")
    return Loaded(adata, kind, tuple(notes))

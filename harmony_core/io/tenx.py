"""10x Genomics: CellRanger's .h5, versions 2 and 3."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.counting import counted
from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.file_data import FileData
from harmony_core.io.open_file import OpenFile
from harmony_core.io.stored_cells import rows_of_compressed, within_memory
from harmony_core.io.subsample import Subsample, drawn_note

if TYPE_CHECKING:
    import anndata as ad
    import h5py

GENES = "Gene Expression"
_UNFILTERED_FROM = 50_000
_MOSTLY = 0.99
_FEWEST_OF_A_WELL = 5


def is_10x_h5(file: OpenFile) -> bool:
    """Whether a file is CellRanger's."""
    return file.hdf5 is not None and (bool(_genomes(file.hdf5)) or "matrix/features" in file.hdf5)


def read_10x_h5(file: OpenFile) -> FileData:
    """Read CellRanger's .h5, or the cells that are asked for; of several genomes all are read.

    Raises
    ------
    FileError
        Damaged, or too large.
    """
    content, name, subsample = file.content, file.name, file.options.subsample
    is_v3, genomes = "matrix/features" in content, _genomes(content)
    if subsample is not None and (is_v3 or len(genomes) == 1):
        group = content["matrix" if is_v3 else genomes[0]]
        var = _features_v3(group) if is_v3 else _features_v2(content, genomes[0])
        matrix, cells, note = _drawn(group, file, subsample)
        data = make_dataset(matrix, cells, var, name, "sample of 10x h5")
        return dataclasses.replace(data, notes=(note, *data.notes))
    file.check_fits(file.n_bytes)
    if not is_v3:
        return _read_v2(content, name)
    group = content["matrix"]
    cells, var = pd.Index(_strings(group["barcodes"])), _features_v3(group)
    return make_dataset(_sparse(group), cells, var, name, "10x h5")


def _genomes(file: h5py.File) -> list[str]:
    return [g for g in file if all(f"{g}/{part}" in file for part in ("genes", "barcodes", "data"))]


def _drawn(
    group: h5py.Group, file: OpenFile, subsample: Subsample
) -> tuple[sp.csr_matrix, pd.Index, str]:
    """Read some cells, of those with counts where most barcodes have none."""
    n_features, n_cells = (int(n) for n in group["shape"][()])
    cells = pd.Index(_strings(group["barcodes"]))
    full = np.flatnonzero(np.diff(group["indptr"][()]))
    if n_cells <= _UNFILTERED_FROM or len(full) > _MOSTLY * n_cells:
        full = np.arange(n_cells)
    rows = full[subsample.rows(pd.DataFrame(index=cells[full]), file.name)]
    parts = within_memory(rows_of_compressed(group, [n_cells, n_features], rows), file)
    matrix = sp.csr_matrix(sp.vstack(parts, format="csr"))
    return matrix, cells[rows], drawn_note(len(rows), len(full), file.name)


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


def _read_v2(file: h5py.File, name: str) -> FileData:
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
) -> FileData:
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
        kind_of = f"of the kind {quoted(other)}"
        features = counted(len(columns), f"feature {kind_of} is", f"features {kind_of} are")
        notes.append(f"{features} kept aside.")
    return FileData(adata, kind, tuple(notes))

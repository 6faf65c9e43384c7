"""Loom files (HDF5: genes × cells, dense, with attributes of both)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.io.file_data import FileData
from harmony_core.io.open_file import OpenFile
from harmony_core.io.subsample import drawn_note

if TYPE_CHECKING:
    import h5py

_CELL_NAMES = ("CellID", "obs_names", "cell_id", "cell_names", "Barcode", "barcode", "cells")
_GENE_NAMES = ("Gene", "var_names", "gene_names", "gene_symbols", "GeneName", "Accession")
_VALUES_PER_BLOCK = 20_000_000


def is_loom(file: OpenFile) -> bool:
    """Whether a file is loom."""
    parts = ("matrix", "row_attrs", "col_attrs")
    return file.hdf5 is not None and all(part in file.hdf5 for part in parts)


def read_loom(file: OpenFile) -> FileData:
    """Read a loom file, or the cells of it that are asked for.

    Raises
    ------
    FileError
        Damaged, or too large.
    """
    import anndata

    content, subsample = file.content, file.options.subsample
    n_genes, n_cells = content["matrix"].shape
    obs, obsm = _attributes(content["col_attrs"], n_cells, _CELL_NAMES, "cell")
    var, varm = _attributes(content["row_attrs"], n_genes, _GENE_NAMES, "gene")
    rows, notes = np.arange(n_cells), []
    if subsample is not None:
        rows = subsample.rows(obs, file.name)
        notes.append(drawn_note(len(rows), n_cells, file.name))
    # Dense on disk, but mostly zeros and read sparse: the size is checked as it grows.
    matrix = _sparse(content["matrix"], rows, file)
    obsm = {key: values[rows] for key, values in obsm.items()}
    adata = anndata.AnnData(matrix, obs=obs.iloc[rows], var=var, obsm=obsm, varm=varm)
    for key in content.get("layers", ()):
        if key and content["layers"][key].shape == (n_genes, n_cells):
            adata.layers[key] = _sparse(content["layers"][key], rows, file)
    return FileData(adata, "loom" if subsample is None else "sample of loom", tuple(notes))


def _sparse(dataset: h5py.Dataset, rows: NDArray[np.intp], file: OpenFile) -> sp.csr_matrix[Any]:
    """Read the wanted cells, in their order."""
    n_genes, n_cells = dataset.shape
    # Whole chunks, so that none is decompressed twice.
    width = dataset.chunks[1] if dataset.chunks else 1
    step = max(1, _VALUES_PER_BLOCK // max(n_genes, 1) // width) * width
    blocks: list[Any] = [sp.csr_matrix(np.zeros((0, n_genes), dtype=np.float32))]
    n_values = n_read = 0
    for start in range(0, n_cells, step):
        wanted = rows[(rows >= start) & (rows < start + step)]
        if len(wanted) == 0:
            continue
        cells = dataset[:, start : start + step].T[wanted - start]
        blocks.append(sp.csr_matrix(cells.astype(np.float32)))
        n_values += blocks[-1].nnz
        n_read += len(wanted)
        # Extrapolated from what was read so far, so that it stops early.
        file.check_fits(8.0 * n_values * len(rows) / n_read)
    return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def _attributes(
    group: h5py.Group, n: int, names: tuple[str, ...], what: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Split attributes into a table and those with several columns (embeddings)."""
    columns: dict[str, Any] = {}
    wide: dict[str, Any] = {}
    for key in group:
        values = group[key][()]
        if values.ndim == 2 and values.shape[0] == n and values.dtype.kind in "fiu":
            wide[key] = values
        elif values.ndim == 1 and len(values) == n and values.dtype.names is None:
            is_text = values.dtype.kind in "SO"
            columns[key] = [_text(v) for v in values] if is_text else values
    index = next((k for k in names if k in columns), None)
    table = pd.DataFrame(columns, index=range(n))
    if index is None:
        table.index = pd.Index([f"{what}{i + 1}" for i in range(n)])
    else:
        table.index = pd.Index(table.pop(index).astype(str).to_numpy(dtype=object))
    return table, wide


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

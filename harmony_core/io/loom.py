"""Loom files (HDF5: genes × cells, dense, with attributes of both)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.io.hdf5 import open_checked
from harmony_core.io.loaded import Loaded, check_fits, unchanged
from harmony_core.io.subsample import Sample, drawn_note

if TYPE_CHECKING:
    import h5py

_CELL_NAMES = ("CellID", "obs_names", "cell_id", "cell_names", "Barcode", "barcode", "cells")
_GENE_NAMES = ("Gene", "var_names", "gene_names", "gene_symbols", "GeneName", "Accession")
_VALUES_PER_BLOCK = 20_000_000


def is_loom(file: h5py.File) -> bool:
    """Whether an open HDF5 file is loom."""
    return all(part in file for part in ("matrix", "row_attrs", "col_attrs"))


def read_loom(
    path: Path, name: str, *, limit: float | None = None, sample: Sample | None = None
) -> Loaded:
    """Read a loom file.

    Parameters
    ----------
    path, name, limit, sample
        As in `harmony_core.io.h5ad.read_h5ad`.

    Raises
    ------
    FileError
        Damaged, or too large.
    """
    import anndata

    # Dense on disk, but mostly zeros and read sparse: the size is checked as it grows.
    with unchanged(path, name), open_checked(path, name, limit=math.inf) as file:
        n_genes, n_cells = file["matrix"].shape
        obs, obsm = _attributes(file["col_attrs"], n_cells, _CELL_NAMES, "cell")
        var, varm = _attributes(file["row_attrs"], n_genes, _GENE_NAMES, "gene")
        rows, notes = np.arange(n_cells), []
        if sample is not None:
            rows = sample.rows(obs, name)
            notes.append(drawn_note(len(rows), n_cells, name))
        matrix = _sparse(file["matrix"], rows, name, limit)
        obsm = {key: values[rows] for key, values in obsm.items()}
        adata = anndata.AnnData(matrix, obs=obs.iloc[rows], var=var, obsm=obsm, varm=varm)
        for key in file.get("layers", ()):
            if key and file["layers"][key].shape == (n_genes, n_cells):
                adata.layers[key] = _sparse(file["layers"][key], rows, name, limit)
    return Loaded(adata, "loom" if sample is None else "sample of loom", tuple(notes))


def _sparse(
    dataset: h5py.Dataset, rows: NDArray[np.intp], name: str, limit: float | None
) -> sp.csr_matrix[Any]:
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
        check_fits(8.0 * n_values * len(rows) / n_read, name, limit=limit)
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

"""Some cells of AnnData that is stored in HDF5 or zarr, without the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import FileError
from harmony_core.io.open_file import OpenFile
from harmony_core.io.plain import SPARSE, plain_dtype, plain_table
from harmony_core.io.subsample import Subsample, drawn_note
from harmony_core.matrices import blocks as matrix_blocks

if TYPE_CHECKING:
    import anndata as ad


def read_cells(file: OpenFile, group: Any, subsample: Subsample) -> tuple[ad.AnnData, str]:
    """Read some cells of AnnData in HDF5 or zarr, block by block.

    Parameters
    ----------
    file
        The open file.
    group
        Where the AnnData is in it.
    subsample
        Which cells.

    Returns
    -------
    obs, var, X, layers, raw and embeddings of these cells, and what was done in a sentence; ``uns``
    and graphs are left out, as they describe all cells.

    Raises
    ------
    FileError
        Without the column to draw by, or written by anndata before 0.7.
    """
    import anndata
    from anndata.io import read_elem

    if "encoding-type" not in group["obs"].attrs:
        raise FileError(
            f"{file.name} is no h5ad of anndata 0.7 or later, so no sample can be taken from it; "
            "write it again with a current anndata."
        )
    obs, var = (plain_table(read_elem(group[part])) for part in ("obs", "var"))
    rows = subsample.rows(obs, file.name)
    adata: ad.AnnData = anndata.AnnData(obs=obs.iloc[rows], var=var)
    if "X" in group:
        adata.X = _rows_of(group["X"], rows, file)
    for key in group.get("layers", ()):
        adata.layers[key] = _rows_of(group["layers"][key], rows, file)
    for key in group.get("obsm", ()):
        item = group["obsm"][key]
        if hasattr(item, "shape") or item.attrs.get("encoding-type") in SPARSE:
            adata.obsm[key] = _rows_of(item, rows, file)
        elif item.attrs.get("encoding-type") == "dataframe":
            adata.obsm[key] = read_elem(item).iloc[rows]
    if hasattr(group.get("raw"), "keys") and "X" in group["raw"]:
        raw = anndata.AnnData(
            _rows_of(group["raw/X"], rows, file),
            obs=adata.obs[[]],
            var=read_elem(group["raw/var"]),
        )
        adata.raw = raw
    return adata, drawn_note(len(rows), len(obs), file.name)


def _rows_of(item: Any, rows: NDArray[np.intp], file: OpenFile) -> Any:
    """Read the wanted rows of a dense or sparse matrix of an open file, block by block."""
    import anndata

    if hasattr(item, "shape") and item.dtype.kind not in "biuf":
        return anndata.io.read_elem(item)[rows]
    by_gene = not hasattr(item, "shape") and item.attrs["encoding-type"] == "csc_matrix"
    if hasattr(item, "shape"):
        parts = _rows_of_dense(item, rows)
    elif by_gene:
        shape = [int(n) for n in item.attrs["shape"]]
        parts = (sp.csr_matrix(block)[rows] for _, block in _stored(item, shape[::-1], "csc"))
    else:
        parts = rows_of_compressed(item, [int(n) for n in item.attrs["shape"]], rows)
    blocks = within_memory(parts, file)
    if not sp.issparse(blocks[0]):
        return np.concatenate(blocks)
    return sp.hstack(blocks, format="csr") if by_gene else sp.vstack(blocks, format="csr")


def within_memory(parts: Iterable[Any], file: OpenFile) -> list[Any]:
    """List the parts of a matrix; raise TooLarge once their values would not fit into memory."""
    blocks: list[Any] = []
    n_values = 0
    for part in parts:
        n_values += part.nnz if hasattr(part, "nnz") else part.size
        file.check_fits(8.0 * n_values)
        blocks.append(part)
    return blocks


def rows_of_compressed(item: Any, shape: list[int], rows: NDArray[np.intp]) -> Iterator[Any]:
    """Yield the wanted rows of a matrix that an open file has by row, block by block.

    Parameters
    ----------
    item
        Group with ``data``, ``indices`` and ``indptr``.
    shape
        Rows × columns.
    rows
        Which, in their order.
    """
    for start, block in _stored(item, shape, "csr"):
        yield block[_within(rows, start, start + block.shape[0])]


def _rows_of_dense(item: Any, rows: NDArray[np.intp]) -> Iterator[Any]:
    step = max(1, matrix_blocks.VALUES_PER_BLOCK // max(1, math.prod(item.shape[1:])))
    for start in range(0, item.shape[0], step):
        block = item[start : start + step]
        yield block[_within(rows, start, start + len(block))]


def _stored(item: Any, shape: list[int], kind: str) -> Iterator[tuple[int, Any]]:
    """Yield a compressed matrix of an open file along its storage: where a block begins, and it."""
    n_minor = shape[1]
    indptr = item["indptr"][()].astype(np.int64)
    if len(indptr) != shape[0] + 1:
        raise ValueError("the pointers do not fit the shape")
    dtype = plain_dtype(np.dtype(item["data"].dtype))
    for start, end in matrix_blocks.stretches(indptr):
        part = slice(int(indptr[start]), int(indptr[end]))
        arrays = (
            item["data"][part].astype(dtype, copy=False),
            item["indices"][part],
            indptr[start : end + 1] - indptr[start],
        )
        by_gene = kind == "csc"
        size = (n_minor, end - start) if by_gene else (end - start, n_minor)
        block = (sp.csc_matrix if by_gene else sp.csr_matrix)(arrays, shape=size)
        block.check_format(full_check=True)
        yield start, block


def _within(rows: NDArray[np.intp], start: int, end: int) -> NDArray[np.intp]:
    return rows[(rows >= start) & (rows < end)] - start

"""A sample of an h5ad's cells, for files that do not fit into memory whole."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.data.columns import is_missing, shown
from harmony_core.data.hdf5 import open_checked
from harmony_core.data.loaded import Loaded, check_fits, unchanged
from harmony_core.errors import FileError, HarmonyExplorerError

if TYPE_CHECKING:
    import anndata as ad

_VALUES_PER_BLOCK = 20_000_000


def sample_rows(
    n_cells: int, wanted: int, batch: pd.Series[Any] | None = None, *, seed: int = 0
) -> NDArray[np.intp]:
    """Draw cells, the same number from each batch as far as it has them.

    Parameters
    ----------
    n_cells
        Number of cells.
    wanted
        Number to draw.
    batch
        Batch of each cell; without it cells are drawn from all.
    seed
        The same seed draws the same cells.

    Returns
    -------
    Rows in their order.
    """
    rng = np.random.default_rng(seed)
    if wanted >= n_cells:
        return np.arange(n_cells)
    if batch is None:
        return np.sort(rng.choice(n_cells, wanted, replace=False))
    codes, _ = pd.factorize(batch.astype(str).where(~is_missing(batch), "missing"))
    sizes = np.bincount(codes)
    # Small batches are kept whole, and what they leave over goes to the others.
    take = np.zeros_like(sizes)
    for done, level in enumerate(np.argsort(sizes, kind="stable")):
        share = (wanted - take.sum()) // (len(sizes) - done)
        take[level] = min(sizes[level], share)
    chosen = [
        rng.choice(np.flatnonzero(codes == level), n, replace=False) for level, n in enumerate(take)
    ]
    return np.sort(np.concatenate(chosen))


def read_h5ad_sample(
    path: Path,
    name: str,
    *,
    n_cells: int,
    by: str | None = None,
    seed: int = 0,
    limit: float | None = None,
) -> Loaded:
    """Read some of an h5ad's cells, block by block.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.
    n_cells
        How many.
    by
        Column of obs of whose levels equal numbers are drawn.
    seed
        The same seed draws the same cells.
    limit
        Bytes of memory that the sample may take; by default what is free.

    Returns
    -------
    obs, var, X, layers, raw and embeddings of these cells; ``uns`` and graphs are left out, as they
    describe all cells.

    Raises
    ------
    FileError
        Damaged, pointing outside itself, without that column, or written by anndata before 0.7.
    """
    import anndata
    from anndata.io import read_elem

    with unchanged(path, name), open_checked(path, name, limit=math.inf) as file:
        if "encoding-type" not in file.get("obs", file).attrs:
            raise FileError(
                f"{name} is no h5ad of anndata 0.7 or later, so no sample can be taken from it; "
                "write it again with a current anndata."
            )
        obs, var = read_elem(file["obs"]), read_elem(file["var"])
        if by is not None and by not in obs:
            raise FileError(f"{name} has no column {shown(by)} to sample by.")
        rows = sample_rows(len(obs), n_cells, None if by is None else obs[by], seed=seed)
        adata: ad.AnnData = anndata.AnnData(obs=obs.iloc[rows], var=var)
        if "X" in file:
            adata.X = _rows_of(file["X"], rows, name, limit)
        for key in file.get("layers", ()):
            adata.layers[key] = _rows_of(file["layers"][key], rows, name, limit)
        for key in file.get("obsm", ()):
            if hasattr(file["obsm"][key], "shape"):
                adata.obsm[key] = _rows_of(file["obsm"][key], rows, name, limit)
        if "raw" in file and "X" in file["raw"]:
            raw = anndata.AnnData(
                _rows_of(file["raw/X"], rows, name, limit),
                obs=adata.obs[[]],
                var=read_elem(file["raw/var"]),
            )
            adata.raw = raw
    note = f"{len(rows):,} of {len(obs):,} cells of {name} were drawn at random."
    return Loaded(adata, "sample of an h5ad", (note,))


def cells_and_columns(path: Path, name: str) -> dict[str, Any] | None:
    """Return the number of ``cells`` of an h5ad and the ``columns`` that they may be drawn by.

    None where `read_h5ad_sample` could not read it.
    """
    from anndata.io import read_elem

    try:
        with open_checked(path, name, limit=math.inf) as file:
            if "encoding-type" not in file["obs"].attrs or "var" not in file:
                return None
            obs = read_elem(file["obs"])
    except (HarmonyExplorerError, KeyError):
        return None
    columns = [str(c) for c in obs if obs[c].dtype.kind not in "fc" and obs[c].nunique() <= 2_000]
    return {"cells": len(obs), "columns": columns}


def take_sample(loaded: Loaded, name: str, *, n_cells: int, by: str | None = None) -> Loaded:
    """Draw some of the cells of data that are in memory."""
    obs = loaded.adata.obs
    if by is not None and by not in obs:
        raise FileError(f"{name} has no column {shown(by)} to sample by.")
    rows = sample_rows(len(obs), n_cells, None if by is None else obs[by])
    if len(rows) == len(obs):
        return loaded
    note = f"{len(rows):,} of {len(obs):,} cells of {name} were drawn at random."
    return dataclasses.replace(
        loaded,
        adata=loaded.adata[rows].copy(),
        format=f"sample of {loaded.format}",
        notes=(*loaded.notes, note),
    )


def _rows_of(item: Any, rows: NDArray[np.intp], name: str, limit: float | None) -> Any:
    """Read a matrix block by block and keep the wanted rows."""
    parts: list[Any] = []
    n_values = 0
    for part in _parts(item, rows):
        n_values += part.nnz if hasattr(part, "nnz") else part.size
        check_fits(8.0 * n_values, name, limit=limit)
        parts.append(part)
    if not sp.issparse(parts[0]):
        return np.concatenate(parts)
    by_gene = item.attrs["encoding-type"] == "csc_matrix"
    return sp.hstack(parts, format="csr") if by_gene else sp.vstack(parts, format="csr")


def _parts(item: Any, rows: NDArray[np.intp]) -> Iterator[Any]:
    """Yield the wanted rows of a dense or sparse matrix, block by block along its storage."""
    if hasattr(item, "shape"):
        step = max(1, _VALUES_PER_BLOCK // max(1, math.prod(item.shape[1:])))
        for start in range(0, item.shape[0], step):
            block = item[start : start + step]
            yield block[_within(rows, start, start + len(block))]
        return
    shape = [int(n) for n in item.attrs["shape"]]
    by_gene = item.attrs["encoding-type"] == "csc_matrix"
    kind = sp.csc_matrix if by_gene else sp.csr_matrix
    n_major, n_minor = shape[::-1] if by_gene else shape
    indptr = item["indptr"][()].astype(np.int64)
    start = 0
    while start < n_major:
        end = int(np.searchsorted(indptr, indptr[start] + _VALUES_PER_BLOCK, side="right")) - 1
        end = min(max(end, start + 1), n_major)
        part = slice(int(indptr[start]), int(indptr[end]))
        arrays = (
            item["data"][part],
            item["indices"][part],
            indptr[start : end + 1] - indptr[start],
        )
        size = (n_minor, end - start) if by_gene else (end - start, n_minor)
        block = kind(arrays, shape=size)
        block.check_format(full_check=True)
        yield sp.csr_matrix(block)[rows if by_gene else _within(rows, start, end)]
        start = end


def _within(rows: NDArray[np.intp], start: int, end: int) -> NDArray[np.intp]:
    return rows[(rows >= start) & (rows < end)] - start

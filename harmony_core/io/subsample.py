"""Some of a file's cells, for files that do not fit into memory whole."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import FileError, HarmonyExplorerError, TooLarge
from harmony_core.inspect.candidates import rank_batch_columns
from harmony_core.inspect.columns import is_missing, quoted
from harmony_core.io.loaded import Loaded, check_fits
from harmony_core.matrices import blocks

if TYPE_CHECKING:
    import anndata as ad

_MOST_LEVELS = 2_000


@dataclass(frozen=True)
class Sample:
    """Which cells to read of a file.

    Attributes
    ----------
    n_cells
        How many.
    by
        Column of obs of whose levels equal numbers are drawn.
    seed
        The same seed draws the same cells.
    """

    n_cells: int
    by: str | None = None
    seed: int = 0

    def rows(self, obs: pd.DataFrame, name: str) -> NDArray[np.intp]:
        """Draw cells of a file.

        Readers ask before they read any values.

        Parameters
        ----------
        obs
            What the file says of all its cells.
        name
            Its name, for messages.

        Returns
        -------
        Rows in their order.

        Raises
        ------
        FileError
            If there is no column to draw by.
        """
        if self.by is not None and self.by not in obs:
            raise FileError(f"{name} has no column {quoted(self.by)} to sample by.")
        batch = None if self.by is None else obs[self.by]
        return sample_rows(len(obs), self.n_cells, batch, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class _Offer(Sample):
    """Draws nothing: notes what could be drawn, and gives up."""

    error: TooLarge

    def rows(self, obs: pd.DataFrame, name: str) -> NDArray[np.intp]:
        columns = [str(c) for c in obs if _may_divide(obs[c])]
        likely = [c.name for c in rank_batch_columns(obs) if c.name in columns]
        by = likely[0] if likely else None
        self.error.sample = {"cells": len(obs), "columns": columns, "by": by}
        raise self.error


def _may_divide(values: pd.Series[Any]) -> bool:
    return values.dtype.kind not in "fc" and values.nunique() <= _MOST_LEVELS


def offer_sample(error: TooLarge, read: Callable[[Sample], Any]) -> None:
    """Note in an error how a sample of the file can be drawn, if its reader can draw one.

    Parameters
    ----------
    error
        Why the file cannot be read whole.
    read
        Reads a sample of it.
    """
    with contextlib.suppress(HarmonyExplorerError):
        read(_Offer(n_cells=0, error=error))


def drawn_note(n_drawn: int, n_cells: int, name: str) -> str:
    """Say that cells were drawn."""
    return f"{n_drawn:,} of {n_cells:,} cells of {name} were drawn at random."


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


def draw_anndata(
    group: Any, name: str, sample: Sample, *, limit: float | None = None
) -> tuple[ad.AnnData, str]:
    """Read some cells of AnnData in HDF5 or zarr, block by block.

    Parameters
    ----------
    group
        The open file, or the group in it.
    name
        Its name, for messages.
    sample
        Which cells.
    limit
        Bytes of memory that the sample may take; by default what is free.

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
            f"{name} is no h5ad of anndata 0.7 or later, so no sample can be taken from it; "
            "write it again with a current anndata."
        )
    obs, var = read_elem(group["obs"]), read_elem(group["var"])
    rows = sample.rows(obs, name)
    adata: ad.AnnData = anndata.AnnData(obs=obs.iloc[rows], var=var)
    if "X" in group:
        adata.X = rows_of(group["X"], rows, name, limit)
    for key in group.get("layers", ()):
        adata.layers[key] = rows_of(group["layers"][key], rows, name, limit)
    for key in group.get("obsm", ()):
        if hasattr(group["obsm"][key], "shape"):
            adata.obsm[key] = rows_of(group["obsm"][key], rows, name, limit)
    if hasattr(group.get("raw"), "keys") and "X" in group["raw"]:
        raw = anndata.AnnData(
            rows_of(group["raw/X"], rows, name, limit),
            obs=adata.obs[[]],
            var=read_elem(group["raw/var"]),
        )
        adata.raw = raw
    return adata, drawn_note(len(rows), len(obs), name)


def take_sample(loaded: Loaded, name: str, sample: Sample) -> Loaded:
    """Draw some of the cells of data that are in memory."""
    rows = sample.rows(loaded.adata.obs, name)
    if len(rows) == loaded.adata.n_obs:
        return loaded
    return dataclasses.replace(
        loaded,
        adata=loaded.adata[rows].copy(),
        format=f"sample of {loaded.format}",
        notes=(*loaded.notes, drawn_note(len(rows), loaded.adata.n_obs, name)),
    )


def rows_of(item: Any, rows: NDArray[np.intp], name: str, limit: float | None) -> Any:
    """Read a dense or sparse matrix of an open file block by block and keep the wanted rows."""
    by_gene = not hasattr(item, "shape") and item.attrs["encoding-type"] == "csc_matrix"
    if hasattr(item, "shape"):
        parts = _rows_of_dense(item, rows)
    elif by_gene:
        shape = [int(n) for n in item.attrs["shape"]]
        parts = (sp.csr_matrix(block)[rows] for _, block in _stored(item, shape[::-1], "csc"))
    else:
        parts = rows_of_compressed(item, [int(n) for n in item.attrs["shape"]], rows)
    kept: list[Any] = []
    n_values = 0
    for part in parts:
        n_values += part.nnz if hasattr(part, "nnz") else part.size
        check_fits(8.0 * n_values, name, limit=limit)
        kept.append(part)
    if not sp.issparse(kept[0]):
        return np.concatenate(kept)
    return sp.hstack(kept, format="csr") if by_gene else sp.vstack(kept, format="csr")


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
    step = max(1, blocks.VALUES_PER_BLOCK // max(1, math.prod(item.shape[1:])))
    for start in range(0, item.shape[0], step):
        block = item[start : start + step]
        yield block[_within(rows, start, start + len(block))]


def _stored(item: Any, shape: list[int], kind: str) -> Iterator[tuple[int, Any]]:
    """Yield a compressed matrix of an open file along its storage: where a block begins, and it."""
    n_minor = shape[1]
    indptr = item["indptr"][()].astype(np.int64)
    if len(indptr) != shape[0] + 1:
        raise ValueError("the pointers do not fit the shape")
    for start, end in blocks.runs(indptr):
        part = slice(int(indptr[start]), int(indptr[end]))
        arrays = (
            item["data"][part],
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

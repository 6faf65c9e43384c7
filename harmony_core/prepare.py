"""From counts to principal components: quality control, normalisation, variable genes, PCA.

Every number is scanpy's; what is ours is the order, the defaults and what is said about it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.errors import DataError
from harmony_core.params import PrepareParams
from harmony_core.quality import cell_quality, within_thresholds

TARGET_SUM = 1e4
LARGEST_SCALED = 10
_CELLS_PER_BLOCK = 10_000


@dataclass(frozen=True)
class Prepared:
    """What preparation decided and computed.

    Attributes
    ----------
    cells
        Positions of the kept cells in the data as they came (int32).
    genes
        Positions of the kept genes (int32).
    variable
        For each kept gene, whether it is variable (bool).
    variable_in
        For each kept gene, in how many batches it is among the most variable (int16); zeros where
        genes were not chosen within batches.
    totals
        Counts per kept cell over the kept genes (float32); the divisor of normalisation. Ones if
        the matrix was normalised already.
    embedding
        Principal components of the kept cells, float32 (cells × components).
    variance_ratio
        Share of the variance of the variable genes that each component explains.
    notes
        What a user should know, in plain sentences.
    """

    cells: npt.NDArray[np.int32]
    genes: npt.NDArray[np.int32]
    variable: npt.NDArray[np.bool_]
    variable_in: npt.NDArray[np.int16]
    totals: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]
    variance_ratio: npt.NDArray[np.float32]
    notes: tuple[str, ...]


def prepare(
    matrix: sp.csr_matrix,
    symbols: npt.NDArray[Any],
    batch: npt.NDArray[Any],
    params: PrepareParams,
    *,
    kind: str = "counts",
    doublets: npt.NDArray[np.floating] | None = None,
    overwrite: bool = False,
) -> Prepared:
    """Run quality control, normalisation, variable-gene choice and PCA.

    Parameters
    ----------
    matrix
        Expression, cells × genes, sparse.
    symbols
        Gene symbols; mitochondrial genes are found by the prefix ``MT-`` or ``mt-``.
    batch
        Batch of every cell; variable genes are chosen within each batch.
    params
        Thresholds and sizes.
    kind
        What the values are: ``counts`` (also with fractions), ``normalised`` (not yet logged),
        ``log`` or ``scaled``. Only counts are filtered and normalised.
    doublets
        Doublet score of every cell, needed where ``params`` have a ``max_doublet``.
    overwrite
        Whether the matrix's memory may be used, so that large data are not copied whole. The
        results are the same.

    Raises
    ------
    DataError
        If the thresholds leave too few cells or genes.
    """
    import anndata as ad
    import scanpy as sc
    import threadpoolctl

    n_cells, n_genes = matrix.shape
    notes: list[str] = []
    cells = np.arange(n_cells, dtype=np.int32)
    genes = np.arange(n_genes, dtype=np.int32)
    totals = np.ones(n_cells, dtype=np.float32)
    X = sp.csr_matrix(matrix, dtype=np.float32, copy=not overwrite)
    del matrix
    if kind == "counts":
        keep = within_thresholds(cell_quality(X, symbols), params)
        if params.max_doublet is not None and doublets is not None:
            keep &= ~(doublets > params.max_doublet)
        _require(int(keep.sum()), n_cells, "cells pass quality control", 40, "min_genes")
        keep_genes = _cells_of_each_gene(X, keep) >= params.min_cells
        _require(int(keep_genes.sum()), n_genes, "genes are seen in enough cells", 20, "min_cells")
        cells, genes = cells[keep], genes[keep_genes]
        X = _compacted(X, keep, keep_genes)
        totals = np.asarray(X.sum(axis=1), dtype=np.float32).ravel()
        if len(cells) < n_cells:
            notes.append(f"{n_cells - len(cells):,} of {n_cells:,} cells were left out.")
    else:
        notes.append(
            "The matrix is already normalised, so it was neither filtered nor normalised again."
        )
    adata = ad.AnnData(X)
    adata.obs["batch"] = np.asarray(batch)[cells].astype(str)
    adata.obs["batch"] = adata.obs["batch"].astype("category")
    if kind == "counts":
        sc.pp.normalize_total(adata, target_sum=TARGET_SUM)
    if kind in ("counts", "normalised"):
        sc.pp.log1p(adata)
    if kind == "scaled":  # variance says nothing after scaling
        variable = np.ones(adata.n_vars, dtype=bool)
        variable_in = np.zeros(adata.n_vars, dtype=np.int16)
    else:
        variable, variable_in = _variable_genes(adata, params.n_top_genes)
    n_pcs = min(params.n_pcs, int(variable.sum()) - 1, len(cells) - 1)
    if n_pcs < params.n_pcs:
        notes.append(
            f"{n_pcs} principal components instead of {params.n_pcs}: "
            f"there are {len(cells):,} cells and {int(variable.sum()):,} variable genes."
        )
    selected = adata[:, variable].copy()
    del adata, X
    # One thread: with more, the last digits depend on how many there are, and with them
    # everything that follows.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore", FutureWarning)
        if params.scale:
            selected.X = selected.X.toarray()
            sc.pp.scale(selected, max_value=LARGEST_SCALED)
        sc.pp.pca(selected, n_comps=n_pcs, random_state=params.seed)
    return Prepared(
        cells=cells,
        genes=genes,
        variable=variable,
        variable_in=variable_in,
        totals=totals,
        embedding=np.ascontiguousarray(selected.obsm["X_pca"], dtype=np.float32),
        variance_ratio=np.asarray(selected.uns["pca"]["variance_ratio"], dtype=np.float32),
        notes=tuple(notes),
    )


def _blocks(n_cells: int) -> Iterator[slice]:
    for start in range(0, n_cells, _CELLS_PER_BLOCK):
        yield slice(start, min(start + _CELLS_PER_BLOCK, n_cells))


def _cells_of_each_gene(X: sp.csr_matrix, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Count the kept cells in which each gene is seen."""
    found = np.zeros(X.shape[1], dtype=np.int64)
    for block in _blocks(X.shape[0]):
        found += np.bincount(X[block][keep[block]].indices, minlength=X.shape[1])
    return found


def _compacted(
    X: sp.csr_matrix, keep: npt.NDArray[np.bool_], keep_genes: npt.NDArray[np.bool_]
) -> sp.csr_matrix:
    """Return the kept cells and genes in the memory of ``X``, which is not valid afterwards.

    What is kept of a block of cells is never larger than the block, so that it fits where the block
    or an earlier one was.
    """
    data, indices = X.data, X.indices
    indptr = [np.zeros(1, dtype=X.indptr.dtype)]
    end = 0
    for block in _blocks(X.shape[0]):
        kept = X[block][keep[block]][:, keep_genes]
        start, end = end, end + kept.nnz
        data[start:end], indices[start:end] = kept.data, kept.indices
        indptr.append(start + kept.indptr[1:])
    parts = (data[:end], indices[:end], np.concatenate(indptr).astype(X.indptr.dtype))
    return sp.csr_matrix(parts, shape=(int(keep.sum()), int(keep_genes.sum())))


def log_normalised(
    matrix: sp.csr_matrix | sp.csc_matrix, totals: npt.NDArray[np.float32], *, kind: str
) -> sp.csr_matrix | sp.csc_matrix:
    """Return log-normalised values of already chosen cells and genes, as `prepare` used them.

    Parameters
    ----------
    matrix
        Stored values (cells × genes).
    totals
        Counts per cell, from `Prepared.totals`.
    kind
        What the stored values are, see `prepare`.
    """
    result = matrix.astype(np.float32, copy=True)
    if kind == "counts":
        factor = (TARGET_SUM / np.maximum(totals, 1e-12)).astype(np.float32)
        if sp.issparse(result) and result.format == "csc":
            result.data *= factor[result.indices]
        else:
            result.data *= np.repeat(factor, np.diff(result.indptr))
    if kind in ("counts", "normalised"):
        np.log1p(result.data, out=result.data)
    return result


def log_normalised_gene(
    values: npt.NDArray[np.float32], totals: npt.NDArray[np.float32], *, kind: str
) -> npt.NDArray[np.float32]:
    """Return one gene's log-normalised values over the kept cells; see `log_normalised`."""
    column = sp.csc_matrix(values[:, None])
    return np.asarray(log_normalised(column, totals, kind=kind).toarray().ravel())


def _variable_genes(adata: Any, n_top: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int16]]:
    """Choose variable genes within each batch (scanpy's Seurat flavour), merged by rank.

    Returns
    -------
    Which genes are variable, and in how many batches each is.
    """
    import scanpy as sc

    unknown = np.zeros(adata.n_vars, dtype=np.int16)
    if adata.n_vars <= n_top:
        return np.ones(adata.n_vars, dtype=bool), unknown
    sizes = adata.obs["batch"].value_counts()
    with warnings.catch_warnings():
        # Tiny batches have genes without variation; scanpy divides by it and says so.
        warnings.simplefilter("ignore")
        sc.pp.highly_variable_genes(
            adata,
            n_top_genes=n_top,
            batch_key="batch" if sizes.min() >= 20 else None,
            flavor="seurat",
        )
    found = adata.var.get("highly_variable_nbatches", unknown)
    return np.asarray(adata.var["highly_variable"], dtype=bool), np.asarray(found, dtype=np.int16)


def _require(kept: int, total: int, what: str, least: int, setting: str) -> None:
    if kept < least:
        raise DataError(
            f"Only {kept:,} of {total:,} {what}; at least {least} are needed. "
            f"Loosen the thresholds, {setting} first."
        )


def from_basis(
    embedding: npt.NDArray[np.floating],
    matrix: sp.csc_matrix | None,
    *,
    kind: str,
    skip_dims: int = 0,
) -> Prepared:
    """Take an embedding as it came: every cell and gene is kept, only totals are computed.

    Parameters
    ----------
    embedding
        Cells × dimensions.
    matrix
        Stored expression (cells × genes), or None where the data have none.
    kind
        What the stored values are, see `prepare`.
    skip_dims
        Leading dimensions to leave out.

    Raises
    ------
    DataError
        If fewer than two dimensions are left.
    """
    n = len(embedding)
    if embedding.shape[1] - skip_dims < 2:
        raise DataError(
            f"The embedding has {embedding.shape[1]} dimensions, so {skip_dims} cannot be left "
            "out; at least 2 must remain."
        )
    notes = ["Preparation was skipped; the embedding in the file was corrected."]
    if skip_dims:
        first = "Its first dimension was" if skip_dims == 1 else f"Its first {skip_dims} were"
        notes.append(f"{first} left out.")
    n_genes = 0 if matrix is None else matrix.shape[1]
    totals = np.ones(n, dtype=np.float32)
    if matrix is not None and kind == "counts":
        totals = np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()
    return Prepared(
        cells=np.arange(n, dtype=np.int32),
        genes=np.arange(n_genes, dtype=np.int32),
        variable=np.ones(n_genes, dtype=bool),
        variable_in=np.zeros(n_genes, dtype=np.int16),
        totals=totals,
        embedding=np.array(embedding[:, skip_dims:], dtype=np.float32),
        variance_ratio=np.zeros(0, dtype=np.float32),
        notes=tuple(notes),
    )

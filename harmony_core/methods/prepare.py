"""From counts to principal components: quality control, normalisation, variable genes, PCA.

Every number is what scanpy gives, which tests hold it to; what is ours is the order, the defaults,
what is said about it, and that genes are read some at a time.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.counting import counted, named
from harmony_core.errors import DataError
from harmony_core.matrices.by_gene import ByGene
from harmony_core.methods.hvg import SMALLEST_BATCH, moments, variable_genes
from harmony_core.methods.qc import cell_quality, within_thresholds
from harmony_core.params import PrepareParams

TARGET_SUM = 1e4
LARGEST_SCALED = 10
SKIPPED = "Preparation was skipped; the embedding in the file was corrected."
"""The note on an embedding of the file's as a start."""
_NOTE_ON_NORMALISED = (
    "The matrix is already normalised, so it was neither filtered nor normalised again."
)
_NOTE_ON_SCALED = (
    "The values came scaled or corrected and were used as they are: neither filtered nor "
    "normalised, and with all genes, as variance says nothing after scaling."
)
_FEWEST_GENES = 5
"""Antibody panels have a dozen; two or three measurements need no components."""


GenesChosen = Literal["within batches", "over all cells", "all"]
"""Within each batch that is large enough, over all cells as most batches are small, or not at all:
there are no more than asked for, the values are scaled, or an embedding was taken."""


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
        Fraction of the variance of the variable genes that each component explains.
    genes_chosen
        How the variable genes were chosen.
    small_batches
        Batches that had no say in it, as they have too few cells.
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
    genes_chosen: GenesChosen
    small_batches: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(
    matrix: sp.spmatrix | ByGene,
    symbols: npt.NDArray[Any],
    batch: npt.NDArray[Any],
    params: PrepareParams,
    *,
    kind: str = "counts",
    doublets: npt.NDArray[np.floating] | None = None,
) -> Prepared:
    """Run quality control, normalisation, variable-gene choice and PCA.

    Only the variable genes are held in memory whole, all others some at a time.

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

    Raises
    ------
    DataError
        If the thresholds leave too few cells or genes.
    """
    matrix = ByGene.of(matrix)
    n_cells, n_genes = matrix.shape
    if n_genes < _FEWEST_GENES:
        raise DataError(
            f"The data have {n_genes} genes; at least {_FEWEST_GENES} are needed to compute "
            "principal components. Give all measured genes, or start from an embedding."
        )
    notes: list[str] = []
    if kind == "counts":
        keep, keep_genes = _passing(matrix, symbols, params, doublets)
        totals = _totals(matrix, keep_genes)
        if not keep.all():
            of_all = f"of {n_cells:,} cells"
            out = counted(n_cells - int(keep.sum()), f"{of_all} was", f"{of_all} were")
            notes.append(f"{out} left out.")
    else:
        keep, keep_genes = np.ones(n_cells, dtype=bool), np.ones(n_genes, dtype=bool)
        totals = np.ones(n_cells, dtype=np.float32)
        notes.append(_NOTE_ON_SCALED if kind == "scaled" else _NOTE_ON_NORMALISED)
    cells = np.flatnonzero(keep).astype(np.int32)
    genes = np.flatnonzero(keep_genes).astype(np.int32)
    totals = totals[cells]
    chosen: GenesChosen = "all"
    small_batches: tuple[str, ...] = ()
    if kind == "scaled" or len(genes) <= params.n_top_genes:
        # Variance says nothing after scaling.
        variable = np.ones(len(genes), dtype=bool)
        variable_in = np.zeros(len(genes), dtype=np.int16)
    else:
        chosen, codes, small_batches = batches_for_genes(np.asarray(batch)[cells])
        asked = codes >= 0
        of_asked = np.zeros(n_cells, dtype=bool)
        of_asked[cells[asked]] = True
        values = (
            sp.csc_matrix(
                log_normalised(
                    _of_cells(block[:, keep_genes[some]], of_asked), totals[asked], kind=kind
                )
            )
            for some, block in matrix.blocks()
        )
        variable, variable_in = variable_genes(moments(values, codes[asked]), params.n_top_genes)
        notes += _notes_on_genes(chosen, small_batches)
    n_pcs = min(params.n_pcs, int(variable.sum()) - 1, len(cells) - 1)
    if n_pcs < params.n_pcs:
        notes.append(
            f"{n_pcs} principal components instead of {params.n_pcs}: "
            f"there are {len(cells):,} cells and {int(variable.sum()):,} variable genes."
        )
    selected = _of_cells(matrix.genes(genes[variable]), keep)
    embedding, variance_ratio = _components(
        sp.csr_matrix(log_normalised(selected, totals, kind=kind)), n_pcs, params
    )
    return Prepared(
        cells=cells,
        genes=genes,
        variable=variable,
        variable_in=variable_in,
        totals=totals,
        embedding=embedding,
        variance_ratio=variance_ratio,
        genes_chosen=chosen,
        small_batches=small_batches,
        notes=tuple(notes),
    )


def _passing(
    matrix: ByGene,
    symbols: npt.NDArray[Any],
    params: PrepareParams,
    doublets: npt.NDArray[np.floating] | None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which cells pass quality control, and which genes are seen in enough of them."""
    keep = within_thresholds(cell_quality(matrix, symbols), params)
    if params.max_doublet is not None and doublets is not None:
        keep &= ~(doublets > params.max_doublet)
    n_cells, n_genes = matrix.shape
    _require(int(keep.sum()), n_cells, "cells pass quality control", 40, "min_genes")
    keep_genes = _cells_of_each_gene(matrix, keep) >= params.min_cells
    n_seen = int(keep_genes.sum())
    _require(n_seen, n_genes, "genes are seen in enough cells", _FEWEST_GENES, "min_cells")
    return keep, keep_genes


def batches_for_genes(
    batch: npt.NDArray[Any],
) -> tuple[GenesChosen, npt.NDArray[np.intp], tuple[str, ...]]:
    """Return within which cells variable genes are chosen.

    Parameters
    ----------
    batch
        Batch of each cell.

    Returns
    -------
    How genes are chosen, the batch of each cell as a number from 0 (-1 in one too small to choose
    genes), and the batches that are. Where most cells are in such batches, the others can't speak
    for them, so that all cells are one batch.
    """
    levels, codes, sizes = np.unique(batch.astype(str), return_inverse=True, return_counts=True)
    is_small = sizes < SMALLEST_BATCH
    small = tuple(str(level) for level in levels[is_small])
    if sizes[is_small].sum() > len(codes) / 2:
        return "over all cells", np.zeros_like(codes), small
    place = np.where(is_small, -1, np.cumsum(~is_small) - 1)
    return "within batches", place[codes], small


def _notes_on_genes(chosen: GenesChosen, small: tuple[str, ...]) -> list[str]:
    if not small:
        return []
    few = f"fewer than {SMALLEST_BATCH} cells"
    if chosen == "over all cells":
        return [
            "Variable genes were chosen over all cells together, not within each batch: most cells "
            f"are in batches of {few}."
        ]
    has = "has" if len(small) == 1 else "have"
    return [
        f"Variable genes were chosen within the larger batches only: {named(small)} {has} {few} "
        "and had no say."
    ]


def _of_cells(block: sp.csc_matrix, keep: npt.NDArray[np.bool_]) -> sp.csc_matrix:
    return block if keep.all() else block[keep]


def _cells_of_each_gene(matrix: ByGene, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Count the kept cells in which each gene is seen."""
    counts = [_of_cells(block, keep).getnnz(axis=0) for _, block in matrix.blocks()]
    return np.concatenate(counts).astype(np.int64)


def _totals(matrix: ByGene, keep_genes: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Sum each cell's counts of the kept genes."""
    total = np.zeros(matrix.shape[0])
    for some, block in matrix.blocks():
        total += np.asarray(block[:, keep_genes[some]].sum(axis=1, dtype=np.float64)).ravel()
    return total.astype(np.float32)


def _components(
    values: sp.csr_matrix, n_pcs: int, params: PrepareParams
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the principal components of the variable genes, and the variance of each.

    Raises
    ------
    DataError
        If all cells are the same.
    """
    import anndata as ad
    import scanpy as sc
    import threadpoolctl

    # Asked first: what is left of equal cells after centring is rounding, and how the solver fails
    # on that differs from time to time.
    if np.array_equal(values.max(axis=0).toarray(), values.min(axis=0).toarray()):
        raise DataError(
            "All cells have the same expression of the variable genes, so nothing tells them "
            "apart; look at what the file holds."
        )
    # In double precision and on one thread, or the digits that clusters turn on would depend on
    # the processor's kind and on how many threads there are.
    adata = ad.AnnData(values.astype(np.float64))
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore", FutureWarning)
        if params.scale:
            adata.X = adata.X.toarray()
            sc.pp.scale(adata, max_value=LARGEST_SCALED)
        sc.pp.pca(adata, n_comps=n_pcs, random_state=params.seed)
    embedding = np.ascontiguousarray(adata.obsm["X_pca"], dtype=np.float32)
    return embedding, np.asarray(adata.uns["pca"]["variance_ratio"], dtype=np.float32)


def log_normalised(
    matrix: sp.csr_matrix | sp.csc_matrix, totals: npt.NDArray[np.float32], *, kind: str
) -> sp.csr_matrix | sp.csc_matrix:
    """Return log-normalised values of some cells and genes, as `prepare` used them.

    Parameters
    ----------
    matrix
        Stored values (cells × genes).
    totals
        Counts per cell, from `Prepared.totals`.
    kind
        What the stored values are, see `prepare`.

    Returns
    -------
    Float32 in the format of ``matrix`` (cells × genes).
    """
    result = matrix.astype(np.float32, copy=True)
    if kind == "counts":
        divisor = np.where(totals == 0, 1, totals / TARGET_SUM).astype(np.float32)
        if sp.issparse(result) and result.format == "csc":
            result.data /= divisor[result.indices]
        else:
            result.data /= np.repeat(divisor, np.diff(result.indptr))
    if kind in ("counts", "normalised"):
        np.log1p(result.data, out=result.data)
    return result


def log_normalised_gene(
    values: npt.NDArray[np.float32], totals: npt.NDArray[np.float32], *, kind: str
) -> npt.NDArray[np.float32]:
    """Return one gene's log-normalised values over the prepared cells; see `log_normalised`.

    Parameters
    ----------
    values
        Stored values of the gene (cells).
    totals
        Sum of all genes' counts (cells).
    kind
        Kind of the stored values.
    """
    column = sp.csc_matrix(values[:, None])
    return np.asarray(log_normalised(column, totals, kind=kind).toarray().ravel())


def _require(n: int, total: int, what: str, least: int, setting: str) -> None:
    if n < least:
        raise DataError(
            f"Only {n:,} of {total:,} {what}; at least {least} are needed. "
            f"Loosen the thresholds, {setting} first."
        )


def from_basis(
    embedding: npt.NDArray[np.floating],
    matrix: ByGene | None,
    *,
    kind: str,
    skip_dims: int = 0,
    use_dims: int | None = None,
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
    use_dims
        Dimensions up to which it is taken, those left out among them; None takes all.

    Raises
    ------
    DataError
        If fewer than two dimensions are left.
    """
    n, n_dims = embedding.shape
    taken = n_dims if use_dims is None else min(use_dims, n_dims)
    if taken - skip_dims < 2:
        has = "The embedding has" if taken == n_dims else "Of the embedding are taken"
        raise DataError(
            f"{has} {taken} dimensions, so {skip_dims} cannot be left out; at least 2 must remain."
        )
    notes = [SKIPPED]
    if taken < n_dims:
        notes.append(f"Of its {n_dims} dimensions the first {taken} were taken.")
    if use_dims is not None and use_dims > n_dims:
        notes.append(f"It has {n_dims} dimensions, fewer than the {use_dims} asked for.")
    if skip_dims:
        first = "Its first dimension was" if skip_dims == 1 else f"Its first {skip_dims} were"
        notes.append(f"{first} left out.")
    n_genes = 0 if matrix is None else matrix.shape[1]
    totals = np.ones(n, dtype=np.float32)
    if matrix is not None and kind == "counts":
        totals = _totals(matrix, np.ones(n_genes, dtype=bool))
    return Prepared(
        cells=np.arange(n, dtype=np.int32),
        genes=np.arange(n_genes, dtype=np.int32),
        variable=np.ones(n_genes, dtype=bool),
        variable_in=np.zeros(n_genes, dtype=np.int16),
        totals=totals,
        embedding=np.array(embedding[:, skip_dims:taken], dtype=np.float32),
        variance_ratio=np.zeros(0, dtype=np.float32),
        genes_chosen="all",
        small_batches=(),
        notes=tuple(notes),
    )

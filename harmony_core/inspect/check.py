"""Recognises what data hold, before anything runs: `check` returns a summary of it.

Works on anything shaped like AnnData; imports neither anndata nor scanpy nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.counting import counted
from harmony_core.errors import BatchError, DataError
from harmony_core.inspect.candidates import BatchCandidate, rank_batch_columns, rank_label_columns
from harmony_core.inspect.columns import (
    batch_column,
    check_batch,
    check_n_cells,
    quoted,
    warn_about_levels,
)
from harmony_core.inspect.comparable import check_same_kind
from harmony_core.inspect.contents import (
    BATCHES_LOOKED_AT,
    DataSummary,
    MatrixInfo,
    warn_about,
)
from harmony_core.inspect.embeddings import (
    EmbeddingInfo,
    check_embedding,
    embedding_values,
    find_embeddings,
)
from harmony_core.inspect.genes import mitochondrial, organism, symbol_column
from harmony_core.inspect.own_results import left_out_before, own_columns
from harmony_core.inspect.values import (
    ValueKind,
    value_kind,
    value_kind_per_batch,
)
from harmony_core.matrices.blocks import cell_blocks
from harmony_core.matrices.by_gene import ByGene
from harmony_core.params import MARKER_LABEL

__all__ = [
    "BatchCandidate",
    "DataSummary",
    "EmbeddingInfo",
    "MatrixInfo",
    "ValueKind",
    "batch_column",
    "best_matrix",
    "check",
    "check_batch",
    "check_embedding",
    "check_matrix",
    "expression",
    "value_kind",
]

_COUNT_LAYERS = ("counts", "raw_counts", "raw", "umi", "soupx", "decontx")


def check(adata: Any) -> DataSummary:
    """Look at data before anything runs.

    Parameters
    ----------
    adata
        AnnData, or anything with its attributes.

    Raises
    ------
    DataError
        Fewer than 40 cells, or neither an expression matrix nor an embedding.
    """
    check_n_cells(adata.n_obs)
    best = best_matrix(adata)
    embeddings = tuple(find_embeddings(adata.obsm, adata.obs, _depth(adata, best)))
    usable = [e for e in embeddings if not e.is_layout and e.n_bad == 0]
    usable.sort(key=lambda embedding: embedding.preference)
    first = embedding_values(adata.obsm[usable[0].name]) if usable else None
    ours, left_out = own_columns(adata.uns), left_out_before(adata.uns)
    told = adata.obs.drop(columns=[name for name in adata.obs if name in ours])
    candidates = rank_batch_columns(told, embedding=first)
    matrices = tuple(_matrix_info(w, m, adata.obs, candidates) for w, m in _matrices(adata))
    chosen = _choose(matrices)
    if chosen is None and not usable:
        raise DataError(_nothing_to_correct(matrices, embeddings, adata.n_obs))
    matrix, var = expression(adata, chosen.where) if chosen is not None else (None, adata.var)
    column = symbol_column(var)
    names = var.index.to_series().astype(str)
    if column is not None:
        names = var[column].astype(object).where(var[column].notna(), names).astype(str)
    n_mito = int(mitochondrial(names).sum())
    labels = tuple(
        name for name in rank_label_columns(adata.obs) if name not in ours or name == MARKER_LABEL
    )
    divides = dict.fromkeys((*(c.name for c in candidates), *labels))
    return DataSummary(
        n_cells=adata.n_obs,
        n_genes=len(var) if chosen is not None else 0,
        matrices=matrices,
        expression=chosen,
        embeddings=embeddings,
        batch_candidates=candidates,
        label_candidates=labels,
        organism=organism(names),
        n_mito=n_mito,
        symbol_column=column,
        own_columns=ours,
        left_out=left_out,
        warnings=(
            *(sentence for each in left_out for sentence in each.gone),
            *_warn_about_unused(matrices, chosen),
            *warn_about(adata.obs, matrix, chosen, embeddings, candidates, names, n_mito),
            *warn_about_levels(adata.obs, list(divides)),
        ),
    )


def _why_not_used(matrix: MatrixInfo) -> str:
    if matrix.n_genes < 2:
        return "has a single gene" if matrix.n_genes else "has no genes"
    if matrix.kind is ValueKind.ROOTS:
        return f"holds {matrix.kind.value}; square them, or give counts or log-normalised values"
    return f"holds {matrix.kind.value}"


def _warn_about_unused(
    matrices: tuple[MatrixInfo, ...], chosen: MatrixInfo | None
) -> Iterator[str]:
    telling = (ValueKind.ROOTS, ValueKind.MISSING)
    for matrix in matrices:
        if chosen is None and matrix.n_genes > 1 and matrix.kind in telling:
            yield f"{matrix.where} {_why_not_used(matrix)}."


def _nothing_to_correct(
    matrices: tuple[MatrixInfo, ...], embeddings: tuple[EmbeddingInfo, ...], n_cells: int
) -> str:
    found = [f"{matrix.where} {_why_not_used(matrix)}" for matrix in matrices]
    for embedding in embeddings:
        bad = f"has missing or infinite values (cells: {embedding.n_bad:,}; remove these)"
        if embedding.n_bad == n_cells:
            bad = "has missing or infinite values in every cell (remove the dimensions with them)"
        why = "is a picture rather than measurements" if embedding.is_layout else bad
        found.append(f"{quoted(embedding.name)} {why}")
    because = f" ({'; '.join(found)})" if found else ""
    return (
        f"The file has neither expression values nor an embedding to correct{because}; give one "
        "with an expression matrix in X, layers or raw, or an embedding such as X_pca in obsm."
    )


def _depth(adata: Any, best: MatrixInfo | None) -> NDArray[Any] | None:
    if best is None or not best.kind.is_counts:
        return None
    matrix, _ = expression(adata, best.where)
    return np.concatenate([np.asarray(b.sum(axis=1)).ravel() for b in cell_blocks(matrix)])


def expression(adata: Any, where: str) -> tuple[Any, pd.DataFrame]:
    """Return one expression matrix of the data and the table of its genes.

    Parameters
    ----------
    where
        As `MatrixInfo.where` names it: ``X``, ``raw`` or ``layers/<name>``.

    Returns
    -------
    Matrix (cells × genes), and a row a gene.
    """
    if where == "X":
        return adata.X, adata.var
    if where == "raw":
        return adata.raw.X, adata.raw.var
    return adata.layers[where.removeprefix("layers/")], adata.var


def check_matrix(matrix: Any, obs: pd.DataFrame, name: str) -> None:
    """Raise unless an expression matrix can be prepared for a batch variable.

    Parameters
    ----------
    matrix
        Cells × genes.
    obs
        Columns that describe the cells.
    name
        The batch variable.

    Raises
    ------
    DataError
        NaN or infinite values.
    BatchError
        Some batches hold counts and others log values, or some cells of a batch do; then the
        batches of the column that tells these apart are named.
    """
    n_bad = _n_not_finite(matrix)
    if n_bad:
        raise DataError(
            f"The expression matrix has {counted(n_bad, 'missing or infinite value')}; replace "
            "what is missing, or take another layer."
        )
    kinds = value_kind_per_batch(matrix, obs[name].astype(str))
    if ValueKind.MIXED in kinds.values():
        _blame_another_column(matrix, obs)
    check_same_kind(kinds, name)


def _blame_another_column(matrix: Any, obs: pd.DataFrame) -> None:
    """Raise BatchError for the likeliest column whose batches hold a kind of values each."""
    for candidate in rank_batch_columns(obs):
        kinds = value_kind_per_batch(matrix, obs[candidate.name].astype(str))
        if ValueKind.MIXED not in kinds.values():
            check_same_kind(kinds, candidate.name)


def _n_not_finite(matrix: Any) -> int:
    is_by_gene = isinstance(matrix, ByGene)
    blocks = (b for _, b in matrix.blocks()) if is_by_gene else cell_blocks(matrix)
    return sum(int((~np.isfinite(block.data)).sum()) for block in blocks)


def best_matrix(adata: Any) -> MatrixInfo | None:
    """Choose the matrix to start from: counts before log values before the rest."""
    return _choose(
        tuple(
            MatrixInfo(where=where, kind=value_kind(matrix), n_genes=matrix.shape[1])
            for where, matrix in _matrices(adata)
        )
    )


def _matrices(adata: Any) -> Iterator[tuple[str, Any]]:
    found = [("X", adata.X), *((f"layers/{n}", adata.layers[n]) for n in adata.layers)]
    if adata.raw is not None:
        found.append(("raw", adata.raw.X))
    for where, matrix in found:
        # Text or complex numbers are no expression.
        if matrix is not None and matrix.dtype.kind in "biuf":
            yield where, matrix


def _matrix_info(
    where: str, matrix: Any, obs: pd.DataFrame, candidates: tuple[BatchCandidate, ...]
) -> MatrixInfo:
    mixed = {}
    for candidate in candidates[:BATCHES_LOOKED_AT]:
        kinds = value_kind_per_batch(matrix, obs[candidate.name].astype(str))
        try:
            check_same_kind(kinds, candidate.name)
        except BatchError:
            mixed[candidate.name] = kinds
    return MatrixInfo(
        where=where, kind=value_kind(matrix), n_genes=matrix.shape[1], kinds_by_column=mixed
    )


def _choose(matrices: tuple[MatrixInfo, ...]) -> MatrixInfo | None:
    """Counts before log values before the rest; X before layers before raw among equals."""

    def rank(info: MatrixInfo) -> tuple[int, int, int]:
        kinds = list(ValueKind)
        name = info.where.removeprefix("layers/")
        # A layer of spliced molecules holds counts too, but not all of them.
        place = 0 if info.where == "X" or name in _COUNT_LAYERS else 2 if name != "raw" else 1
        return (int(bool(info.kinds_by_column)), kinds.index(info.kind), place)

    usable = [m for m in matrices if m.kind.is_usable and m.n_genes > 1]
    return min(usable, key=rank) if usable else None

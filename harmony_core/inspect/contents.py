"""What was recognised in data: the report's parts, and the sentences that warn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.counting import counted
from harmony_core.errors import BatchError
from harmony_core.inspect.candidates import BatchCandidate, columns_that_say_the_same
from harmony_core.inspect.columns import listed
from harmony_core.inspect.comparable import check_same_kind, warn_about_batches
from harmony_core.inspect.embeddings import EmbeddingInfo, notes_on_embedding
from harmony_core.inspect.genes import Organism, barcode_share, gene_share, has_ids_only
from harmony_core.inspect.left_out import Kept
from harmony_core.inspect.values import ValueKind
from harmony_core.matrices.blocks import cell_blocks

_GENES_AMONG_NAMES = 0.1
"""Of a transcriptome's symbols more than this share belongs to families that can be told."""
BATCHES_LOOKED_AT = 3
"""So many of the likeliest batch variables have their batches' values looked at."""


@dataclass(frozen=True, kw_only=True)
class MatrixInfo:
    """One expression matrix of the data.

    Attributes
    ----------
    where
        ``"X"``, ``"layers/<name>"`` or ``"raw"``.
    kinds_by_column
        For the likeliest batch variables whose batches hold different kinds of values: the kind of
        each batch.
    """

    where: str
    kind: ValueKind
    n_genes: int
    kinds_by_column: Mapping[str, Mapping[str, ValueKind]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What the data hold.

    Attributes
    ----------
    expression
        The matrix to start from, or None if only embeddings can be corrected.
    embeddings
        Embeddings that can be corrected, and layouts (2-D pictures), which should not be.
    organism
        As the gene symbols tell.
    symbol_column
        Column of var that holds the symbols where the names are Ensembl ids.
    warnings
        Whole sentences for the user; none of them stops a run.
    own_columns
        Columns of obs that an export of ours wrote: results, not facts about the cells.
    left_out
        What quality control had kept of each batch and label before such an export.
    """

    n_cells: int
    n_genes: int
    matrices: tuple[MatrixInfo, ...]
    expression: MatrixInfo | None
    embeddings: tuple[EmbeddingInfo, ...]
    batch_candidates: tuple[BatchCandidate, ...]
    label_candidates: tuple[str, ...]
    organism: Organism | None
    n_mito: int
    symbol_column: str | None
    warnings: tuple[str, ...]
    own_columns: tuple[str, ...] = ()
    left_out: tuple[Kept, ...] = ()

    @property
    def counts(self) -> MatrixInfo | None:
        """The matrix that counts are taken from, if there are any."""
        found = self.expression
        return found if found is not None and found.kind.is_counts else None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "n_cells": self.n_cells,
            "n_genes": self.n_genes,
            "expression": None if self.expression is None else self.expression.where,
            "matrices": {m.where: m.kind.value for m in self.matrices},
            "embeddings": [dataclasses.asdict(e) for e in self.embeddings],
            "batch_candidates": [dataclasses.asdict(c) for c in self.batch_candidates],
            "label_candidates": list(self.label_candidates),
            "organism": self.organism,
            "n_mito": self.n_mito,
            "symbol_column": self.symbol_column,
            "warnings": list(self.warnings),
            "own_columns": list(self.own_columns),
        }


def warn_about(
    obs: pd.DataFrame,
    matrix: Any,
    chosen: MatrixInfo | None,
    embeddings: tuple[EmbeddingInfo, ...],
    candidates: tuple[BatchCandidate, ...],
    symbols: pd.Series[Any],
    n_mito: int,
) -> Iterator[str]:
    """Say what should be known before a run.

    Parameters
    ----------
    obs
        Columns that describe the cells (cells × columns).
    matrix
        The matrix to start from (cells × genes), which ``chosen`` describes.
    candidates
        Columns that can be the batch variable, the likeliest first.
    symbols
        Gene symbols (genes).
    n_mito
        How many of them are mitochondrial.
    """
    if chosen is None:
        yield "There are no expression values, so only an embedding can be corrected."
    else:
        yield from _expression_warnings(matrix, chosen)
        yield from _warn_about_names(obs.index, symbols, n_mito)
        for candidate in candidates[:BATCHES_LOOKED_AT]:
            batch = obs[candidate.name].astype(str)
            yield from warn_about_batches(matrix, chosen.kind, batch)
        n_repeated = int(symbols.duplicated().sum())
        if n_repeated:
            names = counted(n_repeated, "gene name repeats", "gene names repeat")
            yield f"{names} another; a number is added."
    n_repeated = int(obs.index.duplicated().sum())
    if n_repeated:
        names = counted(n_repeated, "cell name repeats", "cell names repeat")
        yield f"{names} another; a number is added."
    for embedding in embeddings:
        yield from notes_on_embedding(embedding)
    if not candidates:
        yield "No column can be the batch variable; give the data one that names each cell's batch."
    same = columns_that_say_the_same(obs, [c.name for c in candidates[:20]])
    for first, second in same:
        yield f"The columns {listed([first, second])} divide the cells in the same way."


def _expression_warnings(matrix: Any, chosen: MatrixInfo) -> Iterator[str]:
    if chosen.kind is ValueKind.NORMALISED:
        yield "The data are normalised already; they are log-transformed but not normalised again."
    elif chosen.kind is ValueKind.LOG:
        yield "The data are normalised and log-transformed already; neither is done again."
    elif chosen.kind is ValueKind.SCALED:
        yield (
            "The data are scaled or corrected (some values are below zero); they are used as they "
            "are. Variable genes and mixing are more reliable from counts."
        )
    elif chosen.kind is ValueKind.BELOW_ZERO and not chosen.kinds_by_column:
        yield (
            "Some counts are below zero, which no count is, so all values are used as they are; "
            "set these to zero to have the others normalised as counts."
        )
    elif chosen.kind is ValueKind.MIXED and not chosen.kinds_by_column:
        yield "Some cells hold counts and others don't; bring all cells to counts first."
    by_column = chosen.kinds_by_column
    # The column whose batches hold one kind each says it all.
    telling = {c: k for c, k in by_column.items() if ValueKind.MIXED not in k.values()}
    for column, kinds in (telling or by_column).items():
        try:
            check_same_kind(kinds, column)
        except BatchError as error:
            yield str(error)
    n_bad, n_empty_cells, n_empty_genes = count_problems(matrix)
    if n_bad:
        values = counted(n_bad, "value is", "values are")
        yield f"{values} missing or infinite; replace them before a run."
    if n_empty_cells:
        yield f"{counted(n_empty_cells, 'cell has', 'cells have')} no counts at all."
    if n_empty_genes:
        yield f"{counted(n_empty_genes, 'gene has', 'genes have')} no counts in any cell."


def _warn_about_names(cells: pd.Index, symbols: pd.Series[Any], n_mito: int) -> Iterator[str]:
    genes_in_rows = gene_share(cells) > _GENES_AMONG_NAMES
    if genes_in_rows and gene_share(symbols) < _GENES_AMONG_NAMES / 5:
        yield (
            "The cells have names of genes and the genes don't: the table lies on its side; "
            "transpose it."
        )
    elif barcode_share(symbols) > 0.5 > barcode_share(cells):
        yield (
            "The genes have barcodes for names and the cells don't: the table lies on its side; "
            "transpose it."
        )
    elif has_ids_only(symbols):
        yield (
            "The genes are named by Ensembl ids and no column has their symbols, so mitochondrial "
            "and marker genes cannot be found by name; add a column gene_symbols to var."
        )
    elif n_mito == 0:
        yield "No mitochondrial genes were found, so cells cannot be judged by them."


def count_problems(matrix: Any) -> tuple[int, int, int]:
    """Count values that are not finite, cells without any value, and genes without any."""
    n_bad = n_empty_cells = 0
    cells_of_gene = np.zeros(matrix.shape[1], dtype=np.int64)
    for block in cell_blocks(matrix):
        n_bad += int((~np.isfinite(block.data)).sum())
        if not block.data.all():  # zeros may be stored as well
            block = sp.csr_matrix(block, copy=True)
            block.eliminate_zeros()
        n_empty_cells += int((np.diff(block.indptr) == 0).sum())
        cells_of_gene += np.bincount(block.indices, minlength=matrix.shape[1])
    return n_bad, n_empty_cells, int((cells_of_gene == 0).sum())

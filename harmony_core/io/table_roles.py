"""What a text table is: expression values, an embedding, or columns that describe the cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.inspect.genes import gene_share
from harmony_core.io.file_data import FileData
from harmony_core.io.matching import (
    Side,
    add_columns,
    cells_side_by_size,
    cells_side_by_tables,
    embedding_columns,
    with_plain_columns,
)
from harmony_core.io.table_layout import CELL_NUMBERS, names_what, plain_header
from harmony_core.io.tables import Table

if TYPE_CHECKING:
    import anndata as ad

Role = Literal["expression", "embedding", "metadata", "long"]

_EXPRESSION_FROM = 100
"""A table of more numbers a line than this is expression; metadata have fewer."""
_METADATA = re.compile(
    r"orig\.ident|seurat_clusters|.*_snn_res.*|leiden.*|louvain.*|phase|s[._]score|g2m[._]score|"
    r"n_?(count|feature|umi|gene)s?([._].*)?|(total|log1p_total)_counts.*|"
    r"(pct|percent)[._].*|doublet.*|.*_by_counts",
    re.IGNORECASE,
)
"""Columns that Seurat and scanpy keep of cells."""
_BARCODE = re.compile(r"(.*[^A-Z])?[ACGT]{8,}([^A-Z].*)?")


def role(table: Table) -> Role:
    """Tell what a table is."""
    if embedding_columns(table):
        return "embedding"
    if table.text.shape[1] + table.named == 2 and len(table.columns) == 1 and _is_long(table):
        return "long"
    names_genes = max(gene_share(table.names), gene_share(table.columns)) > 0.5
    many = len(table.columns) > _EXPRESSION_FROM
    return "expression" if many or (names_genes and len(table.columns)) else "metadata"


def is_of_cells(table: Table) -> bool:
    """Whether a table has columns that only a table of metadata has."""
    return any(_METADATA.fullmatch(str(c)) for c in (*table.columns, *table.text.columns))


def _is_long(table: Table) -> bool:
    first = table.names if table.named else pd.Index(table.text.iloc[:, 0])
    second = pd.Index(table.text.iloc[:, -1])
    return first.has_duplicates and second.has_duplicates


def from_expression(
    table: Table, *, cells_in: Side | None = None, others: Sequence[Table] = ()
) -> FileData:
    """Make a dataset of a table of expression values.

    Parameters
    ----------
    table
        The table.
    cells_in
        Whether rows or columns are cells; by default as the tables beside it tell, then its names.
    others
        Tables that describe the cells.
    """
    import anndata

    _refuse_stray_text(table)
    side, told = (cells_in, "") if cells_in else _cells_side(table, others)
    matrix = table.values if side == "rows" else sp.csr_matrix(table.values.T)
    by_row, by_column = pd.DataFrame(table.text), pd.DataFrame(index=table.columns)
    obs, var = (by_row, by_column) if side == "rows" else (by_column, by_row)
    adata = anndata.AnnData(matrix, obs=with_plain_columns(obs), var=with_plain_columns(var))
    if side == "rows":
        adata = _without_numbers_of_cells(adata)
    note = f"The cells of {table.name} are in its {side}{told}."
    return FileData(
        adata,
        "text table",
        (*table.notes, note),
        choices={"cells_in": side},
        names_cells=table.named if side == "rows" else table.columns_named,
    )


def _without_numbers_of_cells(adata: ad.AnnData) -> ad.AnnData:
    """Move columns that number the cells, such as cell_ID beside fov, from the genes to obs."""
    numbers = [i for i, n in enumerate(adata.var_names) if plain_header(str(n)) in CELL_NUMBERS]
    if not numbers:
        return adata
    kept = adata[:, np.setdiff1d(np.arange(adata.n_vars), numbers)].copy()
    for position in numbers:
        values = adata.X[:, [position]].toarray().ravel()
        kept.obs[str(adata.var_names[position])] = values.astype(np.int64)
    return kept


def _refuse_stray_text(table: Table) -> None:
    """Raise FileError for a column of numbers with some text in it, which is no column of text."""
    for name, column in table.text.items():
        known = column.dropna()
        stray = known[pd.to_numeric(known, errors="coerce").isna()]
        if 0 < 2 * len(stray) < len(known):
            raise FileError(
                f"{table.name} has {quoted(stray.iloc[0])} where a number is expected: line of "
                f"{quoted(stray.index[0])}, column {quoted(name)}."
            )


def from_long(table: Table) -> FileData:
    """Make a dataset of a table with one line for each gene and cell that has a value."""
    import anndata

    first = table.names if table.named else pd.Index(table.text.iloc[:, 0].astype(str))
    second = pd.Index(table.text.iloc[:, -1].astype(str))
    codes, names = zip(*(pd.factorize(part) for part in (first, second)), strict=True)
    genes_first = gene_share(names[0]) >= gene_share(names[1])
    row, column = (1, 0) if genes_first else (0, 1)
    values = np.asarray(table.values.todense()).ravel()
    matrix = sp.coo_matrix(
        (values, (codes[row], codes[column])), shape=(len(names[row]), len(names[column]))
    )
    adata = anndata.AnnData(
        sp.csr_matrix(matrix),
        obs=pd.DataFrame(index=pd.Index(names[row])),
        var=pd.DataFrame(index=pd.Index(names[column])),
    )
    note = f"The cells of {table.name} are in its {'second' if genes_first else 'first'} column."
    return FileData(adata, "text table, one line a value", (*table.notes, note))


def from_embedding(table: Table) -> FileData:
    """Make a dataset of embeddings, with the table's other columns as metadata."""
    import anndata

    adata = anndata.AnnData(obs=pd.DataFrame(index=table.names))
    add_columns(adata, table, np.arange(len(table.names)))
    return FileData(adata, "embedding table", table.notes, names_cells=table.named)


def _cells_side(table: Table, others: Sequence[Table]) -> tuple[Side, str]:
    """Tell whether rows or columns are cells, and what tells, as it stands in a note."""
    by_table = cells_side_by_tables(table, others)
    if by_table is not None:
        return by_table[0], f" (recognised by {by_table[1]})"
    by_names = _side_by_names(table)
    if by_names is not None:
        return by_names, " (recognised by the names)"
    what = names_what(table.corner)
    if what is not None:
        side: Side = "rows" if what == "cells" else "columns"
        return side, f" (recognised by {quoted(table.corner)})"
    by_size = cells_side_by_size(table, others)
    if by_size is not None:
        return by_size[0], f" (recognised by the number of lines of {by_size[1]})"
    side = "rows"
    # Nothing in the names: tables with genes in rows are the usual form of repositories.
    if table.named and len(table.columns) > _EXPRESSION_FROM:
        side = "columns" if len(table.names) >= len(table.columns) else "rows"
    return side, " (no name tells)"


def _side_by_names(table: Table) -> Side | None:
    rows, columns = gene_share(table.names), gene_share(table.columns)
    barcodes = _barcode_share(table.names), _barcode_share(table.columns)
    evidence = (columns - rows) + (barcodes[0] - barcodes[1])
    if abs(evidence) > 0.1:
        return "rows" if evidence > 0 else "columns"
    return None


def _barcode_share(names: pd.Index) -> float:
    sample = names[:: max(1, len(names) // 2000)]
    hits = sum(_BARCODE.fullmatch(str(n)) is not None for n in sample)
    return hits / max(1, len(sample))

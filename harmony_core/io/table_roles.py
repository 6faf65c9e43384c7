"""What a text table is: expression values, an embedding, or columns that describe the cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.errors import FileError
from harmony_core.inspect.columns import listed, quoted
from harmony_core.inspect.genes import barcode_share, gene_share
from harmony_core.io.file_data import FileData
from harmony_core.io.matching import (
    Side,
    add_columns,
    cells_side_by_size,
    cells_side_by_tables,
    embedding_columns,
    is_of_embedding,
    n_named,
    numbered_like_dimensions,
    with_plain_columns,
)
from harmony_core.io.table_layout import (
    CELL_NUMBERS,
    names_column_of_cells,
    names_what,
    plain_header,
)
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
_FEWEST_OF_PANEL = 10
_LINES_PER_NAME = 1.5


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


def describes_cells_of(table: Table, values: Sequence[Table | FileData]) -> bool:
    """Whether a table names the cells of larger values, and describes them beside some genes.

    Parameters
    ----------
    table
        Names genes, and perhaps the columns that a few of them were written with.
    values
        Everything that holds expression values, perhaps the table itself.
    """
    few = len(table.columns) <= _EXPRESSION_FROM and gene_share(table.columns) > 0.5
    if not (few and table.named and (table.text.shape[1] or is_of_cells(table))):
        return False
    return any(
        n_named(names, table) * 2 > len(names)
        for other in values
        if other is not table
        for names, n_genes in _sides(other)
        if n_genes > len(table.columns)
    )


def _sides(values: Table | FileData) -> list[tuple[list[str], int]]:
    """Return names that may be those of cells, each with the number of genes there would be."""
    if isinstance(values, FileData):
        sides = [(values.adata.obs_names, values.adata.n_vars, values.names_cells)]
    else:
        n_rows, n_columns = values.values.shape
        sides = [
            (values.names, n_columns, values.named),
            (values.columns, n_rows, values.columns_named),
        ]
    return [([str(n) for n in names], n_genes) for names, n_genes, named in sides if named]


def panels(tables: Sequence[Table]) -> list[Table]:
    """Return the tables of metadata that may hold expression values of a panel under own names.

    Parameters
    ----------
    tables
        Tables without names of genes or of dimensions. A panel holds numbers only, ten columns of
        them or more, none below zero; its columns are no known ones of metadata. Or its columns are
        cells that another table names.
    """
    return [
        table
        for table in tables
        if _is_panel(table) or _has_cells_in_columns(table, [t for t in tables if t is not table])
    ]


def _is_panel(table: Table) -> bool:
    of_numbers = not table.text.shape[1] and min(table.values.shape) >= _FEWEST_OF_PANEL
    return of_numbers and not is_of_cells(table) and bool(table.values.min() >= 0)


def _has_cells_in_columns(table: Table, others: Sequence[Table]) -> bool:
    """Whether other tables name most of the columns, beside symbols or the like."""
    return any(n_named(list(table.columns), t) * 2 > len(table.columns) for t in others if t.named)


def _is_long(table: Table) -> bool:
    first = table.names if table.named else pd.Index(table.text.iloc[:, 0])
    second = pd.Index(table.text.iloc[:, -1])
    # Metadata that name a cell twice have about as many lines as names.
    return bool(max(first.nunique(), second.nunique()) * _LINES_PER_NAME < len(first))


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
    by_row = table.values if side == "rows" else table.values.T
    matrix = sp.csr_matrix(by_row)
    rows, columns = pd.DataFrame(table.text), pd.DataFrame(index=table.columns)
    obs, var = (rows, columns) if side == "rows" else (columns, rows)
    adata = anndata.AnnData(matrix, obs=with_plain_columns(obs), var=with_plain_columns(var))
    adata, notes = _without_columns_of_cells(adata, table.name)
    adata.X = adata.X.astype(np.float32)
    note = f"The cells of {table.name} are in its {side}{told}."
    return FileData(
        adata,
        "text table",
        (*table.notes, note, *notes),
        choices={"cells_in": side},
        names_cells=table.named if side == "rows" else table.columns_named,
    )


def _without_columns_of_cells(adata: ad.AnnData, name: str) -> tuple[ad.AnnData, tuple[str, ...]]:
    """Move what describes cells in numbers, such as cell_ID or batch, from the genes to obs."""
    names = [str(n) for n in adata.var_names]
    plain = [plain_header(n) for n in names]
    numbers = [i for i, header in enumerate(plain) if header in CELL_NUMBERS]
    columns = [
        i
        for i, header in enumerate(plain)
        if i not in set(numbers)
        and (names_column_of_cells(header) or _METADATA.fullmatch(names[i]) is not None)
    ]
    if not (numbers or columns):
        return adata, ()
    kept = adata[:, np.setdiff1d(np.arange(adata.n_vars), [*numbers, *columns])].copy()
    for position in (*numbers, *columns):
        values = adata.X[:, [position]].toarray().ravel()
        whole = bool((values == np.rint(values)).all())
        kept.obs[names[position]] = values.astype(np.int64) if whole else values
    if not columns:
        return kept, ()
    one, several = "describes cells, by name, and is no gene", "describe cells and are no genes"
    what = one if len(columns) == 1 else several
    return kept, (f"{listed([names[i] for i in columns])} of {name} {what}.",)


def refuse_text_among_dimensions(table: Table) -> None:
    """Raise FileError for an embedding some of whose dimensions are no numbers.

    Without them the others would pass for columns that describe cells.
    """
    n_numbers = len(table.columns)
    names = pd.Index([*table.columns, *table.text.columns])
    for stem, numbered in numbered_like_dimensions(names).items():
        stray = [names[i] for i in numbered.values() if i >= n_numbers]
        if is_of_embedding(stem) and 0 < len(stray) < len(numbered) - len(stray):
            _refuse_text_in(table, stray[0])


def _refuse_text_in(table: Table, name: str) -> None:
    column = table.text[name].dropna()
    stray = column[pd.to_numeric(column, errors="coerce").isna()]
    raise FileError(
        f"{table.name} has {quoted(stray.iloc[0])} where a number is expected: line of "
        f"{quoted(stray.index[0])}, column {quoted(name)}."
    )


def _refuse_stray_text(table: Table) -> None:
    """Raise FileError for a column of numbers with some text in it, which is no column of text."""
    for name, column in table.text.items():
        known = column.dropna()
        stray = known[pd.to_numeric(known, errors="coerce").isna()]
        if 0 < 2 * len(stray) < len(known):
            _refuse_text_in(table, str(name))


def from_long(table: Table) -> FileData:
    """Make a dataset of a table with one line for each gene and cell that has a value."""
    import anndata

    first = table.names if table.named else pd.Index(table.text.iloc[:, 0].astype(str))
    second = pd.Index(table.text.iloc[:, -1].astype(str))
    codes, names = zip(*(pd.factorize(part) for part in (first, second)), strict=True)
    genes_first = gene_share(names[0]) >= gene_share(names[1])
    row, column = (1, 0) if genes_first else (0, 1)
    values = np.asarray(table.values.todense(), dtype=np.float32).ravel()
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
    barcodes = barcode_share(table.names), barcode_share(table.columns)
    evidence = (columns - rows) + (barcodes[0] - barcodes[1])
    if abs(evidence) > 0.1:
        return "rows" if evidence > 0 else "columns"
    return None

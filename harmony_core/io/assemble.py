"""From files to one dataset: each is read by its format, and their contents belong together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.cell_names import add_sample
from harmony_core.io.combine import combine
from harmony_core.io.file_data import FileData
from harmony_core.io.formats import IN_WORDS, read_file
from harmony_core.io.matching import as_embedding, attach
from harmony_core.io.open_file import ReadOptions
from harmony_core.io.request import LoadRequest
from harmony_core.io.sources import (
    MatrixFiles,
    Source,
    find_matrix_files,
    is_matrix,
    without_endings,
)
from harmony_core.io.table_roles import (
    describes_cells_of,
    from_embedding,
    from_expression,
    from_long,
    is_of_cells,
    panels,
    refuse_text_among_dimensions,
    role,
)
from harmony_core.io.tables import Table

_OF_ALEVIN = re.compile(r"quants_mat_(rows|cols)\.txt", re.IGNORECASE)


def assemble(sources: Sequence[Source], request: LoadRequest, options: ReadOptions) -> FileData:
    """Read files and make one dataset of them.

    Datasets are put below each other; tables of metadata and of embeddings are matched to their
    cells.

    Parameters
    ----------
    sources
        Files and zarr folders, unpacked.
    request
        What was asked for: names, genes, and on which side of a table the cells are.
    options
        How each file is read. Of several files all cells are, into memory.

    Raises
    ------
    FileError
        One of the files can't be read, or they don't belong together.
    """
    folders = find_matrix_files(sources)
    used = {source for files in folders for source in files.sources}
    rest = [source for source in sources if source not in used]
    _refuse_incomplete(rest)
    inputs: list[Source | MatrixFiles] = [*folders, *rest]
    cell_tables = {files: files.cell_table for files in folders if files.cell_table is not None}
    alone = len(inputs) == 1 and not cell_tables
    if not alone:
        options = dataclasses.replace(options, subsample=None, scratch=None)
    datasets: list[tuple[str, FileData]] = []
    tables: list[Table] = []
    for source in inputs:
        content = read_file(source, options, alone=alone)
        if isinstance(content, Table):
            tables.append(content)
        else:
            if isinstance(source, MatrixFiles) and source in cell_tables:
                table = read_file(cell_tables[source], options, alone=False)
                content = attach(content, table) if isinstance(table, Table) else content
            datasets.append((source.label, content))
    return _put_together(datasets, tables, request, options.limit)


def _refuse_incomplete(sources: Sequence[Source]) -> None:
    for source in sources:
        if _OF_ALEVIN.fullmatch(source.base):
            raise FileError(
                f"{source.quoted} comes without quants_mat.mtx; alevin-fry writes it, and alevin "
                "does if it is run with --dumpMtx."
            )
        if is_matrix(source) and "x_tcc" in source.base.casefold():
            raise FileError(
                f"{source.quoted} counts sets of transcripts rather than genes; give the matrix "
                "cells_x_genes that kb count writes without --tcc."
            )
        if is_matrix(source):
            raise FileError(
                f"{source.quoted} comes without its lists of cells and genes; give all three files "
                "(matrix, barcodes, features), best as one zip."
            )


def _put_together(
    datasets: list[tuple[str, FileData]],
    tables: list[Table],
    request: LoadRequest,
    limit: float | None,
) -> FileData:
    cells_in = request.cells_in
    if cells_in != "rows":
        describing = [table for table in tables if role(table) == "metadata"]
        tables = [
            as_embedding(table, [t for t in describing if t is not table]) for table in tables
        ]
    for table in tables:
        refuse_text_among_dimensions(table)
    if request.added_to is not None:
        _refuse_all_but_embeddings([label for label, _ in datasets[1:]], tables)
    roles = {id(table): role(table) for table in tables}
    only_metadata = not datasets and set(roles.values()) == {"metadata"}
    own_names = panels(tables) if only_metadata and len(tables) > 1 else []
    roles |= {id(table): "expression" for table in own_names}
    values = [data for _, data in datasets] + [
        table for table in tables if roles[id(table)] == "expression"
    ]
    for table in tables:
        if roles[id(table)] == "expression" and describes_cells_of(table, values):
            roles[id(table)] = "metadata"
    rest = [table for table in tables if roles[id(table)] in ("embedding", "metadata")]
    rest.sort(key=lambda table: roles[id(table)] != "embedding")
    for table in tables:
        label = without_endings(table.name.strip("'"))
        if roles[id(table)] == "expression":
            datasets.append((label, from_expression(table, cells_in=cells_in, others=rest)))
        elif roles[id(table)] == "long":
            datasets.append((label, from_long(table)))
    if len(datasets) == 1:
        base = datasets[0][1]
    elif datasets:
        base = combine(datasets, genes=request.genes, limit=limit)
    elif not rest:
        name = quoted(request.names[0])
        raise FileError(f"{name} holds no data in a known format; known: {IN_WORDS}.")
    elif roles[id(rest[0])] == "embedding":
        base, rest = from_embedding(rest[0]), rest[1:]
    elif len(rest) == 1 and len(rest[0].columns) >= 2 and not is_of_cells(rest[0]):
        base, rest = from_expression(rest[0], cells_in=cells_in), []
    else:
        raise FileError(_nothing_to_correct(rest))
    kind = f"{base.format} with tables" if rest else base.format
    taken = [
        f"{table.name} is taken for expression values, though its names are of no known genes."
        for table in own_names
    ]
    base = dataclasses.replace(base, notes=(*taken, *base.notes))
    for table in rest:
        base = attach(base, table)
    if base.format != "h5ad":  # a file that is its own dataset is left as it is
        base = dataclasses.replace(base, notes=(*base.notes, *add_sample(base.adata)))
    return dataclasses.replace(base, format=kind)


def _refuse_all_but_embeddings(datasets: Sequence[str], tables: Sequence[Table]) -> None:
    others = [quoted(label) for label in datasets]
    others += [table.name for table in tables if role(table) != "embedding"]
    if others:
        raise FileError(
            f"{others[0]} is no table of an embedding. Give one with a line for each cell: its "
            "name first, then a column for each dimension, numbered as in cca_1, cca_2."
        )


def _nothing_to_correct(tables: Sequence[Table]) -> str:
    """Say why no table is taken for values, and how values are named so that they are."""
    names = [table.name for table in tables]
    who = f"{names[0]} has" if len(names) == 1 else f"{' and '.join(names[:3])} have"
    how = (
        "Give counts with symbols or Ensembl ids as names of genes, or an embedding with columns "
        "PC_1, PC_2 and so on."
    )
    if any(not t.text.shape[1] and not is_of_cells(t) for t in tables):
        why = "names no genes, numbers no dimensions, and has fewer than ten columns of numbers"
        return f"{who} neither expression values nor an embedding: none {why}. {how}"
    why = "but columns that describe cells"
    return f"{who} neither expression values nor an embedding, {why}. {how}"

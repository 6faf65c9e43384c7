"""Matrix folders: matrix.mtx with its barcodes and genes, as CellRanger and others name them."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.errors import FileError
from harmony_core.inspect.columns import listed
from harmony_core.io.file_data import FileData
from harmony_core.io.open_file import OpenFile
from harmony_core.io.sources import MatrixFiles, Source, is_matrix
from harmony_core.io.subsample import drawn_note
from harmony_core.io.table_layout import are_line_numbers, plain_header
from harmony_core.io.tenx import GENES, make_dataset
from harmony_core.io.text import lines_of, open_binary, open_text

_CELL_HEADERS = ("x", "barcode", "barcodes", "bcwells", "cellbarcode", "cellid")
_IN_COLUMNS = (
    "{} has spliced, unspliced and ambiguous counts side by side, as Velocyto of older STARsolo "
    "writes them; the spliced ones are taken. The matrix in the folder Gene counts all reads."
)
_LINES_PER_BLOCK = 500_000


def is_matrix_folder(file: OpenFile) -> bool:
    """Whether these are the files of a matrix folder."""
    return isinstance(file.source, MatrixFiles)


def read_matrix_folder(file: OpenFile) -> FileData:
    """Read the files of a matrix folder, or the cells of it that are asked for.

    Raises
    ------
    FileError
        Damaged, too large, or files that do not belong together.
    """
    files, name, subsample = file.source, file.name, file.options.subsample
    assert isinstance(files, MatrixFiles)
    barcodes = pd.Index([line[0] for line in _without_numbers(_lines(files.barcodes, name))])
    var = _features(_without_numbers(_lines(files.features, name)))
    if len(barcodes) and len(var) and plain_header(barcodes[0]) in _CELL_HEADERS:
        barcodes = barcodes[1:]
    if files.symbols is not None:
        var = _with_symbols(var, _lines(files.symbols, name))
    n_rows, n_columns, in_columns = _declared(files.matrix, file)
    if (n_rows, n_columns) == (len(var) + 1, len(barcodes)):
        raise FileError(f"{name} is damaged: its list of genes misses a line.")
    as_10x, turned = (len(var), len(barcodes)), (len(barcodes), len(var))
    if (n_rows, n_columns) not in (as_10x, turned):
        raise FileError(
            f"{name} does not fit together: the matrix has {n_rows:,} × {n_columns:,} entries for "
            f"{len(var):,} genes and {len(barcodes):,} cells."
        )
    # With as many cells as genes only the tool tells.
    is_10x = not files.cells_in_rows if as_10x == turned else (n_rows, n_columns) == as_10x
    notes = [_IN_COLUMNS.format(files.matrix.quoted)] if in_columns else []
    if subsample is not None:
        rows = subsample.rows(pd.DataFrame(index=barcodes), name)
        by_cell = _read_cells(files.matrix, rows, as_10x, is_10x, file)
        kind = f"sample of {files.tool} matrix folder"
        data = _dataset(by_cell, barcodes[rows], var, file, kind)
        note = drawn_note(len(rows), len(barcodes), name)
        return dataclasses.replace(data, notes=(note, *notes, *data.notes))
    if in_columns:
        by_cell = _read_cells(files.matrix, np.arange(len(barcodes)), as_10x, is_10x, file)
    else:
        matrix = _read_mtx(files.matrix, name)
        by_cell = sp.csr_matrix(matrix.T if is_10x else matrix)
    data = _dataset(by_cell, barcodes, var, file, f"{files.tool} matrix folder")
    return dataclasses.replace(data, notes=(*notes, *data.notes))


def _dataset(
    by_cell: sp.csr_matrix, barcodes: pd.Index, var: pd.DataFrame, file: OpenFile, kind: str
) -> FileData:
    files = file.source
    assert isinstance(files, MatrixFiles)
    notes = []
    further = [source.base for source in files.aside if is_matrix(source)]
    if further:
        verb, they = ("is", "it is") if len(further) == 1 else ("are", "they are")
        notes.append(
            f"Beside {files.matrix.quoted} {verb} {listed(further)}, of the same run; {they} not "
            "read. To read one, give it with its lists of cells and genes alone."
        )
    if (n := _n_genes_of_three(list(var["gene_ids"]))) is not None:
        by_cell, var = by_cell[:, :n] + by_cell[:, 2 * n :], var[:n]
        notes.append(
            f"{file.name} counts spliced, unspliced and ambiguous reads apart; spliced and "
            "ambiguous ones are added up, and unspliced ones left out."
        )
    data = make_dataset(by_cell, barcodes, var, file.name, kind)
    return dataclasses.replace(data, notes=(*notes, *data.notes))


def _n_genes_of_three(ids: list[str]) -> int | None:
    """Return the number of genes where each is listed thrice, as alevin-fry does: g, g-U, g-A."""
    n = len(ids) // 3
    unspliced, ambiguous = ([f"{gene}{end}" for gene in ids[:n]] for end in ("-U", "-A"))
    return n if n and ids[n:] == unspliced + ambiguous else None


def _with_symbols(var: pd.DataFrame, lines: list[list[str]]) -> pd.DataFrame:
    if all(len(line) > 1 for line in lines):
        by_id = {line[0]: line[1] for line in lines}
        return var.assign(
            name=[by_id.get(i) or n for i, n in zip(var.gene_ids, var.name, strict=True)]
        )
    symbols = [line[0] for line in lines]
    if len(symbols) != len(var):
        return var
    named = zip(symbols, var["gene_ids"], strict=True)
    return var.assign(name=[symbol or identifier for symbol, identifier in named])


def _lines(source: Source, name: str) -> list[list[str]]:
    delimiter = "," if ".csv" in source.base.casefold() else "\t"
    with open_text(source.path, name) as file:
        return [
            [field.strip().strip('"') for field in line.split(delimiter)]
            for line in lines_of(file, name)
            if line.strip()
        ]


def _without_numbers(lines: list[list[str]]) -> list[list[str]]:
    """Return lines without the numbers that R puts before the names."""
    numbered = all(len(line) > 1 for line in lines) and are_line_numbers([n for n, *_ in lines])
    return [line[1:] for line in lines] if numbered else lines


def _features(lines: list[list[str]]) -> pd.DataFrame:
    header = [plain_header(field) for field in lines[0]] if lines else []
    if header[:1] == ["geneid"]:  # as Parse writes it, where the third column is the genome
        body, kind = lines[1:], header.index("featuretype") if "featuretype" in header else -1
    else:
        body, kind = lines, 2
    column = [[line[i] if 0 <= i < len(line) else "" for line in body] for i in (0, 1, kind)]
    names = [name or identifier for identifier, name in zip(column[0], column[1], strict=True)]
    types = [kind or GENES for kind in column[2]]
    return pd.DataFrame({"gene_ids": column[0], "name": names, "feature_types": types})


def _declared(source: Source, folder: OpenFile) -> tuple[int, int, bool]:
    """Check what the header declares before any of it is believed.

    Returns
    -------
    Rows, columns, and whether there are three numbers for each entry.
    """
    name = folder.name
    with open_text(source.path, name) as file:
        lines = lines_of(file, name)
        if not next(lines, "").startswith("%%MatrixMarket matrix coordinate"):
            raise FileError(f"{name} is damaged: {source.quoted} is no sparse matrix.")
        line = next((line for line in lines if line.strip() and not line.startswith("%")), "")
        in_columns = len(next(lines, "").split()) == 5
    try:
        n_rows, n_columns, n_values = (int(part) for part in line.split())
    except ValueError as error:
        raise FileError(f"{name} is damaged: {source.quoted} has no sizes.") from error
    # The shortest entry is "1 1 1" with its line end, and text packs to a tenth at best of 20.
    if min(n_rows, n_columns, n_values) < 0 or n_values > source.path.stat().st_size * 20:
        raise FileError(f"{name} is damaged: {source.quoted} is shorter than it declares.")
    folder.check_whole_fits(16.0 * n_values + 8.0 * (n_rows + n_columns))
    return n_rows, n_columns, in_columns


def _read_cells(
    source: Source,
    rows: NDArray[np.intp],
    shape: tuple[int, int],
    is_10x: bool,
    folder: OpenFile,
) -> sp.csr_matrix:
    """Read the entries of some cells, line by line; ``shape`` is genes × cells."""
    name = folder.name
    place = np.full(shape[1], -1)
    place[rows] = np.arange(len(rows))
    blocks: list[NDArray[np.float64]] = []
    n_values = 0
    with open_text(source.path, name) as file:
        lines = lines_of(file, name)
        next(line for line in lines if line.strip() and not line.startswith("%"))
        while entries := list(itertools.islice(lines, _LINES_PER_BLOCK)):
            try:
                block = np.loadtxt(entries, ndmin=2)
                gene, cell = (block[:, :2] if is_10x else block[:, 1::-1]).T.astype(np.intp) - 1
                values = block[:, 2] if block.shape[1] > 2 else np.ones(len(block))
                if min(gene.min(), cell.min()) < 0 or gene.max() >= shape[0]:
                    raise ValueError("an entry outside the matrix")
                wanted = place[cell] >= 0
            except (ValueError, IndexError) as error:
                raise FileError(f"{name} is damaged: {source.quoted} cannot be read.") from error
            blocks.append(np.array([values, place[cell], gene])[:, wanted])
            n_values += int(wanted.sum())
            folder.check_fits(32.0 * n_values)
    data, cells, genes = np.concatenate(blocks, axis=1) if blocks else np.zeros((3, 0))
    parts = (data.astype(np.float32), (cells.astype(np.intp), genes.astype(np.intp)))
    return sp.csr_matrix(parts, shape=(len(rows), shape[0]))


def _read_mtx(source: Source, name: str) -> Any:
    from scipy.io import mmread

    try:
        with open_binary(source.path) as file:
            return mmread(file)
    except Exception as error:  # scipy raises many kinds on damaged text
        raise FileError(f"{name} is damaged: {source.quoted} cannot be read.") from error

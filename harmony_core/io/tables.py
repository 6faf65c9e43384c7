"""Reading a text table of any shape: delimiter, header, preamble and row names are recognised."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.open_file import OpenFile
from harmony_core.io.table_layout import (
    Layout,
    are_line_numbers,
    check_widths,
    names_column_of_cells,
    recognise,
)
from harmony_core.io.text import open_text

_VALUES_PER_BLOCK = 5_000_000
_NARROW = 300
_EXACT = 2**53


@dataclass(frozen=True)
class Table:
    """A text table, its numbers apart from its text.

    Attributes
    ----------
    names
        Name of each row; numbered where the file has none.
    columns
        Names of the columns of numbers.
    values
        Rows × columns of numbers.
    text
        The other columns.
    named
        Whether the file names its rows.
    columns_named
        Whether it has a header.
    corner
        What the header calls the names of the rows; may be empty.
    """

    name: str
    names: pd.Index
    columns: pd.Index
    values: sp.csr_matrix[Any]
    text: pd.DataFrame
    named: bool
    columns_named: bool
    corner: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def numbered(self) -> bool:
        """Whether the names of the rows only number the lines."""
        return are_line_numbers(list(self.names))


def read_table(file: OpenFile) -> Table:
    """Read a text table, compressed or not.

    Raises
    ------
    FileError
        Not a table, lines of different length, text among numbers, damaged or too large.
    """
    path, name = file.path, file.name
    layout = recognise(path, name)
    n_lines = check_widths(path, layout, name)
    if layout.width <= _NARROW:  # it is read whole
        file.check_fits(8.0 * n_lines * layout.width)
    with open_text(path, name) as text:
        for _ in range(layout.n_skipped + (layout.header is not None)):
            text.readline()
        try:
            parts = list(_parts(text, layout, file))
        except (pd.errors.ParserError, ValueError, OverflowError, csv.Error) as error:
            raise FileError(f"{name} cannot be read as a table: {_plainly(error)}.") from error
    if not parts:
        raise FileError(f"{name} has a header but no lines below it.")
    return _assemble(parts, layout, name)


def _plainly(error: Exception) -> str:
    text = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
    return (text[:160] or type(error).__name__).rstrip(".")


def _parts(
    stream: IO[str], layout: Layout, file: OpenFile
) -> Iterator[pd.DataFrame | tuple[pd.Index, sp.csr_matrix[Any], pd.DataFrame]]:
    """Read a narrow table whole; a wide one block by block, its text apart from its numbers."""
    names = list(range(layout.width))
    options: dict[str, Any] = {
        "sep": r"\s+" if layout.delimiter == " " else layout.delimiter,
        "header": None,
        "names": names,
        "index_col": False,
        "decimal": layout.decimal,
        "skipinitialspace": True,
        "low_memory": False,
    }
    options["dtype"] = dict.fromkeys(layout.text_columns, str)
    if layout.has_names:
        options["converters"] = {0: str}
    if layout.width <= _NARROW:
        frame = pd.read_csv(stream, **options)
        if len(frame):
            yield frame
        return
    n_values = n_rows = 0
    own = _own_columns(layout)
    text: list[Any] | None = None
    step = max(1, _VALUES_PER_BLOCK // layout.width)
    for block in pd.read_csv(stream, chunksize=step, **options):
        if block.empty:
            continue
        if layout.ends_empty and block[layout.width - 1].notna().any():
            raise FileError(
                f"{file.name} is no whole table: its last column is empty in the first lines only; "
                "mend it, or copy it again."
            )
        if text is None:
            # Such as symbols beside ids, or the batch beside the genes; the first block tells.
            # Single precision tells no numbers of batches beyond some 16 million apart.
            labels = layout.column_names
            text = [c for c in own if _is_text(block[c]) or names_column_of_cells(labels[c])]
        numbers = block[own].drop(columns=text)
        _refuse_text(numbers, layout, file.name, n_rows)
        values = sp.csr_matrix(numbers.to_numpy(dtype=np.float32))
        n_rows += len(block)
        n_values += values.nnz
        file.check_fits(8.0 * n_values)
        yield (_row_names(block, layout, n_rows - len(block)), values, block[text].astype(str))


def _is_text(column: pd.Series[Any]) -> bool:
    """Whether a column has values, and none of them is a number."""
    if column.dtype.kind in "iuf":
        return False
    return bool(column.notna().any()) and bool(pd.to_numeric(column, errors="coerce").isna().all())


def _refuse_text(numbers: pd.DataFrame, layout: Layout, name: str, n_before: int) -> None:
    for position, kind in enumerate(numbers.dtypes):
        if kind.kind in "iuf":
            continue
        column = numbers.iloc[:, position]
        wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        found = quoted(wrong.iloc[0]) if len(wrong) else "text"
        line = n_before + (int(wrong.index[0]) - int(column.index[0]) if len(wrong) else 0) + 1
        label = layout.column_names[int(numbers.columns[position])]
        raise FileError(
            f"{name} has {found} where a number is expected: row {line:,}, column {quoted(label)}."
        )


def _row_names(frame: pd.DataFrame, layout: Layout, n_before: int) -> pd.Index:
    if layout.has_names:
        own = frame.iloc[:, 0].astype(str).str.strip()
        return pd.Index(list(own.where(own != "", "NA")), dtype=object)
    return pd.Index([f"row{n_before + i + 1}" for i in range(len(frame))], dtype=object)


def _own_columns(layout: Layout) -> list[int]:
    """Return the columns that are neither the names of the rows nor empty at the end."""
    return list(range(int(layout.has_names), layout.width - int(layout.ends_empty)))


def _is_exact(column: pd.Series[Any]) -> bool:
    """Whether a column holds numbers, none of them too large to be told from the next."""
    if column.dtype.kind in "iu":
        return bool(column.between(-_EXACT, _EXACT).all())
    return column.dtype.kind == "f"


def _assemble(parts: list[Any], layout: Layout, name: str) -> Table:
    labels = layout.column_names
    notes = []
    if layout.n_skipped:
        first = "line" if layout.n_skipped == 1 else f"{layout.n_skipped:,} lines"
        verb = "is" if layout.n_skipped == 1 else "are"
        notes.append(f"The first {first} of {name} {verb} not part of the table.")
    if isinstance(parts[0], pd.DataFrame):
        frame: pd.DataFrame = parts[0]
        names = _row_names(frame, layout, 0)
        own = _own_columns(layout)
        if layout.ends_empty and frame[layout.width - 1].notna().any():
            own.append(layout.width - 1)
        numbers = [i for i in own if _is_exact(frame[i])]
        text = frame[[i for i in own if i not in numbers]].set_axis(names)
        text.columns = pd.Index([labels[int(i)] for i in text.columns])
        # In double precision, as dates and other numbers of batches need it.
        values = sp.csr_matrix(frame[numbers].to_numpy(dtype=np.float64))
        columns = pd.Index([labels[i] for i in numbers], dtype=object)
    else:
        names = parts[0][0].append([part[0] for part in parts[1:]])
        values = sp.csr_matrix(sp.vstack([part[1] for part in parts], format="csr"))
        text = pd.concat([part[2] for part in parts]).set_axis(names)
        own = _own_columns(layout)
        columns = pd.Index([labels[i] for i in own if i not in text.columns], dtype=object)
        text.columns = pd.Index([labels[int(i)] for i in text.columns])
    if math.prod(values.shape) == 0 and text.shape[1] == 0:
        raise FileError(f"{name} is a table without values.")
    named, header = layout.has_names, layout.header is not None
    return Table(name, names, columns, values, text, named, header, layout.corner, tuple(notes))

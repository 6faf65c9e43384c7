"""How a text table is written: delimiter, preamble, header, row names, decimal sign."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from harmony_core.counting import counted
from harmony_core.errors import FileError
from harmony_core.io.text import lines_of, open_text

_LINES_LOOKED_AT = 100
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
_NAME_HEADERS = frozenset(
    (
        *("", "x", "unnamed0", "index", "cell", "cells", "cellid", "barcode", "barcodes"),
        *("gene", "genes", "geneid", "genename", "symbol", "genesymbol", "cellname", "cellnames"),
        *("name", "id", "rownames", "feature"),
    )
)
"""In small letters, without what stands between the words; see `plain_header`."""
CELL_NUMBERS = frozenset(
    (
        *("cellid", "cellids", "cellindex", "cellindices", "cellnumber", "cellno", "cellnum"),
        *("cellkey", "cellcode", "objectid", "objectnumber", "objectno", "eventid", "eventno"),
        *("eventnumber", "nucleusid", "spotid", "spotindex", "barcodeid", "barcodeindex"),
    )
)
"""As vendors head the names of cells, which are numbers there."""
_IF_DISTINCT = CELL_NUMBERS | frozenset(
    (
        *("cellbarcode", "cellbarcodes", "cb", "bcwells", "obsnames", "rowname", "rownumber"),
        *("rowindex", "featureid", "featurename", "genenames", "geneids", "genesymbols"),
        "ensemblid",
    )
)
"""Headers of names that may head something else, if values repeat."""
_OF_CELLS = frozenset(
    (
        *("batch", "batchid", "sample", "sampleid", "samplename", "donor", "donorid", "patient"),
        *("patientid", "subject", "subjectid", "individual", "library", "libraryid", "dataset"),
        *("study", "plate", "lane", "replicate", "cohort", "experiment", "condition", "treatment"),
        *("group", "timepoint", "tissue", "genotype", "celltype", "cluster", "clusters", "label"),
    )
)
_NAME_LIKE_NUMBER = re.compile(r"0\d+|\d+[eE]\d+")
"""Exponents are written with a sign, and names of samples without."""
_MEASURED = re.compile(r"-.*|\d*[.,]\d{3,}.*")
_FEWEST_NUMBERED = 10


@dataclass(frozen=True)
class Layout:
    """How a text table is written.

    Attributes
    ----------
    n_skipped
        Lines above the table.
    header
        Its first line, if that names the columns.
    width
        Number of columns.
    has_names
        Whether the first column names the rows.
    ends_empty
        Whether every line below the header ends with a delimiter, so that the last column is empty.
    text_columns
        Columns of numbers that are names: with zeros in front, or like 1E5.
    decimal
        Point or comma.
    """

    delimiter: str
    n_skipped: int
    header: tuple[str, ...] | None
    width: int
    has_names: bool
    decimal: str
    ends_empty: bool = False
    text_columns: tuple[int, ...] = ()

    @property
    def corner(self) -> str:
        """Header of the names of the rows; empty where there is none."""
        whole = self.header is not None and len(self.header) == self.width and self.has_names
        return self.header[0] if self.header is not None and whole else ""

    @property
    def column_names(self) -> list[str]:
        """Name of each column, numbered where the file has none."""
        if self.header is None:
            return [f"column{i + 1}" for i in range(self.width)]
        missing = self.width - len(self.header)
        return [""] * missing + [h or f"column{i + 1}" for i, h in enumerate(self.header)]


def recognise(path: Path, name: str) -> Layout:
    """Recognise how a table is written from its first 100 lines.

    Raises
    ------
    FileError
        Empty, or no table.
    """
    with open_text(path, name) as file:
        lines = list(islice(lines_of(file, name), _LINES_LOOKED_AT))
    if not lines:
        raise FileError(f"{name} is empty.")
    delimiter, widths, width = _delimiter(lines)
    if width < 2:
        raise FileError(f"{name} is not a table: no delimiter divides its lines into columns.")
    # Titles and comments above the table have another number of columns than its lines.
    start = next(i for i, w in enumerate(widths) if w == width)
    if start > 0 and widths[start - 1] == width - 1 and width - 1 >= 1:
        start -= 1
    rows = [_split(line, delimiter) for line in lines[start:]]
    first, body = rows[0], rows[1:]
    ends_empty = width > 2 and bool(body) and all(len(r) == width and r[-1] == "" for r in body)
    if ends_empty and len(first) == width - 1 and (first[0] == "" or _heads_names(first[0])):
        first = [*first, ""]  # the header lacks the delimiter at the end, and not the corner
    decimal = "," if _decimal_commas(body or rows, delimiter) else "."
    unnamed_corner = len(first) == width - 1
    is_header = unnamed_corner or first[0] == "" or not _all_numbers(first, decimal)
    if is_header and body and not unnamed_corner and first[0] != "":
        # A first line of text above lines of text may be data; a header repeats nothing below.
        is_header = not any(
            cell == under and not _is_number(cell, decimal)
            for line in body
            for cell, under in zip(first[1:], line[1:], strict=False)
        ) and not _is_line_of_values(first, body, decimal)
    header = tuple(first) if is_header else None
    below = body if is_header else rows
    named = unnamed_corner or _has_names(header, below, decimal)
    return Layout(
        delimiter=delimiter,
        n_skipped=start,
        header=header,
        width=width,
        has_names=named,
        decimal=decimal,
        ends_empty=ends_empty and (header is None or len(header) < width or header[-1] == ""),
        text_columns=tuple(
            i
            for i in range(1 if named else 0, width)
            if any(_NAME_LIKE_NUMBER.fullmatch(row[i]) for row in below if i < len(row))
        ),
    )


def check_widths(path: Path, layout: Layout, name: str) -> int:
    """Return the number of lines; raise FileError where one has more or fewer columns than others.

    pandas would fill up short lines, and a file cut short would pass.
    """
    number = 0
    with open_text(path, name) as file:
        for number, line in enumerate(lines_of(file, name), start=1):
            if number <= layout.n_skipped + (layout.header is not None) or not line.strip():
                continue
            quoted = '"' in line or layout.delimiter == " "
            fields = (
                len(_split(line, layout.delimiter)) if quoted else line.count(layout.delimiter) + 1
            )
            if fields != layout.width and line.count('"') % 2:
                raise FileError(
                    f"{name} has a line break within quotes on line {number:,}; replace it by a "
                    "space."
                )
            if fields != layout.width:
                raise FileError(
                    f"{name} is no whole table: line {number:,} has "
                    f"{counted(fields, 'column')} where the others have "
                    f"{layout.width:,}; mend it, or copy it again."
                )
    return number


def _delimiter(lines: Sequence[str]) -> tuple[str, list[int], int]:
    """Return the delimiter that gives most lines the same width, their widths, and that width."""
    best: tuple[tuple[float, float, int], str, list[int], int] | None = None
    for delimiter in ("\t", ",", ";", " "):
        widths = [len(_split(line, delimiter)) for line in lines]
        # Later lines are the table, whatever stands above it.
        below = widths[len(widths) // 2 :]
        width, count = Counter(below).most_common(1)[0]
        if width < 2:
            continue
        # A decimal comma divides the lines of numbers evenly too, but not the header.
        like_it = sum(w in (width, width - 1) for w in widths) / len(widths)
        score = (round(count / len(below), 2), round(like_it, 2), width)
        if best is None or score > best[0]:
            best = (score, delimiter, widths, width)
    return best[1:] if best is not None else (",", [1] * len(lines), 1)


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        line = " ".join(line.split())
    try:
        fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        fields = line.split(delimiter)
    return [field.strip() for field in fields]


def _is_number(text: str, decimal: str = ".") -> bool:
    if text in ("", "NA", "NaN", "nan"):
        return True
    try:
        float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return False
    return True


def _all_numbers(fields: Sequence[str], decimal: str) -> bool:
    return all(_is_number(field, decimal) for field in fields)


def _is_line_of_values(first: Sequence[str], body: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether a first line is a name with values, as those below, and no header of numbers.

    Numbers that head columns are told apart, and neither below zero nor as long as measurements.
    """
    numbers = first[1:]
    lines = [numbers, *(line[1:] for line in body)]
    if _heads_names(first[0]) or not all(_all_numbers(line, decimal) for line in lines):
        return False
    return len(set(numbers)) < len(numbers) or any(map(_MEASURED.fullmatch, numbers))


def _decimal_commas(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    cells = [cell for row in rows for cell in row if "," in cell]
    # Who writes decimal commas nearly always writes semicolons, too; else they may group thousands.
    grouped = delimiter != ";" and all(_THOUSANDS.fullmatch(cell) for cell in cells)
    return bool(cells) and not grouped and all(_is_number(cell, ",") for cell in cells)


def plain_header(header: str) -> str:
    """Return a header in small letters, without signs and blanks: "Cell_Index" is "cellindex"."""
    return re.sub(r"[^a-z0-9]", "", header.casefold()) or header


def names_column_of_cells(header: str) -> bool:
    """Whether a header is of a column that describes cells in numbers, as no gene is called."""
    return plain_header(header) in CELL_NUMBERS | _OF_CELLS


def _heads_names(header: str) -> bool:
    return plain_header(header) in _NAME_HEADERS | _IF_DISTINCT


def names_what(header: str) -> Literal["cells", "genes"] | None:
    """Tell what a header of names says is named: cells, genes, or nothing of both."""
    name = plain_header(header)
    if name.startswith(("cell", "barcode", "cb", "bcwells", "object", "event", "nucleus", "obs")):
        return "cells"
    return "genes" if name.startswith(("gene", "symbol", "ensembl", "feature", "hgnc")) else None


def are_line_numbers(names: Sequence[str]) -> bool:
    """Whether names only number the lines, 0, 1, 2 … or 1, 2, 3 …, as pandas and R write them.

    Parameters
    ----------
    names
        Names of rows, in their order.
    """
    first = names[0] if len(names) else ""
    return first in ("0", "1") and all(
        name == str(number) for number, name in enumerate(names, start=int(first))
    )


def _has_names(
    header: tuple[str, ...] | None, below: Sequence[Sequence[str]], decimal: str
) -> bool:
    column = [row[0] for row in below if row]
    distinct = len(set(column)) == len(column)
    if header is not None:
        name = plain_header(header[0])
        if name in _NAME_HEADERS or (name in _IF_DISTINCT and distinct):
            return True
    if len(column) >= _FEWEST_NUMBERED and are_line_numbers(column):
        return True
    return not _all_numbers(column, decimal) and distinct

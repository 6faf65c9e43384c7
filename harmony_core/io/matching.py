"""Adding a table of metadata or embeddings to the cells that it names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from harmony_core.counting import counted
from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.file_data import FileData
from harmony_core.io.table_layout import are_line_numbers
from harmony_core.io.tables import Table

if TYPE_CHECKING:
    import anndata as ad

_MOST_DIMENSIONS = 200
_FEWEST_MATCHED = 0.2
"""Barcodes of other samples agree by chance in a few of a hundred."""
Side = Literal["rows", "columns"]
_DIMENSION = re.compile(r"(?P<stem>.*?)[ _.\-]?(?P<number>\d+)$")
_EMBEDDINGS = re.compile(
    r"(x_?)?(pca?|lsi|svd|harmony|umap|t-?sne|sc(an)?vi|totalvi|latent|z|dims?|mnn|cca|ica|nmf|"
    r"spectral|factors?|topics?|phate|diffmap|dc|mofa|wnn|apca|emb(edding)?s?|comp(onent)?s?|"
    r"integrated.*|.*(pca|umap|tsne|harmony|lsi|cca))",
    re.IGNORECASE,
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    # As R spells the names of columns.
    lambda name: re.sub(r"[^A-Za-z0-9]", ".", name).removeprefix("X"),
    # Without the number of the lane.
    lambda name: re.sub(r"[-._]\d+$", "", name),
)


def attach(data: FileData, table: Table) -> FileData:
    """Add a table of metadata or embeddings to the cells that it names.

    Parameters
    ----------
    data
        The cells.
    table
        Names cells in its rows or in a column. One that names none, or is given to data that name
        none, is taken in the order of its lines, if it has as many as there are cells.

    Returns
    -------
    The cells that the table describes, with notes on how they were found and what was left out.

    Raises
    ------
    FileError
        No cell is named in the table, or one is named twice.
    """
    data = _with_names_of_column(data, table)
    adata, notes, names_cells = data.adata, [*table.notes], data.names_cells
    found = _find_by_name(data, table)
    if found is None:
        rows, note, adopts = _in_order(data, table)
        if adopts:
            adata.obs_names, names_cells = pd.Index(table.names), True
    else:
        rows, note = found
    notes.extend(note)
    there = rows >= 0
    n_matched = len(np.unique(rows[there]))
    if max(there.mean(), n_matched / len(table.names)) < _FEWEST_MATCHED:
        raise FileError(
            f"{table.name} seems to be of other cells: it names {int(there.sum()):,} of "
            f"{len(there):,}, and {len(table.names) - n_matched:,} of its lines name none. Give "
            "the table of these cells."
        )
    if not there.all():
        of_all, no_line = f"of {len(there):,} cells", f"no line in {table.name} and"
        one, several = f"{of_all} has {no_line} is", f"{of_all} have {no_line} are"
        notes.append(f"{counted(int((~there).sum()), one, several)} left out.")
        adata = adata[there].copy()
    unused = len(table.names) - n_matched
    if unused:
        of_table = f"of {table.name}"
        lines = counted(unused, f"line {of_table} matches", f"lines {of_table} match")
        notes.append(f"{lines} no cell.")
    for name, free in add_columns(adata, table, rows[there]).items():
        if free != name:
            notes.append(
                f"The data have an embedding {quoted(name)} already; that of {table.name} is "
                f"{quoted(free)}."
            )
    return dataclasses.replace(
        data, adata=adata, names_cells=names_cells, notes=(*data.notes, *notes)
    )


def _with_names_of_column(data: FileData, table: Table) -> FileData:
    """Name cells that have numbers only by the column, such as barcode, that a table names too."""
    adata = data.adata
    if data.names_cells and not are_line_numbers([str(n) for n in adata.obs_names]):
        return data
    for column in adata.obs.select_dtypes(["object", "string"]):
        names = [str(name) for name in adata.obs[column]]
        if len(set(names)) == len(names) and 2 * n_named(names, table) > len(names):
            adata.obs_names = pd.Index(names)
            note = f"The cells are named by their column {quoted(column)}."
            return dataclasses.replace(data, names_cells=True, notes=(*data.notes, note))
    return data


def _find_by_name(data: FileData, table: Table) -> tuple[NDArray[np.intp], tuple[str, ...]] | None:
    """Find each cell's row by its name; None where names tell nothing of any cell."""
    if not data.names_cells:
        return None
    cells = [str(n) for n in data.adata.obs_names]
    numbered = are_line_numbers(cells), table.numbered
    rows: NDArray[np.intp] | None = None
    if table.named and not all(numbered):
        rows = match_names(cells, [str(n) for n in table.names])
        if rows is None:
            raise FileError(
                f"{table.name} names a cell more than once, so it cannot be matched; keep one line "
                "a cell."
            )
        if any(numbered):
            # Numbers of lines are names only where one side was drawn from, or is a reordering of,
            # the other; that some are equal means nothing.
            n_lines = len(np.unique(rows[rows >= 0]))
            if (rows >= 0).all() or n_lines == len(table.names):
                numbers = f"The cells are matched to the lines of {table.name} by their numbers."
                return rows, (numbers,)
            rows = None
    if rows is None or (rows < 0).all():
        rows = _match_column(cells, table)
    return None if (rows < 0).all() else (rows, ())


def _in_order(data: FileData, table: Table) -> tuple[NDArray[np.intp], tuple[str, ...], bool]:
    """Take lines in order where nothing can be matched; also whether they name the cells."""
    n_cells, n_lines = data.adata.n_obs, len(table.names)
    nameless = not data.names_cells or are_line_numbers([str(n) for n in data.adata.obs_names])
    names = table.named and not table.numbered
    if names and not nameless:
        raise FileError(_of_others(data.adata, table))
    if names:
        who, whose = "The data do not name their cells", f"the lines of {table.name}"
    else:
        who, whose = f"{table.name} does not name the cells", "its lines"
    if n_lines != n_cells:
        raise FileError(
            f"{who}, and {table.name} has {n_lines:,} lines for {n_cells:,} cells; add a first "
            "column with the names."
        )
    note = (
        f"{who}; {whose} are taken in the order of the cells. If that is wrong, add a first column "
        "with the names."
    )
    return np.arange(n_cells), (note,), nameless and names


def _of_others(adata: ad.AnnData, table: Table) -> str:
    """Say why a table that names something names none of the cells."""
    names = set(map(str, table.names))
    if (
        not set(map(str, table.columns))
        .union(map(str, table.text.columns))
        .isdisjoint(map(str, adata.obs_names))
    ):
        return (
            f"{table.name} lies on its side: its columns are the cells; transpose it, so that it "
            "has one line a cell."
        )
    if not names.isdisjoint(map(str, adata.var_names)):
        return (
            f"{table.name} names what the data have for genes: the data lie on their side; "
            "transpose them, so that rows are cells."
        )
    return (
        f"{table.name} names none of the cells: it has {quoted(table.names[0])}, and the "
        f"data have {quoted(adata.obs_names[0])}; give the cells the same names in both."
    )


def _match_column(cells: Sequence[str], table: Table) -> NDArray[np.intp]:
    """Match by the column that names most cells, in a table whose rows have other names."""
    best: NDArray[np.intp] = np.full(len(cells), -1, dtype=np.intp)
    if are_line_numbers(cells):
        return best
    most, wanted = 0, set(cells)
    for named, fewest in _columns_of_names(table):
        share = sum(name in wanted for name in named) if len(set(named)) == len(named) else 0
        if share > most and share >= fewest and (rows := match_names(cells, named)) is not None:
            best, most = rows, share
    return best


def _columns_of_names(table: Table) -> Iterator[tuple[list[str], float]]:
    """Yield columns that may name cells, and how many at least: numbers may agree by chance."""
    for column in table.text:
        yield [str(name) for name in table.text[column]], 1
    for position in range(len(table.columns)):
        numbers = table.values[:, [position]].toarray().ravel()
        # Double precision holds no larger numbers one by one.
        whole = (numbers == np.rint(numbers)).all() and np.abs(numbers).max() < 2**53
        if whole and len(np.unique(numbers)) == len(numbers):
            yield [str(int(number)) for number in numbers], len(numbers) / 2


def cells_side_by_tables(table: Table, others: Sequence[Table]) -> tuple[Side, str] | None:
    """Tell which side of a table of values is cells by the tables that describe them.

    Parameters
    ----------
    table
        Values; its rows or its columns are cells.
    others
        Tables of metadata and of embeddings.

    Returns
    -------
    The side that the first of these tables names more of, and that table's name; None where none
    tells.
    """
    names: dict[Side, list[str]] = {
        "rows": [str(n) for n in table.names] if table.named else [],
        "columns": [str(n) for n in table.columns] if table.columns_named else [],
    }
    sizes: dict[Side, int] = {"rows": len(table.names), "columns": len(table.columns)}
    sides: tuple[Side, Side] = ("rows", "columns")
    for other in others:
        n = {side: n_named(names[side], other) for side in sides}
        score = {side: (n[side], n[side] / max(1, sizes[side])) for side in sides}
        if score["rows"] != score["columns"]:
            return max(sides, key=lambda side: score[side]), other.name
    return None


def cells_side_by_size(table: Table, others: Sequence[Table]) -> tuple[Side, str] | None:
    """Tell the only side that is as long as one of the tables that describe the cells."""
    for other in others:
        is_rows, is_columns = (n == len(other.names) for n in table.values.shape)
        if is_rows != is_columns:
            return ("rows" if is_rows else "columns"), other.name
    return None


def n_named(names: Sequence[str], table: Table) -> int:
    """Return how many names the lines of a table have, or one of its columns.

    Parameters
    ----------
    names
        Names of cells, perhaps.
    table
        Describes cells.
    """
    rows = match_names(names, [str(n) for n in table.names]) if table.named else None
    if rows is None or (rows < 0).all():
        rows = _match_column(names, table)
    return int((rows >= 0).sum())


def add_columns(adata: ad.AnnData, table: Table, rows: NDArray[Any]) -> dict[str, str]:
    """Add a table's embeddings to obsm and its other columns to obs.

    Parameters
    ----------
    rows
        Row of the table that describes each cell (cells).

    Returns
    -------
    The name of each embedding in obsm, by that in the table; nothing there is replaced.
    """
    embeddings = embedding_columns(table)
    dense = table.values[rows].toarray()
    added = {}
    for name, positions in embeddings.items():
        added[name] = _free_name(adata.obsm, name)
        adata.obsm[added[name]] = dense[:, positions].astype(np.float32)
    used = {p for positions in embeddings.values() for p in positions}
    for position, column in enumerate(table.columns):
        if position not in used:
            values = dense[:, position]
            # Clusters and the like: numbered, not measured.
            whole = np.isfinite(values).all() and (values == np.rint(values)).all()
            kept = values.astype(np.int64 if whole else np.float32)
            adata.obs[_free_name(adata.obs, str(column))] = kept
    for column, text in with_plain_columns(table.text.iloc[rows]).items():
        adata.obs[_free_name(adata.obs, str(column))] = text.to_numpy()
    return added


def _free_name(taken: Container[str], wanted: str) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} ({number})", number + 1
    return name


def match_names(cells: Sequence[str], rows: Sequence[str]) -> NDArray[np.intp] | None:
    """Find each cell's row in a table.

    Parameters
    ----------
    cells, rows
        Names. Where they do not match as they stand, they are compared as R spells column names
        (dots for all other signs, an X before digits), then without the lane's number ("-1").

    Returns
    -------
    Row of each cell, -1 where there is none; None if a matching row occurs twice.
    """
    best = np.full(len(cells), -1, dtype=np.intp)
    for number, spelling in enumerate(_SPELLINGS):
        wanted = [spelling(cell) for cell in cells]
        table: dict[str, int] = {}
        repeated = set()
        for position, row in enumerate(rows):
            if table.setdefault(spelling(row), position) != position:
                repeated.add(spelling(row))
        if number == 0 and not repeated.isdisjoint(wanted):
            return None
        if number > 0 and (repeated or len(set(wanted)) < len(wanted)):
            continue
        found = np.array([table.get(name, -1) for name in wanted], dtype=np.intp)
        if (found >= 0).sum() > (best >= 0).sum():
            best = found
        if (best >= 0).mean() > 0.5:
            break
    return best


def embedding_columns(table: Table) -> dict[str, list[int]]:
    """Find columns numbered like an embedding's dimensions.

    Returns
    -------
    Positions of the columns of each embedding, by its name as in obsm.
    """
    found = {}
    for stem, numbered in numbered_like_dimensions(table.columns).items():
        known = is_of_embedding(stem)
        # Under a name that nobody knows, only a whole table of numbered columns below zero counts.
        alone = len(numbered) == len(table.columns) <= _MOST_DIMENSIONS and bool(
            table.values.min() < 0
        )
        if known or alone:
            found[_embedding_name(stem)] = [numbered[n] for n in sorted(numbered)]
    return found


def is_of_embedding(stem: str) -> bool:
    """Return whether embeddings are known under such a name, without its number."""
    return _EMBEDDINGS.fullmatch(stem) is not None


def numbered_like_dimensions(names: pd.Index) -> dict[str, dict[int, int]]:
    """Return position by number for each stem of names that are numbered without a gap."""
    groups: dict[str, dict[int, int]] = {}
    for position, name in enumerate(names):
        match = _DIMENSION.fullmatch(str(name).strip())
        if match is not None:
            groups.setdefault(match["stem"], {})[int(match["number"])] = position
    return {
        stem: numbered
        for stem, numbered in groups.items()
        # The first may have been left out, as that of an LSI often is.
        if len(numbered) >= 2
        and min(numbered) <= 2
        and max(numbered) - min(numbered) + 1 == len(numbered)
    }


def as_embedding(table: Table, others: Sequence[Table] = ()) -> Table:
    """Return a table of dimensions × cells with its cells in rows; any other as it is.

    Parameters
    ----------
    table
        A table whose rows may be the dimensions of embeddings. Under numbers alone they are where
        values are below zero and another table tells that columns are cells.
    others
        Tables that describe the cells.
    """
    stems = numbered_like_dimensions(table.names)
    n_rows = len(table.names)
    if sum(map(len, stems.values())) < n_rows or table.text.shape[1] or n_rows > _MOST_DIMENSIONS:
        return table
    known = all(map(is_of_embedding, stems))
    by_table = cells_side_by_tables(table, others) or cells_side_by_size(table, others)
    side = by_table[0] if by_table else "columns" if known else "rows"
    upright = any(map(is_of_embedding, numbered_like_dimensions(table.columns)))
    if side == "rows" or upright or not (known or table.values.min() < 0):
        return table
    return dataclasses.replace(
        table,
        names=table.columns,
        columns=table.names if table.named else pd.RangeIndex(1, n_rows + 1).astype(str),
        values=sp.csr_matrix(table.values.T),
        text=pd.DataFrame(index=table.columns),
        named=table.columns_named,
        columns_named=table.named,
        corner="",
        notes=(
            *table.notes,
            f"The cells of {table.name} are in its columns (its rows are dimensions).",
        ),
    )


def _embedding_name(stem: str) -> str:
    short = stem.casefold().removeprefix("x_") or "embedding"
    return "X_pca" if short in ("pc", "pca", "") else f"X_{short}"


def with_plain_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose column names are unique text: AnnData is written with no others.

    Parameters
    ----------
    frame
        Rows × columns; it stays as it is.
    """
    names = [str(c) or "unnamed" for c in frame.columns]
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        names[i] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return frame.set_axis(names, axis=1)

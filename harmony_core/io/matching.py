"""Adding a table of metadata or embeddings to the cells that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.counting import counted
from harmony_core.errors import FileError
from harmony_core.inspect.columns import quoted
from harmony_core.io.tables import Table

if TYPE_CHECKING:
    import anndata as ad

_DIMENSION = re.compile(r"(?P<stem>.*?)[ _.\-]?(?P<number>\d+)$")
_EMBEDDINGS = re.compile(
    r"(x_?)?(pca?|lsi|svd|harmony|umap|t-?sne|sc(an)?vi|totalvi|latent|z|dims?|mnn|cca|ica|nmf|"
    r"spectral|factors?|topics?|phate|diffmap|dc|mofa|wnn|apca|emb(edding)?s?|comp(onent)?s?|"
    r".*(pca|umap|tsne|harmony|lsi))",
    re.IGNORECASE,
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    # As R spells the names of columns.
    lambda name: re.sub(r"[^A-Za-z0-9]", ".", name).removeprefix("X"),
    # Without the number of the lane.
    lambda name: re.sub(r"[-._]\d+$", "", name),
)


def attach(adata: ad.AnnData, table: Table) -> tuple[ad.AnnData, tuple[str, ...]]:
    """Add a table of metadata or embeddings to the cells that it names.

    Parameters
    ----------
    adata
        The cells.
    table
        Names cells in its rows.

    Returns
    -------
    The cells that the table names, and sentences on those left out.

    Raises
    ------
    FileError
        No cell is named in the table, or one is named twice.
    """
    cells = [str(n) for n in adata.obs_names]
    rows = match_names(cells, [str(n) for n in table.names])
    if rows is not None and (rows < 0).all():
        rows = _match_column(cells, table)
    if rows is None:
        raise FileError(
            f"{table.name} names a cell more than once, so it cannot be matched; keep one line a "
            "cell."
        )
    found, notes = rows >= 0, [*table.notes]
    if not found.any():
        if not table.named and len(table.names) == adata.n_obs:
            rows, found = np.arange(adata.n_obs), np.ones(adata.n_obs, dtype=bool)
            notes.append(
                f"{table.name} does not name the cells; its lines are taken in the order of the "
                "cells. If that is wrong, add a first column with the names."
            )
        elif not table.named:
            raise FileError(
                f"{table.name} does not name the cells and has {len(table.names):,} lines for "
                f"{adata.n_obs:,} cells; add a first column with the names."
            )
        else:
            raise FileError(
                f"{table.name} names none of the cells: it has {quoted(table.names[0])}, and the "
                f"data have {quoted(adata.obs_names[0])}; give the cells the same names in both."
            )
    if not found.all():
        of_all, no_line = f"of {len(found):,} cells", f"no line in {table.name} and"
        one, several = f"{of_all} has {no_line} is", f"{of_all} have {no_line} are"
        notes.append(f"{counted(int((~found).sum()), one, several)} left out.")
        adata = adata[found].copy()
    unused = len(table.names) - len(np.unique(rows[found]))
    if unused:
        of_table = f"of {table.name}"
        lines = counted(unused, f"line {of_table} matches", f"lines {of_table} match")
        notes.append(f"{lines} no cell.")
    add_columns(adata, table, rows[found])
    return adata, tuple(notes)


def _match_column(cells: Sequence[str], table: Table) -> NDArray[np.intp] | None:
    """Match by the column that names most cells, in a table with numbers as names of its rows."""
    best: NDArray[np.intp] | None = np.full(len(cells), -1, dtype=np.intp)
    most = 0
    for column in table.text:
        named = table.text[column].astype(str)
        share = named.isin(cells).sum() if named.is_unique else 0
        if share > most:
            best, most = match_names(cells, list(named)), int(share)
    return best


def add_columns(adata: ad.AnnData, table: Table, rows: NDArray[Any]) -> None:
    """Add a table's embeddings to obsm and its other columns to obs.

    Parameters
    ----------
    rows
        Row of the table that describes each cell (cells).
    """
    embeddings = embedding_columns(table)
    dense = table.values[rows].toarray()
    for name, positions in embeddings.items():
        adata.obsm[name] = dense[:, positions]
    used = {p for positions in embeddings.values() for p in positions}
    for position, column in enumerate(table.columns):
        if position not in used:
            values = dense[:, position]
            # Clusters and the like: numbered, not measured.
            whole = np.isfinite(values).all() and (values == np.rint(values)).all()
            adata.obs[_free_name(adata, str(column))] = values.astype(int) if whole else values
    for column, text in with_plain_columns(table.text.iloc[rows]).items():
        adata.obs[_free_name(adata, str(column))] = text.to_numpy()


def _free_name(adata: ad.AnnData, column: str) -> str:
    name, number = column, 2
    while name in adata.obs.columns:
        name, number = f"{column} ({number})", number + 1
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
    groups: dict[str, dict[int, int]] = {}
    for position, column in enumerate(table.columns):
        match = _DIMENSION.fullmatch(str(column).strip())
        if match is not None:
            groups.setdefault(match["stem"], {})[int(match["number"])] = position
    found = {}
    for stem, numbered in groups.items():
        first, last = min(numbered), max(numbered)
        # The first may have been left out, as that of an LSI often is.
        complete = first <= 2 and last - first + 1 == len(numbered)
        known = _EMBEDDINGS.fullmatch(stem) is not None
        # Under a name that nobody knows, only a whole table of numbered columns below zero counts.
        alone = len(numbered) == len(table.columns) <= 200 and bool(table.values.min() < 0)
        if len(numbered) >= 2 and complete and (known or alone):
            found[_embedding_name(stem)] = [numbered[n] for n in sorted(numbered)]
    return found


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

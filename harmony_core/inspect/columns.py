"""Columns of obs: which can be a batch variable, and why the others can't.

Needs numpy and pandas only, so that a page can use it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from harmony_core.counting import counted
from harmony_core.errors import BatchError, DataError
from harmony_core.inspect.missing import is_missing
from harmony_core.of_batch import check_levels
from harmony_core.params import HarmonyParams
from harmony_core.thresholds import MIN_CELLS

MAX_BATCHES = 2_000
_CELLS_PER_IDENTIFIER = 5
NO_COLUMNS = (
    "The data have no columns besides the values, so nothing says which batch a cell is of. Open "
    "them together with a table of metadata: a row a cell, named as in the data, and a column that "
    "names its sample, donor or library."
)


def quoted(name: object, *, most: int = 60) -> str:
    """Quote a name that came from a file, on one line and cut to a readable length."""
    text = " ".join(str(name).split())
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}…'"


def listed(names: Sequence[object], *, most: int = 12) -> str:
    """List names that came from a file, at most ``most`` of them."""
    text = ", ".join(quoted(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"


def warn_about_levels(obs: pd.DataFrame, names: Sequence[str]) -> Iterator[str]:
    """Point out levels of columns that differ only in blanks, capital letters or stored accents.

    Parameters
    ----------
    obs
        Columns that describe the cells (cells × columns).
    names
        Those to look at.
    """
    for name in names:
        alike: dict[str, list[str]] = {}
        for level in obs[name].dropna().unique():
            spelt = unicodedata.normalize("NFKC", str(level)).casefold()
            alike.setdefault("".join(spelt.split()), []).append(str(level))
        groups = [sorted(levels) for levels in alike.values() if len(levels) > 1]
        if groups:
            # Not by `quoted`, which leaves out the blanks that are to be seen.
            examples = "; ".join(
                " and ".join("'" + re.sub(r"\s", " ", level)[:60] + "'" for level in levels[:3])
                for levels in sorted(groups)[:3]
            )
            yield (
                f"Levels of {quoted(name)} differ only in blanks, capital letters or how accents "
                f"are stored ({examples}) and count as different; give them one spelling if they "
                "are the same."
            )


def check_n_cells(n_cells: int) -> None:
    """Raise DataError for fewer cells than a correction can be judged on."""
    if n_cells < MIN_CELLS:
        cells = counted(n_cells, "cell")
        raise DataError(
            f"The data have {cells}; at least {MIN_CELLS} are needed to correct batches and to "
            "judge the result."
        )


def check_present(obs: pd.DataFrame, name: str) -> None:
    """Raise BatchError unless there is such a column, to be taken for batches."""
    if not len(obs.columns):
        raise BatchError(NO_COLUMNS)
    if name not in obs.columns:
        raise BatchError(f"There is no column {quoted(name)}; available: {listed(list(obs))}.")


def batch_column(obs: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return the batch of each cell as text, checked.

    Parameters
    ----------
    obs
        Columns that describe the cells.
    name
        Column to take.

    Returns
    -------
    Categorical with the levels that occur, as text.

    Raises
    ------
    BatchError
        The column is missing or unsuitable (see `check_batch`).
    """
    check_present(obs, name)
    values = obs[name]
    if isinstance(values, pd.DataFrame):
        raise BatchError(f"There are several columns {quoted(name)}; rename all but one.")
    check_batch(values, name, len(obs))
    return values.astype(str).astype("category")


def check_named_batches(obs: pd.DataFrame, harmony: HarmonyParams) -> None:
    """Raise ParameterError if settings of single batches name one that there is not."""
    named = {"theta_of": harmony.theta_of, "lamb_of": harmony.lamb_of}
    variables = dict.fromkeys(row[0] for rows in named.values() for row in rows)
    levels = {name: list(batch_column(obs, name).cat.categories) for name in variables}
    for name, rows in named.items():
        check_levels(name, rows, levels)


def check_label(obs: pd.DataFrame, name: str) -> None:
    """Raise DataError unless there is such a column to judge by.

    Parameters
    ----------
    obs
        Columns that describe the cells.
    name
        Column of cell types.
    """
    if not len(obs.columns):
        raise DataError(NO_COLUMNS)
    if name not in obs.columns:
        available = listed(list(obs))
        raise DataError(f"There is no column {quoted(name)} for labels; available: {available}.")


def check_batch(values: pd.Series[Any], name: str, n_cells: int) -> None:
    """Raise unless a column can be a batch variable.

    Harmony itself trusts its caller: it runs on one level, or on one level per cell, without a
    word.

    Parameters
    ----------
    values
        The column.
    name
        Its name, for the message.
    n_cells
        Number of cells.

    Raises
    ------
    DataError
        Fewer than 40 cells.
    BatchError
        Values are missing, there is one level, nearly one level a cell, more than 2,000 levels, or
        the column holds measurements.
    """
    check_n_cells(n_cells)
    reason = why_no_batch(values)
    if reason is not None:
        raise BatchError(f"The column {quoted(name)} cannot be the batch variable: {reason}.")


def why_no_batch(values: pd.Series[Any]) -> str | None:
    """Say why a column cannot be a batch variable, or None if it can.

    Parameters
    ----------
    values
        The column (cells).
    """
    n_cells = len(values)
    missing = is_missing(values)
    if missing.all():
        return "it is empty; choose another column"
    levels = values[~missing].drop_duplicates()
    numbers = as_numbers(values, levels)
    if numbers is not None and _looks_measured(numbers, declared=not is_numeric_dtype(values)):
        return (
            f"it holds numbers that look measured ({numbers.min():g} to {numbers.max():g}, "
            f"{len(levels):,} different); choose a column that names batches"
        )
    if len(levels) == 1:
        only = quoted(levels.iloc[0])
        return f"it has one level only, {only}, so there is nothing to correct between batches"
    if len(levels) * _CELLS_PER_IDENTIFIER > n_cells:
        return (
            f"it has {len(levels):,} levels for {n_cells:,} cells, like a name for each cell; "
            "choose a column that names batches"
        )
    if len(levels) > MAX_BATCHES:
        return (
            f"it has {len(levels):,} levels, more than the {MAX_BATCHES:,} that can be corrected; "
            "choose a coarser column"
        )
    if missing.any():
        of_all = f"of {n_cells:,} cells"
        lacking = counted(int(missing.sum()), f"{of_all} has", f"{of_all} have")
        return f"{lacking} no value in it; fill in what is missing, or remove these cells"
    return None


def _is_categorical(values: pd.Series[Any]) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)


def as_numbers(values: pd.Series[Any], levels: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Return levels as numbers, or None if some are none.

    Parameters
    ----------
    values
        The whole column (cells); booleans count as no numbers.
    levels
        Its distinct values; text that reads as a number counts as one.
    """
    if is_bool_dtype(values.dtype) or len(levels) == 0:
        return None
    try:
        numbers = pd.to_numeric(pd.Series(np.asarray(levels, dtype=object)), errors="raise")
        return np.asarray(numbers, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None


def _looks_measured(numbers: NDArray[np.float64], *, declared: bool) -> bool:
    finite = numbers[np.isfinite(numbers)]
    if (finite != np.rint(finite)).any():
        return len(numbers) > 12
    # Whole numbers may number batches, even hundreds, if the file holds them as categories or text.
    return len(numbers) > 100 and not declared

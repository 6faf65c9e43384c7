"""Columns of the table of cells that divide the cells into groups. Light: pages use it too."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from natsort import natsorted

from harmony_core._typing import Ints

MOST_GROUPS = 200
"""A column of more levels divides the cells into more groups than can be looked through."""


@dataclass(frozen=True)
class Factor:
    """A categorical column as numbers: the level of each cell, -1 where it is missing."""

    name: str
    codes: Ints
    levels: tuple[str, ...]

    @classmethod
    def of(
        cls, name: str, values: Any, *, order: Literal["natural", "alphabetical"] = "natural"
    ) -> Factor:
        """Number the levels of a column.

        Parameters
        ----------
        name
            What the column is called.
        values
            A column of obs, or anything that pandas takes for one (length cells).
        order
            Natural has numbers in names by their size: D2 before D10.
        """
        codes, found = pd.factorize(pd.Series(values).astype("string"), sort=True)
        levels = tuple(str(level) for level in found)
        if order == "alphabetical":
            return cls(name, codes.astype(np.int32), levels)
        ordered = natsorted(levels)
        place = {level: i for i, level in enumerate(ordered)}
        # The last entry is that of the code -1, a missing value.
        places = np.array([*(place[level] for level in levels), -1], dtype=np.int32)
        return cls(name, places[codes], tuple(ordered))

    @property
    def sizes(self) -> dict[str, int]:
        """Cells of each level."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))
        return dict(zip(self.levels, counts.tolist(), strict=True))


def mixes_text(values: pd.Series[Any]) -> bool:
    """Return whether a column holds text beside numbers or other values.

    Parameters
    ----------
    values
        A column of obs (cells); missing values are neither.
    """
    is_categorical = isinstance(values.dtype, pd.CategoricalDtype)
    if not is_categorical and values.dtype != object:
        return False
    found = values.cat.categories if is_categorical else values.dropna()
    return len({isinstance(value, str) for value in found}) > 1


def as_levels(values: pd.Series[Any]) -> Any:
    """Return a column as levels of text, of which 1, 1.0 and "1" are one.

    Parameters
    ----------
    values
        Any column of obs, such as one of numbers in one file and of text in another (cells).

    Returns
    -------
    Categorical; whole numbers beside text are spelt as whole numbers. Levels keep their order if
    the column has levels, and are sorted otherwise.
    """
    spelt = _level_text if mixes_text(values) else str
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return pd.Categorical(values.astype(object).map(spelt, na_action="ignore"))
    texts = [spelt(level) for level in values.cat.categories]
    levels: pd.Index[Any] = pd.Index(list(dict.fromkeys(texts)), dtype=object)
    # The last entry is that of the code -1, a missing value.
    places = np.array([*levels.get_indexer(pd.Index(texts, dtype=object)), -1])
    return pd.Categorical.from_codes(places[values.cat.codes], categories=levels)


def _level_text(level: object) -> str:
    whole = isinstance(level, float | np.floating) and float(level).is_integer()
    return f"{level:.0f}" if whole else str(level)


def categorical_columns(obs: pd.DataFrame, *, without: Collection[str] = ()) -> list[Factor]:
    """Return the columns that divide the cells into 2 to `MOST_GROUPS` groups.

    Parameters
    ----------
    obs
        Columns that describe the cells.
    without
        Columns that are left out, as those that an export of ours wrote.
    """
    return [
        Factor.of(str(name), values)
        for name, values in obs.items()
        if name not in without and not pd.api.types.is_float_dtype(values) and has_groups(values)
    ]


def has_groups(values: pd.Series[Any]) -> bool:
    """Return whether a column has 2 to `MOST_GROUPS` levels."""
    return 2 <= values.nunique() <= MOST_GROUPS

"""Columns of the table of cells that divide the cells into groups. Light: pages use it too."""

from __future__ import annotations

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


def categorical_columns(obs: pd.DataFrame) -> list[Factor]:
    """Return the columns that divide the cells into 2 to `MOST_GROUPS` groups."""
    return [
        Factor.of(str(name), values)
        for name, values in obs.items()
        if not pd.api.types.is_float_dtype(values) and has_groups(values)
    ]


def has_groups(values: pd.Series[Any]) -> bool:
    """Return whether a column has 2 to `MOST_GROUPS` levels."""
    return 2 <= values.nunique() <= MOST_GROUPS

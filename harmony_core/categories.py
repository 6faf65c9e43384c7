"""A column of the table of cells as numbers, for diagnostics. Light: pages use it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class Coded:
    """A column as numbers: the level of each cell, -1 where it is missing."""

    name: str
    codes: npt.NDArray[np.int32]
    levels: tuple[str, ...]

    @classmethod
    def of(cls, name: str, values: npt.NDArray[Any]) -> Coded:
        """Number the levels of a column in alphabetical order."""
        codes, levels = pd.factorize(pd.Series(np.asarray(values)).astype("string"), sort=True)
        return cls(name, codes.astype(np.int32), tuple(str(level) for level in levels))

    @property
    def sizes(self) -> dict[str, int]:
        """Cells of each level."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))
        return dict(zip(self.levels, counts.tolist(), strict=True))

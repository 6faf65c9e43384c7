"""Which values of a column are none: missing ones, also as words, and in labels what is no type.

One place decides it for batch variables and labels, on pages, in Python and on the command line.
Case, blanks, underscores and hyphens are ignored. Light: pages use it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.categories import Factor
from harmony_core.counting import counted

MISSING_WORDS = frozenset(
    {
        *("", "nan", "na", "n/a", "<na>", "#n/a", "not available", "missing"),
        *("unknown", "unlabelled", "unlabeled", "unassigned", "unannotated", "undefined"),
    }
)
"""Words that stand for no value, in any column."""

NO_TYPE_WORDS = MISSING_WORDS | frozenset(
    {
        *("none", "null", "unclassified", "undetermined", "ambiguous", "unsure"),
        *("low quality", "filtered", "no label"),
    }
)
"""Words that stand for no cell type; of these, "none" may be the name of a batch."""

DOUBLET_WORDS = frozenset({"doublet", "doublets", "multiplet", "multiplets"})
"""Labels of what is not one cell."""


def as_word(level: object) -> str:
    """Return a level as it is compared: lower case, words apart by one blank."""
    text = str(level).casefold()
    words = " ".join(text.replace("_", " ").replace("-", " ").split())
    # A bare "-" stands beside "+" and is a level.
    return words or text.strip()


def is_missing(values: pd.Series[Any]) -> NDArray[np.bool_]:
    """Tell which values are missing, also where words stand for it.

    Parameters
    ----------
    values
        A column of any type (cells).
    """
    missing = np.array(values.isna(), dtype=bool)
    if isinstance(values.dtype, pd.CategoricalDtype):
        words = [c for c in values.cat.categories if _is_missing_word(c)]
        return missing | values.isin(words).to_numpy() if words else missing
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        text = values.astype(str)
        words = [level for level in text.unique() if _is_missing_word(level)]
        missing |= text.isin(words).to_numpy()
    return missing


def _is_missing_word(level: object) -> bool:
    return as_word(level) in MISSING_WORDS


@dataclass(frozen=True)
class CellTypes:
    """A label column as what may be judged: cells of no type have none.

    Attributes
    ----------
    factor
        Type of each cell; -1 where its label is missing, says nothing, or is a doublet.
    doublets
        Cells that are called doublets.
    """

    factor: Factor
    doublets: int

    @classmethod
    def of(cls, labels: Factor) -> CellTypes:
        """Take the levels that are no type out of a label column.

        Parameters
        ----------
        labels
            The column as it stands.
        """
        words = [as_word(level) for level in labels.levels]
        is_doublet = np.array([word in DOUBLET_WORDS for word in words], dtype=bool)
        is_type = np.array(
            [not (d or w in NO_TYPE_WORDS) for w, d in zip(words, is_doublet, strict=True)], bool
        )
        place = np.where(is_type, np.cumsum(is_type) - 1, -1)
        # The last entry is that of the code -1, a missing value.
        codes = np.append(place, -1)[labels.codes].astype(np.int32)
        levels = tuple(np.array(labels.levels, dtype=object)[is_type])
        doublets = int(np.append(is_doublet, False)[labels.codes].sum())
        return cls(Factor(labels.name, codes, levels), doublets)

    @property
    def notes(self) -> list[str]:
        """Sentences on what is left out of judging."""
        notes = []
        if self.doublets:
            one = "cell is labelled as a doublet. It stays in the data and was"
            several = "cells are labelled as doublets. They stay in the data and were"
            doublets = counted(self.doublets, one, several)
            notes.append(f"{doublets} left out of judging by labels.")
        if not self.factor.levels:
            notes.append(
                f"No cell has a type in “{self.factor.name}”, so the verdict was made without "
                "labels; choose another column if there is one."
            )
        return notes

"""What quality control leaves of each batch and each label. Light: pages use it too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core import thresholds
from harmony_core.categories import Factor
from harmony_core.counting import counted, named
from harmony_core.inspect.missing import CellTypes

_LISTED = 12
_FEW = thresholds.N_NEIGHBORS
"""Cells below which a label is not judged, and a batch hardly."""
_LOOK = (
    "look whether they are of low quality or only of lower depth, and change the thresholds if so."
)


@dataclass(frozen=True)
class Kept:
    """Cells of each level of a column, before and after quality control.

    Attributes
    ----------
    name
        The column.
    cells
        By level: how many cells are kept, and of how many; levels without cells are left out.
    """

    name: str
    cells: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, factor: Factor, cells: NDArray[Any]) -> Kept:
        """Count the cells of each level.

        Parameters
        ----------
        factor
            Level of every cell.
        cells
            Which are kept: their positions, or true or false for each.
        """
        kept = Factor(factor.name, factor.codes[np.asarray(cells)], factor.levels).sizes
        return cls(factor.name, {level: (kept[level], n) for level, n in factor.sizes.items() if n})

    @classmethod
    def from_dict(cls, name: str, cells: Mapping[str, Sequence[int]]) -> Kept:
        """Build it from JSON values.

        Raises
        ------
        TypeError, ValueError
            If they are none of ours.
        """
        counts = {level: (int(kept), int(of)) for level, (kept, of) in cells.items()}
        if not all(0 <= kept <= of > 0 for kept, of in counts.values()):
            raise ValueError(f"{name!r} keeps more cells than there are.")
        return cls(name, counts)

    def since(self, before: Kept) -> Kept:
        """Return what is kept where cells had been left out before."""
        lost = {level: of - kept for level, (kept, of) in self.cells.items()}
        earlier = {
            level: (max(kept - lost.get(level, 0), 0), of)
            for level, (kept, of) in before.cells.items()
        }
        return Kept(self.name, {**self.cells, **earlier})

    @property
    def has_lost(self) -> bool:
        """Whether any cell is left out."""
        return any(kept < of for kept, of in self.cells.values())

    @property
    def gone(self) -> Iterator[str]:
        """Say which levels have no cell any more."""
        lost = {level: of for level, (kept, of) in self.cells.items() if not kept}
        if lost:
            n_lost = counted(sum(lost.values()), "cell")
            yield (
                f"Quality control left out every cell of {named(list(lost))} in “{self.name}” "
                f"({n_lost}), so nothing here speaks of these; {_LOOK}"
            )

    @property
    def low(self) -> Iterator[str]:
        """Say which levels lost cells and have few of them left, or less than half."""
        few = {level: n for level, n in self.cells.items() if 0 < n[0] < _FEW <= n[1]}
        half = {
            level: n for level, n in self.cells.items() if level not in few and 0 < n[0] < n[1] / 2
        }
        if few:
            yield (
                f"Quality control leaves fewer than {_FEW} cells of {_with_cells(few)} in "
                f"“{self.name}”, too few to judge; {_LOOK}"
            )
        if half:
            yield (
                f"Quality control leaves less than half of the cells of {_with_cells(half)} in "
                f"“{self.name}”; {_LOOK}"
            )

    @property
    def sentence(self) -> str:
        """Say how many cells of each level are kept, those that lost most first."""
        by_loss = dict(sorted(self.cells.items(), key=lambda item: item[1][0] / item[1][1]))
        return f"Cells kept by quality control in “{self.name}”: {_with_cells(by_loss)}."


def kept_of_each(
    obs: pd.DataFrame,
    cells: NDArray[Any],
    batch: Sequence[str],
    label: str | None,
    *,
    before: Sequence[Kept] = (),
) -> list[Kept]:
    """Return what is kept of each batch and each label.

    Parameters
    ----------
    obs
        Columns of all cells (cells × columns).
    cells
        Positions of the cells that are kept.
    batch
        Batch variables.
    label
        Column of cell types; levels that are no type are passed over, and so is a label that is no
        column of the data.
    before
        What had been kept when the data were written, in a file of ours.

    Returns
    -------
    One for each column; none where every cell is kept, and was before.
    """
    if len(cells) == len(obs) and not before:
        return []
    factors = [Factor.of(name, obs[name]) for name in batch]
    if label is not None and label in obs:
        factors.append(CellTypes.of(Factor.of(label, obs[label])).factor)
    earlier = {each.name: each for each in before}
    found = [Kept.of(factor, cells) for factor in factors]
    found = [each.since(earlier[each.name]) if each.name in earlier else each for each in found]
    return [each for each in found if len(cells) < len(obs) or each.name in earlier]


def _with_cells(levels: dict[str, tuple[int, int]]) -> str:
    listed = [
        f"“{level[:60]}” {kept:,} of {of:,}" for level, (kept, of) in list(levels.items())[:_LISTED]
    ]
    more = len(levels) - _LISTED
    return ", ".join(listed) + (f" and {more:,} more" if more > 0 else "")

"""What quality control leaves of each batch and each label. Light: pages use it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.categories import Factor
from harmony_core.counting import counted

_NAMED = 6


def gone(obs: pd.DataFrame, cells: NDArray[Any], names: Sequence[str]) -> Iterator[str]:
    """Say which batches and labels have no cell any more.

    Parameters
    ----------
    obs
        Columns of all cells (cells × columns).
    cells
        Positions of the cells that are kept.
    names
        Batch variables and label; those that are no columns are passed over.
    """
    for name, of_all, kept in _sizes(obs, cells, names):
        lost = {level: n for level, n in of_all.items() if n and not kept[level]}
        if lost:
            n_lost = counted(sum(lost.values()), "cell")
            yield (
                f"Quality control left out every cell of {_named(list(lost))} in “{name}” "
                f"({n_lost}), so nothing here speaks of these; look whether they are of "
                "low quality or only of lower depth, and change the thresholds if so."
            )


def _sizes(
    obs: pd.DataFrame, cells: NDArray[Any], names: Sequence[str]
) -> Iterator[tuple[str, dict[str, int], dict[str, int]]]:
    for name in names:
        if name in obs and len(cells) < len(obs):
            factor = Factor.of(name, obs[name])
            kept = Factor(name, factor.codes[np.asarray(cells)], factor.levels)
            yield name, factor.sizes, kept.sizes


def _named(levels: Sequence[str]) -> str:
    listed = ", ".join(f"“{level[:60]}”" for level in levels[:_NAMED])
    return listed if len(levels) <= _NAMED else f"{listed} and {len(levels) - _NAMED} more"

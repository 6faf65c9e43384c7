"""Some of a file's cells, for files that do not fit into memory whole."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harmony_core.errors import FileError, TooLarge
from harmony_core.inspect.candidates import rank_batch_columns
from harmony_core.inspect.columns import quoted
from harmony_core.inspect.missing import is_missing
from harmony_core.io.file_data import FileData

_MOST_LEVELS = 2_000


@dataclass(frozen=True)
class Subsample:
    """Which cells to read of a file.

    Attributes
    ----------
    n_cells
        How many.
    by
        Column of obs of whose levels equal numbers are drawn.
    seed
        The same seed draws the same cells.
    """

    n_cells: int
    by: str | None = None
    seed: int = 0

    def rows(self, obs: pd.DataFrame, name: str) -> NDArray[np.intp]:
        """Draw cells of a file.

        Readers ask before they read any values.

        Parameters
        ----------
        obs
            What the file says of all its cells.
        name
            Its name, for messages.

        Returns
        -------
        Rows in their order.

        Raises
        ------
        FileError
            If there is no column to draw by.
        """
        if self.by is not None and self.by not in obs:
            raise FileError(f"{name} has no column {quoted(self.by)} to sample by.")
        batch = None if self.by is None else obs[self.by]
        return sample_rows(len(obs), self.n_cells, batch, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class _Description(Subsample):
    """Draws nothing: notes in an error what could be drawn, and raises it."""

    error: TooLarge

    def rows(self, obs: pd.DataFrame, name: str) -> NDArray[np.intp]:
        columns = [str(c) for c in obs if _may_divide(obs[c])]
        likely = [c.name for c in rank_batch_columns(obs) if c.name in columns and not c.is_label]
        by = likely[0] if likely else None
        self.error.sample = {"cells": len(obs), "columns": columns, "by": by}
        raise self.error


def _may_divide(values: pd.Series[Any]) -> bool:
    return values.dtype.kind not in "fc" and values.nunique() <= _MOST_LEVELS


def describe_subsample(error: TooLarge, read: Callable[[Subsample], Any]) -> None:
    """Note in an error how a sample of the file can be drawn, if its reader can draw one.

    Parameters
    ----------
    error
        Why the file cannot be read whole.
    read
        Reads a sample of it.
    """
    with contextlib.suppress(Exception):  # the file may be damaged as well
        read(_Description(n_cells=0, error=error))


def drawn_note(n_drawn: int, n_cells: int, name: str) -> str:
    """Say that cells were drawn."""
    return f"{n_drawn:,} of {n_cells:,} cells of {name} were drawn at random."


def sample_rows(
    n_cells: int, wanted: int, batch: pd.Series[Any] | None = None, *, seed: int = 0
) -> NDArray[np.intp]:
    """Draw cells, the same number from each batch as far as it has them.

    Parameters
    ----------
    n_cells
        Number of cells.
    wanted
        Number to draw.
    batch
        Batch of each cell; without it cells are drawn from all.
    seed
        The same seed draws the same cells.

    Returns
    -------
    Rows in their order.
    """
    rng = np.random.default_rng(seed)
    if wanted >= n_cells:
        return np.arange(n_cells)
    if batch is None:
        return np.sort(rng.choice(n_cells, wanted, replace=False))
    codes, _ = pd.factorize(batch.astype(str).where(~is_missing(batch), "missing"))
    sizes = np.bincount(codes)
    # Small batches are kept whole, and what they leave over goes to the others.
    take = np.zeros_like(sizes)
    for done, level in enumerate(np.argsort(sizes, kind="stable")):
        fair = (wanted - take.sum()) // (len(sizes) - done)
        take[level] = min(sizes[level], fair)
    chosen = [
        rng.choice(np.flatnonzero(codes == level), n, replace=False) for level, n in enumerate(take)
    ]
    return np.sort(np.concatenate(chosen))


def draw_cells(data: FileData, name: str, subsample: Subsample) -> FileData:
    """Draw some of the cells of data that are in memory."""
    rows = subsample.rows(data.adata.obs, name)
    if len(rows) == data.adata.n_obs:
        return data
    return dataclasses.replace(
        data,
        adata=data.adata[rows].copy(),
        format=f"sample of {data.format}",
        notes=(*data.notes, drawn_note(len(rows), data.adata.n_obs, name)),
    )

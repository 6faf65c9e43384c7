"""In-silico absence: what a state would become if only its own batch had it.

Batches that share every cell type hide how hard a setting pulls. Here the cells of one state are
taken out of all other batches, the rest is corrected again at the same settings, and its neighbours
are looked at: those that are other cells now, and were not before, are what the setting would do to
a state that another batch lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from harmony_core import thresholds
from harmony_core._typing import Flags, Floats, Ints
from harmony_core.methods import harmony
from harmony_core.methods.neighbors import nearest_of
from harmony_core.metrics.conservation import wrong_label_fraction
from harmony_core.params import HarmonyParams


@dataclass(frozen=True)
class Absence:
    """A label, known or borrowed, that other batches are made to lack.

    Attributes
    ----------
    labels
        Label of each cell, -1 where missing (cells).
    label
        The one that is taken out.
    home
        Which cells are of the batch, or pool of batches, that keeps it (cells).
    """

    labels: Ints
    label: int
    home: Flags

    @property
    def own(self) -> Flags:
        """Which cells are followed: those of the label at home."""
        return np.asarray((self.labels == self.label) & self.home)

    @cached_property
    def absent(self) -> Flags:
        """Which cells are taken out."""
        return np.asarray((self.labels == self.label) & ~self.home)

    def among(self, cells: Ints) -> Absence:
        """Return the same among some of the cells, by their positions."""
        return Absence(self.labels[cells], self.label, self.home[cells])


@dataclass(frozen=True, kw_only=True)
class AbsenceLoss:
    """What became of the cells that were followed.

    Attributes
    ----------
    loss
        Part of their nearest neighbours that changed to another label; NaN where none has a label.
    other
        The label that most of those carry; -1 where none does.
    """

    loss: float
    other: int


def why_not(absence: Absence, batches: Sequence[npt.NDArray[Any]]) -> str:
    """Return why nothing can be told of an absence.

    Parameters
    ----------
    absence
        What would be taken out.
    batches
        For each batch variable, the batch of every cell (cells).

    Returns
    -------
    The reason; empty if it can be told.
    """
    if absence.home.all():
        return "its batches were mixed before any correction"
    if not ((absence.labels >= 0) & (absence.labels != absence.label)).any():
        return "there is no other to tell it from"
    if absence.own.sum() < thresholds.MIN_CELLS_STATE:
        return f"fewer than {thresholds.MIN_CELLS_STATE} cells in one batch"
    present = ~absence.absent
    if present.sum() < thresholds.MIN_CELLS:
        return f"without it in other batches fewer than {thresholds.MIN_CELLS} cells remain"
    if any(len(set(of_cell[present].tolist())) < 2 for of_cell in batches):
        return "without it no other batch remains"
    return ""


def measure_absence(
    embedding: Floats,
    batches: Sequence[npt.NDArray[Any]],
    absence: Absence,
    params: HarmonyParams,
) -> AbsenceLoss:
    """Take a label out of the other batches, correct again, and measure what became of its cells.

    The loss is that of `harmony_core.metrics.conservation.purity_loss`, on the cells that remain:
    neighbours of another label after correction, minus the same before it, among all of them or
    within the own batch, whichever is more.

    Parameters
    ----------
    embedding
        Uncorrected components (cells × dimensions).
    batches
        For each of ``params.batch``, the batch of every cell (cells).
    absence
        What to take out; `why_not` has nothing against it.
    params
        Settings of the correction.

    Returns
    -------
    The loss, in parts of the nearest neighbours, and the label gained instead.

    Raises
    ------
    BatchError, DataError, ParameterError
        If what remains can't be corrected.
    """
    kept = np.flatnonzero(~absence.absent)
    uncorrected, remaining = np.asarray(embedding[kept]), absence.among(kept)
    own, labels = np.flatnonzero(remaining.own), remaining.labels
    corrected = harmony.correct(uncorrected, [b[kept] for b in batches], params).embedding

    k = thresholds.N_NEIGHBORS
    before = nearest_of(uncorrected, own, k).indices
    after = nearest_of(corrected, own, k).indices
    home = np.flatnonzero(remaining.home)
    within = nearest_of(uncorrected[home], np.searchsorted(home, own), k).indices
    wrong, wrong_before, wrong_within = (
        _mean(wrong_label_fraction(near, labels, cells=own))
        for near in (after, before, home[within])
    )
    others = labels[after].ravel()
    others = others[(others >= 0) & (others != remaining.label)]
    return AbsenceLoss(
        loss=wrong - max(wrong_before, wrong_within),
        other=int(np.bincount(others).argmax()) if len(others) else -1,
    )


def _mean(values: Floats) -> float:
    known = np.isfinite(values)
    return float(values[known].mean(dtype=np.float64)) if known.any() else float("nan")


def sampled(n_cells: int, params: HarmonyParams, *, seed: int) -> tuple[Ints, HarmonyParams]:
    """Draw the cells that absences are measured on, and fit the settings to their number.

    Parameters
    ----------
    n_cells
        How many there are.
    params
        Settings of the correction.
    seed
        The same seed draws the same cells.

    Returns
    -------
    Positions, ascending; all up to `RISK_CELLS`. The settings with ``tau`` in the proportion of
    the cells drawn, so that it protects the same batches.
    """
    if n_cells <= thresholds.RISK_CELLS:
        return np.arange(n_cells, dtype=np.int32), params
    drawn = np.random.default_rng(seed).choice(n_cells, thresholds.RISK_CELLS, replace=False)
    tau = params.tau * thresholds.RISK_CELLS / n_cells
    return np.sort(drawn).astype(np.int32), replace(params, tau=tau)

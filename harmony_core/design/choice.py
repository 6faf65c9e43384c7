"""What a choice of batch variables means for the data: one list for every way of asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmony_core.categories import Factor
from harmony_core.design.confounding import WORST_FIRST, Finding, check_design
from harmony_core.design.variables import advise, finer_divisions
from harmony_core.inspect.candidates import BatchCandidate
from harmony_core.inspect.missing import CellTypes


@dataclass(frozen=True)
class Design:
    """What the table of cells says about a choice of batch variables.

    Attributes
    ----------
    advice
        What the choice means, and what else to think of.
    tied
        By batch variable what is tied to it and what lives in one batch, worst first.
    """

    advice: tuple[Finding, ...]
    tied: Mapping[str, tuple[Finding, ...]]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The advice, then everything that is tied to a batch variable, worst first."""
        tied = [finding for found in self.tied.values() for finding in found]
        return (*self.advice, *sorted(tied, key=lambda found: WORST_FIRST[found.severity]))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Of `findings` what is more than good to know."""
        return tuple(found for found in self.findings if found.severity != "green")


def design_of(
    batch: Sequence[Factor],
    columns: Sequence[Factor],
    candidates: Sequence[BatchCandidate],
    *,
    label: Factor | None = None,
    condition: bool = False,
    explained: Mapping[str, float] | None = None,
    cells: NDArray[Any] | None = None,
    embedding: NDArray[np.floating[Any]] | None = None,
) -> Design:
    """Say what is to be known of a choice of batch variables.

    Parameters
    ----------
    batch
        The batch variables.
    columns
        Every column that divides the cells into a manageable number of groups.
    candidates
        Columns that can be batch variables, the likeliest first.
    label
        Column of cell types, as it stands; levels that are no type count for none.
    condition
        Whether the variable is judged as a condition.
    explained
        Fraction of the first components' variance that lies between the levels of a column.
    cells
        Positions of the cells that are kept; all without it.
    embedding
        Uncorrected embedding of these cells (cells × dimensions).
    """
    name = None if label is None else label.name
    advice = advise(
        batch, candidates, columns, label=name, condition=condition, explained=explained
    )
    types = None if label is None else _of(CellTypes.of(label).factor, cells)
    kept = [_of(column, cells) for column in columns]
    tied = {}
    for variable in batch:
        # That a finer one can't be separated is no trouble: correcting it corrects both.
        finer = finer_divisions(variable, candidates, columns)
        found = check_design(_of(variable, cells), kept, label=types, embedding=embedding)
        tied[variable.name] = tuple(
            f for f in found if not (f.kind == "association" and f.details["column"] in finer)
        )
    return Design(tuple(advice), tied)


def _of(column: Factor, cells: NDArray[Any] | None) -> Factor:
    return column if cells is None else Factor(column.name, column.codes[cells], column.levels)

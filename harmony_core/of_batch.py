"""Settings of single batches, such as a theta for one donor: rows of variable, batch, value."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harmony_core.errors import ParameterError

OfBatch = tuple[tuple[str, str, float], ...]
"""Batch variable, batch, and the value that this batch has in place of its variable's."""


def checked_rows(name: str, rows: Any, variables: Mapping[str, float]) -> OfBatch:
    """Return rows in one order, without those that say what holds in any case.

    Parameters
    ----------
    name
        Of the setting, for messages.
    rows
        Each a batch variable, a batch and a number.
    variables
        Batch variables with the value that their other batches have.

    Raises
    ------
    ParameterError
        If a row is something else, names another variable, or names a batch again.

    Examples
    --------
    >>> checked_rows("theta_of", [["donor", "d2", 4], ["donor", "d1", 2]], {"donor": 2.0})
    (('donor', 'd2', 4.0),)
    """
    if not isinstance(rows, list | tuple) or not all(map(_is_row, rows)):
        raise ParameterError(
            f"{name} must hold a batch variable, a batch and a number for each batch meant, not "
            f"{reprlib.repr(rows)}."
        )
    named: set[tuple[str, str]] = set()
    for variable, batch, _ in rows:
        if variable not in variables:
            raise ParameterError(
                f"{name} names {variable!r}, which is no batch variable of this run "
                f"({', '.join(variables)}); leave it out."
            )
        if (variable, batch) in named:
            raise ParameterError(f"{name} names {batch!r} of {variable!r} twice; name it once.")
        named.add((variable, batch))
    place = {variable: i for i, variable in enumerate(variables)}
    ordered = sorted(rows, key=lambda row: (place[row[0]], row[1]))
    return tuple((v, b, float(x)) for v, b, x in ordered if x != variables[v])


def _is_row(row: Any) -> bool:
    if not isinstance(row, list | tuple) or len(row) != 3:
        return False
    variable, batch, value = row
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_text = isinstance(variable, str) and isinstance(batch, str)
    return is_text and is_number and abs(value) <= sys.float_info.max


def of_levels(
    rows: OfBatch, variable: str, levels: Sequence[str], usual: float
) -> tuple[float, ...]:
    """Return the value of each batch of a variable.

    Parameters
    ----------
    rows
        As `checked_rows` returns them.
    variable
        Batch variable.
    levels
        Its batches.
    usual
        Of batches that no row names.

    Examples
    --------
    >>> of_levels((("donor", "d2", 4.0),), "donor", ["d1", "d2"], 2.0)
    (2.0, 4.0)
    """
    named = {batch: value for of, batch, value in rows if of == variable}
    return tuple(named.get(level, usual) for level in levels)


def check_levels(name: str, rows: OfBatch, levels: Mapping[str, Sequence[str]]) -> None:
    """Raise ParameterError if rows name a batch that the cells at hand are not of.

    Parameters
    ----------
    levels
        Batches of each batch variable.
    """
    for variable, batch, _ in rows:
        if batch not in levels[variable]:
            shown = ", ".join(map(repr, levels[variable][:5]))
            more = ", …" if len(levels[variable]) > 5 else ""
            raise ParameterError(
                f"{name} names {batch!r} of {variable!r}, a batch that no cell is of (or none that "
                f"was kept); leave it out, or name one of {shown}{more}."
            )


def in_words(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as a person writes them.

    Examples
    --------
    >>> in_words((("donor", "d1", 1.0), ("donor", "d2", 0.5)))
    '1 for d1 of donor, 0.5 for d2 of donor'
    """
    return ", ".join(f"{value:g} for {batch} of {variable}" for variable, batch, value in rows)

"""Numbers of things in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, one: str, several: str = "") -> str:
    """Return a number with the words after it, which agree with it.

    Parameters
    ----------
    n
        The number.
    one, several
        What follows where it is 1, and otherwise; by default ``one`` with an s.

    Examples
    --------
    >>> counted(1, "cell"), counted(1200, "cell"), counted(1, "of 9 cells has", "of 9 cells have")
    ('1 cell', '1,200 cells', '1 of 9 cells has')
    """
    return f"{n:,} {one if n == 1 else several or f'{one}s'}"


def named(names: Sequence[str], *, most: int = 6) -> str:
    """Return names in quotation marks, cut where they are long, and how many more there are.

    Examples
    --------
    >>> named(["B", "T"]), named(["a", "b", "c"], most=1)
    ('“B”, “T”', '“a” and 2 more')
    """
    listed = ", ".join(f"“{name[:60]}”" for name in names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most:,} more"

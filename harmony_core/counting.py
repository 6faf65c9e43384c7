"""Numbers of things in sentences."""

from __future__ import annotations


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

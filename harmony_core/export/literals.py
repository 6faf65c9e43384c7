"""Values as source text: whatever a name from a file holds, it stays a literal."""

from __future__ import annotations

import pprint
from collections.abc import Mapping, Sequence
from typing import Any


def python_literal(value: Any) -> str:
    """Return a value as Python source."""
    return pprint.pformat(value, width=96, sort_dicts=False, compact=True)


def r_literal(value: Any) -> str:
    """Return a value as R source.

    Examples
    --------
    >>> r_literal(["donor", 2, None, True, 'a"b'])
    'c("donor", 2, NULL, TRUE, "a\\\\"b")'
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return '"' + "".join(map(_r_character, value)) + '"'
    if isinstance(value, Mapping):
        values = ", ".join(map(r_literal, value.values()))
        return f"setNames(list({values}), {r_literal(list(value))})"
    if isinstance(value, Sequence):
        return f"c({', '.join(map(r_literal, value))})"
    return repr(value)


def _r_character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if " " <= c <= "~":
        return c
    # R has no text with a null character.
    if c == "\0":
        return ""
    return f"\\{'u' if ord(c) < 0x10000 else 'U'}{{{ord(c):x}}}"

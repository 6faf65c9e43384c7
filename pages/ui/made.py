"""What pages make of stored results: once, for all viewers, parts and page runs.

A stored result never changes, and neither does what is made of it: itself as it was read, figures,
messages to the browser, candidates of *Suggest*. A part is drawn again when anything in it is new,
and all else in it should then cost nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from cachetools import LRUCache

_T = TypeVar("_T")

_MOST_BYTES = 16_000_000
_MOST_BYTES_EACH = 2_000_000
"""Larger ones are not kept: a few of them would drive out all others."""

_USUAL_BYTES = 30_000
"""Of what does not say how many; a figure of plotly takes about as much."""


def _size(made: object) -> int:
    return int(getattr(made, "nbytes", _USUAL_BYTES))


_made: LRUCache[Hashable, Any] = LRUCache(_MOST_BYTES, _size)
_lock = threading.Lock()


def once(key: Hashable, make: Callable[[], _T]) -> _T:
    """Return what has been made under a key, or make it.

    Parameters
    ----------
    key
        Says what it is and which results it is made of, by their digests in the store.
    make
        What it returns must not be changed by anybody. None is not kept: the results may come.
    """
    with _lock:
        found: _T | None = _made.get(key)
    if found is None and (found := make()) is not None and _size(found) <= _MOST_BYTES_EACH:
        with _lock:
            _made[key] = found
    return found  # type: ignore[return-value]  # None where `make` returns it


def forget() -> None:
    """Forget everything; whoever needs some of it makes it again."""
    with _lock:
        _made.clear()

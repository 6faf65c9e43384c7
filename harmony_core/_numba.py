"""Typed decorators for compiled functions, and an import of umap-learn that keeps its own.

All of it is compiled once per machine and kept in numba's cache folder.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., Any])

# Sums in any order, which is faster; infinity stays what it is.
_ANY_ORDER = {"reassoc", "nsz", "contract"}


def compiled(function: _F) -> _F:
    """Compile a loop."""
    return cast(_F, numba.njit(cache=True, nogil=True)(function))


def parallel(function: _F) -> _F:
    """Compile a loop whose `numba.prange` is divided among the cores."""
    return cast(_F, numba.njit(cache=True, parallel=True)(function))


def fast(function: _F) -> _F:
    """Compile a loop whose sums may be added up in any order."""
    return cast(_F, numba.njit(cache=True, fastmath=_ANY_ORDER)(function))


def fast_parallel(function: _F) -> _F:
    """Compile a loop that is both `parallel` and `fast`."""
    return cast(_F, numba.njit(cache=True, fastmath=_ANY_ORDER, parallel=True)(function))


# The patch of numba: while umap-learn is imported, and nowhere else.


def import_umap() -> None:
    """Import umap-learn so that its compiled functions are kept in numba's cache folder.

    umap-learn and pynndescent ask for most of their functions not to be cached, and compile them at
    every start. Nothing about the functions forbids it. Those of pynndescent are compiled when they
    are called: umap-learn imports it for its own search of neighbours, which is not ours.

    Import and first graph (`fuzzy_simplicial_set`) take 1.9 s of one core instead of 15.1 s, and
    with an empty cache folder 7.5 s instead of 22.3 s (umap-learn 0.5.12, numba 0.68, 2 cores).
    """
    with _caching_numba(), warnings.catch_warnings():
        # It warns of TensorFlow's absence, which only its neural variant would need.
        warnings.simplefilter("ignore", ImportWarning)
        import umap.umap_  # noqa: F401


@contextlib.contextmanager
def _caching_numba() -> Iterator[None]:
    """Let functions decorated within the block be cached unless they are told otherwise."""
    original = numba.njit

    def njit(*arguments: Any, **options: Any) -> Callable[..., Any]:
        options.setdefault("cache", True)
        if not arguments or callable(arguments[0]):
            return cast("Callable[..., Any]", original(*arguments, **options))

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            at_once = not function.__module__.startswith("pynndescent.")
            signature = arguments if at_once else ()
            return cast("Callable[..., Any]", original(*signature, **options)(function))

        return decorate

    numba.njit = njit
    try:
        yield
    finally:
        numba.njit = original

"""Collections of garbage: of nothing that was imported, and only while somebody works.

Streamlit's own after each run is off (`runner.postScriptGC` in .streamlit/config.toml): it walks
through all objects of all viewers, 40 to 100 ms with what a page imports, in which nothing else
runs.

What is freed is given back to the system. glibc would keep a heap for each of the threads in which
pages run, with holes that no other thread fills: 15 MB before the first crowd, 45 MB after it.
Arrow has an allocator of its own that keeps as much: 16 MB after the first table was read.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from typing import Any

import pyarrow as pa

SECONDS = 10.0
"""From the first run after a collection to the next collection."""

_ARENA_MAX = -8
"""M_ARENA_MAX, as mallopt(3) has it."""


def share_one_heap() -> None:
    """Have all threads, and Arrow, take memory from the same heap, where the system can do that."""
    pa.set_memory_pool(pa.system_memory_pool())
    if mallopt := _of_glibc("mallopt"):
        mallopt(_ARENA_MAX, 1)


def _of_glibc(name: str) -> Any:
    """Return a function of the C library; None if it is not glibc's."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def freeze() -> None:
    """Leave what exists by now, which is what was imported, out of all later collections."""
    gc.collect()
    gc.freeze()


class Collector:
    """Collects all garbage once, some seconds after it was asked to, however often.

    Parameters
    ----------
    seconds
        From the first request to the collection.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a collection is to come."""
        return self._timer is not None

    def collect_soon(self) -> None:
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(self.seconds, self._collect)
                self._timer.daemon = True
                self._timer.start()

    def _collect(self) -> None:
        with self._lock:
            self._timer = None
        gc.collect()
        if trim := _of_glibc("malloc_trim"):
            trim(0)


_after_runs = Collector(SECONDS)


def collect_soon() -> None:
    """Note that a page or a part runs: some seconds later all garbage is collected."""
    _after_runs.collect_soon()

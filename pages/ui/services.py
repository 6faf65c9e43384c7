"""What all viewers of one server share: the store and the runner."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import streamlit as st
from cachetools import LRUCache

from harmony_core.jobs.runner import Runner
from harmony_core.store import Dataset, Store
from pages.ui.line import listeners

log = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the store."""
    return Store()


_MOST_CELLS = 1_200_000
"""Of the datasets that are held open at a time, together."""

_datasets: LRUCache[Path, Dataset] = LRUCache(_MOST_CELLS, lambda dataset: dataset.n_cells)
_lock = threading.Lock()


def dataset(fingerprint: str) -> Dataset:
    """Open a dataset, or return it as it was opened for another page or viewer.

    Its tables of cells and genes are then read once, and must not be changed.

    Raises
    ------
    FileError
        If it is not in the store.
    """
    opened = store().dataset(fingerprint)
    with _lock:
        held = _datasets.get(opened.folder)
        # Reading what is known of it counts as using it, and it may have come anew since.
        if held is not None and held.info == opened.info:
            return held
        if opened.n_cells <= _MOST_CELLS:
            _datasets[opened.folder] = opened
    return opened


def close_datasets() -> None:
    """Forget the datasets that are held open; whoever needs one opens it again."""
    with _lock:
        _datasets.clear()


@st.cache_resource(show_spinner=False, on_release=lambda runner: runner.close())
def runner() -> Runner:
    """Return the runner."""
    found = Runner(store())
    found.listen(listeners.hear)
    return found


def start() -> None:
    """Begin to warm the workers up."""
    try:
        runner().start()
    except OSError as error:  # of the store; the first page says it
        log.warning("%s", error)


def close() -> None:
    """End the runner and its workers, if there are any."""
    runner.clear()

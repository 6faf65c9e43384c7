"""How long a run on all cells will take, learnt from the runs that this machine has finished."""

from __future__ import annotations

import statistics

from harmony_core.runs.plan import STAGES
from harmony_core.store import Store

GROWTH = 1.1
"""Power of the number of cells that a run's seconds grow with (benchmarks/scale.py)."""

FEWEST_CELLS = 5_000
"""Smaller data say little of larger ones, and the shipped samples were computed elsewhere."""


def seconds_for(store: Store, n_cells: int) -> float | None:
    """Estimate the seconds of a whole run on a dataset of this size.

    Parameters
    ----------
    store
        Its finished stages are what is learnt from.
    n_cells
        Cells of the run.

    Returns
    -------
    Seconds; None before any run of `FEWEST_CELLS` cells or more was finished here.
    """
    rates = []
    for meta in store.datasets_folder.glob("*/dataset.json"):
        dataset = store.dataset(meta.parent.name)
        if dataset.n_cells < FEWEST_CELLS:
            continue
        by_stage = dataset.seconds_by_stage()
        if {"correct", "layout", "assess"} <= set(by_stage):
            medians = (statistics.median(by_stage.get(s.store_name, [0.0])) for s in STAGES)
            rates.append(sum(medians) / dataset.n_cells**GROWTH)
    return statistics.median(rates) * n_cells**GROWTH if rates else None


def in_words(seconds: float | None) -> str:
    """Return an estimate as a reader takes it: about half a minute, about 4 minutes."""
    if seconds is None:
        return "an unknown time, because no large run was finished on this machine yet"
    if seconds < 90:
        return f"about {max(10, round(seconds / 10) * 10)} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"

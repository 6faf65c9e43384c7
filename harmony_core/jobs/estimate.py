"""How long a run on all cells will take, learnt from the runs that this machine has finished."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harmony_core.params import MethodParams
from harmony_core.runs.plan import STAGES
from harmony_core.store import Dataset, Store
from harmony_core.store.info import DatasetInfo

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
    for mark in store.datasets_folder.glob("*/dataset.json"):
        n_here = _cells(mark.parent)
        if n_here < FEWEST_CELLS:
            continue
        by_stage = Dataset(mark.parent).seconds_by_stage()
        if {"correct", "layout", "assess"} <= set(by_stage):
            medians = (statistics.median(by_stage.get(s.store_name, [0.0])) for s in STAGES)
            rates.append(sum(medians) / n_here**GROWTH)
    return statistics.median(rates) * n_cells**GROWTH if rates else None


FARTHEST = 4.0
"""Times as many cells, or as few, to which a method's seconds are carried over."""


def method_seconds(store: Store, params: MethodParams, n_cells: int) -> float | None:
    """Estimate the seconds of a method of others from its runs on this machine.

    Parameters
    ----------
    store
        Its finished runs are what is learnt from.
    params
        The method; its runs at the same settings count, whatever the seed.
    n_cells
        Cells of the run.

    Returns
    -------
    Seconds; None where it was never run so, or on far more or far fewer cells only.
    """
    measured: list[tuple[int, float]] = []
    for mark in store.datasets_folder.glob("*/dataset.json"):
        for values in Dataset(mark.parent).values_of_stage("method"):
            with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
                if _without_seed(values["method"]) == _without_seed(params.to_dict()):
                    measured.append((int(values["cells"]), float(values["seconds"])))
    near = min(measured, key=lambda run: abs(math.log(run[0] / n_cells)), default=None)
    if near is None or not 1 / FARTHEST <= n_cells / near[0] <= FARTHEST:
        return None
    return near[1] * math.pow(n_cells / near[0], GROWTH)


def _cells(folder: Path) -> int:
    """Return how many cells a dataset has, which does not count as using it; 0 if none can say."""
    try:
        return DatasetInfo.read(folder, use=False).n_cells
    except Exception:  # of a damaged file anything may be said
        return 0


def _without_seed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "seed"}


def in_words(seconds: float | None) -> str:
    """Return an estimate as a reader takes it: about half a minute, about 4 minutes."""
    if seconds is None:
        return "an unknown time, because no large run was finished on this machine yet"
    if seconds < 90:
        return f"about {max(10, round(seconds / 10) * 10)} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"

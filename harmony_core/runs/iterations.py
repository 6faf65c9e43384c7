"""Frames of a replay: the same run stopped after one iteration, two, and so on.

Harmony's iterates are nested: a run that is allowed two iterations ends where a longer one stands
after two. So each frame is an ordinary run with fewer iterations, stored like any other,
and its picture is the one that the iterations slider would show. Nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harmony_core.metrics.movement import distance_moved, radius
from harmony_core.params import RunParams
from harmony_core.runs.results import RunResults

FRAME_STAGES = ("layout_after", "soft_clusters")
"""Stages that every frame's run must have."""

FAR_FROM_EVEN = 0.5
"""A soft cluster with less than this fraction of a batch's even share holds it badly."""

MIN_EXPECTED = 1.0
"""Cells of a batch that must be expected in a soft cluster before it can lack any."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where Harmony stands after some iterations.

    Attributes
    ----------
    iteration
        0 is the uncorrected data.
    objective
        Harmony's objective there.
    change
        Relative change of the objective in this iteration; None before the first.
    moved
        How far this iteration moved the cells on average, over the cells' mean distance to
        the middle of the uncorrected data.
    moved_in_all
        The same from the uncorrected data to here.
    uneven
        Soft clusters that hold less than `FAR_FROM_EVEN` of some batch's even share; None before
        the first clustering.
    """

    iteration: int
    objective: float
    change: float | None
    moved: float
    moved_in_all: float
    uneven: int | None


def shorter_runs(results: RunResults) -> tuple[RunParams, ...]:
    """Return the runs of all iterations between the uncorrected data and the run's last one."""
    if results.harmony is None:
        return ()
    harmony = results.params.harmony
    return tuple(
        replace(results.params, harmony=replace(harmony, max_iter=i))
        for i in range(1, results.harmony["iterations"])
    )


def frames(results: RunResults) -> list[RunResults]:
    """Return the run after each iteration, the last being the run itself; from iteration 1 on."""
    return [*(RunResults(results.dataset, run) for run in shorter_runs(results)), results]


def frame(results: RunResults, runs: Sequence[RunResults], iteration: int) -> Frame | None:
    """Describe one frame; None while its run is not in the store.

    Parameters
    ----------
    results
        The whole run.
    runs
        From `frames`.
    iteration
        0 to the number of iterations.
    """
    start, whole = results.embedding("before"), results.harmony
    if start is None or whole is None:
        return None
    here = start if iteration == 0 else runs[iteration - 1].embedding("after")
    last = start if iteration <= 1 else runs[iteration - 2].embedding("after")
    if here is None or last is None:
        return None
    spread = radius(start)
    objective = whole["objective"]
    change = None
    if iteration:
        before = objective[iteration - 1]
        change = (objective[iteration] - before) / max(abs(before), 1e-12)
    return Frame(
        iteration=iteration,
        objective=objective[iteration],
        change=change,
        moved=float(distance_moved(last, here).mean()) / spread,
        moved_in_all=float(distance_moved(start, here).mean()) / spread,
        uneven=_uneven(runs[iteration - 1]) if iteration else None,
    )


def _uneven(run: RunResults) -> int | None:
    stage, harmony = run.stage("soft_clusters"), run.harmony
    if stage is None or harmony is None:
        return None
    lacking = np.zeros(harmony["nclust"], dtype=bool)
    for i in range(len(run.params.harmony.batch)):
        observed, expected = stage.arrays[f"observed_{i}"], stage.arrays[f"expected_{i}"]
        is_expected = np.asarray(expected) >= MIN_EXPECTED
        lacking |= (is_expected & (np.asarray(observed) < FAR_FROM_EVEN * expected)).any(axis=1)
    return int(lacking.sum())

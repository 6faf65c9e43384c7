"""The film: frames are nested runs, and their numbers are those of the data."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from harmony_core.runs.iterations import FRAME_STAGES, frame, frames, shorter_runs
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL

RUN = replace(SMALL, harmony=replace(SMALL.harmony, epsilon_harmony=0.0))


@pytest.fixture(scope="module")
def shot(dataset: Dataset) -> RunResults:
    Pipeline(dataset, RUN).run(*FRAME_STAGES)
    results = RunResults(dataset, RUN)
    for params in shorter_runs(results):
        Pipeline(dataset, params).run(*FRAME_STAGES)
    return results


def test_frames_are_the_iterations_of_one_run(shot: RunResults) -> None:
    whole = shot.harmony
    assert whole is not None
    runs = frames(shot)
    assert len(runs) == whole["iterations"] == 3
    for i, run in enumerate(runs, start=1):
        assert run.harmony is not None
        assert run.harmony["objective"] == whole["objective"][: i + 1]


def test_a_frame_tells_how_far_cells_moved(shot: RunResults) -> None:
    told = [frame(shot, frames(shot), i) for i in range(4)]
    first, *later = [f for f in told if f is not None]
    assert (first.moved, first.moved_in_all, first.change, first.uneven) == (0, 0, None, None)
    start, end = shot.embedding("before"), shot.embedding("after")
    assert start is not None
    assert end is not None
    way = np.linalg.norm(end - start, axis=1).mean()
    spread = np.linalg.norm(start - start.mean(axis=0), axis=1).mean()
    assert later[-1].moved_in_all == pytest.approx(way / spread, rel=1e-4)
    assert later[0].moved == later[0].moved_in_all > later[-1].moved > 0
    for before, after in pairwise(told):
        assert before is not None
        assert after is not None
        assert after.change == pytest.approx(after.objective / before.objective - 1)


def test_the_penalty_makes_soft_clusters_hold_all_batches(shot: RunResults) -> None:
    free = replace(RUN, harmony=replace(RUN.harmony, theta=(0.0,), max_iter=1))
    pushed = replace(RUN, harmony=replace(RUN.harmony, theta=(8.0,), max_iter=1))
    uneven = []
    for params in (free, pushed):
        Pipeline(shot.dataset, params).run("soft_clusters")
        results = RunResults(shot.dataset, params)
        found = frame(results, frames(results), 1)
        assert found is not None
        assert found.uneven is not None
        uneven.append(found.uneven)
    assert uneven[0] > uneven[1]


def test_a_frame_that_is_not_computed_is_none(dataset: Dataset) -> None:
    params = replace(RUN, harmony=replace(RUN.harmony, sigma=0.2))
    results = RunResults(dataset, params)
    assert shorter_runs(results) == ()
    assert frame(results, frames(results), 0) is None
    Pipeline(dataset, params).run("correct")
    results = RunResults(dataset, params)
    assert frame(results, frames(results), 0) is not None
    assert frame(results, frames(results), 1) is None

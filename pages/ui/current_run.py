"""The run that a page shows: the one asked for, or the one before it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path

from harmony_core.params import RunParams
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, StageKey, StageResult
from pages.ui import made, state

_shared: ContextVar[dict[tuple[Path, RunParams], RunResults] | None] = ContextVar(
    "shared", default=None
)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Within it each run's results are read once, by whoever comes first: all parts of a page run.

    No longer than that, as what is large is mapped into memory, and each map takes a file handle.
    """
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def results_of(dataset: Dataset, params: RunParams) -> RunResults:
    """Return what the store has of a run."""
    shared = _shared.get()
    found = None if shared is None else shared.get((dataset.folder, params))
    if found is None:
        found = RunResults(dataset, params, partial(_finished, dataset))
        if shared is not None:
            shared[dataset.folder, params] = found
    return found


def _finished(dataset: Dataset, key: StageKey) -> StageResult | None:
    """Return a finished stage as the store has it; a small one is read once for all viewers."""
    if not dataset.use(key):
        return None
    return made.once(("stage", dataset.folder, key), lambda: dataset.finished(key))


class CurrentRun:
    """The run asked for, with the run before it standing in for what is not computed yet."""

    def __init__(self, dataset: Dataset, params: RunParams) -> None:
        self.dataset = dataset
        self.results = results_of(dataset, params)
        previous = state.last_run(dataset)
        # Another preparation keeps other cells; its layouts can't stand beside the new ones.
        same = previous is not None and previous.prepare == params.prepare
        same = same and previous.harmony.batch == params.harmony.batch
        self.previous = results_of(dataset, previous) if previous and same else self.results

    def newest_with(self, *steps: str) -> tuple[RunResults | None, bool]:
        """Return the newest run that has these steps, and whether it is the previous one."""
        return self._newest(lambda run: run.plan.has(*steps))

    def newest_drawable(self) -> tuple[RunResults | None, bool]:
        """Return the newest run that has both layouts, if only as a preview."""
        return self._newest(
            lambda run: all(run.layout_or_preview(side) is not None for side in SIDES)
        )

    def _newest(self, is_ready: Callable[[RunResults], bool]) -> tuple[RunResults | None, bool]:
        for results in (self.results, self.previous):
            if is_ready(results):
                return results, results is not self.results
        return None, False


def recent_run(dataset: Dataset, *steps: str) -> RunResults | None:
    """Return the run chosen on Tune, or the one last drawn there, if it has these steps."""
    for params in (state.settings(dataset), state.last_run(dataset)):
        if params is not None:
            results = results_of(dataset, params)
            if all(results.stage(step) is not None for step in steps):
                return results
    return None

"""The same settings as Harmony 1 and as Harmony 2, and a sentence on what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from harmony_core.counting import counted
from harmony_core.errors import ParameterError
from harmony_core.methods.harmony_releases import as_release
from harmony_core.metrics.movement import neighbors_replaced
from harmony_core.params import RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from harmony_core.thresholds import N_NEIGHBORS
from harmony_core.verdict.verdict import KINDS
from harmony_core.verdict.wording import percent

STAGES = ("neighbors_after", "assess", "layout_after")
"""What both runs need for pictures and sentence."""


@dataclass(frozen=True)
class ReleasePair:
    """The same settings as Harmony 1 and as Harmony 2, both finished."""

    one: RunResults
    two: RunResults

    @property
    def sentence(self) -> str:
        """What differs between the two."""
        return what_changed(self.one, self.two)

    def __repr__(self) -> str:
        return self.sentence


def computed_pair(
    dataset: Dataset,
    params: RunParams,
    before_each: Callable[[RunParams], Callable[[str, float], None]] | None = None,
) -> ReleasePair:
    """Compute what the store lacks of a run as Harmony 1 and as Harmony 2.

    Parameters
    ----------
    params
        Of a run by Harmony.
    before_each
        Called with each run before it begins; what it returns hears of its progress.

    Raises
    ------
    ParameterError
        If the run is not by Harmony.
    HarmonyExplorerError
        If the data can't be corrected so.
    """
    if not params.by_harmony:
        raise ParameterError("Harmony 1 and 2 are compared of a run by Harmony only.")
    listen = before_each or (lambda run: lambda stage, fraction: None)
    pair = as_one_and_two(params)
    for run in pair:
        Pipeline(dataset, run, listen(run)).run(*STAGES)
    one, two = (RunResults(dataset, run) for run in pair)
    return ReleasePair(one, two)


def as_one_and_two(params: RunParams) -> tuple[RunParams, RunParams]:
    """Return the run as Harmony 1 and as Harmony 2; theta, sigma and all else stay."""
    one, two = (
        replace(params, method=None, harmony=as_release(params.harmony, name))
        for name in ("1", "2")
    )
    return one, two


def what_changed(one: RunResults, two: RunResults) -> str:
    """Return what differs between two finished runs: how they went, mixing, neighbours.

    Parameters
    ----------
    one, two
        Of `as_one_and_two`, with `STAGES`.
    """
    near = [run.stage("neighbors_after") for run in (one, two)]
    assert near[0] is not None
    assert near[1] is not None
    replaced = neighbors_replaced(near[0].arrays["indices"], near[1].arrays["indices"])
    others = percent(float(np.mean(replaced)))
    return (
        f"{_went(one, 'As Harmony 1')}; {_went(two, 'as Harmony 2')}. Of each cell's "
        f"{N_NEIGHBORS} nearest neighbours, {others} are others in the second."
    )


def _went(run: RunResults, name: str) -> str:
    assert run.harmony is not None
    assert run.assessment is not None
    mixing = []
    for variable, numbers in run.assessment.after.items():
        if (value := numbers.get("ilisi")) is not None:
            of = f" of {variable}" if len(run.assessment.after) > 1 else ""
            mixing.append(f"iLISI{of} {value:.2f}")
    rounds = counted(run.harmony["iterations"], "iteration")
    verdict = KINDS[run.assessment.verdict.kind].heading.lower()
    return f"{name} it took {rounds} and the verdict is “{verdict}” ({', '.join(mixing)})"

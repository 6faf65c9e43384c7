"""What the map of methods shows, on screen and on paper: a point a run."""

from __future__ import annotations

from dataclasses import dataclass

from harmony_core.runs.method_comparison import MethodComparison
from harmony_core.verdict.which_method import Contender

MOST_NAMED = 14
"""Points up to which each has its name beside it; of more only the best of each method."""


@dataclass(frozen=True, kw_only=True)
class MethodPoint:
    """One run on the map.

    Attributes
    ----------
    name
        What it is called beside its method, as ``theta 2``; of a method's only run the method.
    method
        What corrected it.
    mixing
        Of what is mixed least, 0 to 1.
    loss
        Fraction of its neighbours that the state lost, 0 to 1.
    costly
        Whether its verdict says that a state pays.
    best
        Whether it is the best run of its method.
    by_construction
        Whether its method mixes whatever the data, so that its place upwards says nothing.
    """

    name: str
    method: str
    mixing: float
    loss: float
    costly: bool
    best: bool
    by_construction: bool = False


def method_points(found: MethodComparison, *, state: str = "") -> tuple[MethodPoint, ...]:
    """Return the judged runs of a comparison as points.

    Parameters
    ----------
    state
        The state whose loss is told; by default each run's worst.
    """
    contenders = [row.contender for row in found.rows if row.contender is not None]
    methods = [one.method for one in contenders]
    best = {one.name for one in found.answer.shown}
    return tuple(
        _point(one, state, best=one.name in best, alone=methods.count(one.method) == 1)
        for one in contenders
    )


def _point(one: Contender, state: str, *, best: bool, alone: bool) -> MethodPoint:
    row = one.by_state.get(state) if state else one.worst_state
    return MethodPoint(
        name=one.method if alone else one.name.removeprefix(f"{one.method}, "),
        method=one.method,
        mixing=one.candidate.least_mixing,
        loss=0.0 if row is None else max(0.0, row.amount or 0.0),
        costly=one.candidate.costs_a_state,
        best=best,
        by_construction=one.mixes_by_construction,
    )


def named_points(points: tuple[MethodPoint, ...]) -> list[MethodPoint]:
    """Return the points that have their name beside them."""
    return [point for point in points if point.best or len(points) <= MOST_NAMED]

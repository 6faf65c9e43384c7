"""What the map of methods shows, on screen and on paper: a point a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harmony_core.runs.method_comparison import MethodComparison
from harmony_core.verdict.which_method import Contender

MOST_NAMED = 14
"""Points up to which each has its name beside it; of more only the best of each method."""

LONGEST_NAME = 40
"""Letters after which a name beside a point is cut."""


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


Place = tuple[Literal["above", "beside", "below"], Literal["left", "right"]]

_PLACES: tuple[Place, ...] = (
    *(("beside", "right"), ("beside", "left"), ("above", "right"), ("below", "right")),
    *(("above", "left"), ("below", "left")),
)
_LETTER, _LINE, _POINT = 0.0165, 0.055, 0.02
"""Width of a letter, height of a line and radius of a point, as parts of the map's sides."""

_Box = tuple[float, float, float, float]


def most_lost(points: tuple[MethodPoint, ...]) -> float:
    """Return where the axis of what was lost ends, with room for names."""
    return max([0.1, *(1.3 * point.loss for point in points)])


def places_of_names(points: tuple[MethodPoint, ...]) -> dict[MethodPoint, Place]:
    """Return where names stand so that none lies on another name or point.

    Returns
    -------
    By point, of those that are named: the best of each method first, and of many points these
    alone. One that fits nowhere has no name.
    """
    end = most_lost(points)
    at = {point: (point.loss / end, point.mixing) for point in points}
    taken = [(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in at.values()]
    places: dict[MethodPoint, Place] = {}
    for point in sorted(points, key=lambda point: not point.best):
        if not point.best and len(points) > MOST_NAMED:
            continue
        own = taken[points.index(point)]
        for place in _PLACES:
            box = _box(*at[point], len(point.name), place)
            is_inside = box[0] > -0.02 and box[2] < 1.02 and box[1] > 0 and box[3] < 1.1
            if is_inside and not any(_meet(box, other) for other in taken if other is not own):
                places[point] = place
                taken.append(box)
                break
    return places


def _box(x: float, y: float, letters: int, place: Place) -> _Box:
    """Return what a name covers: left, bottom, right, top."""
    height, side = place
    width = min(letters, LONGEST_NAME) * _LETTER
    left = x + _POINT if side == "right" else x - _POINT - width
    bottoms = {"above": y + _POINT, "beside": y - _LINE / 2, "below": y - _POINT - _LINE}
    return left, bottoms[height], left + width, bottoms[height] + _LINE


def _meet(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

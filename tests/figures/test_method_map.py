"""The map of methods: names beside points that lie close, and what a point looks like."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

from harmony_core.figures import method_points
from harmony_core.figures.method_points import MethodPoint, most_lost, places_of_names
from harmony_core.figures.paper.method_map import method_map_figure
from harmony_core.figures.screen.method_map import method_map


def point(method: str, loss: float, mixing: float, **more: bool) -> MethodPoint:
    more = {"costly": False, "best": True} | more
    return MethodPoint(name=method, method=method, loss=loss, mixing=mixing, **more)


CLOSE = (
    point("Harmony", 0.0, 0.52),
    point("Harmony by brisc", 0.001, 0.52),
    point("BBKNN", 0.085, 0.98, by_construction=True, costly=True),
    point("MNN", 0.001, 0.55, by_construction=True),
)


def test_names_lie_on_no_other_name_or_point() -> None:
    places, end = places_of_names(CLOSE), most_lost(CLOSE)
    assert {"Harmony", "BBKNN"} <= {one.name for one in places}
    boxes = {
        one: method_points._box(one.loss / end, one.mixing, len(one.name), place)
        for one, place in places.items()
    }
    assert not any(method_points._meet(*pair) for pair in combinations(boxes.values(), 2))
    for (named, (left, bottom, right, top)), other in product(boxes.items(), CLOSE):
        x, y = other.loss / end, other.mixing
        assert named is other or not (left < x < right and bottom < y < top)


def test_what_mixes_by_construction_is_open(tmp_path: Path) -> None:
    figure = method_map(CLOSE)
    symbols = {trace.name: trace.marker.symbol[0] for trace in figure.data}
    assert (symbols["MNN"], symbols["BBKNN"]) == ("circle-open", "x-open")
    assert symbols["Harmony"] == "circle"
    method_map_figure(CLOSE, tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 0

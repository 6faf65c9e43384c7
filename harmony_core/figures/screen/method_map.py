"""The map of methods: mixing against what it cost a state, a point a run."""

from __future__ import annotations

import plotly.graph_objects as go

from harmony_core.figures.method_points import MethodPoint, Place, most_lost, places_of_names
from harmony_core.figures.screen.style import label_text, styled
from harmony_core.palette import colors_for

_HEIGHTS = {"above": "top", "beside": "middle", "below": "bottom"}


def method_map(points: tuple[MethodPoint, ...], *, state: str = "") -> go.Figure:
    """Draw runs by how well they mix and what it cost a state; up and to the left is better.

    Parameters
    ----------
    points
        The runs, coloured by method.
    state
        The state whose loss is drawn; by default each run's worst.
    """
    figure = go.Figure()
    methods = list(dict.fromkeys(point.method for point in points))
    colors, places = colors_for(methods), places_of_names(points)
    for method in methods:
        mine = [point for point in points if point.method == method]
        names = [label_text(point.name) if point in places else "" for point in mine]
        figure.add_trace(
            go.Scatter(
                x=[point.loss for point in mine],
                y=[point.mixing for point in mine],
                mode="markers+text",
                name=label_text(method),
                text=names,
                hovertext=[label_text(point.name) for point in mine],
                textposition=[_position(places.get(point)) for point in mine],
                cliponaxis=False,
                marker={
                    "color": colors[method],
                    "size": [15 if point.best else 9 for point in mine],
                    "symbol": [_symbol(point) for point in mine],
                    "opacity": [1.0 if point.best else 0.55 for point in mine],
                },
                hovertemplate="%{hovertext}<br>least mixing %{y:.0%}, neighbours lost %{x:.0%}"
                "<extra></extra>",
            )
        )
    lost = f"“{label_text(state)}”" if state else "the worst state"
    figure.update_xaxes(
        title=f"Neighbours lost by {lost} (less is better)",
        tickformat=".0%",
        range=[-0.02 * most_lost(points), most_lost(points)],
    )
    figure.update_yaxes(
        title="Mixing of what mixes least (more is better)", tickformat=".0%", range=[-0.02, 1.06]
    )
    figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}, showlegend=True
    )
    return styled(figure, height=420, margin_bottom=40)


def _position(place: Place | None) -> str:
    height, side = place or ("beside", "right")
    return f"{_HEIGHTS[height]} {side}"


def _symbol(point: MethodPoint) -> str:
    return ("x" if point.costly else "circle") + ("-open" if point.by_construction else "")

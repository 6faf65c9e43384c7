"""The map of settings: mixing against what it costs a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from harmony_core.figures.screen.style import styled
from harmony_core.palette import colors_for


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One run on the map.

    Attributes
    ----------
    theta, sigma
        Its settings; with several batch variables theta is the same for all.
    mixing
        Of what is mixed least, 0 to 1.
    loss
        Fraction of the neighbours that the state that loses most lost.
    costly
        Whether its verdict says that a state pays.
    """

    theta: float
    sigma: float
    mixing: float
    loss: float
    costly: bool


def settings_map(
    settings: Sequence[Setting],
    *,
    current: Setting | None = None,
    best: Setting | None = None,
) -> go.Figure:
    """Draw runs by how well they mix and what it costs a state; up and to the left is better.

    Parameters
    ----------
    settings
        The runs, labelled with theta and coloured by sigma.
    current, best
        The run on screen, ringed, and the one suggested, marked with a star. The run on screen may
        be none of ``settings``.
    """
    figure = go.Figure()
    sigmas = sorted({s.sigma for s in settings})
    colors = colors_for([f"{sigma:g}" for sigma in sigmas])
    for sigma in sigmas:
        mine = [s for s in settings if s.sigma == sigma]
        figure.add_trace(
            go.Scatter(
                x=[s.loss for s in mine],
                y=[s.mixing for s in mine],
                mode="markers+text",
                name=f"sigma {sigma:g}",
                text=[f"{s.theta:g}" for s in mine],
                textposition="middle right",
                cliponaxis=False,
                marker={
                    "color": colors[f"{sigma:g}"],
                    "size": 12,
                    "symbol": [
                        "star" if s == best else "x" if s.costly else "circle" for s in mine
                    ],
                    "opacity": [0.55 if s.costly else 1.0 for s in mine],
                },
                hovertemplate="theta %{text}, sigma "
                f"{sigma:g}<br>least mixing %{{y:.0%}}, neighbours lost %{{x:.0%}}<extra></extra>",
            )
        )
    if current is not None:
        figure.add_trace(
            go.Scatter(
                x=[current.loss],
                y=[current.mixing],
                mode="markers",
                name="on screen",
                marker={"size": 24, "color": "#8a8f98", "symbol": "circle-open"},
                cliponaxis=False,
                hoverinfo="skip",
            )
        )
    figure.update_xaxes(
        title="Neighbours lost by the worst state (less is better)",
        tickformat=".0%",
        rangemode="tozero",
    )
    figure.update_yaxes(
        title="Mixing of what mixes least (more is better)", tickformat=".0%", range=[-0.02, 1.06]
    )
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    return styled(figure, height=360, margin_bottom=40)

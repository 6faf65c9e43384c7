"""The map of settings: mixing against what speaks against a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from harmony_core.figures.screen.style import styled
from harmony_core.metric_catalog import METRICS
from harmony_core.palette import colors_for


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One run on the map.

    Attributes
    ----------
    theta, sigma
        Its settings; with several batch variables theta is the same for all.
    mixing
        Matched-cluster mixing, 0 to 1.
    risk
        What speaks against the run: the detector's score, the gap, or the worst purity loss.
    refused
        Whether something speaks against offering it.
    """

    theta: float
    sigma: float
    mixing: float
    risk: float
    refused: bool


def settings_map(
    settings: Sequence[Setting],
    *,
    risk_title: str,
    limit: float | None = None,
    current: Setting | None = None,
    offered: Setting | None = None,
) -> go.Figure:
    """Draw runs by how well they mix and what speaks against them; up and to the left is better.

    Parameters
    ----------
    settings
        The runs, labelled with theta and coloured by sigma.
    risk_title
        What ``risk`` is.
    limit
        Value of ``risk`` above which no run is offered, drawn as a line where there is one.
    current, offered
        The run on screen, ringed, and the one offered, marked with a star. The run on screen may
        be none of ``settings``.
    """
    figure = go.Figure()
    sigmas = sorted({s.sigma for s in settings})
    colors = colors_for([f"{sigma:g}" for sigma in sigmas])
    for sigma in sigmas:
        mine = [s for s in settings if s.sigma == sigma]
        figure.add_trace(
            go.Scatter(
                x=[s.risk for s in mine],
                y=[s.mixing for s in mine],
                mode="markers+text",
                name=f"sigma {sigma:g}",
                text=[f"{s.theta:g}" for s in mine],
                textposition="middle right",
                marker={
                    "color": colors[f"{sigma:g}"],
                    "size": 12,
                    "symbol": [
                        "star" if s == offered else "x" if s.refused else "circle" for s in mine
                    ],
                    "opacity": [0.55 if s.refused else 1.0 for s in mine],
                },
                hovertemplate="theta %{text}, sigma "
                f"{sigma:g}<br>mixing %{{y:.2f}}, {risk_title.lower()} %{{x:.3g}}<extra></extra>",
            )
        )
    if current is not None:
        figure.add_trace(
            go.Scatter(
                x=[current.risk],
                y=[current.mixing],
                mode="markers",
                name="on screen",
                marker={"size": 24, "color": "#8a8f98", "symbol": "circle-open"},
                hoverinfo="skip",
            )
        )
    if limit is not None:
        figure.add_vline(x=limit, line={"dash": "dash", "width": 1, "color": "grey"})
    figure.update_xaxes(title=f"{risk_title} (less is better)", rangemode="tozero")
    figure.update_yaxes(title=f"{METRICS['mcm'].title} (more is better)", range=[-0.02, 1.06])
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    return styled(figure, height=360, margin_bottom=40)

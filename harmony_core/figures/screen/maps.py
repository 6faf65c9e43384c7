"""Figures of the diagnostics: the map of settings, soft clusters, who is around whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from harmony_core.figures.screen.runs import dressed, shown_name
from harmony_core.figures.summary import MOST_LOG2, log2_of_even
from harmony_core.palette import DIVERGING, EXPRESSION_LIGHT, colors_for, scale_stops


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
    figure.update_yaxes(title="Matched-cluster mixing (more is better)", range=[-0.02, 1.06])
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    return dressed(figure, height=360, margin_bottom=40)


def soft_clusters(
    observed: npt.NDArray[np.floating],
    expected: npt.NDArray[np.floating],
    levels: Sequence[str],
    *,
    order: npt.NDArray[np.integer] | None = None,
) -> go.Figure:
    """Draw how far each soft cluster holds more or fewer cells of a batch than its even share.

    Parameters
    ----------
    observed, expected
        Harmony's O and E (soft clusters × batches), in cells.
    levels
        Names of the batches.
    order
        In which the soft clusters are drawn; by default the largest first.
    """
    if order is None:
        order = np.argsort(-observed.sum(axis=1), kind="stable")
    found, even = observed[order], expected[order]
    ratio = log2_of_even(found, even).T
    figure = go.Figure(
        go.Heatmap(
            z=ratio,
            x=[str(i + 1) for i in range(len(found))],
            y=[shown_name(level) for level in levels],
            zmin=-MOST_LOG2,
            zmax=MOST_LOG2,
            colorscale=scale_stops(DIVERGING),
            customdata=np.stack([found.T, even.T], axis=-1),
            colorbar={
                "title": "O / E",
                "thickness": 12,
                "tickvals": [-3, 0, 3],
                "ticktext": ["⅛", "1", "8"],
                "len": 120,
                "lenmode": "pixels",
            },
            hovertemplate="soft cluster %{x}, %{y}: %{customdata[0]:.1f} cells, "
            "%{customdata[1]:.1f} expected<extra></extra>",
        )
    )
    figure.update_xaxes(title="Soft cluster, largest first", type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False)
    return dressed(figure, height=max(240, 150 + 26 * len(levels)), margin_bottom=40)


def composition(
    share: npt.NDArray[np.floating],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
) -> go.Figure:
    """Draw of which kinds the neighbours of each group are.

    Parameters
    ----------
    share
        Part of a group's neighbours that are of each kind (groups × kinds); rows sum to 1.
    rows, columns
        Names of the groups and of the kinds.
    """
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=[shown_name(name) for name in columns],
            y=[shown_name(name) for name in rows],
            zmin=0,
            zmax=1,
            colorscale=scale_stops(EXPRESSION_LIGHT),
            colorbar={"title": "Part", "thickness": 12, "tickformat": ".0%"},
            hovertemplate="%{z:.1%} of the neighbours of %{y} are %{x}<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", showgrid=False, tickangle=-40)
    figure.update_yaxes(type="category", showgrid=False, autorange="reversed")
    figure.update_layout(title=shown_name(title))
    return dressed(figure, height=170 + 22 * len(rows), margin_bottom=40)

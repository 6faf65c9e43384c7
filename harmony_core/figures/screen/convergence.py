"""Harmony's objective by iteration."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harmony_core.counting import counted
from harmony_core.figures.screen.style import styled
from harmony_core.figures.summary import STOP_REASONS
from harmony_core.palette import AFTER

_MARK = "#c07800"


def convergence_curve(
    objective: Sequence[float], stop_reason: str, *, at: int | None = None
) -> go.Figure:
    """Draw Harmony's objective per iteration, titled with why it stopped.

    Parameters
    ----------
    objective
        At the start and after each iteration.
    stop_reason
        As `harmony_core.methods.harmony.Correction` gives it.
    at
        Iteration to mark.
    """
    n = len(objective) - 1
    rounds = counted(n, "iteration")
    figure = go.Figure(
        go.Scatter(
            x=list(range(len(objective))),
            y=list(objective),
            mode="lines+markers",
            line={"color": AFTER, "width": 2},
            marker={"size": 7},
            cliponaxis=False,  # the start lies on the axis
            hovertemplate="after iteration %{x}: %{y:.4g}<extra></extra>",
        )
    )
    if at is not None:
        figure.add_scatter(
            x=[at],
            y=[objective[at]],
            mode="markers",
            marker={"size": 15, "color": _MARK},
            cliponaxis=False,
            hoverinfo="skip",
        )
        figure.update_layout(showlegend=False)
    figure.update_layout(title=f"{rounds}, {STOP_REASONS.get(stop_reason, stop_reason)}")
    figure.update_xaxes(title="Iteration", dtick=max(1, n // 10), rangemode="tozero")
    figure.update_yaxes(title="Objective")
    return styled(figure, height=260)

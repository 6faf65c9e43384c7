"""Results in, plotly figures out; of the core, only this file and `figure_*` import plotly.

Names of genes, batches and clusters come from the user's file; plotly reads some of HTML in any
text, so they pass through `shown_name` first.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harmony_core.figures.summary import sampled_cells
from harmony_core.palette import (
    AFTER,
    MISSING,
    colors_for,
)

LONGEST_NAME = 40
MOST_POINTS = 6_000
"""Cells drawn in one small picture; more are sampled, and the picture says so."""

_STOPPED = {
    "converged": "converged",
    "limit": "reached the limit of iterations",
    "rose": "stopped because the objective rose",
    "none": "no iteration was asked for",
}
_INVISIBLE = "rgba(0,0,0,0)"
FAINT = "rgba(128,128,128,0.25)"
_MARK = "#c07800"


def shown_name(name: str) -> str:
    """Return a name from a file as plotly should draw it: literally, and not endless."""
    text = str(name)
    if len(text) > LONGEST_NAME:
        text = text[: LONGEST_NAME - 1] + "…"
    return html.escape(text, quote=False)


def convergence(
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
    rounds = "1 iteration" if n == 1 else f"{n} iterations"
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
    figure.update_layout(title=f"{rounds}, {_STOPPED.get(stop_reason, stop_reason)}")
    figure.update_xaxes(title="Iteration", dtick=max(1, n // 10), rangemode="tozero")
    figure.update_yaxes(title="Objective")
    return dressed(figure, height=260)


def before_after(
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    title: str = "",
    sides: tuple[str, str] = ("Before Harmony", "After Harmony"),
) -> go.Figure:
    """Draw the pictures before and after correction, with one legend for both.

    For a file of its own; pages have the linked view. Cells are drawn in several turns over the
    groups, so that no group hides another.

    Parameters
    ----------
    before, after
        Positions (cells × 2).
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    levels
        Names of the groups.
    title
        What the groups are.
    sides
        What the two pictures are called.
    """
    figure = make_subplots(
        1, 2, subplot_titles=[shown_name(name) for name in sides], horizontal_spacing=0.03
    )
    names = [*levels, "(none)"] if (np.asarray(codes) < 0).any() else list(levels)
    colors = [*colors_for(levels).values(), MISSING]
    turns = np.random.default_rng(0).integers(max(1, 24 // len(names)), size=len(codes))
    wrapped = np.where(np.asarray(codes) < 0, len(levels), codes)
    for turn in range(int(turns.max(initial=0)) + 1):
        for group in range(len(names)):
            cells = np.flatnonzero((turns == turn) & (wrapped == group))
            if len(cells) == 0:
                continue
            for side, positions in enumerate((before, after)):
                points = np.asarray(positions[cells], dtype=np.float32)
                trace = go.Scattergl(
                    x=points[:, 0],
                    y=points[:, 1],
                    mode="markers",
                    marker={"size": 3, "color": colors[group]},
                    legendgroup=str(group),
                    showlegend=False,
                    hoverinfo="skip",
                )
                figure.add_trace(trace, row=1, col=side + 1)
    for group, name in enumerate(names):
        marker = {"size": 8, "color": colors[group]}
        figure.add_scattergl(
            x=[None],
            y=[None],
            mode="markers",
            marker=marker,
            name=shown_name(name),
            legendgroup=str(group),
            showlegend=True,
            row=1,
            col=1,
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(legend_title=shown_name(title))
    return dressed(figure, height=560)


def batch_bars(
    sizes: Mapping[str, int], *, kept: Mapping[str, int] | None = None, title: str = ""
) -> go.Figure:
    """Draw the number of cells per batch.

    Parameters
    ----------
    sizes
        Cells per batch as they came.
    kept
        Cells per batch that passed quality control; drawn over the bars.
    """
    levels = list(sizes)
    names = [shown_name(level) for level in levels]
    colors = list(colors_for(levels).values())
    shown = sizes if kept is None else {level: kept.get(level, 0) for level in levels}
    figure = go.Figure()
    if kept is not None:
        figure.add_trace(
            go.Bar(
                x=[sizes[level] for level in levels],
                y=names,
                orientation="h",
                marker={"color": FAINT},
                hovertemplate="%{y}: %{x:,} cells in the data<extra></extra>",
            )
        )
    figure.add_trace(
        go.Bar(
            x=[shown[level] for level in levels],
            y=names,
            orientation="h",
            marker={"color": colors},
            text=[f"{shown[level]:,}" for level in levels],
            hovertemplate="%{y}: %{x:,} cells<extra></extra>",
        )
    )
    figure.update_layout(barmode="overlay", showlegend=False, title=shown_name(title))
    figure.update_xaxes(title="Cells", rangemode="tozero")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    return dressed(figure, height=90 + 26 * len(levels))


def violins(
    values: npt.NDArray[np.floating],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    title: str,
    limits: Sequence[float] = (),
    most_points: int = 2_000,
) -> go.Figure:
    """Draw the distribution of one number in each group.

    Parameters
    ----------
    values
        One number a cell.
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    title
        What the number is; the title of its axis.
    limits
        Thresholds, drawn as dashed lines.
    most_points
        Cells per group that the shape is estimated from; a larger group is sampled.
    """
    figure = go.Figure()
    for code, color in enumerate(colors_for(levels).values()):
        of_group = np.asarray(values)[np.asarray(codes) == code]
        of_group = of_group[sampled_cells(len(of_group), most_points)]
        figure.add_trace(
            go.Violin(
                y=of_group.astype(np.float32),
                name=shown_name(levels[code]),
                line={"color": color, "width": 1.5},
                points=False,
                spanmode="hard",
                meanline={"visible": True},
                hoveron="violins",
            )
        )
    for limit in limits:
        figure.add_hline(y=limit, line={"dash": "dash", "width": 1, "color": "grey"})
    figure.update_xaxes(type="category")
    figure.update_yaxes(title=shown_name(title))
    figure.update_layout(showlegend=False)
    return dressed(figure, height=320)


def dressed(figure: go.Figure, *, height: int, margin_bottom: int = 10) -> go.Figure:
    """Give a figure the margins, grid and clear background that all of ours have."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": margin_bottom},
        paper_bgcolor=_INVISIBLE,
        plot_bgcolor=_INVISIBLE,
        title_font_size=14,
    )
    figure.update_xaxes(gridcolor=FAINT, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=FAINT, zeroline=False, automargin=True)
    return figure

"""Layouts of cells side by side, for exported pages and small multiples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harmony_core.figures.screen.style import label_text, styled
from harmony_core.figures.summary import sampled_cells
from harmony_core.palette import MISSING, colors_for

MOST_POINTS = 6_000
"""Cells drawn in one small layout; more are sampled, and the figure says so."""


def cell_points(
    positions: npt.NDArray[np.floating], cells: npt.NDArray[np.intp], **marker: Any
) -> go.Scattergl:
    """Return some cells of a layout as points.

    Parameters
    ----------
    positions
        Of all cells (cells × 2).
    cells
        Which are drawn, in the order of drawing.
    marker
        Size and colour, as plotly takes them.

    Returns
    -------
    plotly.graph_objects.Scattergl
        A trace without legend and hover text.
    """
    points = np.asarray(positions)[cells].astype(np.float32)
    return go.Scattergl(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        marker=marker,
        showlegend=False,
        hoverinfo="skip",
    )


def before_after(
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    title: str = "",
    sides: tuple[str, str] = ("Before Harmony", "After Harmony"),
) -> go.Figure:
    """Draw the layouts before and after correction, with one legend for both.

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
        What the two layouts are called.
    """
    figure = make_subplots(
        1, 2, subplot_titles=[label_text(name) for name in sides], horizontal_spacing=0.03
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
                trace = cell_points(positions, cells, size=3, color=colors[group])
                trace.legendgroup = str(group)
                figure.add_trace(trace, row=1, col=side + 1)
    for group, name in enumerate(names):
        marker = {"size": 8, "color": colors[group]}
        figure.add_scattergl(
            x=[None],
            y=[None],
            mode="markers",
            marker=marker,
            name=label_text(name),
            legendgroup=str(group),
            showlegend=True,
            row=1,
            col=1,
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(legend_title=label_text(title))
    return styled(figure, height=560)


def small_multiples(
    layouts: Mapping[str, npt.NDArray[np.floating]],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    per_row: int = 4,
) -> go.Figure:
    """Draw several layouts of the same cells in the same colours.

    Parameters
    ----------
    layouts
        Positions (cells × 2) by title.
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    """
    rows = -(-len(layouts) // per_row)
    titles = [label_text(title) for title in layouts]
    figure = make_subplots(
        rows, per_row, subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.25 / rows
    )
    palette = np.array([*colors_for(levels).values(), MISSING])
    for i, positions in enumerate(layouts.values()):
        drawn = sampled_cells(len(positions), MOST_POINTS // 2)
        drawn = np.random.default_rng(0).permutation(drawn)  # so that no group hides another
        colors = palette[np.asarray(codes)[drawn]].tolist()
        trace = cell_points(positions, drawn, size=2.5, color=colors)
        figure.add_trace(trace, row=i // per_row + 1, col=i % per_row + 1)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_annotations(font_size=12)
    return styled(figure, height=50 + 190 * rows)

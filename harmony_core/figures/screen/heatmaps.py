"""Heatmaps: the design, soft clusters by batch, neighbour composition by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from harmony_core.categories import Factor
from harmony_core.design.confounding import crosstab
from harmony_core.figures.screen.style import label_text, label_texts, styled
from harmony_core.figures.summary import MOST_LOG2, largest_levels, log2_of_even
from harmony_core.palette import DIVERGING, EXPRESSION_DARK, EXPRESSION_LIGHT, scale_stops

MOST_LEVELS = 40
"""Levels of a column drawn in the design; the largest, where there are more."""

_COLORBAR = {"thickness": 12}

_LEAST_TOP_RISK = 0.3
"""Risk that the darkest colour stands for at least: small ones look small."""


def design_heatmap(batch: Factor, other: Factor, *, dark: bool = False) -> go.Figure:
    """Draw how the cells of each batch spread over the levels of another column.

    Parameters
    ----------
    batch
        One row a level.
    other
        One column a level.
    dark
        Whether the page has a dark background.
    """
    counts = crosstab(batch.codes, other.codes)
    rows, columns = (largest_levels(counts.sum(axis=axis), MOST_LEVELS) for axis in (1, 0))
    drawn = counts[np.ix_(rows, columns)]
    total = np.maximum(counts.sum(axis=1, keepdims=True)[rows], 1)
    return _heatmap(
        [batch.levels[i] for i in rows],
        [other.levels[i] for i in columns],
        height=170 + 26 * len(rows),
        row_title=batch.name,
        column_title=other.name,
        reverse=True,
        z=100 * drawn / total,
        customdata=drawn,
        text=drawn if drawn.size <= 200 else None,
        texttemplate="%{text:,}" if drawn.size <= 200 else None,
        zmin=0,
        zmax=100,
        colorscale=scale_stops(EXPRESSION_DARK if dark else EXPRESSION_LIGHT),
        # Of a height of its own: two batches leave too little for its numbers.
        colorbar=_COLORBAR
        | {"title": "% of<br>the batch", "lenmode": "pixels", "len": 130, "tickvals": [0, 50, 100]},
        hovertemplate="%{y}, %{x}: %{customdata:,} cells, %{z:.1f} % of the batch<extra></extra>",
    )


def soft_cluster_heatmap(
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
    held, even = observed[order], expected[order]
    return _heatmap(
        levels,
        [str(i + 1) for i in range(len(held))],
        height=max(240, 150 + 26 * len(levels)),
        margin_bottom=40,
        column_title="Soft cluster, largest first",
        z=log2_of_even(held, even).T,
        zmin=-MOST_LOG2,
        zmax=MOST_LOG2,
        colorscale=scale_stops(DIVERGING),
        customdata=np.stack([held.T, even.T], axis=-1),
        colorbar=_COLORBAR
        | {
            "title": "O / E",
            "tickvals": [-3, 0, 3],
            "ticktext": ["⅛", "1", "8"],
            "len": 120,
            "lenmode": "pixels",
        },
        hovertemplate="soft cluster %{x}, %{y}: %{customdata[0]:.1f} cells, "
        "%{customdata[1]:.1f} expected<extra></extra>",
    )


def composition_heatmap(
    fraction: npt.NDArray[np.floating],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
) -> go.Figure:
    """Draw of which kinds the neighbours of each group are.

    Parameters
    ----------
    fraction
        Fraction of a group's neighbours that are of each kind (groups × kinds); rows sum to 1.
    rows, columns
        Names of the groups and of the kinds.
    """
    figure = _heatmap(
        rows,
        columns,
        height=170 + 22 * len(rows),
        margin_bottom=40,
        reverse=True,
        z=fraction,
        zmin=0,
        zmax=1,
        colorscale=scale_stops(EXPRESSION_LIGHT),
        colorbar=_COLORBAR | {"title": "Part", "tickformat": ".0%"},
        hovertemplate="%{z:.1%} of the neighbours of %{y} are %{x}<extra></extra>",
    )
    figure.update_xaxes(tickangle=-40)
    figure.update_layout(title=label_text(title))
    return figure


def risk_heatmap(
    fraction: npt.NDArray[np.floating], states: Sequence[str], thetas: Sequence[str]
) -> go.Figure:
    """Draw what each state would lose at each theta if the other batches lacked it.

    Parameters
    ----------
    fraction
        Part of a state's neighbours that would become other cells (states × thetas); NaN where it
        is not known, which stays empty.
    states, thetas
        Names of the rows and of the columns.
    """
    known = fraction[np.isfinite(fraction)]
    return _heatmap(
        states,
        thetas,
        height=170 + 24 * len(states),
        margin_bottom=40,
        column_title="theta",
        reverse=True,
        z=fraction,
        zmin=0,
        zmax=known.max(initial=_LEAST_TOP_RISK),
        texttemplate="%{z:.0%}",
        colorscale=scale_stops(EXPRESSION_LIGHT),
        colorbar=_COLORBAR | {"title": "Risk", "tickformat": ".0%"},
        hovertemplate="%{y}, theta %{x}: %{z:.1%} of its neighbours would become other cells"
        "<extra></extra>",
        hoverongaps=False,
    )


def _heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    height: int,
    margin_bottom: int = 10,
    row_title: str = "",
    column_title: str = "",
    reverse: bool = False,
    **cells: Any,
) -> go.Figure:
    """Return a heatmap of named rows and columns.

    Parameters
    ----------
    reverse
        Whether the first row is on top.
    cells
        Of `plotly.graph_objects.Heatmap`.
    """
    figure = go.Figure(go.Heatmap(x=label_texts(columns), y=label_texts(rows), **cells))
    figure.update_xaxes(type="category", title=label_text(column_title), showgrid=False)
    figure.update_yaxes(type="category", title=label_text(row_title), showgrid=False)
    if reverse:
        figure.update_yaxes(autorange="reversed")
    return styled(figure, height=height, margin_bottom=margin_bottom)

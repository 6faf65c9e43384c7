"""Figures of the Data page: the design, variable genes over batches, what components explain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from harmony_core.categories import Coded
from harmony_core.design.confounding import crosstab
from harmony_core.figures.screen.runs import dressed, shown_name
from harmony_core.palette import AFTER, EXPRESSION_DARK, EXPRESSION_LIGHT, scale_stops

MOST_LEVELS = 40
"""Levels of a column drawn in the design; the largest, where there are more."""


def design_map(batch: Coded, other: Coded, *, dark: bool = False) -> go.Figure:
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
    rows, columns = (_largest(counts.sum(axis=axis)) for axis in (1, 0))
    shown = counts[np.ix_(rows, columns)]
    total = np.maximum(counts.sum(axis=1, keepdims=True)[rows], 1)
    figure = go.Figure(
        go.Heatmap(
            z=100 * shown / total,
            x=[shown_name(other.levels[i]) for i in columns],
            y=[shown_name(batch.levels[i]) for i in rows],
            customdata=shown,
            text=shown if shown.size <= 200 else None,
            texttemplate="%{text:,}" if shown.size <= 200 else None,
            zmin=0,
            zmax=100,
            colorscale=scale_stops(EXPRESSION_DARK if dark else EXPRESSION_LIGHT),
            # Of a height of its own: two batches leave too little for its numbers.
            colorbar={
                "title": "% of<br>the batch",
                "thickness": 12,
                "lenmode": "pixels",
                "len": 130,
                "tickvals": [0, 50, 100],
            },
            hovertemplate="%{y}, %{x}: %{customdata:,} cells, %{z:.1f} % of the batch"
            "<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", title=shown_name(other.name), showgrid=False)
    figure.update_yaxes(
        type="category", title=shown_name(batch.name), autorange="reversed", showgrid=False
    )
    return dressed(figure, height=170 + 26 * len(rows))


def _largest(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Positions of the largest levels, in their order."""
    return np.sort(np.argsort(-sizes, kind="stable")[:MOST_LEVELS])


def scree(variance_ratio: npt.NDArray[np.floating]) -> go.Figure:
    """Draw the share of variance that each component explains.

    Parameters
    ----------
    variance_ratio
        Shares, 0 to 1, the first component first.
    """
    percent = 100 * np.asarray(variance_ratio, dtype=np.float64)
    figure = go.Figure(
        go.Scatter(
            x=np.arange(1, len(percent) + 1),
            y=percent,
            mode="lines+markers",
            line={"color": AFTER, "width": 1.5},
            customdata=np.cumsum(percent),
            hovertemplate="component %{x}: %{y:.2f} %, up to here %{customdata:.1f} %"
            "<extra></extra>",
        )
    )
    figure.update_xaxes(title="Component", rangemode="tozero")
    # Most of the curve lies near the bottom of a linear axis, where its end can't be seen.
    figure.update_yaxes(title="Variance explained, %", type="log", dtick="D2")
    return dressed(figure, height=280)


def gene_overlap(genes_by_batches: npt.NDArray[np.integer]) -> go.Figure:
    """Draw how many of the chosen genes are variable in one batch, two, and so on.

    Parameters
    ----------
    genes_by_batches
        Number of genes that are variable in 1, 2, … batches.
    """
    n_batches = len(genes_by_batches)
    figure = go.Figure(
        go.Bar(
            x=np.arange(1, n_batches + 1),
            y=genes_by_batches,
            marker={"color": AFTER},
            hovertemplate="variable in %{x} batches: %{y:,} genes<extra></extra>",
        )
    )
    figure.update_xaxes(title="Batches in which a gene is variable", dtick=max(1, n_batches // 10))
    figure.update_yaxes(title="Genes")
    return dressed(figure, height=280)

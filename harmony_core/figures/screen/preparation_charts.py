"""Charts of the preparation: cells by batch, quality, components, variable genes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from harmony_core.figures.screen.style import FAINT, label_text, label_texts, styled
from harmony_core.figures.summary import sampled_cells
from harmony_core.palette import AFTER, colors_for


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
    names = label_texts(levels)
    colors = list(colors_for(levels).values())
    drawn = sizes if kept is None else {level: kept.get(level, 0) for level in levels}
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
            x=[drawn[level] for level in levels],
            y=names,
            orientation="h",
            marker={"color": colors},
            text=[f"{drawn[level]:,}" for level in levels],
            hovertemplate="%{y}: %{x:,} cells<extra></extra>",
        )
    )
    figure.update_layout(barmode="overlay", showlegend=False, title=label_text(title))
    figure.update_xaxes(title="Cells", rangemode="tozero")
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    return styled(figure, height=90 + 26 * len(levels))


def quality_violins(
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
                name=label_text(levels[code]),
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
    figure.update_yaxes(title=label_text(title))
    figure.update_layout(showlegend=False)
    return styled(figure, height=320)


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
    return styled(figure, height=280)


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
    return styled(figure, height=280)

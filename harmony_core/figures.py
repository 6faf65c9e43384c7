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

from harmony_core.palette import (
    AFTER,
    EXPRESSION_DARK,
    EXPRESSION_LIGHT,
    MISSING,
    colors_for,
    scale_stops,
)
from harmony_core.summaries import clip_limit, dots, sampled_cells

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
_FAINT = "rgba(128,128,128,0.25)"
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
        As `harmony_core.correct.Correction` gives it.
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
            hovertemplate="after iteration %{x}: %{y:.4g}<extra></extra>",
        )
    )
    if at is not None:
        figure.add_scatter(
            x=[at],
            y=[objective[at]],
            mode="markers",
            marker={"size": 15, "color": _MARK},
            hoverinfo="skip",
        )
        figure.update_layout(showlegend=False)
    figure.update_layout(title=f"{rounds}, {_STOPPED.get(stop_reason, stop_reason)}")
    figure.update_xaxes(title="Iteration", dtick=max(1, n // 10), rangemode="tozero")
    figure.update_yaxes(title="Objective")
    return dressed(figure, height=260)


def gene_dots(
    expression: Mapping[str, npt.NDArray[np.floating]],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    sections: Mapping[str, Sequence[str]] | None = None,
    group_title: str = "Cluster",
    dark: bool = False,
) -> go.Figure:
    """Draw a dot plot: size is the share of cells expressing a gene, colour its relative mean.

    Parameters
    ----------
    expression
        Log-normalised values over the cells, by gene symbol.
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    levels
        Names of the groups, in the order in which they are drawn from the top.
    sections
        Headings over the genes, for example `harmony_core.markers.PANEL`, with the symbols as the
        data write them. A gene under no heading is drawn without one.
    group_title
        What the groups are.
    dark
        Whether the page has a dark background.
    """
    table = dots(expression, codes, levels)
    names = [shown_name(g) for g in table.genes]
    groups = [shown_name(level) for level in levels]
    figure = go.Figure(
        go.Scatter(
            x=np.repeat(names, len(groups)).tolist(),
            y=groups * len(names),
            mode="markers",
            showlegend=False,
            marker={
                "opacity": 1,
                "size": _dot_size(table.share.ravel()),
                "color": table.relative.ravel(),
                "cmin": 0,
                "cmax": 1,
                "colorscale": _scale(dark),
                "line": {"width": 0.5, "color": _FAINT},
                "colorbar": {
                    "title": "Mean, of<br>its highest",
                    "thickness": 12,
                    "len": 130,
                    "lenmode": "pixels",
                    "y": 1,
                    "yanchor": "top",
                    "dtick": 0.5,
                },
            },
            customdata=np.column_stack([table.share.ravel() * 100, table.mean.ravel()]),
            hovertemplate="%{x} in %{y}: %{customdata[0]:.0f} % of cells, "
            "mean %{customdata[1]:.2f}<extra></extra>",
        )
    )
    for share in (0.25, 0.5, 1.0):
        marker = {"size": _dot_size(np.array([share])), "color": "grey"}
        figure.add_trace(
            go.Scatter(x=[None], y=[None], mode="markers", name=f"{share:.0%}", marker=marker)
        )
    figure.update_layout(
        legend={"title": "Cells with it", "itemsizing": "trace"},
        legend_y=0,
        legend_yanchor="bottom",
        legend_itemclick=False,
        legend_itemdoubleclick=False,
    )
    for title, genes in (sections or {}).items():
        places = [i for i, gene in enumerate(table.genes) if gene in genes]
        if places:
            figure.add_annotation(
                text=shown_name(title),
                x=float(np.mean(places)),
                y=1,
                yref="paper",
                yanchor="bottom",
                showarrow=False,
            )
    figure.update_xaxes(type="category", tickangle=-60, dtick=1, range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(type="category", dtick=1, range=[len(groups) - 0.4, -0.6])
    figure.update_yaxes(title=shown_name(group_title))
    return dressed(figure, height=max(430, 150 + 24 * len(groups)))


def gene_grid(
    expression: Mapping[str, npt.NDArray[np.floating]],
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    *,
    genes_per_row: int = 3,
    most_points: int = MOST_POINTS,
    dark: bool = False,
) -> go.Figure:
    """Draw each gene on the picture before and, beside it, after correction.

    The same cells, the same colours: expression is not corrected, only positions differ. Colours
    end at the gene's 99th percentile. Cells with most of a gene are drawn last, on top.

    Parameters
    ----------
    expression
        Log-normalised values over the cells, by gene symbol.
    before, after
        Positions (cells × 2).
    genes_per_row
        Genes side by side, two pictures each.
    most_points
        With more cells a random sample of this size is drawn, and a note says so.
    dark
        Whether the page has a dark background.
    """
    per_row = max(1, min(genes_per_row, len(expression)))
    n_rows = max(1, -(-len(expression) // per_row))
    titles = [f"{shown_name(g)}, {side}" for g in expression for side in ("before", "after")]
    gap = min(0.07, 0.4 / n_rows)
    figure = make_subplots(
        n_rows, 2 * per_row, subplot_titles=titles, horizontal_spacing=0.015, vertical_spacing=gap
    )
    drawn = sampled_cells(len(before), most_points)
    for i, values in enumerate(expression.values()):
        limit = clip_limit(values)
        row, column = divmod(i, per_row)
        order = drawn[np.argsort(values[drawn], kind="stable")]
        for side, positions in enumerate((before, after)):
            points = np.asarray(positions[order], dtype=np.float32)
            trace = go.Scattergl(
                x=points[:, 0],
                y=points[:, 1],
                mode="markers",
                showlegend=False,
                hoverinfo="skip",
                marker={
                    "size": 3 if len(drawn) < 3000 else 2,
                    "color": np.minimum(values[order], limit).astype(np.float32),
                    "cmin": 0,
                    "cmax": limit,
                    "colorscale": _scale(dark),
                },
            )
            figure.add_trace(trace, row=row + 1, col=2 * column + side + 1)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_annotations(font_size=12)
    notes = ["Log-normalised expression, not corrected; colours end at the 99th percentile."]
    if len(drawn) < len(before):
        notes.append(f"A random {len(drawn):,} of {len(before):,} cells are drawn.")
    figure.add_annotation(
        text=" ".join(notes),
        x=0,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top",
        yshift=-6,
        showarrow=False,
        font={"size": 11},
    )
    return dressed(figure, height=60 + 210 * n_rows, margin_bottom=34)


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
                marker={"color": _FAINT},
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


def _scale(dark: bool) -> list[tuple[float, str]]:
    return scale_stops(EXPRESSION_DARK if dark else EXPRESSION_LIGHT)


def _dot_size(share: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return diameters in pixels whose area grows with the share."""
    return 16 * np.sqrt(np.asarray(share))


def dressed(figure: go.Figure, *, height: int, margin_bottom: int = 10) -> go.Figure:
    """Give a figure the margins, grid and clear background that all of ours have."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": margin_bottom},
        paper_bgcolor=_INVISIBLE,
        plot_bgcolor=_INVISIBLE,
        title_font_size=14,
    )
    figure.update_xaxes(gridcolor=_FAINT, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=_FAINT, zeroline=False, automargin=True)
    return figure

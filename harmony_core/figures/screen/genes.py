"""Figures of genes: on the layouts, by group and by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harmony_core.figures.screen.layouts import MOST_POINTS, cell_points
from harmony_core.figures.screen.style import FAINT, label_text, label_texts, styled
from harmony_core.figures.summary import (
    MOST_IN_VIOLIN,
    clip_limit,
    dots,
    sampled_cells,
    violin_bandwidth,
)
from harmony_core.palette import EXPRESSION_DARK, EXPRESSION_LIGHT, colors_for, scale_stops


def gene_dots(
    expression: Mapping[str, npt.NDArray[np.floating]],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    sections: Mapping[str, Sequence[str]] | None = None,
    group_title: str = "Cluster",
    dark: bool = False,
) -> go.Figure:
    """Draw a dot plot: size is the fraction of cells expressing a gene, colour its relative mean.

    Parameters
    ----------
    expression
        Log-normalised values over the cells, by gene symbol.
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    levels
        Names of the groups, in the order in which they are drawn from the top.
    sections
        Headings over the genes, for example `harmony_core.inspect.gene_sets.PANEL`, with the
        symbols as the data write them. A gene under no heading is drawn without one.
    group_title
        What the groups are.
    dark
        Whether the page has a dark background.
    """
    table = dots(expression, codes, levels)
    names, groups = label_texts(table.genes), label_texts(levels)
    figure = go.Figure(
        go.Scatter(
            x=np.repeat(names, len(groups)).tolist(),
            y=groups * len(names),
            mode="markers",
            showlegend=False,
            marker={
                "opacity": 1,
                "size": _dot_size(table.fraction.ravel()),
                "color": table.relative.ravel(),
                "cmin": 0,
                "cmax": 1,
                "colorscale": _scale(dark),
                "line": {"width": 0.5, "color": FAINT},
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
            customdata=np.column_stack([table.fraction.ravel() * 100, table.mean.ravel()]),
            hovertemplate="%{x} in %{y}: %{customdata[0]:.0f} % of cells, "
            "mean %{customdata[1]:.2f}<extra></extra>",
        )
    )
    _add_size_legend(figure)
    for title, genes in (sections or {}).items():
        places = [i for i, gene in enumerate(table.genes) if gene in genes]
        if places:
            figure.add_annotation(
                text=label_text(title),
                x=float(np.mean(places)),
                y=1,
                yref="paper",
                yanchor="bottom",
                showarrow=False,
            )
    figure.update_xaxes(type="category", tickangle=-60, dtick=1, range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(type="category", dtick=1, range=[len(groups) - 0.4, -0.6])
    figure.update_yaxes(title=label_text(group_title))
    return styled(figure, height=max(430, 150 + 24 * len(groups)))


def _add_size_legend(figure: go.Figure) -> None:
    """Say how many of the cells a dot's size stands for."""
    for fraction in (0.25, 0.5, 1.0):
        marker = {"size": _dot_size(np.array([fraction])), "color": "grey"}
        figure.add_trace(
            go.Scatter(x=[None], y=[None], mode="markers", name=f"{fraction:.0%}", marker=marker)
        )
    figure.update_layout(
        legend={"title": "Cells with it", "itemsizing": "trace"},
        legend_y=0,
        legend_yanchor="bottom",
        legend_itemclick=False,
        legend_itemdoubleclick=False,
    )


def gene_grid(
    expression: Mapping[str, npt.NDArray[np.floating]],
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    *,
    cells: npt.NDArray[np.bool_] | None = None,
    genes_per_row: int = 3,
    most_points: int = MOST_POINTS,
    dark: bool = False,
) -> go.Figure:
    """Draw each gene on the layout before and, beside it, after correction.

    The same cells, the same colours: expression is not corrected, only positions differ. Colours
    end at the gene's 99th percentile. Cells with most of a gene are drawn last, on top.

    Parameters
    ----------
    expression
        Log-normalised values over the cells, by gene symbol.
    before, after
        Positions (cells × 2).
    cells
        Which cells are drawn, where all of them would be; not given, all.
    genes_per_row
        Genes side by side, two layouts each.
    most_points
        With more cells a random sample of this size is drawn, and a note says so.
    dark
        Whether the page has a dark background.
    """
    per_row = max(1, min(genes_per_row, len(expression)))
    n_rows = max(1, -(-len(expression) // per_row))
    titles = [f"{label_text(g)}, {side}" for g in expression for side in ("before", "after")]
    gap = min(0.07, 0.4 / n_rows)
    figure = make_subplots(
        n_rows, 2 * per_row, subplot_titles=titles, horizontal_spacing=0.015, vertical_spacing=gap
    )
    wanted = np.arange(len(before)) if cells is None else np.flatnonzero(cells)
    drawn = wanted[sampled_cells(len(wanted), most_points)]
    for i, values in enumerate(expression.values()):
        limit = clip_limit(values)
        row, column = divmod(i, per_row)
        order = drawn[np.argsort(values[drawn], kind="stable")]
        for side, positions in enumerate((before, after)):
            trace = cell_points(
                positions,
                order,
                size=3 if len(drawn) < 3000 else 2,
                color=np.minimum(values[order], limit).astype(np.float32),
                cmin=0,
                cmax=limit,
                colorscale=_scale(dark),
            )
            place = {"row": row + 1, "col": 2 * column + side + 1}
            figure.add_trace(trace, **place)
            if cells is not None:
                figure.update_xaxes(range=_extent(positions[:, 0]), **place)
                figure.update_yaxes(range=_extent(positions[:, 1]), **place)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_annotations(font_size=12)
    notes = ["Log-normalised expression, not corrected; colours end at the 99th percentile."]
    if cells is not None:
        notes.append(f"Only the {len(wanted):,} selected of {len(before):,} cells.")
    if len(drawn) < len(wanted):
        notes.append(f"A random {len(drawn):,} of {len(wanted):,} cells are drawn.")
    below = _add_notes(figure, notes)
    return styled(figure, height=26 + 210 * n_rows + below, margin_bottom=below)


def _add_notes(figure: go.Figure, notes: Sequence[str]) -> int:
    """Write sentences below a figure; return the pixels that they take."""
    figure.add_annotation(
        text="<br>".join(notes),
        align="left",
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
    return 18 + 16 * len(notes)


def violins_by_batch(
    values: npt.NDArray[np.floating],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    batches: npt.NDArray[np.integer],
    batch_levels: tuple[str, ...],
    *,
    title: str,
) -> go.Figure:
    """Draw the distribution of a gene in each group, one violin a batch.

    Parameters
    ----------
    values
        Log-normalised expression (cells).
    codes, batches
        Group and batch of each cell as indices into the names; negative where it has none.
    levels, batch_levels
        Their names.
    title
        The gene.
    """
    highest = float(np.max(values, initial=0.0))
    bandwidth = violin_bandwidth(highest)
    figure, names = go.Figure(), label_texts(levels)
    for batch, color in enumerate(colors_for(batch_levels).values()):
        cells = [np.flatnonzero((codes == g) & (batches == batch)) for g in range(len(levels))]
        cells = [c[sampled_cells(len(c), MOST_IN_VIOLIN)] for c in cells]
        groups = np.repeat(np.arange(len(levels)), [len(c) for c in cells])
        figure.add_trace(
            go.Violin(
                x=[names[g] for g in groups],
                y=np.asarray(values)[np.concatenate(cells)].astype(np.float32),
                name=label_text(batch_levels[batch]),
                line={"color": color, "width": 1.2},
                points=False,
                spanmode="hard",
                bandwidth=bandwidth,
                meanline={"visible": True},
                hoveron="violins",
            )
        )
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=names)
    # A violin of equal values would reach below zero, where no expression is.
    figure.update_yaxes(title="Expression", range=[0, max(1.05 * highest, 1.0)])
    figure.update_layout(
        violinmode="group",
        title=label_text(title),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return styled(figure, height=340)


def _extent(positions: npt.NDArray[np.floating]) -> list[float]:
    """Return the ends of an axis on which all of these have their place."""
    low, high = float(positions.min()), float(positions.max())
    margin = 0.03 * (high - low)
    return [low - margin, high + margin]


def _scale(dark: bool) -> list[tuple[float, str]]:
    return scale_stops(EXPRESSION_DARK if dark else EXPRESSION_LIGHT)


def _dot_size(fraction: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return diameters in pixels whose area grows with the fraction."""
    return 16 * np.sqrt(np.asarray(fraction))

"""Marker genes on paper: on the layouts, and as dots by cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.errors import ExportError, UnfinishedRun
from harmony_core.figures.paper.layouts import point_area, save, short_name
from harmony_core.figures.summary import clip_limit, cluster_names, dots
from harmony_core.inspect.gene_sets import PANEL, find_genes
from harmony_core.palette import EXPRESSION_LIGHT
from harmony_core.runs.history import side_names
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_PANEL = 2.1
_GENES_PER_ROW = 3
_MOST_GENES = 15


def genes_figure(
    results: RunResults, path: Path, *, genes: Sequence[str] | None = None, dpi: int = 150
) -> None:
    """Draw marker genes on the layouts before and after, beside each other.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    genes
        Symbols; see `expression_of`.

    Raises
    ------
    ExportError
        If the run is not finished, none of the genes is known, or the file can't be written.
    """
    before, after = results.layout("before"), results.layout("after")
    if before is None or after is None:
        raise UnfinishedRun("draw")
    save(_draw_genes(expression_of(results, genes), before, after), path, dpi=dpi)


def dots_figure(
    results: RunResults, path: Path, *, genes: Sequence[str] | None = None, dpi: int = 150
) -> None:
    """Draw marker genes by cluster, before and after: size is a fraction of cells, colour a mean.

    See `genes_figure` for the parameters.
    """
    groupings = {}
    for title, side in zip(side_names(results.params), SIDES, strict=True):
        codes = results.clusters(side)
        if codes is None:
            raise UnfinishedRun("draw")
        groupings[short_name(title)] = np.asarray(codes)
    save(draw_dots(expression_of(results, genes), groupings), path, dpi=dpi)


def expression_of(
    results: RunResults, genes: Sequence[str] | None = None
) -> dict[str, npt.NDArray[np.float32]]:
    """Return log-normalised expression of those genes that the data have, over the prepared cells.

    Parameters
    ----------
    genes
        Symbols; by default textbook markers of blood cells, and where the data have none of these,
        the best marker of each cluster after correction.

    Returns
    -------
    Values of the cells by gene symbol.

    Raises
    ------
    ExportError
        If there are none.
    """
    symbols = results.dataset.symbols.tolist()
    wanted = [g for group in PANEL.values() for g in group] if genes is None else genes
    positions, _ = find_genes(wanted, symbols)
    if genes is None and not positions:
        best = [m.symbols[0] for m in results.markers("after") or () if m.symbols]
        positions, _ = find_genes(best[:_MOST_GENES], symbols)
    values = {symbol: results.gene(position) for symbol, position in positions.items()}
    expression = {symbol: v for symbol, v in values.items() if v is not None}
    if not expression:
        raise ExportError(f"The data have none of these genes: {', '.join(wanted)}.")
    return expression


def _draw_genes(
    expression: Mapping[str, npt.NDArray[np.floating]],
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
) -> Figure:
    from matplotlib.figure import Figure

    per_row = min(_GENES_PER_ROW, len(expression))
    n_rows = -(-len(expression) // per_row)
    figure = Figure(
        figsize=(2 * per_row * _PANEL, n_rows * (_PANEL + 0.3) + 0.3), layout="constrained"
    )
    grid = figure.subplots(n_rows, 2 * per_row, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i, (symbol, values) in enumerate(expression.items()):
        row, column = divmod(i, per_row)
        limit = clip_limit(values)
        order = np.argsort(values, kind="stable")  # cells with most of it on top
        for side, positions in enumerate((before, after)):
            axes = grid[row, 2 * column + side]
            _points(axes, np.asarray(positions)[order], values[order], limit)
            name = short_name(symbol)
            title = f"{name}, before" if side == 0 else f"{name}, after (0 to {limit:.1f})"
            axes.set_title(title, fontsize=8, parse_math=False)
    figure.supxlabel(
        "Log-normalised expression, not corrected; colours end at the 99th percentile.", fontsize=8
    )
    return figure


def _points(
    axes: Axes,
    positions: npt.NDArray[np.floating],
    values: npt.NDArray[np.floating],
    limit: float,
) -> None:
    axes.scatter(
        positions[:, 0],
        positions[:, 1],
        c=values,
        vmin=0,
        vmax=limit,
        cmap=_colormap(),
        s=point_area(len(positions)) / 4,
        linewidths=0,
        rasterized=True,
    )
    axes.set_aspect("equal", adjustable="datalim")


def draw_dots(
    expression: Mapping[str, npt.NDArray[np.floating]],
    groupings: Mapping[str, npt.NDArray[np.integer]],
) -> Figure:
    """Draw marker genes by cluster; see `dots_figure`.

    Parameters
    ----------
    expression
        Log-normalised values over the prepared cells, by gene symbol.
    groupings
        Cluster of each cell, by the title of a panel.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    most = max(int(codes.max()) + 1 for codes in groupings.values())
    width = (0.28 * len(expression) + 0.8) * len(groupings) + 1.8
    figure = Figure(figsize=(width, max(0.28 * most + 1.7, 2.8)), layout="constrained")
    panels = figure.subplots(1, len(groupings), squeeze=False)[0]
    for axes, (title, codes) in zip(panels, groupings.items(), strict=True):
        drawn = _dots(axes, expression, codes)
        axes.set_title(title, fontsize=10, parse_math=False)
        axes.set_ylabel("Cluster")
    bar = figure.colorbar(drawn, ax=panels, shrink=0.5, anchor=(0, 1))
    bar.set_label("Mean, of its highest", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    sizes = [
        Line2D([], [], marker="o", linestyle="", color="grey", markersize=np.sqrt(120 * fraction))
        for fraction in (0.25, 0.5, 1.0)
    ]
    figure.legend(
        sizes,
        ["25 %", "50 %", "100 %"],
        title="Cells with it",
        loc="outside right lower",
        fontsize=8,
        title_fontsize=8,
        frameon=False,
    )
    return figure


def _dots(
    axes: Axes,
    expression: Mapping[str, npt.NDArray[np.floating]],
    codes: npt.NDArray[np.integer],
) -> PathCollection:
    levels = cluster_names(codes)
    table = dots(expression, codes, levels)
    n_genes, n_groups = table.fraction.shape
    gene, group = np.meshgrid(np.arange(n_genes), np.arange(n_groups), indexing="ij")
    drawn = axes.scatter(
        gene.ravel(),
        group.ravel(),
        s=120 * table.fraction.ravel(),
        c=table.relative.ravel(),
        vmin=0,
        vmax=1,
        cmap=_colormap(),
        edgecolors="#999999",
        linewidths=0.3,
    )
    names = [short_name(g) for g in table.genes]
    axes.set_xticks(np.arange(n_genes), names, rotation=90, parse_math=False)
    axes.set_yticks(np.arange(n_groups), levels)
    axes.set_xlim(-0.7, n_genes - 0.3)
    axes.set_ylim(n_groups - 0.3, -0.7)
    axes.tick_params(labelsize=8)
    return drawn


def _colormap() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("expression", EXPRESSION_LIGHT)

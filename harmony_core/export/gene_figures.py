"""Marker genes and convergence on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.errors import ExportError
from harmony_core.export.figures import point_area, save, short_name
from harmony_core.markers import PANEL, find_genes
from harmony_core.palette import AFTER, EXPRESSION_LIGHT
from harmony_core.results import RunResults
from harmony_core.summaries import clip_limit, dots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_PANEL = 2.1
_GENES_PER_ROW = 3
_STOPPED = {
    "converged": "converged",
    "limit": "reached the limit of iterations",
    "rose": "the objective rose",
    "none": "no iteration was asked for",
}


def genes_figure(
    results: RunResults, path: Path, *, genes: Sequence[str] | None = None, dpi: int = 150
) -> None:
    """Draw marker genes on the pictures before and after, beside each other.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    genes
        Symbols, by default those of `harmony_core.markers.PANEL` that the data have.

    Raises
    ------
    ExportError
        If the run is not finished, none of the genes is known, or the file can't be written.
    """
    before, after = results.layout("before"), results.layout("after")
    if before is None or after is None:
        raise ExportError("This run is not finished, so there is nothing complete to draw yet.")
    save(_draw_genes(expression_of(results, genes), before, after), path, dpi=dpi)


def dots_figure(
    results: RunResults, path: Path, *, genes: Sequence[str] | None = None, dpi: int = 150
) -> None:
    """Draw marker genes by cluster: size is the share of cells, colour the relative mean.

    See `genes_figure` for the parameters.
    """
    codes = results.clusters("after")
    if codes is None:
        raise ExportError("This run is not finished, so there is nothing complete to draw yet.")
    save(_draw_dots(expression_of(results, genes), np.asarray(codes)), path, dpi=dpi)


def convergence_figure(results: RunResults, path: Path, *, dpi: int = 150) -> None:
    """Draw Harmony's objective per iteration; see `genes_figure` for the parameters."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if results.harmony is None:
        raise ExportError("This run is not finished, so there is nothing complete to draw yet.")
    objective, reason = results.harmony["objective"], results.harmony["stop_reason"]
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(range(len(objective)), objective, marker="o", markersize=4, color=AFTER)
    axes.set_xlabel("Iteration")
    axes.set_ylabel("Objective")
    axes.set_title(f"{len(objective) - 1} iterations, {_STOPPED[reason]}", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path, dpi=dpi)


def expression_of(
    results: RunResults, genes: Sequence[str] | None = None
) -> dict[str, npt.NDArray[np.float32]]:
    """Return log-normalised expression of the wanted genes that the data have, by symbol.

    Raises
    ------
    ExportError
        If there are none.
    """
    wanted = [g for group in PANEL.values() for g in group] if genes is None else genes
    found, _ = find_genes(wanted, results.dataset.symbols.tolist())
    values = {symbol: results.gene(position) for symbol, position in found.items()}
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


def _draw_dots(
    expression: Mapping[str, npt.NDArray[np.floating]], codes: npt.NDArray[np.integer]
) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    levels = tuple(str(i) for i in range(int(codes.max()) + 1))
    table = dots(expression, codes, levels)
    n_genes, n_groups = table.share.shape
    width, height = 0.28 * n_genes + 2.6, max(0.28 * n_groups + 1.4, 2.8)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    gene, group = np.meshgrid(np.arange(n_genes), np.arange(n_groups), indexing="ij")
    drawn = axes.scatter(
        gene.ravel(),
        group.ravel(),
        s=120 * table.share.ravel(),
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
    axes.set_ylabel("Cluster")
    axes.tick_params(labelsize=8)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.5, anchor=(0, 1))
    bar.set_label("Mean, of its highest", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    sizes = [
        Line2D([], [], marker="o", linestyle="", color="grey", markersize=np.sqrt(120 * share))
        for share in (0.25, 0.5, 1.0)
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


def _colormap() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("expression", EXPRESSION_LIGHT)

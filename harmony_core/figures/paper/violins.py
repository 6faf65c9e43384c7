"""Distributions of marker genes on paper: a row a gene, a violin for each batch of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.categories import Factor
from harmony_core.errors import UnfinishedRun
from harmony_core.figures.paper.genes import expression_of
from harmony_core.figures.paper.layouts import draw_legend, save, short_name, short_names
from harmony_core.figures.summary import (
    MOST_IN_VIOLIN,
    largest_levels,
    sampled_cells,
    violin_bandwidth,
)
from harmony_core.palette import colors_for
from harmony_core.runs.results import RunResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BATCHES = 12
_HEIGHTS = 60
"""At how many values of expression a violin's width is computed."""
_BETWEEN = 0.2
"""Fraction of a cluster's place that stays free beside its violins."""


def violins_figure(
    results: RunResults, path: Path, *, genes: Sequence[str] | None = None, dpi: int = 150
) -> None:
    """Draw how marker genes are distributed in each cluster, one violin a batch.

    Clusters are those of the corrected cells, batches those of the first batch variable. Of very
    many batches the largest are drawn, and the legend says so.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    genes
        Symbols; see `harmony_core.figures.paper.genes.expression_of`.
    dpi
        Dots per inch.

    Raises
    ------
    ExportError
        If the run is not finished, none of the genes is known, or the file can't be written.
    """
    save(draw_violins(results, expression_of(results, genes)), path, dpi=dpi)


def draw_violins(results: RunResults, expression: Mapping[str, npt.NDArray[np.floating]]) -> Figure:
    """Draw the violins; see `violins_figure`.

    Parameters
    ----------
    results
        A finished run.
    expression
        Log-normalised values over the prepared cells, by gene symbol.
    """
    from matplotlib.figure import Figure

    clusters, obs = results.clusters("after"), results.obs
    if clusters is None or obs is None:
        raise UnfinishedRun("draw")
    variable = results.params.harmony.batch[0]
    batch = Factor.of(variable, obs[variable])
    batches, levels = batch.codes, batch.levels
    sizes = np.bincount(batches[batches >= 0], minlength=len(levels))
    drawn = largest_levels(sizes, _MOST_BATCHES)
    colors = [list(colors_for(levels).values())[b] for b in drawn]
    n_clusters = int(clusters.max()) + 1
    places = [
        np.flatnonzero((np.asarray(clusters) == c) & (batches == b))
        for c in range(n_clusters)
        for b in drawn
    ]
    width = float(np.clip(0.16 * len(places) + 2, 6, 16))
    height = 1.1 * len(expression) + 1.2
    figure = Figure(figsize=(width, height), layout="constrained")
    rows = figure.subplots(len(expression), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (symbol, values) in zip(rows, expression.items(), strict=True):
        _violins(axes, values, places, colors)
        axes.set_ylabel(short_name(symbol), fontsize=8, parse_math=False)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    rows[-1].set_xticks(np.arange(n_clusters), [str(c) for c in range(n_clusters)])
    rows[-1].set_xlim(-0.5, n_clusters - 0.5)
    rows[-1].set_xlabel("Cluster")
    figure.align_ylabels(rows)
    figure.supylabel("Log-normalised expression, not corrected", fontsize=8)
    names = short_names([levels[b] for b in drawn])
    if len(levels) > len(drawn):
        names.append(f"and {len(levels) - len(drawn):,} more, not drawn")
    _legend(figure, names, [*colors, "none"], width)
    return figure


def _legend(figure: Figure, names: Sequence[str], colors: Sequence[str], width: float) -> None:
    from matplotlib.patches import Patch

    draw_legend(
        figure,
        [Patch(color=color) for color in colors[: len(names)]],
        names,
        loc="outside upper center",
        ncols=max(1, int(width // (0.065 * max(map(len, names)) + 0.7))),
    )


def _violins(
    axes: Axes,
    values: npt.NDArray[np.floating],
    places: Sequence[npt.NDArray[np.intp]],
    colors: Sequence[str],
) -> None:
    """Draw one gene: cells of each batch of each cluster, clusters one after another."""
    highest = float(np.max(values, initial=0.0))
    bandwidth = violin_bandwidth(highest)
    across = (1 - _BETWEEN) / len(colors)
    for i, cells in enumerate(places):
        if len(cells) == 0:
            continue
        cluster, batch = divmod(i, len(colors))
        center = cluster - (1 - _BETWEEN) / 2 + across * (batch + 0.5)
        sample = np.asarray(values, dtype=np.float64)[
            cells[sampled_cells(len(cells), MOST_IN_VIOLIN)]
        ]
        heights = np.linspace(sample.min(), sample.max(), _HEIGHTS)
        density = np.exp(-0.5 * ((heights[:, None] - sample) / bandwidth) ** 2).mean(axis=1)
        half = across / 2 * density / density.max()
        axes.fill_betweenx(
            heights,
            center - half,
            center + half,
            facecolor=colors[batch],
            linewidth=0.3,
            edgecolor="#555555",
        )
        mean = float(sample.mean())
        axes.plot([center - across / 2, center + across / 2], [mean, mean], color="black", lw=0.8)
    axes.set_ylim(0, max(1.05 * highest, 1.0))

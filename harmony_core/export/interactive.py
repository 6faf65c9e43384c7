"""A run as one web page with figures to zoom and to filter, which needs no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from markupsafe import Markup

from harmony_core.categories import Factor
from harmony_core.errors import ExportError, UnfinishedRun
from harmony_core.export.rendering import render
from harmony_core.figures.paper.genes import expression_of
from harmony_core.figures.screen.convergence import convergence_curve
from harmony_core.figures.screen.genes import gene_dots, gene_grid, violins_by_batch
from harmony_core.figures.screen.heatmaps import soft_cluster_heatmap
from harmony_core.figures.screen.layouts import before_after
from harmony_core.figures.summary import cluster_names
from harmony_core.io.writing import write_text_whole
from harmony_core.palette import CATEGORICAL
from harmony_core.runs.history import side_names
from harmony_core.runs.plan import SIDES, Side
from harmony_core.runs.results import RunResults


def write_interactive(results: RunResults, path: Path) -> None:
    """Write the run's figures as one HTML file, plotly.js included (5 MB).

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted.

    Raises
    ------
    ExportError
        If the run is not finished, or the file can't be written.
    """
    # Plotly.js itself comes with the first figure.
    figures = [
        (
            title,
            Markup(figure.to_html(full_html=False, include_plotlyjs=i == 0, include_mathjax=False)),
        )
        for i, (title, figure) in enumerate(_figures(results))
    ]
    page = render("interactive.html", title=f"Harmony: {results.dataset.name}", figures=figures)
    write_text_whole(Path(path), page)


def _figures(results: RunResults) -> list[tuple[str, go.Figure]]:
    before, after, obs = results.layout("before"), results.layout("after"), results.obs
    if before is None or after is None or obs is None or not results.is_finished:
        raise UnfinishedRun("draw")
    p, sides = results.params, side_names(results.params)
    figures = []
    for column in [*p.harmony.batch, *([p.label] if p.label else [])]:
        groups = Factor.of(column, obs[column])
        figure = before_after(before, after, groups.codes, groups.levels, title=column, sides=sides)
        figures.append((f"By {column}", figure))
    by_cluster = before_after(
        before, after, *_clusters(results, "after"), title="cluster", sides=sides
    )
    figures.append((f"By cluster, {sides[1]}", by_cluster))
    try:
        expression = expression_of(results)
    except ExportError:  # no expression
        expression = {}
    if expression:
        figures.append(("Marker genes", gene_grid(expression, before, after)))
        figures += _by_cluster(results, expression)
    return figures + _harmony_figures(results)


def _by_cluster(
    results: RunResults, expression: dict[str, npt.NDArray[np.float32]]
) -> list[tuple[str, go.Figure]]:
    figures = []
    for side, when in zip(SIDES, side_names(results.params), strict=True):
        codes, names = _clusters(results, side)
        figure = gene_dots(expression, codes, names)
        figures.append((f"Marker genes by cluster, {when}", figure))
    assert results.obs is not None  # as the layouts before these
    variable = results.params.harmony.batch[0]
    batches = Factor.of(variable, results.obs[variable])
    # Where colours repeat, nobody could tell the violins apart.
    if len(batches.levels) > len(CATEGORICAL):
        return figures
    codes, names = _clusters(results, "after")
    for symbol, values in expression.items():
        violins = violins_by_batch(
            values, codes, names, batches.codes, batches.levels, title=f"{symbol} by cluster"
        )
        figures.append((f"{symbol} by {variable}", violins))
    return figures


def _harmony_figures(results: RunResults) -> list[tuple[str, go.Figure]]:
    harmony, stage = results.harmony, results.stage("soft_clusters")
    if harmony is None or stage is None:
        return []
    figures = [("Convergence", convergence_curve(harmony["objective"], harmony["stop_reason"]))]
    for i, variable in enumerate(results.params.harmony.batch):
        observed, expected = (
            np.asarray(stage.arrays[f"{of}_{i}"]) for of in ("observed", "expected")
        )
        heatmap = soft_cluster_heatmap(observed, expected, harmony["levels"][i])
        figures.append((f"Soft clusters by {variable}", heatmap))
    return figures


def _clusters(results: RunResults, side: Side) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    codes = np.asarray(results.clusters(side))
    return codes, cluster_names(codes)

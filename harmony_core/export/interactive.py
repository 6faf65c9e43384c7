"""A run as one web page with pictures to zoom and to filter, which needs no network."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from harmony_core import figure_genes, figures
from harmony_core.errors import ExportError
from harmony_core.export.files import written_whole
from harmony_core.export.gene_figures import expression_of
from harmony_core.results import RunResults
from harmony_core.runs import side_names
from harmony_core.summaries import level_codes

_STYLE = "body{font-family:system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem}"


def write_interactive(results: RunResults, path: Path) -> None:
    """Write the run's pictures as one HTML file, plotly.js included (5 MB).

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
    parts = [
        f"<h2>{html.escape(title)}</h2>"
        # Plotly.js itself comes with the first one.
        + figure.to_html(full_html=False, include_plotlyjs=i == 0, include_mathjax=False)
        for i, (title, figure) in enumerate(_pictures(results))
    ]
    name = html.escape(results.dataset.name)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Harmony: {name}</title><style>{_STYLE}</style></head>"
        f"<body><h1>Harmony: {name}</h1>{''.join(parts)}</body></html>"
    )
    with written_whole(Path(path), needs=len(page)) as temporary:
        temporary.write_text(page, "utf-8")


def _pictures(results: RunResults) -> list[tuple[str, go.Figure]]:
    before, after = results.layout("before"), results.layout("after")
    clusters, obs = results.clusters("after"), results.obs
    if before is None or after is None or clusters is None or obs is None:
        raise ExportError("This run is not finished, so there is nothing complete to draw yet.")
    p, sides = results.params, side_names(results.params)
    made = []
    for column in [*p.harmony.batch, *([p.label] if p.label else [])]:
        codes, levels = level_codes(obs[column])
        figure = figures.before_after(before, after, codes, levels, title=column, sides=sides)
        made.append((f"By {column}", figure))
    numbers = tuple(str(i) for i in range(int(clusters.max()) + 1))
    by_cluster = figures.before_after(
        before, after, np.asarray(clusters), numbers, title="cluster", sides=sides
    )
    made.append((f"By cluster, {sides[1]}", by_cluster))
    try:
        expression = expression_of(results)
    except ExportError:  # another tissue, or no expression
        expression = {}
    if expression:
        made.append(("Marker genes", figure_genes.gene_grid(expression, before, after)))
        made.append(
            ("Marker genes by cluster", figure_genes.gene_dots(expression, clusters, numbers))
        )
    harmony = results.harmony
    if harmony is not None:
        convergence = figures.convergence(harmony["objective"], harmony["stop_reason"])
        made.append(("Convergence", convergence))
    return made

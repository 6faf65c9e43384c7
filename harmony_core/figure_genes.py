"""Figures of genes by group and batch, and of several runs at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harmony_core.figures import MOST_POINTS, dressed, shown_name
from harmony_core.palette import MISSING, colors_for
from harmony_core.summaries import sampled_cells

MOST_IN_VIOLIN = 500
"""Cells that one violin's shape is estimated from; of more a random sample is taken."""


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
    # One bandwidth for all: its own would make a violin of mostly zeros a spike beside the others.
    highest = float(np.max(values, initial=0.0))
    bandwidth = max(highest / 20, 0.05)
    figure = go.Figure()
    for batch, color in enumerate(colors_for(batch_levels).values()):
        cells = [np.flatnonzero((codes == g) & (batches == batch)) for g in range(len(levels))]
        cells = [c[sampled_cells(len(c), MOST_IN_VIOLIN)] for c in cells]
        groups = np.repeat(np.arange(len(levels)), [len(c) for c in cells])
        names = [shown_name(level) for level in levels]
        figure.add_trace(
            go.Violin(
                x=[names[g] for g in groups],
                y=np.asarray(values)[np.concatenate(cells)].astype(np.float32),
                name=shown_name(batch_levels[batch]),
                line={"color": color, "width": 1.2},
                points=False,
                spanmode="hard",
                bandwidth=bandwidth,
                meanline={"visible": True},
                hoveron="violins",
            )
        )
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=[shown_name(n) for n in levels]
    )
    # A violin of equal values would reach below zero, where no expression is.
    figure.update_yaxes(title="Expression", range=[0, max(1.05 * highest, 1.0)])
    figure.update_layout(
        violinmode="group",
        title=shown_name(title),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return dressed(figure, height=340)


def small_multiples(
    pictures: Mapping[str, npt.NDArray[np.floating]],
    codes: npt.NDArray[np.integer],
    levels: tuple[str, ...],
    *,
    per_row: int = 4,
) -> go.Figure:
    """Draw several pictures of the same cells in the same colours.

    Parameters
    ----------
    pictures
        Positions (cells × 2) by title.
    codes
        Group of each cell as an index into ``levels``; negative where it has none.
    """
    rows = -(-len(pictures) // per_row)
    titles = [shown_name(title) for title in pictures]
    figure = make_subplots(
        rows, per_row, subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.25 / rows
    )
    palette = np.array([*colors_for(levels).values(), MISSING])
    for i, positions in enumerate(pictures.values()):
        drawn = sampled_cells(len(positions), MOST_POINTS // 2)
        drawn = np.random.default_rng(0).permutation(drawn)  # so that no group hides another
        figure.add_trace(
            go.Scattergl(
                x=np.asarray(positions)[drawn, 0].astype(np.float32),
                y=np.asarray(positions)[drawn, 1].astype(np.float32),
                mode="markers",
                showlegend=False,
                hoverinfo="skip",
                marker={"size": 2.5, "color": palette[np.asarray(codes)[drawn]].tolist()},
            ),
            row=i // per_row + 1,
            col=i % per_row + 1,
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_annotations(font_size=12)
    return dressed(figure, height=50 + 190 * rows)

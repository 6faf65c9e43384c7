"""Harmony's convergence on paper: its objective, and its soft clusters by batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.counting import counted
from harmony_core.errors import UnfinishedRun
from harmony_core.figures.paper.layouts import save, short_name, short_names
from harmony_core.figures.summary import MOST_LOG2, STOP_REASONS, largest_levels, log2_of_even
from harmony_core.palette import AFTER, DIVERGING
from harmony_core.runs.results import RunResults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_MOST_BATCHES = 60


def convergence_figure(results: RunResults, path: Path, *, dpi: int = 150) -> None:
    """Draw Harmony's objective per iteration.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    dpi
        Dots per inch.

    Raises
    ------
    ExportError
        If Harmony was not run, or the file can't be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if results.harmony is None:
        raise UnfinishedRun("draw")
    objective, reason = results.harmony["objective"], results.harmony["stop_reason"]
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(range(len(objective)), objective, marker="o", markersize=4, color=AFTER)
    axes.set_xlabel("Iteration")
    axes.set_ylabel("Objective")
    iterations = counted(len(objective) - 1, "iteration")
    axes.set_title(f"{iterations}, {STOP_REASONS[reason]}", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path, dpi=dpi)


def soft_clusters_figure(results: RunResults, path: Path, *, dpi: int = 150) -> None:
    """Draw the cells of each batch in each soft cluster, relative to an even distribution.

    One map for each batch variable; see `convergence_figure` for the parameters. Of very many
    batches the largest are drawn, and the figure says so.
    """
    save(draw_soft_clusters(results), path, dpi=dpi)


def draw_soft_clusters(results: RunResults) -> Figure:
    """Draw the maps; see `soft_clusters_figure`."""
    from matplotlib.figure import Figure

    stage, harmony = results.stage("soft_clusters"), results.harmony
    if stage is None or harmony is None:
        raise UnfinishedRun("draw")
    variables, levels = results.params.harmony.batch, harmony["levels"]
    rows = [min(len(names), _MOST_BATCHES) for names in levels]
    height = max(sum(0.22 * n + 0.9 for n in rows) + 0.2, 2.4)
    figure = Figure(figsize=(7.5, height), layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=[n + 4 for n in rows])
    for i, (axes, variable) in enumerate(zip(panels[:, 0], variables, strict=True)):
        observed, expected = (
            np.asarray(stage.arrays[f"{of}_{i}"]) for of in ("observed", "expected")
        )
        drawn = _soft_clusters(axes, observed, expected, levels[i])
        more = len(levels[i]) - rows[i]
        title = (
            f"{short_name(variable)} (and {more:,} more, not drawn)"
            if more
            else short_name(variable)
        )
        axes.set_title(title, fontsize=10, parse_math=False)
    panels[-1, 0].set_xlabel("Soft cluster, largest first")
    bar = figure.colorbar(drawn, ax=panels[:, 0], shrink=0.7)
    bar.set_ticks([-MOST_LOG2, 0, MOST_LOG2], labels=["⅛", "1", "8"])
    bar.set_label("Cells, of an even share", fontsize=8)
    return figure


def _soft_clusters(
    axes: Axes,
    observed: npt.NDArray[np.floating],
    expected: npt.NDArray[np.floating],
    levels: Sequence[str],
) -> QuadMesh:
    from matplotlib.colors import LinearSegmentedColormap

    by_size = np.argsort(-observed.sum(axis=1), kind="stable")
    largest = largest_levels(observed.sum(axis=0), _MOST_BATCHES)
    ratio = log2_of_even(observed, expected)[by_size][:, largest].T
    colors = LinearSegmentedColormap.from_list("even", DIVERGING)
    # Squares, not an image, so that they stay sharp in SVG and PDF.
    drawn = axes.pcolormesh(ratio, cmap=colors, vmin=-MOST_LOG2, vmax=MOST_LOG2)
    names = short_names([levels[b] for b in largest])
    axes.set_yticks(np.arange(len(names)) + 0.5, names, parse_math=False)
    n_clusters = ratio.shape[1]
    ticks = np.arange(0, n_clusters, max(1, n_clusters // 10))
    axes.set_xticks(ticks + 0.5, [str(tick + 1) for tick in ticks])
    axes.tick_params(labelsize=8)
    axes.invert_yaxis()
    return drawn

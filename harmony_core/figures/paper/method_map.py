"""The map of methods on paper: mixing against what it cost a state."""

from __future__ import annotations

from pathlib import Path

from harmony_core.figures.method_points import MethodPoint, most_lost, places_of_names
from harmony_core.figures.paper.layouts import save, short_name
from harmony_core.palette import colors_for

_HEIGHTS = {"above": (5, "bottom"), "beside": (0, "center"), "below": (-5, "top")}
"""Offset of a name from its point, and which of its sides is there."""


def method_map_figure(points: tuple[MethodPoint, ...], path: Path, *, dpi: int = 150) -> None:
    """Draw runs by how well they mix and what that cost their worst state.

    Parameters
    ----------
    points
        The runs, coloured by method; crosses are runs at which a state pays.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    dpi
        Dots per inch.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    colors = colors_for(list(dict.fromkeys(point.method for point in points)))
    for point in points:
        is_open = point.by_construction and not point.costly
        axes.scatter(
            point.loss,
            point.mixing,
            s=70 if point.best else 30,
            marker="x" if point.costly else "o",
            facecolors="none" if is_open else colors[point.method],
            edgecolors=colors[point.method] if is_open else None,
            alpha=1.0 if point.best else 0.6,
            clip_on=False,
        )
    for point, (height, side) in places_of_names(points).items():
        up, vertical = _HEIGHTS[height]
        axes.annotate(
            short_name(point.name),
            (point.loss, point.mixing),
            xytext=(7 if side == "right" else -7, up),
            textcoords="offset points",
            ha="left" if side == "right" else "right",
            va=vertical,
            fontsize=8,
            parse_math=False,
        )
    axes.set_xlim(-0.02 * most_lost(points), most_lost(points))
    axes.set_ylim(0, 1.03)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("Neighbours lost by the worst state (less is better)")
    axes.set_ylabel("Mixing of what mixes least (more is better)")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path, dpi=dpi)

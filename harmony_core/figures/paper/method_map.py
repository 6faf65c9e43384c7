"""The map of methods on paper: mixing against what it cost a state."""

from __future__ import annotations

from pathlib import Path

from harmony_core.figures.method_points import MethodPoint, named_points
from harmony_core.figures.paper.layouts import save, short_name
from harmony_core.palette import colors_for


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
        axes.scatter(
            point.loss,
            point.mixing,
            s=70 if point.best else 30,
            marker="x" if point.costly else "o",
            color=colors[point.method],
            alpha=1.0 if point.best else 0.6,
            clip_on=False,
        )
    for point in named_points(points):
        axes.annotate(
            short_name(point.name),
            (point.loss, point.mixing),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            parse_math=False,
        )
    axes.set_xlim(0, max([0.1, *(1.3 * point.loss for point in points)]))
    axes.set_ylim(0, 1.03)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("Neighbours lost by the worst state (less is better)")
    axes.set_ylabel("Mixing of what mixes least (more is better)")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path, dpi=dpi)

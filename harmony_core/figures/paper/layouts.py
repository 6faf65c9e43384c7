"""Figures on paper: matplotlib draws what the screen shows, in the same colours.

Every figure is made without pyplot, so that nothing global is touched.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harmony_core.categories import Factor
from harmony_core.errors import ExportError, UnfinishedRun
from harmony_core.figures.summary import cluster_names
from harmony_core.io.writing import written_whole
from harmony_core.palette import MISSING, colors_for
from harmony_core.runs.history import side_names
from harmony_core.runs.plan import SIDES, Side
from harmony_core.runs.results import RunResults

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EVALUATION_NAME = "harmony_batch_evaluation.png"

_PANEL = 4.6
"""Width and height of one panel in inches."""
_LINE = 0.145
"""Height of one line of a legend in inches."""
_CHARACTER = 0.065
"""Width of a character of a legend in inches."""
_LONGEST_NAME = 28
_MOST_NAMES = 60


@dataclass(frozen=True)
class Colouring:
    """What colours the cells of a panel.

    Attributes
    ----------
    title
        Name of the column.
    codes
        Level of each cell; negative where it has none.
    levels
        Names of the levels.
    """

    title: str
    codes: npt.NDArray[np.integer]
    levels: tuple[str, ...]

    @property
    def colors(self) -> list[str]:
        return list(colors_for(self.levels).values())


Panel = tuple[str, npt.NDArray[np.floating], Colouring]
"""Title, positions (cells × 2) and colouring of a layout."""


def evaluation_figure(
    results: RunResults, path: Path, *, dpi: int = 150, batch: str | None = None
) -> None:
    """Draw the three-panel evaluation: corrected by batch, by cluster, and uncorrected by batch.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    dpi
        Dots per inch; in SVG and PDF of the points only, as text stays text.
    batch
        Batch variable, by default the run's first.

    Raises
    ------
    ExportError
        If the run is not finished, or the file can't be written.
    """
    name = batch or results.params.harmony.batch[0]
    panels: list[tuple[Side, str | None]] = [("after", name), ("after", None), ("before", name)]
    save(draw([_panel(results, side, column) for side, column in panels]), path, dpi=dpi)


def pair_figure(
    results: RunResults, path: Path, *, column: str | None = None, dpi: int = 150
) -> None:
    """Draw the layouts before and after, coloured by the same column of obs, or by cluster.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted; its ending chooses PNG, SVG or PDF.
    column
        Column of obs; without one, each side is coloured by its own clusters.

    Raises
    ------
    ExportError
        If the run is not finished, has no such column, or the file can't be written.
    """
    save(draw([_panel(results, side, column) for side in SIDES]), path, dpi=dpi)


def two_runs_figure(
    first: RunResults,
    second: RunResults,
    path: Path,
    *,
    names: tuple[str, str] = ("First run", "Second run"),
    column: str | None = None,
    dpi: int = 150,
) -> None:
    """Draw the corrected layouts of two runs beside each other; see `pair_figure`.

    Parameters
    ----------
    names
        What the runs are called in the titles.
    column
        Column of obs, by default the first batch variable of the first run.
    """
    by = column or first.params.harmony.batch[0]
    panels = []
    for name, results in zip(names, (first, second), strict=True):
        _, positions, colouring = _panel(results, "after", by)
        panels.append((f"{short_name(name)}, by {short_name(by)}", positions, colouring))
    save(draw(panels), path, dpi=dpi)


def _panel(results: RunResults, side: Side, column: str | None) -> Panel:
    positions, clusters, obs = results.layout(side), results.clusters(side), results.obs
    if positions is None or clusters is None or obs is None:
        raise UnfinishedRun("draw")
    when = short_name(side_names(results.params)[SIDES.index(side)])
    if column is None:
        colouring = Colouring("cluster", np.asarray(clusters), cluster_names(clusters))
        return f"{when}, by cluster", positions, colouring
    if column not in obs:
        raise ExportError(f"The data have no column {column!r} to colour by.")
    groups = Factor.of(column, obs[column])
    colouring = Colouring(column, groups.codes, groups.levels)
    return f"{when}, by {short_name(column)}", positions, colouring


def draw(panels: Sequence[Panel]) -> Figure:
    """Draw layouts side by side, each with its legend below it.

    Parameters
    ----------
    panels
        One for each layout.
    """
    from matplotlib.figure import Figure

    legends = [_legend_shape(colouring) for _, _, colouring in panels]
    legend_height = max(rows for rows, _ in legends) * _LINE + 0.3
    title_height = 0.4
    width, height = _PANEL * len(panels), title_height + _PANEL + legend_height
    figure = Figure(figsize=(width, height))
    for i, ((title, positions, colouring), (_, columns)) in enumerate(
        zip(panels, legends, strict=True)
    ):
        left = (i + 0.03) / len(panels)
        across = 0.94 / len(panels)
        axes = figure.add_axes((left, legend_height / height, across, _PANEL / height))
        _scatter(axes, positions, colouring)
        axes.set_title(title, fontsize=11, parse_math=False)
        _legend(figure, colouring, columns, (left + across / 2, legend_height / height))
    return figure


def save(figure: Figure, path: Path, *, dpi: int = 150) -> None:
    """Write a figure as PNG, SVG or PDF, by the ending of the path.

    Raises
    ------
    ExportError
        If the ending is another, or the file can't be written.
    """
    from matplotlib import rc_context

    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise ExportError(f"{path.name!r} must end in .png, .svg or .pdf.")
    # The same run gives the same bytes, and text stays text that can be searched and edited.
    settings = {"svg.fonttype": "none", "svg.hashsalt": "harmony-explorer", "pdf.fonttype": 42}
    plain: dict[str, Any] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": "Harmony Explorer"},
        "pdf": {"CreationDate": None, "Creator": "Harmony Explorer"},
    }
    drawn = io.BytesIO()
    with rc_context(settings), warnings.catch_warnings():
        # A name may be in letters that the font lacks; they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(drawn, format=kind, dpi=dpi, metadata=plain[kind], facecolor="white")
    with written_whole(path, needs=drawn.tell()) as temporary:
        temporary.write_bytes(drawn.getbuffer())


def _scatter(axes: Axes, positions: npt.NDArray[np.floating], colouring: Colouring) -> None:
    from matplotlib.colors import to_rgba_array

    # In random order, so that no batch hides another.
    order = np.random.default_rng(0).permutation(len(positions))
    palette = to_rgba_array([*colouring.colors, MISSING])
    axes.scatter(
        positions[order, 0],
        positions[order, 1],
        c=palette[np.asarray(colouring.codes)[order]],
        s=point_area(len(positions)),
        linewidths=0,
        rasterized=True,
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_color("#bbbbbb")


def point_area(n_cells: int) -> float:
    """Return the area of a point in square points; smaller where there are many."""
    return float(np.clip(30_000 / max(n_cells, 1), 0.4, 12))


def _legend(
    figure: Figure, colouring: Colouring, columns: int, top_center: tuple[float, float]
) -> None:
    from matplotlib.lines import Line2D

    names, colors = _names(colouring), colouring.colors[:_MOST_NAMES]
    if len(colouring.levels) > _MOST_NAMES:
        colors[-1] = "none"  # beside "and … more"
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=5, color=color) for color in colors
    ]
    draw_legend(
        figure,
        handles,
        names,
        loc="upper center",
        bbox_to_anchor=top_center,
        ncols=columns,
        handletextpad=0.1,
        columnspacing=0.8,
        labelspacing=0.25,
    )


def draw_legend(
    figure: Figure, handles: Sequence[Artist], names: Sequence[str], **placement: Any
) -> None:
    """Draw a legend with names from a file: in small letters, and never taken for formulas.

    Parameters
    ----------
    handles, names
        Marks, and what stands beside each.
    placement
        As ``Figure.legend`` takes it.
    """
    # The legend itself would skip a name that starts with "_", so the names are set afterwards.
    numbers = [str(i) for i in range(len(names))]
    legend = figure.legend(handles, numbers, fontsize=8, frameon=False, **placement)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def _legend_shape(colouring: Colouring) -> tuple[int, int]:
    """Return rows and columns of a legend that is no wider than its panel."""
    names = _names(colouring)
    widest = max(len(name) for name in names) * _CHARACTER + 0.3
    columns = int(np.clip(_PANEL * 0.94 // widest, 1, len(names)))
    return -(-len(names) // columns), columns


def _names(colouring: Colouring) -> list[str]:
    names = short_names(colouring.levels)
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"and {len(names) - _MOST_NAMES + 1:,} more"]
    return names


def short_name(name: str) -> str:
    """Return a name from a file on one line, and not endless."""
    text = _on_one_line(name)
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def short_names(names: Sequence[str]) -> list[str]:
    """Return names as `short_name` does, but so that they still differ where they did.

    Examples
    --------
    >>> hospital = "University Hospital of Springfield"
    >>> short_names([f"{hospital}, ward 1", f"{hospital}, ward 2"])
    ['…ward 1', '…ward 2']
    """
    lines = [_on_one_line(name) for name in names]
    short = [short_name(name) for name in lines]
    if len(set(short)) == len(set(lines)):
        return short
    # They differ after the words that they start with, or else at their end.
    words = [name.split(" ") for name in lines if len(name) > _LONGEST_NAME]
    shared = sum(1 for _ in takewhile(lambda each: len(set(each)) == 1, zip(*words, strict=False)))
    # The last of the shared words stays, for its sense.
    start = len(" ".join([*words[0][: max(shared - 1, 0)], ""]))
    short = [
        short_name(("…" if start else "") + name[start:]) if len(name) > _LONGEST_NAME else name
        for name in lines
    ]
    if len(set(short)) == len(set(lines)):
        return short
    ending = 2 * _LONGEST_NAME // 3
    beginning = _LONGEST_NAME - ending - 1
    return [
        name if len(name) <= _LONGEST_NAME else f"{name[:beginning]}…{name[-ending:]}"
        for name in lines
    ]


def _on_one_line(name: str) -> str:
    return " ".join(name.split()) or "(empty)"

"""Every figure of a run into one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harmony_core.errors import ExportError, ParameterError
from harmony_core.export.interactive import write_interactive
from harmony_core.figures.paper.genes import dots_figure, expression_of, genes_figure
from harmony_core.figures.paper.harmony import convergence_figure, soft_clusters_figure
from harmony_core.figures.paper.layouts import evaluation_figure, pair_figure
from harmony_core.figures.paper.violins import violins_figure
from harmony_core.io.writing import made_folder
from harmony_core.runs.results import RunResults

FORMATS = ("png", "svg", "pdf", "html")


def write_figures(
    results: RunResults,
    folder: Path,
    *,
    formats: Sequence[str] = ("png",),
    dpi: int = 150,
    genes: Sequence[str] | None = None,
) -> tuple[Path, ...]:
    """Draw every figure of a run.

    Parameters
    ----------
    results
        A finished run.
    folder
        Where to; it is made if need be.
    formats
        Of `FORMATS`; ``html`` is one page with all of them, to zoom and to filter.
    dpi
        Dots per inch.
    genes
        Symbols of the genes to draw; by default textbook markers of blood cells, or the best of
        each cluster where the data have none of these.

    Returns
    -------
    Paths of the files.

    Raises
    ------
    ParameterError
        If a format is unknown.
    ExportError
        If the run is not finished, the data have none of the genes asked for, or a file can't be
        written.
    """
    unknown = [f for f in formats if f not in FORMATS]
    if unknown:
        raise ParameterError(f"{unknown[0]!r} is no format; available: {', '.join(FORMATS)}.")
    folder = made_folder(Path(folder))
    written: list[Path] = []
    for kind in formats:
        if kind == "html":
            written.append(folder / "harmony_pictures.html")
            write_interactive(results, written[-1])
        else:
            written += _drawn(results, folder, kind, dpi, genes)
    return tuple(written)


def _drawn(
    results: RunResults, folder: Path, kind: str, dpi: int, genes: Sequence[str] | None
) -> list[Path]:
    written: list[Path] = []

    def path(name: str) -> Path:
        written.append(folder / f"{name}.{kind}")
        return written[-1]

    p = results.params
    evaluation_figure(results, path("harmony_batch_evaluation"), dpi=dpi)
    # Names of columns are the user's and may not do as names of files, so they are numbered.
    columns = {f"batch_{i + 1}": name for i, name in enumerate(p.harmony.batch)}
    if p.label is not None:
        columns["label"] = p.label
    for name, column in [*columns.items(), ("cluster", None)]:
        pair_figure(results, path(f"before_after_{name}"), column=column, dpi=dpi)
    if p.by_harmony:
        convergence_figure(results, path("convergence"), dpi=dpi)
        soft_clusters_figure(results, path("soft_clusters"), dpi=dpi)
    try:
        drawable = list(expression_of(results, genes))
    except ExportError:
        if genes is not None:  # asked for; the others are only tried
            raise
        return written
    genes_figure(results, path("genes"), genes=drawable, dpi=dpi)
    dots_figure(results, path("genes_by_cluster"), genes=drawable, dpi=dpi)
    violins_figure(results, path("genes_by_batch"), genes=drawable, dpi=dpi)
    return written

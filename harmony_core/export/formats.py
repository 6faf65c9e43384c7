"""The formats that a run is exported to: the list that a page shows, and how each is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harmony_core.errors import ParameterError
from harmony_core.export import writers
from harmony_core.export.job import OPTIONS, ExportJob

Part = Literal["Data", "Pictures and report", "Run it again"]


@dataclass(frozen=True)
class ExportFormat:
    """A format that a run is exported to.

    Attributes
    ----------
    name
        By which `export_format` finds it.
    part
        Of the page.
    title, what, about
        For the page: a heading, what a button makes, and what it is good for.
    file_name
        Name of the file, with ``{stem}`` where the dataset's name goes, and the name of an option
        in braces where its value goes.
    write
        Writes the file, and returns sentences about anything that was renamed, if there can be any.
    options
        Names of the `OPTIONS` that it has.
    compares
        Whether the file compares the run with other runs.
    needs_other
        Whether it is made of two runs.
    """

    name: str
    part: Part
    title: str
    what: str
    about: str
    file_name: str
    write: Callable[[ExportJob, Path], tuple[str, ...] | None]
    options: tuple[str, ...] = ()
    compares: bool = False
    needs_other: bool = False

    def file_name_for(self, job: ExportJob) -> str:
        """Return the name of the file."""
        return self.file_name.format(stem=job.stem, **{name: job[name] for name in self.options})

    def check_options(self, options: Mapping[str, str | int]) -> None:
        """Raise ParameterError if the format has no such option, or the option no such value."""
        for option, value in options.items():
            values = OPTIONS[option].values if option in self.options else ()
            if value not in values:
                available = ", ".join(map(str, values)) or "none"
                raise ParameterError(
                    f"{option} is {value!r} for {self.name}; available: {available}."
                )


def write_export(name: str, job: ExportJob, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write a run in one format into a folder.

    Returns
    -------
    The file, and sentences about anything that was renamed.

    Raises
    ------
    ParameterError
        If there is no such format, it has no such option, or a second run is missing.
    ExportError
        If the run is not finished, or the file can't be written.
    """
    format = export_format(name)
    format.check_options(job.options)
    if format.needs_other and job.other is None:
        raise ParameterError("Choose two runs for a figure of two runs.")
    path = Path(folder) / format.file_name_for(job)
    return path, format.write(job, path) or ()


def export_format(name: str) -> ExportFormat:
    """Return the format of this name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    for format in EXPORT_FORMATS:
        if format.name == name:
            return format
    available = ", ".join(format.name for format in EXPORT_FORMATS)
    raise ParameterError(f"There is no export {name!r}; available: {available}.")


EXPORT_FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat(
        "h5ad",
        "Data",
        "Corrected data, h5ad",
        "h5ad",
        "Everything the data came with, and the corrected embedding, pictures, clusters, "
        "neighbours, marker genes, doublet scores where there are any, and measures of each cell. "
        "For scanpy, Seurat and cellxgene; opening it here restores the run.",
        "{stem}_harmony.h5ad",
        writers.h5ad,
        ("compression",),
    ),
    ExportFormat(
        "tables",
        "Data",
        "Tables",
        "tables",
        "Corrected embedding, layouts, clusters, measures, metrics, markers, evidence and runs.",
        "{stem}_harmony_tables.zip",
        writers.tables,
        ("table",),
        compares=True,
    ),
    ExportFormat(
        "zarr",
        "Data",
        "Corrected data, zarr",
        "zarr",
        "The same as the h5ad, as a zarr folder in an archive.",
        "{stem}_harmony.zarr.zip",
        writers.zarr,
    ),
    ExportFormat(
        "evaluation",
        "Pictures and report",
        "Evaluation figure",
        "evaluation figure",
        "Corrected by batch, corrected by cluster, uncorrected by batch.",
        "harmony_batch_evaluation.{figure}",
        writers.evaluation,
        ("figure", "dpi"),
    ),
    ExportFormat(
        "report",
        "Pictures and report",
        "Report",
        "report",
        "One page with design, settings, pictures, markers, diagnostics and a methods paragraph. "
        "Needs no network; prints well.",
        "{stem}_harmony_report.html",
        writers.report,
        compares=True,
    ),
    ExportFormat(
        "two_runs",
        "Pictures and report",
        "Two runs",
        "figure of two runs",
        "The corrected pictures of any two kept runs beside each other.",
        "harmony_two_runs.{figure}",
        writers.two_runs,
        ("figure", "dpi"),
        needs_other=True,
    ),
    ExportFormat(
        "figures",
        "Pictures and report",
        "All pictures",
        "all pictures",
        "Every picture for a paper, in one archive; in SVG and PDF, text stays text.",
        "{stem}_harmony_pictures.zip",
        writers.figures,
        ("figure", "dpi"),
    ),
    ExportFormat(
        "interactive",
        "Pictures and report",
        "Interactive pictures",
        "interactive page",
        "One page to zoom and to filter, which needs no network (5 MB and more).",
        "{stem}_harmony_pictures.html",
        writers.interactive,
    ),
    ExportFormat(
        "python",
        "Run it again",
        "Python script",
        "Python script",
        "Repeats the run from your own file with public libraries only, to the last bit.",
        "{stem}_harmony_rerun.py",
        writers.python,
    ),
    ExportFormat(
        "notebook",
        "Run it again",
        "Jupyter notebook",
        "notebook",
        "The same, step by step.",
        "{stem}_harmony_rerun.ipynb",
        writers.notebook,
    ),
    ExportFormat(
        "r",
        "Run it again",
        "R script",
        "R script",
        "Seurat with RunHarmony, reading the corrected h5ad; says where R differs.",
        "{stem}_harmony_seurat.R",
        writers.r,
    ),
    ExportFormat(
        "seurat_integration",
        "Run it again",
        "Seurat's CCA and RPCA",
        "script for CCA and RPCA",
        "R script that corrects the same cells with Seurat instead, from the corrected h5ad. Add "
        "the tables that it writes on the Data page, and both are judged like Harmony.",
        "{stem}_harmony_seurat_cca_rpca.R",
        writers.seurat_integration,
    ),
    ExportFormat(
        "settings",
        "Run it again",
        "Settings",
        "settings",
        "To load here, or for harmony-explorer correct --config.",
        "{stem}_harmony_settings.{settings}",
        writers.settings,
        ("settings",),
    ),
)
"""In the order in which a page shows them, part by part."""

"""What a run can be taken away as: the list that a page shows, and how each is written.

Light on purpose: a page reads the list; what is heavy is imported when something is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harmony_core.errors import ParameterError
from harmony_core.export import writers as forms
from harmony_core.export.job import CHOICES, Request

Part = Literal["Data", "Pictures and report", "Run it again"]


@dataclass(frozen=True)
class Offer:
    """One form of a run.

    Attributes
    ----------
    name
        By which `write_offer` knows it.
    title, what, about
        For the page: a heading, what a button makes, and what it is good for.
    part
        Of the page.
    file_name
        Name of the file, with ``{stem}`` where the dataset's name goes, and the name of a choice
        in braces where its value goes.
    write
        Writes the file, and returns sentences about anything that was renamed.
    choices
        Names of the `CHOICES` that it has.
    compares
        Whether it tells of the other runs too.
    needs_other
        Whether it is made of two runs.
    """

    name: str
    part: Part
    title: str
    what: str
    about: str
    file_name: str
    write: Callable[[Request, Path], tuple[str, ...]]
    choices: tuple[str, ...] = ()
    compares: bool = False
    needs_other: bool = False

    def file_name_for(self, request: Request) -> str:
        """Return the name of the file."""
        chosen = {name: request[name] for name in self.choices}
        return self.file_name.format(stem=request.stem, **chosen)


def write_offer(name: str, request: Request, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write one form of a run into a folder.

    Returns
    -------
    The file, and sentences about anything that was renamed.

    Raises
    ------
    ParameterError
        If there is no such form, it has no such choice, or a second run is missing.
    ExportError
        If the run is not finished, or the file can't be written.
    """
    offer = offer_named(name)
    check_choices(offer, request.chosen)
    if offer.needs_other and request.other is None:
        raise ParameterError("Choose two runs for a figure of two runs.")
    path = Path(folder) / offer.file_name_for(request)
    return path, offer.write(request, path)


def check_choices(offer: Offer, chosen: Mapping[str, str | int]) -> None:
    """Raise ParameterError if a form has no such choice, or the choice no such value."""
    for choice, value in chosen.items():
        values = CHOICES[choice].values if choice in offer.choices else ()
        if value not in values:
            available = ", ".join(map(str, values)) or "none"
            raise ParameterError(f"{choice} is {value!r} for {offer.name}; available: {available}.")


def offer_named(name: str) -> Offer:
    """Return the form of this name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    for offer in OFFERS:
        if offer.name == name:
            return offer
    available = ", ".join(offer.name for offer in OFFERS)
    raise ParameterError(f"There is no export {name!r}; available: {available}.")


OFFERS: tuple[Offer, ...] = (
    Offer(
        "h5ad",
        "Data",
        "Corrected data, h5ad",
        "h5ad",
        "Everything the data came with, and the corrected embedding, pictures, clusters, "
        "neighbours, marker genes and measures of each cell. For scanpy, Seurat and cellxgene; "
        "opening it here restores the run.",
        "{stem}_harmony.h5ad",
        forms.h5ad,
        ("compression",),
    ),
    Offer(
        "tables",
        "Data",
        "Tables",
        "tables",
        "Corrected embedding, layouts, clusters, measures, metrics, markers, evidence and runs.",
        "{stem}_harmony_tables.zip",
        forms.tables,
        ("table",),
        compares=True,
    ),
    Offer(
        "zarr",
        "Data",
        "Corrected data, zarr",
        "zarr",
        "The same as the h5ad, as a zarr folder in an archive.",
        "{stem}_harmony.zarr.zip",
        forms.zarr,
    ),
    Offer(
        "evaluation",
        "Pictures and report",
        "Evaluation figure",
        "evaluation figure",
        "Corrected by batch, corrected by cluster, uncorrected by batch.",
        "harmony_batch_evaluation.{figure}",
        forms.evaluation,
        ("figure", "dpi"),
    ),
    Offer(
        "report",
        "Pictures and report",
        "Report",
        "report",
        "One page with design, settings, pictures, markers, diagnostics and a methods paragraph. "
        "Needs no network; prints well.",
        "{stem}_harmony_report.html",
        forms.report,
        compares=True,
    ),
    Offer(
        "two_runs",
        "Pictures and report",
        "Two runs",
        "figure of two runs",
        "The corrected pictures of any two kept runs beside each other.",
        "harmony_two_runs.{figure}",
        forms.two_runs,
        ("figure", "dpi"),
        needs_other=True,
    ),
    Offer(
        "pictures",
        "Pictures and report",
        "All pictures",
        "all pictures",
        "Every picture for a paper, in one archive; in SVG and PDF, text stays text.",
        "{stem}_harmony_pictures.zip",
        forms.pictures,
        ("figure", "dpi"),
    ),
    Offer(
        "interactive",
        "Pictures and report",
        "Interactive pictures",
        "interactive page",
        "One page to zoom and to filter, which needs no network (5 MB and more).",
        "{stem}_harmony_pictures.html",
        forms.interactive,
    ),
    Offer(
        "python",
        "Run it again",
        "Python script",
        "Python script",
        "Repeats the run from your own file with public libraries only, to the last bit.",
        "{stem}_harmony_rerun.py",
        forms.python,
    ),
    Offer(
        "notebook",
        "Run it again",
        "Jupyter notebook",
        "notebook",
        "The same, step by step.",
        "{stem}_harmony_rerun.ipynb",
        forms.notebook,
    ),
    Offer(
        "r",
        "Run it again",
        "R script",
        "R script",
        "Seurat with RunHarmony, reading the corrected h5ad; says where R differs.",
        "{stem}_harmony_seurat.R",
        forms.r,
    ),
    Offer(
        "settings",
        "Run it again",
        "Settings",
        "settings",
        "To load here, or for harmony-explorer correct --config.",
        "{stem}_harmony_settings.{settings}",
        forms.settings,
        ("settings",),
    ),
)
"""In the order in which a page shows them, part by part."""

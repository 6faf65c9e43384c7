"""What a run can be taken away as: the list that a page shows, and how each is written.

Light on purpose: a page reads the list; what is heavy is imported when something is written.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.errors import ParameterError
from harmony_core.export.files import written_whole

if TYPE_CHECKING:
    from harmony_core.results import RunResults

_LONGEST_STEM = 80


@dataclass(frozen=True)
class Request:
    """What an export is made from.

    Attributes
    ----------
    results
        A finished run.
    runs
        Other judged runs of the same dataset, for the report's comparison.
    input_path
        Where the data came from, if that is known.
    """

    results: RunResults
    runs: Sequence[RunResults] = ()
    input_path: str = ""


@dataclass(frozen=True)
class Offer:
    """One form of a run.

    Attributes
    ----------
    name
        By which `write_offer` knows it.
    title, about
        For the page.
    file_name
        Name of the file, with ``{stem}`` where the dataset's name goes.
    mime
        Media type of the file.
    write
        Writes the file, and returns sentences about anything that was renamed.
    """

    name: str
    title: str
    about: str
    file_name: str
    mime: str
    write: Callable[[Request, Path], tuple[str, ...]]

    def file_name_for(self, dataset: str) -> str:
        """Return the name of the file for a dataset of this name."""
        return self.file_name.format(stem=file_stem(dataset))


def write_offer(name: str, request: Request, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write one form of a run into a folder.

    Returns
    -------
    The file, and sentences about anything that was renamed.

    Raises
    ------
    ParameterError
        If there is no such form.
    ExportError
        If the run is not finished, or the file can't be written.
    """
    offer = next((o for o in OFFERS if o.name == name), None)
    if offer is None:
        available = ", ".join(o.name for o in OFFERS)
        raise ParameterError(f"There is no export {name!r}; available: {available}.")
    path = Path(folder) / offer.file_name_for(request.results.dataset.name)
    return path, offer.write(request, path)


def file_stem(name: str) -> str:
    """Return a name from a user as the start of a file's name: no folders, nothing hidden.

    Examples
    --------
    >>> file_stem("../my data/PBMC 10k.h5ad")
    'PBMC_10k'
    """
    last = re.split(r"[\\/]", name)[-1].removesuffix(".gz")
    stem = last.rpartition(".")[0] or last
    kept = re.sub(r"[^\w.+-]+", "_", stem).strip("._")
    return kept[:_LONGEST_STEM] or "harmony"


def _h5ad(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.h5ad import write_h5ad

    return write_h5ad(request.results, path, input_path=request.input_path)


def _evaluation(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.figures import evaluation_figure

    evaluation_figure(request.results, path)
    return ()


def _report(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.report import write_report

    write_report(request.results, path, runs=request.runs, input_path=request.input_path)
    return ()


def _interactive(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.interactive import write_interactive

    write_interactive(request.results, path)
    return ()


def _pictures(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.pictures import write_pictures

    _zipped(lambda folder: write_pictures(request.results, folder, formats=("png", "pdf")), path)
    return ()


def _tables(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.tables import runs_table, write_table, write_tables

    def write(folder: Path) -> None:
        write_tables(request.results, folder)
        if request.runs:
            write_table(runs_table([request.results, *request.runs]), folder / "runs.csv")

    _zipped(write, path)
    return ()


def _zarr(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.h5ad import write_zarr

    notes: list[str] = []

    def write(folder: Path) -> None:
        stem = file_stem(request.results.dataset.name)
        target = folder / f"{stem}_harmony.zarr"
        notes.extend(write_zarr(request.results, target, input_path=request.input_path))

    _zipped(write, path)
    return tuple(notes)


def _python(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.python_script import write_python_script
    from harmony_core.export.record import record

    write_python_script(record(request.results, input_path=request.input_path), path)
    return ()


def _notebook(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.python_script import write_notebook
    from harmony_core.export.record import record

    write_notebook(record(request.results, input_path=request.input_path), path)
    return ()


def _r(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.r_script import write_r_script
    from harmony_core.export.record import record

    h5ad = OFFERS[0].file_name_for(request.results.dataset.name)
    write_r_script(record(request.results), path, h5ad=h5ad)
    return ()


def _settings(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.settings import write_settings

    write_settings(request.results.params, path)
    return ()


def _zipped(write: Callable[[Path], object], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        write(Path(folder))
        with written_whole(path) as temporary:
            made = shutil.make_archive(str(temporary.with_suffix("")), "zip", folder)
            Path(made).replace(temporary)


OFFERS: tuple[Offer, ...] = (
    Offer(
        "h5ad",
        "Corrected data, h5ad",
        "Everything the data came with, and the corrected embedding, pictures, clusters, "
        "neighbours, marker genes and measures of each cell. For scanpy, Seurat and cellxgene; "
        "opening it here restores the run.",
        "{stem}_harmony.h5ad",
        "application/x-hdf5",
        _h5ad,
    ),
    Offer(
        "evaluation",
        "Evaluation figure",
        "Corrected by batch, corrected by cluster, uncorrected by batch.",
        "harmony_batch_evaluation.png",
        "image/png",
        _evaluation,
    ),
    Offer(
        "report",
        "Report",
        "One page with design, settings, pictures, markers, diagnostics and a methods paragraph. "
        "Needs no network; prints well.",
        "{stem}_harmony_report.html",
        "text/html",
        _report,
    ),
    Offer(
        "pictures",
        "Pictures, PNG and PDF",
        "Every picture for a paper, in one archive; text in the PDFs stays text.",
        "{stem}_harmony_pictures.zip",
        "application/zip",
        _pictures,
    ),
    Offer(
        "interactive",
        "Interactive pictures",
        "One page to zoom and to filter, which needs no network (5 MB and more).",
        "{stem}_harmony_pictures.html",
        "text/html",
        _interactive,
    ),
    Offer(
        "tables",
        "Tables, CSV",
        "Corrected embedding, layouts, clusters, measures, metrics, markers, evidence and runs.",
        "{stem}_harmony_tables.zip",
        "application/zip",
        _tables,
    ),
    Offer(
        "python",
        "Python script",
        "Repeats the run from your own file with public libraries only, to the last bit.",
        "{stem}_harmony_rerun.py",
        "text/x-python",
        _python,
    ),
    Offer(
        "notebook",
        "Jupyter notebook",
        "The same, step by step.",
        "{stem}_harmony_rerun.ipynb",
        "application/x-ipynb+json",
        _notebook,
    ),
    Offer(
        "r",
        "R script",
        "Seurat with RunHarmony, reading the corrected h5ad; says where R differs.",
        "{stem}_harmony_seurat.R",
        "text/plain",
        _r,
    ),
    Offer(
        "settings",
        "Settings",
        "To load here, or for harmony-explorer correct --config.",
        "{stem}_harmony_settings.toml",
        "application/toml",
        _settings,
    ),
    Offer(
        "zarr",
        "Corrected data, zarr",
        "The same as the h5ad, as a zarr folder in an archive.",
        "{stem}_harmony.zarr.zip",
        "application/zip",
        _zarr,
    ),
)
"""In the order in which a page shows them."""

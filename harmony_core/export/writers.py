"""How each export format is written: one function a format, from an export job to a file.

What is heavy is imported when something is written. Where entries of the data may have to be
renamed, a function returns sentences about those that were.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from harmony_core.export.h5ad import write_h5ad, write_zarr
from harmony_core.export.job import ExportJob
from harmony_core.export.record import original_params, original_record, run_record
from harmony_core.export.scripts.seurat import write_r_script
from harmony_core.export.scripts.seurat_integration import write_integration_script
from harmony_core.export.settings import write_settings
from harmony_core.export.source import opened_source
from harmony_core.export.tables import runs_table, write_table, write_tables
from harmony_core.figures.paper.layouts import evaluation_figure, two_runs_figure
from harmony_core.io.writing import in_words, written_whole
from harmony_core.runs.history import differing
from harmony_core.runs.history import in_words as run_in_words


def h5ad(job: ExportJob, path: Path) -> tuple[str, ...]:
    def report(n_bytes: int) -> None:
        job.on_progress(f"Writing the h5ad, {in_words(n_bytes)} so far")

    return write_h5ad(
        job.results,
        path,
        compression=job["compression"],
        input_path=job.input_path,
        on_progress=report,
    )


def evaluation(job: ExportJob, path: Path) -> None:
    evaluation_figure(job.results, path, dpi=job["dpi"])


def two_runs(job: ExportJob, path: Path) -> None:
    first, second = job.results, job.other
    assert second is not None  # `write_export` refuses it
    names = differing([first.params, second.params])
    titles = (run_in_words(first.params, names), run_in_words(second.params, names))
    two_runs_figure(first, second, path, names=titles, dpi=job["dpi"])


def report(job: ExportJob, path: Path) -> None:
    from harmony_core.export.html_report import write_report

    with opened_source(job.results) as source:
        original = original_record(job.results, source)
    write_report(job.results, path, runs=job.runs, input_path=job.input_path, original=original)


def interactive(job: ExportJob, path: Path) -> None:
    from harmony_core.export.interactive import write_interactive

    write_interactive(job.results, path)


def figures(job: ExportJob, path: Path) -> None:
    from harmony_core.export.figure_folder import write_figures

    def write(folder: Path) -> None:
        write_figures(job.results, folder, formats=[job["figure"]], dpi=job["dpi"])

    _zipped(write, path)


def tables(job: ExportJob, path: Path) -> None:
    def write(folder: Path) -> None:
        write_tables(job.results, folder, format=job["table"])
        write_table(runs_table([job.results, *job.runs]), folder / f"runs.{job['table']}")

    _zipped(write, path)


def zarr(job: ExportJob, path: Path) -> tuple[str, ...]:
    notes: list[str] = []

    def write(folder: Path) -> None:
        target = folder / f"{job.stem}_harmony.zarr"
        notes.extend(write_zarr(job.results, target, input_path=job.input_path))

    _zipped(write, path)
    return tuple(notes)


def python(job: ExportJob, path: Path) -> None:
    from harmony_core.export.scripts.python import write_python_script

    write_python_script(run_record(job.results, input_path=job.input_path), path)


def notebook(job: ExportJob, path: Path) -> None:
    from harmony_core.export.scripts.python import write_notebook

    write_notebook(run_record(job.results, input_path=job.input_path), path)


def r(job: ExportJob, path: Path) -> None:
    write_r_script(run_record(job.results), path, h5ad=f"{job.stem}_harmony.h5ad")


def seurat_integration(job: ExportJob, path: Path) -> None:
    write_integration_script(run_record(job.results), path, h5ad=f"{job.stem}_harmony.h5ad")


def settings(job: ExportJob, path: Path) -> None:
    write_settings(original_params(job.results), path)


def _zipped(write: Callable[[Path], object], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        write(Path(folder))
        needs = sum(file.stat().st_size for file in Path(folder).rglob("*"))
        with written_whole(path, needs=needs) as temporary:
            archive = shutil.make_archive(str(temporary.with_suffix("")), "zip", folder)
            Path(archive).replace(temporary)

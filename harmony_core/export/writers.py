"""How each form of a run is written: one function a form, from a request to a file.

What is heavy is imported when something is written. Each returns sentences about anything that was
renamed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from harmony_core.export.job import Request
from harmony_core.io.writing import in_words, written_whole


def h5ad(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.h5ad import write_h5ad

    return write_h5ad(
        request.results,
        path,
        compression=request["compression"],
        input_path=request.input_path,
        watch=lambda n_bytes: request.watch(f"Writing the h5ad, {in_words(n_bytes)} so far"),
    )


def evaluation(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.figures.paper.layouts import evaluation_figure

    evaluation_figure(request.results, path, dpi=request["dpi"])
    return ()


def two_runs(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.figures.paper.layouts import two_runs_figure
    from harmony_core.runs.history import differing, in_words

    first, second = request.results, request.other
    assert second is not None  # `write_offer` refuses it
    names = differing([first.params, second.params])
    titles = (in_words(first.params, names), in_words(second.params, names))
    two_runs_figure(first, second, path, names=titles, dpi=request["dpi"])
    return ()


def report(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.html_report import write_report
    from harmony_core.export.record import origin
    from harmony_core.export.source import opened_source

    with opened_source(request.results) as source:
        earlier = origin(request.results, source)
    write_report(
        request.results, path, runs=request.runs, input_path=request.input_path, origin=earlier
    )
    return ()


def interactive(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.interactive import write_interactive

    write_interactive(request.results, path)
    return ()


def pictures(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.figure_folder import write_pictures

    def write(folder: Path) -> None:
        write_pictures(request.results, folder, formats=[request["figure"]], dpi=request["dpi"])

    _zipped(write, path)
    return ()


def tables(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.tables import runs_table, write_table, write_tables

    def write(folder: Path) -> None:
        write_tables(request.results, folder, format=request["table"])
        runs = runs_table([request.results, *request.runs])
        write_table(runs, folder / f"runs.{request['table']}")

    _zipped(write, path)
    return ()


def zarr(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.h5ad import write_zarr

    notes: list[str] = []

    def write(folder: Path) -> None:
        target = folder / f"{request.stem}_harmony.zarr"
        notes.extend(write_zarr(request.results, target, input_path=request.input_path))

    _zipped(write, path)
    return tuple(notes)


def python(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.record import record
    from harmony_core.export.scripts.python import write_python_script

    write_python_script(record(request.results, input_path=request.input_path), path)
    return ()


def notebook(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.record import record
    from harmony_core.export.scripts.python import write_notebook

    write_notebook(record(request.results, input_path=request.input_path), path)
    return ()


def r(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.record import record
    from harmony_core.export.scripts.seurat import write_r_script

    h5ad = f"{request.stem}_harmony.h5ad"
    write_r_script(record(request.results), path, h5ad=h5ad)
    return ()


def settings(request: Request, path: Path) -> tuple[str, ...]:
    from harmony_core.export.record import original_params
    from harmony_core.export.settings import write_settings

    write_settings(original_params(request.results), path)
    return ()


def _zipped(write: Callable[[Path], object], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        write(Path(folder))
        needs = sum(file.stat().st_size for file in Path(folder).rglob("*"))
        with written_whole(path, needs=needs) as temporary:
            made = shutil.make_archive(str(temporary.with_suffix("")), "zip", folder)
            Path(made).replace(temporary)

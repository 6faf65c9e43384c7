"""``harmony-explorer export``: what a run's file can be turned into."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import (
    add_home,
    check_input,
    check_output,
    check_output_folder,
    compute_run,
    terminal_progress,
    working_store,
)
from harmony_core.errors import FileError, ParameterError
from harmony_core.params import RunParams

if TYPE_CHECKING:
    from harmony_core.runs.results import RunResults

EXAMPLES = """\
examples:
  harmony-explorer export corrected.h5ad --python rerun.py --notebook rerun.ipynb
  harmony-explorer export corrected.h5ad --r seurat.R --settings settings.toml
  harmony-explorer export corrected.h5ad --seurat-integration cca_rpca.R
  harmony-explorer export corrected.h5ad --figures pictures --format pdf --genes CD3D MS4A1

RUN.h5ad is a file that `correct` or the dashboard wrote. Scripts and settings are written from what
it says of its run; figures, tables and report compute the run's numbers again.

exit status:
  0  done
  1  it could not be finished (disk full, too little memory)
  2  the input or an argument cannot be used; one line on standard error says why

Files that exist are replaced.
"""

FIGURE_FORMATS = ("png", "svg", "pdf", "html")
_FILES = {
    "python": ("a script that repeats the run with public libraries", (".py",)),
    "notebook": ("the same as a Jupyter notebook", (".ipynb",)),
    "r": ("an R script for Seurat", (".r",)),
    "seurat_integration": (
        "an R script that corrects the same cells with Seurat's CCA and RPCA instead",
        (".r",),
    ),
    "settings": ("the settings, for correct --config", (".toml", ".json")),
    "report": ("a self-contained page with everything", (".html",)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("input", type=Path, metavar="RUN.h5ad", help="a run's file")
    for name, (text, endings) in _FILES.items():
        text = f"{text}, {' or '.join(endings)}"
        parser.add_argument(_option(name), type=Path, metavar="FILE", help=text)
    parser.add_argument("--figures", type=Path, metavar="DIR", help="folder for every picture")
    parser.add_argument("--tables", type=Path, metavar="DIR", help="folder for every table")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=(*FIGURE_FORMATS, "csv", "parquet"),
        default=["png", "csv"],
        metavar="F",
        help="of figures: png, svg, pdf, html; of tables: csv, parquet (png csv)",
    )
    parser.add_argument("--dpi", type=int, default=150, help="of figures (150)")
    parser.add_argument(
        "--genes",
        nargs="+",
        metavar="G",
        help="genes to draw (blood cell markers, or the best of each cluster)",
    )
    add_home(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_input(args.input)
    for name, (_, endings) in _FILES.items():
        check_output(getattr(args, name), _option(name), args.input, endings=endings)
    check_output_folder(args.figures, "--figures")
    check_output_folder(args.tables, "--tables")
    if not 30 <= args.dpi <= 2400:
        raise ParameterError(f"--dpi is {args.dpi}; it must lie between 30 and 2400.")
    if not any(getattr(args, name) for name in (*_FILES, "figures", "tables")):
        raise ParameterError("Say what to write, for example --python FILE; see --help.")
    record = record_in(args.input)
    write_texts(args, record)
    if args.report or args.figures or args.tables:
        write_computed(args, record)


def record_in(path: Path) -> dict[str, Any]:
    """Return what a run's file says of its run.

    Raises
    ------
    FileError
        If the file can't be read, or holds no run.
    """
    import h5py

    from harmony_core.export.record import earlier_record
    from harmony_core.inspect.own_results import RECORD_KEY

    if path.is_dir():
        raise FileError(f"{path.name!r} is a folder; give the run's h5ad (correct --out RUN.h5ad).")
    try:
        with h5py.File(path, "r") as file:
            item = file.get(f"uns/{RECORD_KEY}")
            written = item.asstr()[()] if isinstance(item, h5py.Dataset) else None
    except (OSError, TypeError, ValueError) as error:
        raise FileError(f"{path.name!r} is not an h5ad, whatever its name says.") from error
    record = earlier_record({RECORD_KEY: written})
    if record is None:
        raise FileError(
            f"{path.name!r} holds no run; give a file that harmony-explorer correct or the "
            "dashboard wrote."
        )
    return record


def write_texts(args: argparse.Namespace, record: dict[str, Any]) -> None:
    """Write the files that need the record only."""
    from harmony_core.export.scripts.python import write_notebook, write_python_script
    from harmony_core.export.scripts.seurat import write_r_script
    from harmony_core.export.scripts.seurat_integration import write_integration_script
    from harmony_core.export.settings import write_settings

    if args.python:
        write_python_script(record, args.python)
    if args.notebook:
        write_notebook(record, args.notebook)
    if args.r:
        write_r_script(record, args.r, h5ad=str(args.input.resolve()))
    if args.seurat_integration:
        h5ad = str(args.input.resolve())
        write_integration_script(record, args.seurat_integration, h5ad=h5ad)
    if args.settings:
        write_settings(RunParams.from_dict(record["params"]), args.settings)


def write_computed(args: argparse.Namespace, record: dict[str, Any]) -> None:
    """Write the files that need the run's numbers, which are computed from its own file."""
    from harmony_core.export.figure_folder import write_figures
    from harmony_core.export.html_report import write_report
    from harmony_core.export.tables import write_tables

    with working_store(args.home) as store:
        results = opened_run(store, args.input)
        if args.report:
            write_report(results, args.report, original=record)
        if args.figures:
            formats = [f for f in args.format if f in FIGURE_FORMATS] or ["png"]
            write_figures(results, args.figures, formats=formats, dpi=args.dpi, genes=args.genes)
        if args.tables:
            for format in [f for f in args.format if f not in FIGURE_FORMATS] or ["csv"]:
                write_tables(results, args.tables, format=format)


def opened_run(store: Any, path: Path) -> RunResults:
    """Open a run's file and compute what the store lacks of the run.

    Raises
    ------
    FileError
        If the file holds no run.
    """
    from harmony_core.store.ingest import ingest_file

    with terminal_progress() as progress:
        progress.say("Reading and checking the file")
        dataset = ingest_file(store, path, name=path.name)
        return compute_run(dataset, dataset.run_inside, progress)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"

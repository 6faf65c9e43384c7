"""What commands share: where they compute, how they show progress, which paths they accept."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from harmony_core.errors import FileError, ParameterError
from harmony_core.io.request import LoadRequest
from harmony_core.io.writing import is_zarr, write_text_whole
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.version import PROGRAM

if TYPE_CHECKING:
    from harmony_core.runs.plan import Step
    from harmony_core.runs.results import RunResults
    from harmony_core.store import Dataset


@contextlib.contextmanager
def working_store(home: Path | None) -> Iterator[Any]:
    """Yield the store to compute in: the one asked for, or one that is gone afterwards.

    Parameters
    ----------
    home
        Folder of a store that keeps its results; without it, ``HARMONY_EXPLORER_HOME`` is used
        where it is set.
    """
    from harmony_core.store import HOME_VARIABLE, Store

    permanent = home or (Path(os.environ[HOME_VARIABLE]) if os.environ.get(HOME_VARIABLE) else None)
    compiled = Path(platformdirs.user_cache_dir(PROGRAM)) / "numba"
    with contextlib.suppress(OSError):
        compiled.mkdir(parents=True, exist_ok=True)
        # Read by numba when it is imported: compiling takes half a minute, the first time only.
        os.environ.setdefault("NUMBA_CACHE_DIR", str(compiled))
    if permanent is not None:
        yield Store(permanent)
        return
    with tempfile.TemporaryDirectory(prefix="harmony-explorer-") as folder:
        yield Store(folder)


class TerminalProgress:
    """Shows the step under way on one line of a terminal, and nothing in a pipe."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}
        self._stream = sys.stderr
        self.is_visible = self._stream.isatty()
        self._text = ""

    def expect(self, steps: Sequence[Step]) -> None:
        """Be told which steps will come, for their titles and their number."""
        self._titles = {step.name: step.title for step in steps}

    def __call__(self, step: str, share: float) -> None:
        if step not in self._titles:
            return
        number = list(self._titles).index(step) + 1
        percent = f" {share:.0%}" if share > 0 else ""
        self.say(f"[{number}/{len(self._titles)}] {self._titles[step]}{percent}")

    def say(self, text: str) -> None:
        """Replace the line by another; an empty one clears it."""
        if self.is_visible and text != self._text:
            self._stream.write(f"\r\x1b[2K{text}")
            self._stream.flush()
            self._text = text


@contextlib.contextmanager
def terminal_progress() -> Iterator[TerminalProgress]:
    """Yield a progress line, which is gone after the block."""
    progress = TerminalProgress()
    try:
        yield progress
    finally:
        progress.say("")


def compute_run(
    dataset: Dataset, params: RunParams, progress: TerminalProgress, *targets: str
) -> RunResults:
    """Compute what the store lacks of a run, or of the stages that are named."""
    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.runs.plan import Plan
    from harmony_core.runs.results import RunResults

    progress.expect(Plan(dataset, params).stages_for(*targets))
    Pipeline(dataset, params, progress).run(*targets)
    return RunResults(dataset, params)


def add_data(parser: argparse._ActionsContainer, *, needs_batch: bool = True) -> None:
    """Describe the arguments of the data: files, batch variables, what is known of the cells.

    Parameters
    ----------
    needs_batch
        Whether the batch variable comes from nowhere else, such as a settings file.
    """
    add_inputs(parser, "the data in any known format; several files become one dataset")
    parser.add_argument(
        "--batch",
        action="append",
        required=needs_batch,
        metavar="KEY",
        help="batch variable, a column of obs; repeat it for several",
    )
    parser.add_argument("--label", metavar="KEY", help="column of known cell types, to judge with")
    parser.add_argument(
        "--marker-labels",
        nargs="?",
        const="blood",
        metavar="PANEL",
        help="without --label: make labels from marker genes, the panel of blood or those of a "
        "CSV file with a column for the gene and one for the cell type (blood)",
    )
    parser.add_argument(
        "--condition",
        action=argparse.BooleanOptionalAction,
        help="the batch variable is a treatment, a disease or the like, or is none (as its name "
        "tells)",
    )


def params_of_data(args: argparse.Namespace, *, basis: str | None) -> RunParams:
    """Return the settings that `add_data` describes, all else at its defaults.

    Parameters
    ----------
    basis
        Uncorrected embedding; without it the counts are prepared.

    Raises
    ------
    ParameterError, FileError, DataError
        If a setting can't be used.
    """
    return RunParams(
        harmony=HarmonyParams(batch=tuple(args.batch)),
        prepare=PrepareParams(basis=basis),
        label=args.label,
        condition=bool(args.condition),
        panel=panel_of(args.marker_labels),
    )


def panel_of(asked: str | None) -> str | None:
    """Return the panel of marker genes that ``--marker-labels`` asks for.

    Raises
    ------
    ParameterError, FileError, DataError
        If it is neither blood nor a table of marker genes that can be read.
    """
    from harmony_core.inspect.gene_sets import (
        BLOOD_PANEL,
        LARGEST_TABLE,
        panel_sets,
        panel_text,
        parse_table,
    )

    if asked is None or asked == BLOOD_PANEL:
        return asked
    path = Path(asked)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise ParameterError(
            f"--marker-labels {asked!r} is neither {BLOOD_PANEL} nor a .csv file of marker genes."
        )
    check_input(path)
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise FileError(f"{path.name!r} is too large for a table of marker genes.")
        panel = panel_text(parse_table(path.read_bytes()))
    except OSError as error:
        reason = error.strerror or "disk error"
        raise FileError(f"{path.name!r} could not be read: {reason}.") from error
    panel_sets(panel)
    return panel


def add_home(parser: argparse._ActionsContainer, text: str = "keep computed results here") -> None:
    """Describe the argument that names a store."""
    parser.add_argument("--home", type=Path, metavar="FOLDER", help=text)


def add_inputs(parser: argparse._ActionsContainer, text: str, *, least: int = 1) -> None:
    """Describe the arguments that say which files are read, and how; ``least`` is 0 or 1."""
    parser.add_argument("input", type=Path, nargs="+" if least else "*", metavar="INPUT", help=text)
    parser.add_argument(
        "--genes",
        choices=("intersection", "union"),
        default="intersection",
        help="of several files: genes that all have, or every one (intersection)",
    )
    parser.add_argument("--modality", metavar="NAME", help="of an h5mu (gene expression)")
    parser.add_argument(
        "--cells-in",
        choices=("rows", "columns"),
        help="where the cells of a text table are (as the names tell)",
    )
    parser.add_argument(
        "--max-cells",
        type=int,
        metavar="N",
        help="draw N cells, for large files",
    )
    parser.add_argument(
        "--sample-by", metavar="KEY", help="draw as many of each level of this column of obs"
    )


def request_of(args: argparse.Namespace) -> LoadRequest:
    """Return what `add_inputs` describes.

    Raises
    ------
    FileError
        One of the files is not there.
    ParameterError
        A sample is asked for that cannot be.
    """
    if args.max_cells is not None and args.max_cells < 1:
        raise ParameterError(f"--max-cells is {args.max_cells}; draw at least 40 cells.")
    if args.sample_by is not None and args.max_cells is None:
        raise ParameterError("--sample-by says how to draw cells; say with --max-cells how many.")
    for path in args.input:
        check_input(path)
    return LoadRequest(
        paths=tuple(str(path.resolve()) for path in args.input),
        names=tuple(path.name for path in args.input),
        genes=args.genes,
        modality=args.modality,
        cells_in=args.cells_in,
        max_cells=args.max_cells,
        sample_by=args.sample_by,
    )


def came_from(args: argparse.Namespace) -> str:
    """Return where the data came from, for the files that say it; empty where from several."""
    return str(args.input[0].resolve()) if len(args.input) == 1 else ""


def check_input(path: Path) -> None:
    """Raise FileError unless there is such a file."""
    if not path.exists():
        raise FileError(f"There is no file {str(path)!r}.")


def check_output(path: Path | None, option: str, *sources: Path, endings: tuple[str, ...]) -> None:
    """Raise before anything is computed if a file could not be written in the end.

    Parameters
    ----------
    path
        The file asked for; None where it was not.
    option
        How the user asked for it, for the message.
    sources
        The inputs, which must not be replaced.
    endings
        Endings that are known.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise ParameterError(f"{option} {str(path)!r} must end in {' or '.join(endings)}.")
    if path.is_dir() and not (path.suffix.lower() == ".zarr" and is_zarr(path)):
        raise FileError(f"{option} {str(path)!r} is a folder; give the name of a file.")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise FileError(f"{option} {str(path)!r}: there is no folder {str(folder)!r}.")
    _check_protection(path, option, folder)
    if path.exists() and any(each.exists() and path.samefile(each) for each in sources):
        raise ParameterError(f"{option} {str(path)!r} is the input itself; give another name.")


def check_output_folder(path: Path | None, option: str) -> None:
    """Raise before anything is computed if files could not be written into a folder in the end.

    Parameters
    ----------
    path
        The folder asked for, which is made later if need be; None where it was not.
    option
        How the user asked for it, for the message.
    """
    if path is None:
        return
    there = next(place for place in (path.resolve(), *path.resolve().parents) if place.exists())
    if not there.is_dir():
        raise FileError(f"{option} {str(path)!r}: {str(there)!r} is a file, not a folder.")
    _check_protection(path, option, there)


def _check_protection(path: Path, option: str, folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise FileError(f"{option} {str(path)!r}: the folder {str(folder)!r} is protected.")


def write_report(path: Path, values: Any) -> None:
    """Write JSON that any reader accepts: what is not a number is null."""
    write_text_whole(path, json_text(values) + "\n")


def json_text(values: Any) -> str:
    """Return values as JSON that any reader accepts: what is not a number is null."""
    return json.dumps(plain_json(values), indent=2, ensure_ascii=False, allow_nan=False)


def plain_json(value: Any) -> Any:
    """Return values with NaN and infinities as None."""
    if isinstance(value, dict):
        return {str(k): plain_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def one_line(text: str) -> str:
    """Return a message on one line, without characters that command a terminal."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))

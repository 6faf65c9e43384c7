"""``harmony-explorer compare``: several methods on the same cells, judged alike."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import (
    TerminalProgress,
    add_data,
    add_home,
    check_output,
    json_text,
    one_line,
    params_of_data,
    request_of,
    terminal_progress,
    working_store,
    write_report,
)
from harmony_core.errors import HarmonyExplorerError, ParameterError

if TYPE_CHECKING:
    from harmony_core.params import RunParams
    from harmony_core.runs.method_comparison import MethodComparison
    from harmony_core.store import Dataset

EXAMPLES = """\
examples:
  harmony-explorer compare pbmc.h5ad --batch donor --label cell_type
  harmony-explorer compare pbmc.h5ad --batch donor --methods harmony,bbknn,scanorama,mnn,scvi \\
      --theta 1 2 4 --report methods.html --out methods.csv
  harmony-explorer compare integrated.h5ad --batch donor --basis X_pca --methods harmony \\
      --embedding X_scVI --report methods.json

Every run is judged as a run of Harmony is. A method that is not installed, fails, or can't take
these data has a line that says why, and the others go on; methods may be installed in an
environment of their own, named by HARMONY_EXPLORER_METHODS_PYTHON.

exit status:
  0  compared, whichever method does best
  1  it could not be finished, or no method could
  2  the input or an argument cannot be used; one line on standard error says why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_data(parser)
    parser.add_argument(
        "--basis", metavar="NAME", help="correct this embedding instead of preparing the counts"
    )
    parser.add_argument(
        "--methods",
        metavar="NAMES",
        help="harmony, bbknn, scanorama, mnn, scvi, with commas between (those installed)",
    )
    parser.add_argument(
        "--theta", type=float, nargs="+", default=[], metavar="T", help="of Harmony, a run each (2)"
    )
    parser.add_argument(
        "--embedding",
        action="append",
        default=[],
        metavar="NAME",
        help="an embedding of the data that another tool corrected; repeat it for several",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="METHOD.NAME=VALUE",
        help="a setting of a method, as scanorama.knn=10; repeat it for several",
    )
    parser.add_argument(
        "--scib", action="store_true", help="also compute the scores of scIB, which needs --label"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="answer, map and tables, .html or .json"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the table of runs, .csv")
    parser.add_argument("--json", action="store_true", help="print what a .json report holds")
    add_home(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    from harmony_core.export.method_report import comparison_values, write_comparison
    from harmony_core.export.tables import write_table

    check_output(args.report, "--report", *args.input, endings=(".html", ".json"))
    check_output(args.out, "--out", *args.input, endings=(".csv",))
    if args.scib and args.label is None and args.marker_labels is None:
        raise ParameterError("--scib needs known cell types: name their column with --label.")
    with terminal_progress() as progress, working_store(args.home) as store:
        dataset, found = _compared(args, store, progress)
        if args.report is not None and args.report.suffix.lower() == ".html":
            write_comparison(found, dataset, args.report)
        elif args.report is not None:
            write_report(args.report, comparison_values(found, dataset))
        if args.out is not None:
            write_table(found.table, args.out)
        values = comparison_values(found, dataset) if args.json else {}
    if args.json:
        print(json_text(values))
    else:
        print("\n".join(map(one_line, _lines(found))))
    if all(row.contender is None for row in found.rows):
        raise HarmonyExplorerError("No method could be run on these data.")


def _compared(
    args: argparse.Namespace, store: Any, progress: TerminalProgress
) -> tuple[Dataset, MethodComparison]:
    from harmony_core.runs.comparing import computed_comparison, method_runs
    from harmony_core.store.ingest import ingest_request

    base, request = params_of_data(args, basis=args.basis), request_of(args)
    names = None if args.methods is None else _names(args.methods)
    settings = _settings(args.set)
    wanted = {"thetas": args.theta, "embeddings": args.embedding, "settings": settings}
    method_runs(base, names, **wanted)  # complains before anything is read
    progress.say("Reading and checking the file")
    dataset = ingest_request(store, request)
    named = {"basis": args.basis} if args.basis else {}
    prepare = dataset.info.start_of_preparation(named)
    is_condition = dataset.info.is_condition(base.harmony.batch, args.condition)
    base = replace(base, prepare=prepare, condition=is_condition)
    runs = method_runs(base, names, **wanted)
    targets = ("assess", "scib_after") if args.scib else ("assess",)
    listen = _listener(dataset, progress, targets)
    return dataset, computed_comparison(dataset, runs, listen, targets=targets)


def _listener(
    dataset: Dataset, progress: TerminalProgress, targets: tuple[str, ...]
) -> Callable[[RunParams], TerminalProgress]:
    from harmony_core.runs.plan import Plan

    def listen(params: RunParams) -> TerminalProgress:
        progress.expect(Plan(dataset, params).stages_for(*targets))
        return progress

    return listen


def _names(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if not names:
        raise ParameterError("--methods names no method; say for example harmony,scanorama.")
    return names


def _settings(texts: list[str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        method, dot, setting = name.partition(".")
        try:
            number = float(value)
        except ValueError:
            number = None
        if not (equals and dot and method and setting) or number is None:
            raise ParameterError(f"--set {text!r} is not of the form scanorama.knn=10.")
        whole = number == int(number) if abs(number) < 1e15 else False
        found.setdefault(method.lower(), {})[setting] = int(number) if whole else number
    return found


def _lines(found: MethodComparison) -> list[str]:
    lines = list(found.sentences)
    for row in found.table.to_dict("records"):
        if row["problem"]:
            continue
        numbers = [
            f"least mixing {_number(row['least_mixing'])}",
            f"worst loss {_number(row['worst_loss'])}",
            f"seconds {_number(row['seconds'])}",
        ]
        if row["scib_total"] == row["scib_total"]:
            numbers.append(f"scIB {_number(row['scib_total'])}")
        lines.append(f"{row['run']}: {row['verdict'].lower()}, {', '.join(numbers)}")
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _number(value: float) -> str:
    return "not known" if value != value else f"{value:.3g}"

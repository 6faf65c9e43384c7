"""``harmony-explorer suggest``: which theta and sigma to use, and what more mixing would cost."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmony_core.cli.shared import (
    add_data,
    add_home,
    check_output,
    compute_run,
    json_text,
    one_line,
    params_of_data,
    request_of,
    terminal_progress,
    working_store,
    write_report,
)

if TYPE_CHECKING:
    from harmony_core.verdict.suggest import Suggestion

EXAMPLES = """\
examples:
  harmony-explorer suggest pbmc.h5ad --batch donor --label cell_type
  harmony-explorer suggest pcs.h5ad --batch donor --basis X_pca --report suggested.json

Tries theta 1, 2, 4, 8 with sigma 0.05, 0.1, 0.2 and judges each run. `correct --theta --sigma`
then writes the corrected file.

exit status:
  0  done, also where no setting is right
  1  it could not be finished
  2  the input or an argument cannot be used; one line on standard error says why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_data(parser)
    parser.add_argument(
        "--basis", metavar="NAME", help="correct this embedding instead of preparing the counts"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="answer and table of costs, .json"
    )
    parser.add_argument("--json", action="store_true", help="print the same")
    add_home(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_output(args.report, "--report", *args.input, endings=(".json",))
    suggestion = _search(args)
    report = _report(suggestion)
    if args.report is not None:
        write_report(args.report, report)
    if args.json:
        print(json_text(report))
    else:
        lines = [*suggestion.sentences, *(f"note: {note}" for note in suggestion.notes)]
        print("\n".join(map(one_line, lines)))


def _search(args: argparse.Namespace) -> Suggestion:
    from harmony_core.runs.history import suggestion_of
    from harmony_core.store.ingest import ingest_request
    from harmony_core.verdict.grid import grid

    params, request = params_of_data(args, basis=args.basis), request_of(args)
    with terminal_progress() as progress, working_store(args.home) as store:
        progress.say("Reading and checking the file")
        dataset = ingest_request(store, request)
        prepare = dataset.info.start_of_preparation({"basis": args.basis} if args.basis else {})
        is_condition = dataset.info.is_condition(params.harmony.batch, args.condition)
        params = replace(params, prepare=prepare, condition=is_condition)
        runs = [replace(params, harmony=harmony) for harmony in grid(params.harmony)]
        return suggestion_of([compute_run(dataset, each, progress, "assess") for each in runs])


def _report(suggestion: Suggestion) -> dict[str, Any]:
    best = suggestion.best
    return {
        "answer": suggestion.answer,
        "sentences": list(suggestion.sentences),
        "settings": None if best is None else best.settings.to_dict(),
        "costs": suggestion.rows,
        "notes": list(suggestion.notes),
    }

"""``harmony-explorer report``: a run's file as one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from harmony_core.cli.export import opened_run, record_in
from harmony_core.cli.shared import add_home, check_input, check_output, working_store

EXAMPLES = """\
examples:
  harmony-explorer report corrected.h5ad --out report.html

RUN.h5ad is a file that `correct` or the dashboard wrote. The page needs no network and prints well.

exit status:
  0  done
  1  it could not be finished (disk full, too little memory)
  2  the input or an argument cannot be used; one line on standard error says why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("input", type=Path, metavar="RUN.h5ad", help="a run's file")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page, .html")
    add_home(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    from harmony_core.export.html_report import write_report

    check_input(args.input)
    check_output(args.out, "--out", args.input, endings=(".html",))
    record = record_in(args.input)
    with working_store(args.home) as store:
        write_report(opened_run(store, args.input), args.out, original=record)

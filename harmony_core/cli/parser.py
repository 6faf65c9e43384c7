"""The commands, and the parser of their arguments."""

from __future__ import annotations

import argparse
from typing import NoReturn

from harmony_core.cli import (
    check,
    compare,
    completion,
    correct,
    diagnose,
    export,
    open_dashboard,
    report,
    suggest,
)
from harmony_core.cli.shared import one_line
from harmony_core.version import PROGRAM, VERSION

COMMANDS = {
    "open": (open_dashboard, "open the dashboard in the browser, with a file on screen"),
    "correct": (correct, "correct a file, judge the result and write both"),
    "check": (check, "say what is recognised in a file, before anything runs"),
    "diagnose": (diagnose, "judge an embedding that any tool corrected"),
    "suggest": (suggest, "try a grid of settings, say which to use and what more mixing costs"),
    "compare": (compare, "correct by several methods, judge each alike, and say which to use"),
    "export": (export, "turn a run's file into scripts, figures, tables, settings"),
    "report": (report, "turn a run's file into a self-contained page"),
    "completion": (completion, "print what makes a shell complete these commands"),
}


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in a single line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, one_line(f"{self.prog}: {message} (see --help)") + "\n")


def command_parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses has the command's function as ``run``."""
    parser = _Parser(
        prog=PROGRAM,
        description="Harmony batch correction of single-cell data, judged with evidence.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=parser)
    return parser

"""The headless command: the same chain as on the pages, from file to file."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from harmony_core.cli import check, completion, correct, diagnose, export, report
from harmony_core.cli.shared import one_line
from harmony_core.errors import HarmonyExplorerError, InputError, full_disk

DEBUG_VARIABLE = "HARMONY_EXPLORER_DEBUG"
"""Set it to see the traceback of a fault in the program."""

_COMMANDS = {
    "correct": (correct, "correct a file, judge the result and write both"),
    "check": (check, "say what is recognised in a file, before anything runs"),
    "diagnose": (diagnose, "judge an embedding that any tool corrected"),
    "export": (export, "turn a run's file into scripts, figures, tables, settings"),
    "report": (report, "turn a run's file into a self-contained page"),
    "completion": (completion, "print what makes a shell complete these commands"),
}


_CHILD = [sys.executable, "-m", "harmony_core.cli"]


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in a single line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, one_line(f"{self.prog}: {message} (see --help)") + "\n")


def watched() -> int:
    """Run the command in a process of its own: a file that crashes a library is a sentence too."""
    with subprocess.Popen([*_CHILD, *sys.argv[1:]]) as child:
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        while (status := child.poll()) is None:
            try:
                child.wait()
            except KeyboardInterrupt:
                continue  # the command hears of it too, and says so itself
    if status >= 0:
        return status
    if status == -signal.SIGTERM:
        return 128 + signal.SIGTERM
    if status == -getattr(signal, "SIGKILL", 9):
        return _complain(
            "The system stopped this, most likely for lack of memory; use fewer cells "
            "(--max-cells) or a larger machine.",
            1,
        )
    return _complain(
        "A library that reads or computes crashed. If this happens again, the input is most likely "
        "damaged: copy it once more from where it came, or write it anew with the tool it is from.",
        2,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    argv
        Arguments without the program's name; by default those of the process.
    """
    args = _parser().parse_args(argv)
    if not os.environ.get(DEBUG_VARIABLE):
        warnings.simplefilter("ignore")  # of libraries, about themselves
    try:
        args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads the output has enough of it, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except HarmonyExplorerError as error:
        return _complain(str(error), 2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        return _complain("Stopped.", 130)
    except MemoryError:
        return _complain("There was not enough memory; use fewer cells or a larger machine.", 1)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        if isinstance(error, OSError) and (sentence := full_disk(error)):
            return _complain(sentence, 1)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return _complain(f"The name {_beginning(error.filename)!r} is too long for a disk.", 2)
        return _complain(
            f"This did not work because of a fault in the program ({type(error).__name__}: "
            f"{error}). Set {DEBUG_VARIABLE}=1 to see where.",
            1,
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="harmony-explorer",
        description="Harmony batch correction of single-cell data, judged with evidence.",
    )
    version = metadata.version("harmony-explorer")
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def command_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return a parser of each command's own arguments, by the command's name."""
    parsers = {name: argparse.ArgumentParser(prog=name) for name in _COMMANDS}
    for name, parser in parsers.items():
        _COMMANDS[name][0].add_arguments(parser)
    return parsers


def _beginning(path: Any) -> str:
    name = Path(str(path)).name
    return name if len(name) <= 40 else f"{name[:40]}…"


def _complain(message: str, status: int) -> int:
    print(one_line(f"harmony-explorer: {message}"), file=sys.stderr)
    return status

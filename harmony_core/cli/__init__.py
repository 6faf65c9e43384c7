"""The headless command: the same chain as on the pages, from file to file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harmony_core.cli.parser import command_parser
from harmony_core.cli.shared import one_line
from harmony_core.errors import HarmonyExplorerError, InputError, full_disk
from harmony_core.version import PROGRAM

DEBUG_VARIABLE = "HARMONY_EXPLORER_DEBUG"
"""Set it to see the traceback of a fault in the program."""

_CHILD = [sys.executable, "-m", "harmony_core.cli"]


def console_script() -> int:
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
    args = command_parser().parse_args(argv)
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


def _beginning(path: Any) -> str:
    name = Path(str(path)).name
    return name if len(name) <= 40 else f"{name[:40]}…"


def _complain(message: str, status: int) -> int:
    print(one_line(f"{PROGRAM}: {message}"), file=sys.stderr)
    return status

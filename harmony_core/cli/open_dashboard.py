"""``harmony-explorer open``: the dashboard, with a file on screen."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harmony_core.cli.shared import (
    add_home,
    add_inputs,
    one_line,
    request_of,
    terminal_progress,
)
from harmony_core.errors import FileError, HarmonyExplorerError, ParameterError
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.opened import Opened
from harmony_core.version import PROGRAM

if TYPE_CHECKING:
    from harmony_core.io.request import LoadRequest
    from harmony_core.store import Dataset

EXAMPLES = """\
examples:
  harmony-explorer open
  harmony-explorer open pbmc.h5ad
  harmony-explorer open lane1.h5 lane2.h5 --batch file
  harmony-explorer open pbmc.h5ad --batch donor --label cell_type --port 8600 --no-browser

Without a file a sample is on screen. The file is read into the store and stays as it is; Ctrl-C
ends the dashboard, and what it has computed is there the next time.

exit status:
  0    the dashboard was ended
  1    it could not be started
  2    the file or an argument can't be used; one line on standard error says why
"""

FIRST_PORT = 8501
_PORTS_TRIED = 50
_START_SECONDS = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_inputs(parser, "the data in any known format; several files become one dataset", least=0)
    parser.add_argument(
        "--batch",
        action="append",
        metavar="KEY",
        help="batch variable, a column of obs; repeat it for several (the likeliest)",
    )
    parser.add_argument("--label", metavar="KEY", help="column of known cell types (the likeliest)")
    parser.add_argument(
        "--port", type=int, metavar="N", help=f"where it listens ({FIRST_PORT}, or the next free)"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address and open no browser"
    )
    add_home(parser, "folder of the store (that of HARMONY_EXPLORER_HOME, or the user's cache)")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    folder = dashboard()
    request = _request(args)
    port = free_port(args.port)
    # The folder that this was called from may have files of the dashboard's names: it stays off
    # the path, on which `python -m` would put it first.
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path}
    if args.home is not None:
        from harmony_core.store import HOME_VARIABLE

        environment[HOME_VARIABLE] = str(args.home.resolve())
    if request is not None:
        environment |= _read(request, args).to_environment()
    address = f"http://127.0.0.1:{port}"
    streamlit = [sys.executable, "-P", "-m", "streamlit", "run", str(folder / "app.py")]
    server = subprocess.Popen(
        [*streamlit, "--server.port", str(port)], env=environment, stdout=subprocess.DEVNULL
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    _wait_until_it_answers(server, address)
    print(f"Harmony Explorer: {address} (Ctrl-C ends it)", flush=True)
    if not args.no_browser:
        webbrowser.open(address)
    while server.poll() is None:
        with suppress(KeyboardInterrupt):  # the server hears of it too
            server.wait()


def dashboard() -> Path:
    """Return the folder of ``app.py``, in an installation or in a checkout.

    Raises
    ------
    FileError
        If it is in neither.
    """
    core = Path(__file__).resolve().parents[1]
    for folder in (core / "dashboard", core.parent):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder
    raise FileError("The dashboard is not installed here; install harmony-explorer once more.")


def free_port(asked: int | None) -> int:
    """Return a port of this machine that nobody listens at.

    Parameters
    ----------
    asked
        The one wanted; without it the first free one from `FIRST_PORT` on.

    Raises
    ------
    ParameterError
        If there is no such port, or another program has it.
    """
    if asked is not None and not 1 <= asked <= 65_535:
        raise ParameterError(f"--port is {asked}; it must lie between 1 and 65535.")
    ports = [asked] if asked is not None else range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED)
    for port in ports:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    if asked is None:
        raise ParameterError("No port is free here; say with --port which one to take.")
    raise ParameterError(f"Port {asked} can't be used, most likely since another program has it.")


def _request(args: argparse.Namespace) -> LoadRequest | None:
    """Return what is to be read, if anything is; say which arguments need it."""
    if args.input:
        return request_of(args)
    for option in ("batch", "label"):
        if getattr(args, option):
            raise ParameterError(f"--{option} is a column of a file; name the file too.")
    return None


def _read(request: LoadRequest, args: argparse.Namespace) -> Opened:
    """Read the files into the store, and return them with the settings that were asked for."""
    from harmony_core.store import Store
    from harmony_core.store.ingest import ingest_request

    with terminal_progress() as progress:
        progress.say("Reading and checking the file")
        dataset = ingest_request(Store(args.home), request)
    return Opened(dataset.fingerprint, _params(dataset, args.batch, args.label))


def _params(dataset: Dataset, batch: list[str] | None, label: str | None) -> RunParams | None:
    """Return the settings for the columns that were named; None where none was."""
    from harmony_core.inspect.columns import batch_column, check_label

    if not batch and label is None:
        return None
    info = dataset.info
    names = tuple(batch or info.suggested.batch)
    if not names:
        raise ParameterError("Say which column of obs holds the batches too: --batch KEY.")
    for name in names:
        batch_column(dataset.obs, name)
    if label is not None:
        check_label(dataset.obs, label)
    elif info.suggested.label not in names:
        label = info.suggested.label
    return RunParams(
        harmony=HarmonyParams(batch=names),
        prepare=info.start_of_preparation(),
        label=label,
        condition=info.is_condition(names),
    )


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str) -> None:
    """Return once the dashboard answers.

    Raises
    ------
    HarmonyExplorerError
        If it ended, or does not answer within a minute.
    """
    until = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
            return
        time.sleep(0.1)
    server.terminate()
    raise HarmonyExplorerError(
        one_line(f"The dashboard did not start; what is above says why. ({PROGRAM} open)")
    )

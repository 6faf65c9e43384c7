"""A real Streamlit server, a page of it without a browser, and the processes that it starts."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(
    script: Path,
    home: Path,
    *,
    port: int | None = None,
    base: str = "",
    **environment: str,
) -> tuple[subprocess.Popen[bytes], str]:
    """Start `streamlit run` on a script of the project; return its process and address.

    Parameters
    ----------
    home
        Where its store is, and its log: ``server.log``.
    base
        The path under which it serves.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}{'/' if base else ''}{base}"
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.baseUrlPath": base,
        "browser.gatherUsageStats": "false",
    }
    log = home / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script)]
            + [f"--{name}={value}" for name, value in options.items()],
            # `python -m` puts the working folder on the path, so `pages` can be imported.
            cwd=ROOT,
            env=os.environ
            | {"HARMONY_EXPLORER_HOME": str(home), "PYTHONFAULTHANDLER": "1"}
            | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            # Streamlit answers 200 on any path, so only the body says that it is ready.
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return process, url
        except OSError:
            time.sleep(0.1)
    process.terminate()
    raise RuntimeError(f"The server for {script.name} did not start:\n{log.read_text()}")


@contextlib.contextmanager
def open_page(url: str) -> Iterator[ClientConnection]:
    """Open a page as a browser does, and give its line once it has run."""
    address = url.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) as line:
        run_page(line)
        yield line


def run_page(line: ClientConnection) -> list[ForwardMsg]:
    """Run a page and return what it sends."""
    asked = BackMsg()
    asked.rerun_script.query_string = ""
    line.send(asked.SerializeToString())
    messages = [ForwardMsg.FromString(line.recv(60))]
    while messages[-1].WhichOneof("type") != "script_finished":
        messages.append(ForwardMsg.FromString(line.recv(60)))
    return messages


def line_of(messages: list[ForwardMsg], url: str) -> str:
    """Return the address of the line that a page has told its browser of."""
    components = [message.delta.new_element.bidi_component for message in messages]
    (line,) = [one for one in components if one.component_name == "harmony_line"]
    return url.replace("http", "ws", 1) + str(json.loads(line.mixed.json or line.json)["address"])


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something is so.

    Raises
    ------
    AssertionError
        If it is not after some seconds.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def processes_below(process: int) -> set[int]:
    """Return the processes that one has started, and what they have started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(") ")[2].split()[1]
            )
    below: set[int] = set()
    while more := {p for p, parent in parents.items() if parent in {process, *below}} - below:
        below |= more
    return below


def is_running(process: int) -> bool:
    """Return whether there is such a process that has not ended; one may wait to be seen off."""
    try:
        return _status(process)[0] not in "ZX"
    except OSError:
        return False


def _status(process: int) -> list[str]:
    """Return the state of a process, its parent, and more."""
    return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(") ")[2].split()

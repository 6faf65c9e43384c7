"""The end of a server, with a page open and its worker there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets import InvalidStatus, Origin
from websockets.sync.client import connect

from tests.server import (
    ROOT,
    is_running,
    line_of,
    open_page,
    processes_below,
    run_page,
    start_server,
    wait_until,
)

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

END_SECONDS = 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, set[int]]]:
    """A server with a page and its line open, and its worker's processes."""
    process, url = start_server(ROOT / "app.py", tmp_path)
    started: set[int] = set()
    try:
        with open_page(url) as page, connect(line_of(run_page(page), url)) as line:
            line.recv(10)
            wait_until(lambda: len(processes_below(process.pid)) >= 2, "it started no worker")
            started = processes_below(process.pid)
            yield process, url, started
    finally:
        for number in (process.pid, *started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()


def test_only_its_own_pages_speak_to_a_server_and_none_frames_it(
    server: tuple[subprocess.Popen[bytes], str, set[int]],
) -> None:
    _, url, _ = server
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    with urllib.request.urlopen(f"{url}/_stcore/host-config") as answer:
        assert json.load(answer)["allowedOrigins"] == []
    stream = url.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(stream, origin=Origin(url)):
        pass
    for other in ("http://localhost:1", "http://127.0.0.1:1", "https://share.streamlit.io", "null"):
        with pytest.raises(InvalidStatus), connect(stream, origin=Origin(other)):
            pass
    asked = urllib.request.Request(f"{url}/any", b"", {"Origin": "http://localhost:1"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_servers_end_ends_its_worker(
    server: tuple[subprocess.Popen[bytes], str, set[int]], how: signal.Signals
) -> None:
    process, _, started = server
    begun = time.monotonic()
    for number in (process.pid, *(started if how == signal.SIGINT else ())):
        os.kill(number, how)  # Ctrl-C reaches all processes of a terminal
    process.wait(END_SECONDS)
    left = END_SECONDS - (time.monotonic() - begun)
    wait_until(lambda: not any(map(is_running, started)), "its worker is left", left)

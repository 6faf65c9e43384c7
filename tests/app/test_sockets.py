"""Small messages leave as they come, instead of waiting for the browser to acknowledge another."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from pages.ui import sockets
from tests.server import ROOT, open_page, run_page, start_server

pytestmark = pytest.mark.skipif(
    not Path("/dev/fd").is_dir(), reason="this system does not list a process's files"
)

ACKNOWLEDGED_SECONDS = 0.04
"""What a system lets pass at least before it acknowledges one small message."""


def test_connections_that_are_accepted_from_now_on_send_at_once() -> None:
    with socket.socket(socket.AF_INET) as listening:  # as Streamlit makes it: of no named protocol
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        sockets.send_at_once()
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        listening.getsockname()  # still open


def test_a_page_run_is_not_held_up_between_its_messages(tmp_path: Path) -> None:
    process, url = start_server(ROOT / "tests" / "browser" / "parts_app.py", tmp_path)
    seconds = []
    try:
        with open_page(url) as page:
            for _ in range(60):
                begun = time.monotonic()
                run_page(page)
                seconds.append(time.monotonic() - begun)
    finally:
        process.terminate()
        process.wait(10)
    # The first dozens of messages of a connection are acknowledged at once by any system.
    assert min(seconds[40:]) < ACKNOWLEDGED_SECONDS

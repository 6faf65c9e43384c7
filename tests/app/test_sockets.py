"""Small messages leave as they come, instead of waiting for the browser to acknowledge another."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pages.ui import sockets
from tests.server import open_page, run_page, start_server

pytestmark = pytest.mark.skipif(
    not Path("/dev/fd").is_dir(), reason="this system does not list a process's files"
)


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


def test_a_page_is_not_held_up_between_its_messages(tmp_path: Path) -> None:
    process, url = start_server(Path(__file__).with_name("connections_app.py"), tmp_path)
    try:
        with open_page(url) as page:
            texts = [message.delta.new_element.text.body for message in run_page(page)]
    finally:
        process.terminate()
        process.wait(10)
    (said,) = [text for text in texts if text.startswith("connections")]
    assert set(said.split()[1:]) == {"True"}

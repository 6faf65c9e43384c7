"""Messages of the server leave as they come."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path


def send_at_once() -> None:
    """Have small messages leave at once, on all connections that are accepted from now on.

    Otherwise the second of two waits until the browser has acknowledged the first, for which it
    takes 40 ms, and a part that is drawn is several. asyncio sees to that for sockets that name
    their protocol, which Streamlit's does not.
    """
    for number in _open_files():
        with contextlib.suppress(OSError):  # closed meanwhile, or of a kind without the option
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with socket.socket(fileno=os.dup(number)) as found:
                    _switch(found)


def _switch(found: socket.socket) -> None:
    is_tcp = found.type == socket.SOCK_STREAM and found.family in (socket.AF_INET, socket.AF_INET6)
    if is_tcp and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # whoever is accepted inherits it


def _open_files() -> list[int]:
    """Return the numbers of this process's files, where the system lists them."""
    folder = Path("/dev/fd")
    return [int(path.name) for path in folder.iterdir()] if folder.is_dir() else []

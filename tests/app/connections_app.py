"""A page that says which of its server's connections send small messages at once.

The server starts as the dashboard's does, without its workers.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import streamlit as st

from pages.ui import services, serving


def switches() -> list[int]:
    """Return TCP_NODELAY of each accepted connection."""
    found = []
    for number in (int(path.name) for path in Path("/dev/fd").iterdir()):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
        except OSError:  # the listing's own
            continue
        with socket.socket(fileno=os.dup(number)) as one:
            is_tcp = one.type == socket.SOCK_STREAM and one.family == socket.AF_INET
            if is_tcp and not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    return found


if __name__ == "__main__":
    st.text(f"connections {' '.join(str(bool(switch)) for switch in switches())}")
elif __name__ == "connections_app":
    services.start = services.close = lambda: None
    app = st.App(__file__, lifespan=serving.lifespan)

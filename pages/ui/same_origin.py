"""Who may speak to the server: its own pages, and nobody who shows them in a frame.

Streamlit's checks guard its own routes only, and let any page of this machine, whatever its port,
open a session. So every request passes here first, by Streamlit's own settings.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

_POLICY_VIOLATION = 1008
_ONLY_READ = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """Refuses what a page of another origin asks for, and says that no page may frame ours.

    Parameters
    ----------
    app
        What answers the requests that are let through.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if scope["type"] == "http":
            send = _unframed(send)
        if scope["type"] == "websocket" or scope["method"] not in _ONLY_READ:
            headers = Headers(scope=scope)
            if not is_allowed(headers.get("host", ""), headers.get("origin")):
                _log.warning(
                    "Refused a page of %r, which calls this server %r: see server.allowedHosts and "
                    "server.corsAllowedOrigins.",
                    headers.get("origin"),
                    headers.get("host"),
                )
                await _refuse(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # that it wants to connect
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    await PlainTextResponse("This page is not of this server.", 403)(scope, receive, send)


def _unframed(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Content-Security-Policy"] = "frame-ancestors 'none'"
        await send(message)

    return sending


def is_allowed(host: str, origin: str | None) -> bool:
    """Return whether a page may speak to this server.

    Parameters
    ----------
    host
        Where the browser believes this server to be; one of ``server.allowedHosts``, if there are
        any, or a page of somebody else could speak to us under a name of its own.
    origin
        Of the page: from this host, or one of ``server.corsAllowedOrigins``; any, if
        ``server.enableCORS`` is off. None is no browser.
    """
    try:
        name, place = (urlsplit(f"//{host}").hostname or ""), urlsplit(origin or "").netloc
    except ValueError:
        return False
    allowed = st.get_option("server.allowedHosts") or ["*"]
    if not any(_matches(name, pattern) for pattern in allowed):
        return False
    if origin is None or place == host or not st.get_option("server.enableCORS"):
        return True
    others = (other.strip().rstrip("/") for other in st.get_option("server.corsAllowedOrigins"))
    return origin in others


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.strip().lower().rstrip(".")
    host = host.lower().rstrip(".")
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern in ("*", host)

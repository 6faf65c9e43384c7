"""The server's end of a line: a websocket on which a page hears of changes.

Who may open it is checked before; see `pages.ui.same_origin`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

import streamlit as st
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pages.ui import garbage, made, services
from pages.ui.line import listeners

LEFT_SECONDS = 60.0
"""After which a page that was left does not come back, as one that is opened anew does."""

GONE_SECONDS = 120.0
"""After which what a page that was left has asked for is dropped. One that is loaded again, which
is another session, asks for the same and finds it under way until then."""

_POLICY_VIOLATION = 1008
_GONE = (WebSocketDisconnect, RuntimeError)
"""What Starlette raises when the page is gone, or when that was noticed already."""


def address(listener: str) -> str:
    """Return the path of a listener's line, below the path that the server is configured for."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{'/' if base else ''}{base}/api/told/{listener}"


def route() -> WebSocketRoute:
    """Return the route that all lines take."""
    return WebSocketRoute(address("{listener}"), _serve)


async def _serve(socket: WebSocket) -> None:
    """Say to a page what it follows, until it is gone; a question is answered with everything."""
    listener = listeners.find(socket.path_params["listener"])
    if listener is None:
        await socket.close(_POLICY_VIOLATION)
        return
    await socket.accept()
    line = listener.open()
    speaking = asyncio.create_task(_speak(socket, line))
    try:
        with contextlib.suppress(*_GONE):
            await asyncio.to_thread(listener.say_all)
            while await socket.receive_text():
                await asyncio.to_thread(listener.say_all)
    finally:
        speaking.cancel()
        _end(listener, line)


def _end(listener: listeners.Listener, line: listeners.Line) -> None:
    """Forget a line that has ended, and in a while what only a page that was left had need of."""
    listener.close(line)
    loop = asyncio.get_running_loop()
    loop.call_later(LEFT_SECONDS, _forget_if_left)
    loop.call_later(GONE_SECONDS, _end_wishes_if_gone, listener.name, listener.viewer)


def _forget_if_left() -> None:
    """Give back the memory of what was made for viewers, if all have left."""
    if not listeners.is_anybody_here():
        made.forget()
        services.close_datasets()
        garbage.collect_soon()


def _end_wishes_if_gone(listener: str, viewer: str) -> None:
    """Have a viewer wait for nothing any more whose page has not come back; else look again."""
    loop = asyncio.get_running_loop()
    away = listeners.away_seconds(listener)
    if away >= GONE_SECONDS:
        loop.run_in_executor(None, services.runner().leave, viewer)
    elif away:  # a line that is open again looks when it ends
        loop.call_later(GONE_SECONDS - away, _end_wishes_if_gone, listener, viewer)


async def _speak(socket: WebSocket, line: listeners.Line) -> None:
    with contextlib.suppress(*_GONE):
        while True:
            await socket.send_text(json.dumps(await line.next()))

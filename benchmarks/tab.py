"""A browser tab without a browser: Streamlit's websocket as its frontend speaks it.

What a browser does by itself is done here too: it keeps large messages and names those it holds,
asks again where a fragment has a timer, carries the address bar and all widgets with each rerun,
and opens a socket that was cut off again. What is on the page is for others to read: a subclass
hears of runs, blocks and elements.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

HOST = "127.0.0.1"
RECONNECTS = 5
RECONNECT_SECONDS = 1.0
_WITHOUT_COOKIE = "PLACEHOLDER_AUTH_TOKEN"  # as the frontend says it
_EARLY = ForwardMsg.FINISHED_EARLY_FOR_RERUN


class MessageCache:
    """Large messages that the browser holds, so that the server sends a reference in their place.

    Both sides forget by the same rule: what no run has used for some runs, a run of a fragment
    counting for this fragment's messages only.
    """

    def __init__(self) -> None:
        self._messages: dict[str, ForwardMsg] = {}
        self._used: dict[str, int] = {}
        self._runs = 0

    @property
    def hashes(self) -> list[str]:
        return list(self._messages)

    def resolve(self, message: ForwardMsg) -> ForwardMsg | None:
        """Return what a message stands for; None if it refers to what is not held."""
        if message.WhichOneof("type") != "ref_hash":
            if message.metadata.cacheable and message.hash:
                self._messages.setdefault(message.hash, message)
                self._used[message.hash] = self._runs
            return message
        held = self._messages.get(message.ref_hash)
        if held is None:
            return None
        self._used[message.ref_hash] = self._runs
        whole = ForwardMsg()
        whole.CopyFrom(held)
        whole.metadata.CopyFrom(message.metadata)
        return whole

    def run_ended(self, oldest: int, fragments: tuple[str, ...]) -> None:
        """Forget what has not been used for more than `oldest` runs."""
        self._runs += 1
        for name, message in list(self._messages.items()):
            counts = not fragments or message.delta.fragment_id in fragments
            if counts and self._runs - self._used[name] > oldest:
                del self._messages[name], self._used[name]


@dataclass
class Run:
    """One run of the page, or of fragments of it, as it arrived.

    Attributes
    ----------
    began, ended
        `time.monotonic` of its first and last message; `ended` is 0 while it is under way.
    cpu
        CPU seconds of the page process until the next run begins, where the tab has a clock: what
        the server does after a run's last message is its own too.
    changed
        How many elements differ from what stood in their place before, where the tab looks.
    """

    number: int
    fragments: tuple[str, ...]
    began: float
    ended: float = 0.0
    messages: int = 0
    bytes: int = 0
    cpu: float = 0.0
    changed: int = 0
    superseded: bool = False

    @property
    def is_page(self) -> bool:
        return not self.fragments


@dataclass
class Faults:
    """What went wrong, by text, counted."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, text: object) -> None:
        self.counts[f"{kind}: {' '.join(str(text).split())[:300]}"] += 1


class Tab:
    """One tab.

    Parameters
    ----------
    port
        Of the server, on this machine.
    faults
        Where exceptions, errors on the page and dropped sockets are counted.
    cookie
        The server's token of a browser, see `served.Server.cookie`; uploads need it.
    clock
        Tells the CPU seconds of the page process; with it each run knows what it cost.
    """

    oldest_message = 2  # runs; the server says its own

    def __init__(
        self,
        port: int,
        faults: Faults,
        *,
        cookie: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.port, self.faults, self.cookie, self.clock = port, faults, cookie, clock
        self.cache = MessageCache()
        self.widgets: dict[str, WidgetState] = {}
        self.pages: dict[str, str] = {}
        self.page = self.query = self.session = ""
        self.runs: list[Run] = []
        self.run: Run | None = None
        self.timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self.n_dropped = self.n_bytes = 0
        self._is_closed = False
        self._elements: dict[tuple[int, ...], int] = {}
        self._cpu = 0.0
        self._heard_new_session = False
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._socket: websockets.ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    # What a subclass hears

    def on_run(self, run: Run) -> None:
        """Hear that a run began."""

    def on_block(self, place: tuple[int, ...], delta: Delta, run: Run) -> None:
        """Hear of a container."""

    def on_element(self, place: tuple[int, ...], delta: Delta, run: Run) -> None:
        """Hear of an element."""

    def on_end(self, run: Run) -> None:
        """Hear that a run ended."""

    # The socket

    async def open(self) -> None:
        """Connect and have the page drawn."""
        headers = {"Cookie": f"_streamlit_xsrf={self.cookie}"} if self.cookie else {}
        session = [self.session] if self.session else []
        self._socket = await websockets.connect(
            f"ws://{HOST}:{self.port}/_stcore/stream",
            subprotocols=["streamlit", self.cookie or _WITHOUT_COOKIE, *session],
            origin=f"http://{HOST}:{self.port}",
            additional_headers=headers,
            max_size=None,
            ping_interval=None,  # a browser sends none
            open_timeout=60,
            close_timeout=5,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        await self.rerun()

    async def close(self) -> None:
        """Close the tab."""
        self._is_closed = True
        self._end_timers(self.timers)
        if self._socket is not None:
            await self._socket.close()  # while it is read: messages on their way come first
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self, socket: websockets.ClientConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for data in socket:
                assert isinstance(data, bytes)
                message = ForwardMsg()
                message.ParseFromString(data)
                try:
                    self._receive(message, len(data))
                except Exception as error:  # ours, and no reason to stop listening
                    self.faults.add("benchmark", repr(error))
        if self._is_closed:
            return
        self.n_dropped += 1
        self.faults.add("websocket", "closed by the server")
        self._end_timers(self.timers)
        if self.n_dropped <= RECONNECTS:
            await asyncio.sleep(RECONNECT_SECONDS)
            try:
                await self.open()
            except (OSError, websockets.WebSocketException) as error:
                self.faults.add("websocket", repr(error))

    async def send(self, message: BackMsg) -> None:
        assert self._socket is not None
        with contextlib.suppress(websockets.ConnectionClosed):  # the reader counts it
            await self._socket.send(message.SerializeToString())

    async def rerun(
        self, fragment: str = "", *, auto: bool = False, page: str = "", **triggers: WidgetState
    ) -> None:
        """Ask for a run of the page, or of one fragment.

        Parameters
        ----------
        auto
            Whether a timer asks.
        page
            Hash of the page to go to; by default the one that is open.
        triggers
            States of widgets that hold for this run only.
        """
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = self.query, page or self.page
        asked.fragment_id, asked.is_auto_rerun = fragment, auto
        asked.widget_states.widgets.extend([*self.widgets.values(), *triggers.values()])
        asked.cached_message_hashes.extend(self.cache.hashes)
        asked.context_info.timezone, asked.context_info.locale = "Etc/UTC", "en-US"
        asked.context_info.url = f"http://{HOST}:{self.port}/"
        asked.context_info.color_scheme = "light"
        self._heard_new_session = False
        await self.send(message)

    # Widgets

    def set_number(self, widget: str, value: float) -> None:
        """Put a slider somewhere; whole numbers are sent as others are."""
        self.widgets[widget] = WidgetState(id=widget)
        self.widgets[widget].double_array_value.data.append(value)

    def set_switch(self, widget: str, on: bool) -> None:
        self.widgets[widget] = WidgetState(id=widget, bool_value=on)

    async def upload(self, uploader: str, name: str, content: bytes) -> None:
        """Give a file uploader a file, and have the page run with it."""
        request = BackMsg()
        request.file_urls_request.request_id = uuid.uuid4().hex
        request.file_urls_request.file_names.append(name)
        request.file_urls_request.session_id = self.session
        await self.send(request)
        urls = (await asyncio.wait_for(self._answers.get(), 60)).file_urls[0]
        await asyncio.to_thread(self._put, urls.upload_url, name, content)
        state = WidgetState(id=uploader)
        file = state.file_uploader_state_value.uploaded_file_info.add()
        file.name, file.size, file.file_id = name, len(content), urls.file_id
        file.file_urls.CopyFrom(urls)
        await self.rerun(uploaded=state)  # once: the page then draws another uploader

    def _put(self, address: str, name: str, content: bytes) -> None:
        import http.client

        edge = uuid.uuid4().hex
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        )
        connection = http.client.HTTPConnection(HOST, self.port, timeout=300)
        try:
            connection.request(
                "PUT",
                address,
                head.encode() + content + f"\r\n--{edge}--\r\n".encode(),
                {
                    "Content-Type": f"multipart/form-data; boundary={edge}",
                    "Cookie": f"_streamlit_xsrf={self.cookie}",
                    "X-Xsrftoken": self.cookie,
                },
            )
            if (status := connection.getresponse().status) != 204:
                raise RuntimeError(f"The upload was answered with status {status}, not 204.")
        finally:
            connection.close()

    # What arrives

    async def until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so; looked at after each run, and when `look_again` is called.

        Raises
        ------
        TimeoutError
            If it is not so after `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    def look_again(self) -> None:
        """Have all who wait look whether what they wait for is so."""
        self._changed.set()

    def _receive(self, message: ForwardMsg, size: int) -> None:
        now = time.monotonic()
        self.n_bytes += size
        whole = self.cache.resolve(message)
        if whole is None:
            self.faults.add("cache", "a reference to a message that is not held")
            return
        kind = whole.WhichOneof("type")
        if kind == "new_session":
            self._begin(whole, now)
        if self.run is not None:
            self.run.messages += 1
            self.run.bytes += size
        if kind == "delta":
            self._draw(whole)
        elif kind == "script_finished":
            self._end(whole, now)
        elif kind == "navigation":
            self.page = whole.navigation.page_script_hash or self.page
            pages = whole.navigation.app_pages
            self.pages = {page.url_pathname: page.page_script_hash for page in pages}
        elif kind == "page_info_changed":
            self.query = whole.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._set_timer(whole.auto_rerun.fragment_id, whole.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._end_timers(whole.stop_auto_rerun.fragment_ids)
        elif kind == "file_urls_response":
            self._answers.put_nowait(whole.file_urls_response)

    def _begin(self, message: ForwardMsg, now: float) -> None:
        new = message.new_session
        self._heard_new_session = True
        self.session = new.initialize.session_id or self.session
        self.oldest_message = new.config.max_cached_message_age
        fragments = tuple(message.metadata.run.fragment_ids)
        if not fragments:
            self.page = new.page_script_hash or self.page
            self._end_timers(self.timers)
        self._count_cpu()
        number = self.run.number + 1 if self.run is not None else 1
        self.run = Run(number, fragments, now)
        self.on_run(self.run)

    def _count_cpu(self) -> None:
        """Charge what the page process has used to the last run; to none before the first."""
        if self.clock is None:
            return
        before, self._cpu = self._cpu, self.clock()
        if self.run is not None:
            self.run.cpu += self._cpu - before

    def _draw(self, message: ForwardMsg) -> None:
        if self.run is None:
            return
        place, delta = tuple(message.metadata.delta_path), message.delta
        if delta.WhichOneof("type") == "add_block":
            self.on_block(place, delta, self.run)
        elif delta.WhichOneof("type") == "new_element":
            if self.clock is not None:
                self._compare(place, message)
            self.on_element(place, delta, self.run)

    def _compare(self, place: tuple[int, ...], message: ForwardMsg) -> None:
        assert self.run is not None
        content = hash(message.delta.new_element.SerializeToString())
        self.run.changed += self._elements.get(place) != content
        self._elements[place] = content

    def _end(self, message: ForwardMsg, now: float) -> None:
        run, early = self.run, message.script_finished == _EARLY
        if not early and self._heard_new_session:
            fragments = tuple(message.metadata.run.fragment_ids)
            self.cache.run_ended(self.oldest_message, fragments)
        if run is None or run.ended:
            return
        run.ended, run.superseded = now, early
        self.runs.append(run)
        self.on_end(run)
        self.look_again()

    # Timers

    def _set_timer(self, fragment: str, seconds: float) -> None:
        if self._is_closed or not fragment or self.timers.get(fragment, (0.0,))[0] == seconds:
            return
        self._end_timers([fragment])
        self.timers[fragment] = (seconds, asyncio.create_task(self._ask(fragment, seconds)))

    async def _ask(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.rerun(fragment, auto=True)

    def _end_timers(self, fragments: Iterable[str]) -> None:
        for fragment in list(fragments):
            if fragment in self.timers:
                self.timers.pop(fragment)[1].cancel()

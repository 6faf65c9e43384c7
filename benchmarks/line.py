"""A page's end of the line without a browser: hears what is stored, has parts drawn again.

It does what `pages/ui/line/assets/line.js` does: what was said is remembered, a part says with each
drawing what it still lacks, one part at a time is asked to draw itself, and a line that is silent
while somebody waits is asked, then opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import websockets

OVER = ("finished", "failed", "cancelled")
TICK = 0.3
"""Seconds between looks at the line, while somebody waits."""
QUIET = 0.8
"""Seconds of silence after which the line is asked whether it lives."""
LOOK = 2.0
"""Seconds between looks of parts that wait, while the line does not answer."""
PATIENCE = 1.0
"""Seconds until a line is opened or a part asked anew; then twice as long."""
LONGEST = 10.0


@dataclass(frozen=True)
class Where:
    """Ids of an unseen element and of its fragment, and the number of the run that drew it."""

    component: str
    fragment: str
    run: int


@dataclass
class Ear:
    """What a part waits for.

    Attributes
    ----------
    part, setting
        Name of the part, and of the setting that it shows.
    works
        The stages that each work has not stored yet though the part shows them.
    waits
        Whether anything more is to come.
    hears
        What others may say that changes it.
    drawn
        Another number at each drawing.
    """

    part: str
    where: Where
    works: dict[str, list[str]] = field(default_factory=dict)
    waits: bool = False
    hears: list[str] = field(default_factory=list)
    drawn: int = 0
    setting: str = ""


@dataclass
class Bar:
    """How far some work is, where the page shows it."""

    work: str
    state: str
    where: Where

    @property
    def waits(self) -> bool:
        return self.state not in OVER


class Line:
    """The line of one tab.

    Parameters
    ----------
    url, origin
        Where it is, and where the page is from.
    ask
        Has the part of an ear drawn again.
    changed
        Called with the number of bytes when something was heard.
    """

    def __init__(
        self,
        url: str,
        origin: str,
        ask: Callable[[Ear], Awaitable[None]],
        changed: Callable[[int], None],
    ) -> None:
        self.url, self._origin, self._ask, self._changed = url, origin, ask, changed
        self.ears: dict[str, Ear] = {}
        self.bars: dict[str, Bar] = {}
        self.n_lost = 0
        self._number = 0
        self._said: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._due: set[str] = set()
        self._asking: Ear | None = None
        self._late: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._patience = PATIENCE
        self._line_patience = PATIENCE
        self._heard_at = self._question_at = 0.0
        self._looked_at = time.monotonic()  # a line that opens says everything
        self._socket: websockets.ClientConnection | None = None
        self._sent: set[asyncio.Task[None]] = set()
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Close it for good."""
        self._listening.cancel()
        for handle in (self._late, self._tick):
            if handle is not None:
                handle.cancel()
        if self._socket is not None:
            await self._socket.close()
        await asyncio.gather(self._listening, *self._sent, return_exceptions=True)

    async def _listen(self) -> None:
        pause = TICK / 2
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                async with websockets.connect(
                    self.url, origin=self._origin, ping_interval=None, close_timeout=5, proxy=None
                ) as socket:
                    self._socket, self._heard_at, pause = socket, time.monotonic(), TICK / 2
                    async for message in socket:
                        self._hear(json.loads(message))
                        self._changed(len(message))
            self._socket = None
            self.n_lost += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    # What is heard, and what is on the page

    def _hear(self, hints: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        if now - self._question_at < PATIENCE:
            self._line_patience = PATIENCE
        self._heard_at, self._question_at = now, 0.0
        self._number += 1
        for hint in hints:
            if name := hint.get("name"):
                self._due.update(ear.part for ear in self.ears.values() if name in ear.hears)
            if not (work := hint.get("work")):
                continue
            state = hint["progress"]["state"]
            over = [work] if state in OVER else []
            for what in [*(f"{work} {stage}" for stage in hint.get("stages", ())), *over]:
                self._said[what] = self._number
            for bar in self.bars.values():
                if bar.work == work:
                    bar.state = state
        self._due.update(ear.part for ear in self.ears.values() if self._concerns(ear))
        self._next()

    def _concerns(self, ear: Ear) -> bool:
        """Return whether something was said, since a part was asked, that it lacked when drawn."""
        asked = self._asked.get(ear.part, 0)
        lacking = [f"{work} {stage}" for work, stages in ear.works.items() for stage in stages]
        if ear.waits:
            lacking += ear.works
        return any(self._said.get(what, 0) > asked for what in lacking)

    def draw(self, ear: Ear) -> None:
        """Take note that a part was drawn."""
        if self._asking is not None and self._asking.part == ear.part:
            self._answered()
        self.ears[ear.part] = ear
        if self._concerns(ear):
            self._due.add(ear.part)
        self._watch()
        self._next()

    def draw_bar(self, bar: Bar) -> None:
        """Take note of a bar."""
        self.bars[bar.where.component] = bar
        self._watch()

    def forget(self, run: int, fragments: tuple[str, ...]) -> None:
        """Drop what a run that has ended no longer drew."""

        def stays(drawn: Ear | Bar) -> bool:
            where = drawn.where
            return where.run >= run or bool(fragments and where.fragment not in fragments)

        self.ears = {name: ear for name, ear in self.ears.items() if stays(ear)}
        self.bars = {name: bar for name, bar in self.bars.items() if stays(bar)}

    @property
    def is_awaited(self) -> bool:
        """Whether anything on the page waits."""
        return any(drawn.waits for drawn in [*self.ears.values(), *self.bars.values()])

    # Parts are asked one at a time: of triggers in the same tick Streamlit sends only one.

    def _next(self) -> None:
        if self._asking is not None:
            return
        due = next((ear for ear in self.ears.values() if ear.part in self._due), None)
        if due is None:
            self._due.clear()
            return
        self._due.discard(due.part)
        self._asked[due.part] = self._number
        self._asking = due
        self._late = asyncio.get_running_loop().call_later(self._patience, self._unanswered, due)
        self._send(self._ask(due))

    def _answered(self) -> None:
        self._asking, self._patience = None, PATIENCE
        if self._late is not None:
            self._late.cancel()

    def _unanswered(self, ear: Ear) -> None:
        self._patience = min(2 * self._patience, LONGEST)
        self._asking = None
        self._due.add(ear.part)
        self._next()

    def _send(self, sending: Awaitable[None]) -> None:
        task = asyncio.ensure_future(sending)
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)

    # The line is looked at while somebody waits.

    def _watch(self) -> None:
        if self._tick is None and self.is_awaited:
            self._tick = asyncio.get_running_loop().call_later(TICK, self._check)

    def _check(self) -> None:
        self._tick = None
        if not self.is_awaited:
            return
        now, socket = time.monotonic(), self._socket
        if socket is not None and not self._question_at and now - self._heard_at > QUIET:
            self._question_at = now
            self._send(self._question(socket))
        unanswered = now - self._question_at if self._question_at else 0.0
        if (socket is None or unanswered > PATIENCE) and now - self._looked_at > LOOK:
            self._looked_at = now
            self._due.update(ear.part for ear in self.ears.values() if ear.waits)
            self._next()
        if socket is not None and unanswered > self._line_patience:
            self._line_patience = min(2 * self._line_patience, LONGEST)  # it may only be busy
            self._question_at = 0.0
            self._send(socket.close())
        self._watch()

    async def _question(self, socket: websockets.ClientConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            await socket.send("?")

"""Who listens for changes, and what is said to whom: hints, for a page reads the store anyway.

No Streamlit here: hints come from any thread, and lines are served between page runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from harmony_core.jobs.hints import Hint
from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import Work

_lock = threading.Lock()
_listeners: WeakValueDictionary[str, Listener] = WeakValueDictionary()
"""By name, as long as their sessions live."""

Message = Mapping[str, Any]


class Line:
    """What is to be said over one websocket, from any thread; made in its event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Queue[Sequence[Message]] = asyncio.Queue()

    def say(self, *messages: Message) -> None:
        """Say something soon, or nothing if the server has ended meanwhile."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._said.put_nowait, messages)

    async def next(self) -> list[Message]:
        """Wait for what is to be said; what came together is said together."""
        messages = [*await self._said.get()]
        while not self._said.empty():
            messages += self._said.get_nowait()
        return messages


class Listener:
    """One session: which work its parts follow, and the line to its page while it is open.

    Parameters
    ----------
    progress
        Returns how far some work is.
    viewer
        The session's name at the runner.
    now
        The time in seconds.

    Attributes
    ----------
    name
        Unguessable, for whoever has it can listen.
    """

    def __init__(
        self,
        progress: Callable[[Work], Progress],
        viewer: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = secrets.token_urlsafe(24)
        self.viewer = viewer
        self._progress = progress
        self._now = now
        self._seen_at = now()
        self._followed: dict[str, Sequence[Work]] = {}
        self._line: Line | None = None
        with _lock:
            _listeners[self.name] = self

    def follow(self, part: str, works: Sequence[Work]) -> None:
        """Hear of these works from now on, in place of those that the part followed before."""
        with _lock:
            self._seen_at = self._now()
            self._followed[part] = works

    def follow_nothing(self) -> None:
        """Forget what parts of an earlier page follow."""
        with _lock:
            self._seen_at = self._now()
            self._followed.clear()

    @property
    def _works(self) -> dict[str, Work]:
        with _lock:
            return {work.name: work for works in self._followed.values() for work in works}

    def say(self, *messages: Message) -> None:
        """Say something to the page, if its line is open."""
        if (line := self._line) is not None:
            line.say(*messages)

    def hear(self, hint: Hint) -> None:
        """Pass a hint on if the page follows its work."""
        if hint.work in self._works:
            self.say(_message(hint.work, hint.stages, hint.progress))

    def say_all(self) -> None:
        """Say how far everything is that the page follows, whatever was said before."""
        messages = []
        for name, work in self._works.items():
            progress = self._progress(work)  # first: a stage is stored before its work is over
            messages.append(_message(name, work.stored, progress))
        self.say(*messages, {})  # also when nothing is followed: the line lives

    def open(self) -> Line:
        """Return a new line, which takes the place of an earlier one."""
        self._line = Line()
        return self._line

    @property
    def is_open(self) -> bool:
        """Whether its page has a line."""
        return self._line is not None

    def close(self, line: Line) -> None:
        """Forget a line that has ended."""
        if self._line is line:
            self._line, self._seen_at = None, self._now()

    @property
    def away_seconds(self) -> float:
        """For how long nothing was heard of its page: neither a line was open nor a part ran."""
        return 0.0 if self.is_open else self._now() - self._seen_at


def find(name: str) -> Listener | None:
    """Return the listener of a name, if its session lives."""
    with _lock:
        return _listeners.get(name)


def away_seconds(name: str) -> float:
    """Return for how long nothing was heard of a page; for ever where its session has ended."""
    listener = find(name)
    return math.inf if listener is None else listener.away_seconds


def is_anybody_here() -> bool:
    """Return whether any page has its line open."""
    with _lock:
        return any(listener.is_open for listener in _listeners.values())


def hear(hint: Hint) -> None:
    """Pass a hint on to whoever follows its work."""
    with _lock:
        everyone = list(_listeners.values())
    for listener in everyone:
        listener.hear(hint)


def progress_shown(progress: Progress) -> dict[str, Any]:
    """Return what a page is told of how far some work is."""
    return {name: getattr(progress, name) for name in ("state", "step", "fraction")}


def _message(work: str, stages: Sequence[str], progress: Progress) -> Message:
    return {"work": work, "stages": list(stages), "progress": progress_shown(progress)}

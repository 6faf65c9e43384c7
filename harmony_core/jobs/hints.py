"""Hints that a stage is stored or that a job got further, for whoever draws it.

A hint says where to look and is never a result: it may be lost, the store is the truth.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import Work

log = logging.getLogger(__name__)

_COMPUTING_SECONDS = 0.1
"""Between two looks at what is computed; a worker writes its progress as often."""

_WAITING_SECONDS = 1.0
"""Between two looks at what waits for its turn."""


@dataclass(frozen=True)
class Hint:
    """That some work got further.

    Attributes
    ----------
    work
        Name of the work.
    stages
        Names of its stages that were stored since the last hint about it.
    progress
        As `harmony_core.jobs.runner.Runner.progress` says it.
    """

    work: str
    stages: tuple[str, ...]
    progress: Progress


Heard = Callable[[Hint], None]


@dataclass(frozen=True)
class _Seen:
    """What was last known of some work."""

    work: Work
    stored: tuple[str, ...]
    progress: Progress | None = None


class Watcher:
    """Looks at the work under way and says what has changed, from a thread of its own.

    It looks at once where the runner has news, at what is computed every tenth of a second and at
    the rest every second; while nothing is under way or nobody listens it waits without a timer.

    Parameters
    ----------
    progress
        Returns how far some work is.
    under_way
        Returns the names of the work under way and whether each is being computed just now.
    """

    def __init__(
        self, progress: Callable[[Work], Progress], under_way: Callable[[], Mapping[str, bool]]
    ) -> None:
        self._progress = progress
        self._under_way = under_way
        self._listeners: list[Heard] = []
        self._seen: dict[str, _Seen] = {}
        self._news: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call a function at every hint, from any thread; return what ends that."""
        with self._changed:
            self._listeners.append(heard)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="hints", daemon=True)
                self._thread.start()
            self._changed.notify()

        def end() -> None:
            with self._changed:
                if heard in self._listeners:
                    self._listeners.remove(heard)

        return end

    def expect(self, work: Work) -> None:
        """Take note of work that is asked for; what is stored of it already is no news."""
        with self._changed:
            seen = self._seen.get(work.name)
            self._seen[work.name] = _Seen(work, work.stored if seen is None else seen.stored)
        self.look_at([work.name])

    def look_at(self, names: Iterable[str]) -> None:
        """Look soon at some work, by name, as it has changed."""
        with self._changed:
            self._news.update(names)
            self._changed.notify()

    def _watch(self) -> None:
        looked_at_all = -math.inf
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._listeners and self._seen))
                self._changed.wait_for(lambda: bool(self._news), _COMPUTING_SECONDS)
                news, self._news = self._news, set()
            if time.monotonic() - looked_at_all >= _WAITING_SECONDS:
                self.look()
                looked_at_all = time.monotonic()
            else:
                self.look(news)

    def look(self, news: Collection[str] | None = None) -> None:
        """Say what has changed since the last time.

        Parameters
        ----------
        news
            Names of work to look at beside what is computed; by default all.
        """
        with self._changed:
            last = dict(self._seen)
        under_way = self._under_way()
        for name, seen in last.items():
            if news is None or name in news or under_way.get(name, False):
                self._look(seen, is_over=name not in under_way)

    def _look(self, seen: _Seen, *, is_over: bool) -> None:
        name, progress = seen.work.name, self._progress(seen.work)
        now = replace(seen, stored=seen.work.stored, progress=progress)  # stored before it is over
        with self._changed:
            if not is_over:
                self._seen[name] = now
            elif self._seen[name] is seen:  # else it was asked for again just now
                del self._seen[name]
        if now != seen:
            new = tuple(stage for stage in now.stored if stage not in seen.stored)
            self._say(Hint(name, new, progress))

    def _say(self, hint: Hint) -> None:
        with self._changed:
            listeners = list(self._listeners)
        for heard in listeners:
            try:
                heard(hint)
            except Exception:
                log.exception("Who listens for hints failed")

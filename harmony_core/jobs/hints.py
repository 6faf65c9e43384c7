"""Hints that a stage is stored or that a job got further, for whoever draws it.

A hint says where to look and is never a result: it may be lost, the store is the truth.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import Work

log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 0.02


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

    The thread waits without a timer while nothing is under way or nobody listens.

    Parameters
    ----------
    progress
        Returns how far some work is.
    under_way
        Returns the names of the work under way.
    """

    def __init__(
        self, progress: Callable[[Work], Progress], under_way: Callable[[], Collection[str]]
    ) -> None:
        self._progress = progress
        self._under_way = under_way
        self._listeners: list[Heard] = []
        self._seen: dict[str, _Seen] = {}
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
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._listeners and self._seen))
            self.look()
            with self._changed:
                self._changed.wait(_INTERVAL_SECONDS)

    def look(self) -> None:
        """Say what has changed since the last time."""
        with self._changed:
            last = dict(self._seen)
        under_way = self._under_way()
        for name, seen in last.items():
            now = replace(seen, stored=seen.work.stored, progress=self._progress(seen.work))
            with self._changed:
                if name in under_way:
                    self._seen[name] = now
                elif self._seen[name] is seen:  # else it was asked for again just now
                    del self._seen[name]
            if now != seen:
                new = tuple(stage for stage in now.stored if stage not in seen.stored)
                self._say(Hint(name, new, now.progress or Progress("waiting")))

    def _say(self, hint: Hint) -> None:
        with self._changed:
            listeners = list(self._listeners)
        for heard in listeners:
            try:
                heard(hint)
            except Exception:
                log.exception("Who listens for hints failed")

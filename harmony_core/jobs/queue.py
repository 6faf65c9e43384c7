"""Jobs on an executor: launch, follow, drop, begin again.

The queue is kept here: the executor gets no more jobs than it has places, so a job that nobody
wants any more is forgotten without a trace, and a worker is never ended for what it only keeps
in its own queue. What somebody waits for in front of a slider goes first. Background jobs are
handed over one at a time and only while nothing else is under way; when something else comes,
the one under way stops at the end of its stage and begins again later, where its finished stages
wait for it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harmony_core.errors import HarmonyExplorerError
from harmony_core.jobs import executors
from harmony_core.jobs.worker import Progress, State, read_progress, warm_up
from harmony_core.store import Store, write_json

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which an abandoned computation that does not stop by itself is ended."""

_MAX_RETRIES = 1
_STOPPED_TWICE = (
    "The computation stopped twice without an answer, most likely for lack of memory. Everything "
    "finished is kept; try fewer cells or close other programs."
)
_GETTING_READY = (
    "Waiting for the worker, which is getting ready; the first time this takes half a minute"
)
_NOTHING_WRITTEN = (
    "Nothing could be written into the store; most likely its disk is full. Make room, or give it "
    "another folder by HARMONY_EXPLORER_HOME."
)


@dataclass
class Job:
    """One computation and the viewers who wait for it; once lost, it says why.

    `stopping` jobs have been told to stop: nobody wants them any more, or they make way.
    """

    work: Callable[..., str]
    arguments: tuple[Any, ...]
    folder: Path
    background: bool = False
    viewers: set[str] = field(default_factory=set)
    future: Future[str] | None = None
    retries: int = 0
    lost: str = ""
    stopping: bool = False

    @property
    def is_waiting(self) -> bool:
        return self.future is None and not self.lost

    def begin_anew(self) -> None:
        """Take back the cancel mark and what was said of an earlier try."""
        self.stopping = False
        with contextlib.suppress(OSError):
            (self.folder / "cancel").unlink(missing_ok=True)
        self.say("waiting")

    def say(self, state: State, **values: Any) -> None:
        """Write where the job stands; one that can't even say so is lost."""
        try:
            write_json(self.folder / "progress.json", {"state": state, **values})
        except OSError:
            self.lost = _NOTHING_WRITTEN

    def stop(self) -> None:
        """Leave the cancel mark, which the worker sees between stages and layout rounds.

        Where none can be left, because the disk is full, the worker is ended instead if it is in
        somebody's way.
        """
        self.stopping = True
        with contextlib.suppress(OSError):
            (self.folder / "cancel").touch()


class JobQueue:
    """What any number of viewers wait for.

    Parameters
    ----------
    store
        Where datasets and results live.
    executor_factory
        Makes the executor; called again when its worker has died. By default
        `harmony_core.jobs.executors.executor_for`.
    """

    def __init__(
        self, store: Store, executor_factory: Callable[[], Executor] | None = None
    ) -> None:
        self.store = store
        self._factory = executor_factory or (lambda: executors.executor_for(store))
        self._executor: Executor | None = None
        self._jobs: dict[str, Job] = {}
        self._handed: set[Future[str]] = set()
        self._warming: Future[str] | None = None
        self._lock = threading.RLock()
        # A pool tells of finished jobs while it may hold locks that its `submit` needs.
        self._settler = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._closed = False

    def start(self, delay: float = 0.0) -> None:
        """Start the worker and its warm-up after `delay` seconds, without waiting for either.

        A job that comes earlier starts the worker at once.
        """
        timer = threading.Timer(delay, self._warm_up)
        timer.daemon = True
        timer.start()

    def _warm_up(self) -> None:
        with self._lock:
            if self._executor is None and not self._closed:
                try:
                    self._warming = self._hand_over(warm_up)
                except HarmonyExplorerError as error:
                    log.warning("%s", error)  # the first run says it on its page
                else:
                    self._when_done(self._warming)

    def follow(self, name: str, folder: Path) -> Progress:
        """Return where a job stands."""
        with self._lock:
            job = self._jobs.get(name)
            lost = "" if job is None else job.lost
            warming = self._warming in self._handed
        progress = read_progress(folder)
        if job is None:
            return progress
        if lost and progress.state != "finished":
            return Progress("failed", message=lost)
        if not job.viewers:
            return progress if progress.is_over else Progress("cancelled")
        if progress.state == "cancelled":
            progress = Progress("waiting")  # it makes way, or was wanted again too late
        if job.retries and not progress.is_over:
            again = f"{progress.step or 'Waiting'}, again because its worker had stopped"
            return replace(progress, step=again)
        if job.is_waiting and warming and not progress.is_over:
            return replace(progress, step=_GETTING_READY)
        return progress

    def drop(self, viewer: str, *, but: str = "") -> None:
        """Forget what a viewer waits for; a job that nobody waits for is cancelled."""
        with self._lock:
            for name, job in list(self._jobs.items()):
                if name == but or viewer not in job.viewers:
                    continue
                job.viewers.discard(viewer)
                if job.viewers:
                    continue
                if job.future is None:
                    del self._jobs[name]
                    job.say("cancelled")
                else:
                    self._stop(job)
            self._launch_next()

    def _stop(self, job: Job) -> None:
        job.stop()
        self._look_later(job, job.future)

    def _look_later(self, *stopping: Any) -> None:
        timer = threading.Timer(PATIENCE, self._end_if_in_the_way, stopping)
        timer.daemon = True
        timer.start()

    def _end_if_in_the_way(self, job: Job, future: Future[str]) -> None:
        """End the worker that still computes what should have stopped while somebody waits.

        Stages and layouts see their cancel mark; a call into a library does not.
        """
        with self._lock:
            if job.future is not future or not job.stopping or self._executor is None:
                return
            if self._in_front():
                log.info("Ending a worker that computes what nobody waits for")
                executors.end_processes(self._executor)
            else:
                self._look_later(job, future)

    def close(self) -> None:
        """Cancel everything and end the worker."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                job.stop()
            self._jobs.clear()
            executor, self._executor = self._executor, None
        if executor is not None:
            executors.close(executor)

    def want(self, name: str, viewer: str, job: Job) -> None:
        """Ask for a job on behalf of a viewer, or join those who wait for it already."""
        known = self._jobs.get(name)
        if known is not None and not known.lost:
            job = known
        if not job.viewers:
            job.begin_anew()
        job.viewers.add(viewer)
        self._jobs[name] = job
        self._launch_next()

    def _launch_next(self) -> None:
        """Hand jobs over while there is a place for them; what is in the background makes way."""
        while (name := self._next()) is not None:
            job = self._jobs[name]
            job.begin_anew()
            if job.lost:
                continue
            try:
                job.future = self._hand_over(job.work, *job.arguments)
            except HarmonyExplorerError as error:
                job.say("failed", message=str(error))
                del self._jobs[name]
            else:
                self._when_done(job.future, self._settle, name, job, job.future)
        if self._in_front():
            for job in self._jobs.values():
                if job.background and job.future is not None and not job.stopping:
                    self._stop(job)

    def _next(self) -> str | None:
        """Return whose turn it is; a background job waits until the executor has nothing else."""
        if in_front := self._in_front():
            places = 1 if self._executor is None else executors.places(self._executor)
            return in_front[0] if len(self._handed) < places else None
        waiting = [name for name, job in self._jobs.items() if job.is_waiting]
        return waiting[0] if waiting and not self._handed else None

    def _in_front(self) -> list[str]:
        """Return which jobs somebody waits for that have no place yet."""
        return [n for n, job in self._jobs.items() if job.is_waiting and not job.background]

    def _hand_over(self, work: Callable[..., str], *arguments: Any) -> Future[str]:
        if self._executor is None:
            self._executor = self._factory()
        try:
            future = self._executor.submit(work, *arguments)
        except BrokenProcessPool:
            self._executor = self._factory()
            future = self._executor.submit(work, *arguments)
        self._handed.add(future)
        return future

    def _when_done(
        self, future: Future[str], then: Callable[..., None] | None = None, *arguments: Any
    ) -> None:
        def settle() -> None:
            with self._lock:
                self._handed.discard(future)
                if then is not None:
                    then(*arguments)
                self._launch_next()

        if future.done():
            settle()
        else:
            future.add_done_callback(lambda _: self._settler.submit(settle))

    def _settle(self, name: str, job: Job, future: Future[str]) -> None:
        """Decide what becomes of a job whose future is done: gone, again, or lost."""
        if self._jobs.get(name) is not job:
            return
        job.future = None
        error = None if future.cancelled() else future.exception()
        if not job.viewers:
            del self._jobs[name]
        elif error is None:
            # One that made way, or was wanted again after it had stopped, has another turn.
            if read_progress(job.folder).state in ("finished", "failed"):
                del self._jobs[name]
        elif not executors.is_lost(error):
            log.error("%s could not say how it went", name, exc_info=error)
            job.lost = _NOTHING_WRITTEN
        elif not job.stopping:  # a worker that we ended is not the job's fault
            log.warning("The worker died during %s", name)
            job.retries += 1
            if job.retries > _MAX_RETRIES:
                job.lost = _STOPPED_TWICE

"""Jobs on an executor: submitted, followed, withdrawn, begun again.

The queue is kept here: the executor gets no more jobs than it has places, so a job that nobody
wants any more is forgotten without a trace, and a worker is never ended for what it only keeps
in its own queue. What somebody waits for in front of a slider goes first. Background jobs are
handed over one at a time and only while nothing else is under way; when something else comes,
the one under way stops at the end of its stage and begins again later, where its finished stages
wait for it.

The page process submits and asks how far it is; a worker computes. They speak through the store
alone, see `harmony_core.jobs.job_folder`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from harmony_core.errors import HarmonyExplorerError
from harmony_core.jobs import executors
from harmony_core.jobs.hints import Hint, Watcher
from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.queue import NOTHING_WRITTEN, Job, JobQueue
from harmony_core.jobs.warmup import warm_up
from harmony_core.jobs.work import Work
from harmony_core.store import Store

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


class Runner:
    """Has work done for any number of viewers.

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
        self.queue = JobQueue()
        self._factory = executor_factory or (lambda: executors.executor_for(store))
        self._executor: Executor | None = None
        self._submitted: set[Future[str]] = set()
        self._warming: Future[str] | None = None
        self._lock = threading.RLock()
        # A pool reports finished jobs while it may hold locks that its `submit` needs.
        self._settler = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._hints = Watcher(self.progress, self._names_under_way)
        self._closed = False

    def start(self, delay: float = 0.0) -> None:
        """Start the worker and its warm-up after `delay` seconds, without waiting for either.

        A job that comes earlier starts the worker at once.
        """
        _call_later(delay, self._warm_up)

    def _warm_up(self) -> None:
        with self._lock:
            if self._executor is None and not self._closed:
                try:
                    self._warming = self._submit_to_executor(warm_up)
                except HarmonyExplorerError as error:
                    log.warning("%s", error)  # the first run says it on its page
                else:
                    self._when_done(self._warming)

    def submit(self, viewer: str, *works: Work) -> None:
        """Ask for work on behalf of a viewer, who thereby withdraws from everything else.

        Work whose results exist is finished at once.
        """
        for work in works:
            work.prepare()
        with self._lock:
            self._withdraw(viewer, keep={work.name for work in works})
            for work in works:
                if not work.is_finished():
                    self._hints.expect(work)
                    self.queue.add(work, viewer)
                elif work.folder.progress.state != "finished":
                    with contextlib.suppress(OSError):  # disk full: what was written before stands
                        work.folder.write("finished", fraction=1.0)
            self._submit_waiting()

    def withdraw(self, viewer: str) -> None:
        """Forget what a viewer waits for; a job that nobody waits for is cancelled."""
        with self._lock:
            self._withdraw(viewer)
            self._submit_waiting()

    def _withdraw(self, viewer: str, keep: Collection[str] = ()) -> None:
        for job in self.queue.withdraw(viewer, keep):
            self._stop(job)

    def progress(self, work: Work) -> Progress:
        """Return how far some work is."""
        with self._lock:
            job = self.queue.jobs.get(work.name)
            lost = "" if job is None else job.lost
            warming = self._warming in self._submitted
        progress = work.folder.progress
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

    def listen(self, heard: Callable[[Hint], None]) -> Callable[[], None]:
        """Hear soon, from any thread, of stages stored, progress, and the end of each job.

        Parameters
        ----------
        heard
            Called with each hint. Some may be lost; the store is the truth.

        Returns
        -------
        What ends it.
        """
        return self._hints.listen(heard)

    def _names_under_way(self) -> set[str]:
        with self._lock:
            return {name for name, job in self.queue.jobs.items() if not job.lost}

    def close(self) -> None:
        """Cancel everything and end the worker."""
        with self._lock:
            self._closed = True
            for job in self.queue.jobs.values():
                job.stop()
            self.queue.jobs.clear()
            executor, self._executor = self._executor, None
        if executor is not None:
            executors.close(executor)

    def _stop(self, job: Job) -> None:
        job.stop()
        _call_later(PATIENCE, self._end_if_in_the_way, job, job.future)

    def _end_if_in_the_way(self, job: Job, future: Future[str]) -> None:
        """End the worker that still computes what should have stopped while somebody waits.

        Stages and layouts see their cancel mark; a call into a library does not.
        """
        with self._lock:
            if job.future is not future or not job.stopping or self._executor is None:
                return
            if self.queue.in_front:
                log.info("Ending a worker that computes what nobody waits for")
                executors.end_processes(self._executor)
            else:
                _call_later(PATIENCE, self._end_if_in_the_way, job, future)

    def _submit_waiting(self) -> None:
        """Submit jobs while there is a place for them; what is in the background makes way."""
        while (job := self._next()) is not None:
            job.begin_anew()
            if job.lost:
                continue
            work = job.work
            try:
                job.future = self._submit_to_executor(
                    work.function, str(self.store.home), str(work.folder.path), *work.arguments
                )
            except HarmonyExplorerError as error:
                job.write("failed", message=str(error))
                del self.queue.jobs[work.name]
            else:
                self._when_done(job.future, self._settle, job, job.future)
        for job in self.queue.in_the_way:
            self._stop(job)

    def _next(self) -> Job | None:
        places = 1 if self._executor is None else executors.places(self._executor)
        return self.queue.next(places=places, n_submitted=len(self._submitted))

    def _submit_to_executor(self, function: Callable[..., str], *arguments: Any) -> Future[str]:
        if self._executor is None:
            self._executor = self._factory()
        try:
            future = self._executor.submit(function, *arguments)
        except BrokenProcessPool:
            self._executor = self._factory()
            future = self._executor.submit(function, *arguments)
        self._submitted.add(future)
        return future

    def _when_done(
        self, future: Future[str], then: Callable[..., None] | None = None, *arguments: Any
    ) -> None:
        def settle() -> None:
            with self._lock:
                self._submitted.discard(future)
                if then is not None:
                    then(*arguments)
                self._submit_waiting()

        if future.done():
            settle()
        else:
            future.add_done_callback(lambda _: self._settler.submit(settle))

    def _settle(self, job: Job, future: Future[str]) -> None:
        """Decide what becomes of a job whose future is done: gone, again, or lost."""
        jobs, name = self.queue.jobs, job.work.name
        if jobs.get(name) is not job:
            return
        job.future = None
        error = None if future.cancelled() else future.exception()
        if not job.viewers:
            del jobs[name]
        elif error is None:
            # One that made way, or was wanted again after it had stopped, has another turn.
            if job.work.folder.progress.state in ("finished", "failed"):
                del jobs[name]
        elif not executors.is_lost(error):
            log.error("%s could not say how it went", name, exc_info=error)
            job.lost = NOTHING_WRITTEN
        elif not job.stopping:  # a worker that we ended is not the job's fault
            log.warning("The worker died during %s", name)
            job.retries += 1
            if job.retries > _MAX_RETRIES:
                job.lost = _STOPPED_TWICE


def _call_later(seconds: float, function: Callable[..., None], *arguments: Any) -> None:
    timer = threading.Timer(seconds, function, arguments)
    timer.daemon = True
    timer.start()

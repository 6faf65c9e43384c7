"""Jobs on an executor: launch, follow, drop, begin again.

What somebody waits for in front of a slider goes first. Background jobs are handed to the worker
one at a time and only while nothing else is under way; when something else comes, the one under
way stops at the end of its stage and begins again later, where its finished stages wait for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harmony_core import executors
from harmony_core.data.store import Store, write_json
from harmony_core.errors import HarmonyExplorerError
from harmony_core.worker import Progress, read_progress, warm_up

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which an abandoned computation that does not stop by itself is ended."""

_MAX_RETRIES = 1
_STOPPED_TWICE = (
    "The computation stopped twice without an answer, most likely for lack of memory. Everything "
    "finished is kept; try fewer cells or close other programs."
)
_NOTHING_WRITTEN = (
    "Nothing could be written into the store; most likely its disk is full. Make room, or give it "
    "another folder by HARMONY_EXPLORER_HOME."
)


@dataclass
class Job:
    """One computation and the viewers who wait for it; once lost, it says why."""

    work: Callable[..., str]
    arguments: tuple[Any, ...]
    folder: Path
    background: bool = False
    viewers: set[str] = field(default_factory=set)
    future: Future[str] | None = None
    retries: int = 0
    lost: str = ""
    yielding: bool = False

    @property
    def is_under_way(self) -> bool:
        return self.future is not None and not self.lost


class JobQueue:
    """What any number of viewers wait for.

    Parameters
    ----------
    store
        Where datasets and results live.
    executor_factory
        Makes the executor; called again when its worker has died. By default
        `harmony_core.executors.executor_for`.
    """

    def __init__(
        self, store: Store, executor_factory: Callable[[], Executor] | None = None
    ) -> None:
        self.store = store
        self._factory = executor_factory or (lambda: executors.executor_for(store))
        self._executor: Executor | None = None
        self._jobs: dict[str, Job] = {}
        self._lock = threading.RLock()
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
                    self._submit(warm_up)
                except HarmonyExplorerError as error:
                    log.warning("%s", error)  # the first run says it on its page

    def follow(self, name: str, folder: Path) -> Progress:
        """Return where a job stands."""
        with self._lock:
            job = self._jobs.get(name)
            lost = "" if job is None else job.lost
        progress = read_progress(folder)
        if job is not None and progress.state == "cancelled":
            return Progress("waiting")  # it only made way, or its cancelled forerunner wrote late
        if job is not None and job.retries and not lost and not progress.is_over:
            again = f"{progress.step or 'Waiting'}, again because its worker had stopped"
            return replace(progress, step=again)
        if lost and not progress.is_over:
            return Progress("failed", message=lost)
        return progress

    def drop(self, viewer: str, *, but: str = "") -> None:
        """Forget what a viewer waits for; a job that nobody waits for is cancelled."""
        with self._lock:
            for name, job in list(self._jobs.items()):
                if name == but or viewer not in job.viewers:
                    continue
                job.viewers.discard(viewer)
                if not job.viewers:
                    del self._jobs[name]
                    (job.folder / "cancel").touch()
                    if job.future is None or job.future.cancel():
                        write_json(job.folder / "progress.json", {"state": "cancelled"})
                    else:
                        self._watch(job.future)
            self._launch_next()

    def _watch(self, abandoned: Future[str]) -> None:
        """Look later whether an abandoned computation still stands in somebody's way."""
        timer = threading.Timer(PATIENCE, self._end_if_in_the_way, [abandoned])
        timer.daemon = True
        timer.start()

    def _end_if_in_the_way(self, abandoned: Future[str]) -> None:
        """End the worker that computes what nobody wants while somebody waits.

        Stages and layouts see their cancel mark; a call into a library does not. The jobs that
        wait are lost with the worker and begin again unseen.
        """
        with self._lock:
            if abandoned.done() or self._executor is None:
                return
            if any(job.is_under_way and not job.background for job in self._jobs.values()):
                log.info("Ending a worker that computes what nobody waits for")
                executors.end_processes(self._executor)
            else:
                self._watch(abandoned)

    def close(self) -> None:
        """Cancel everything and end the worker."""
        with self._lock:
            self._closed = True
            for job in self._jobs.values():
                (job.folder / "cancel").touch()
            self._jobs.clear()
            executor, self._executor = self._executor, None
        if executor is not None:
            executors.close(executor)

    def want(self, name: str, viewer: str, job: Job) -> None:
        """Ask for a job on behalf of a viewer, or join those who wait for it already."""
        known = self._jobs.get(name)
        if known is not None and not known.lost:
            known.viewers.add(viewer)
            return
        job.viewers.add(viewer)
        self._jobs[name] = job
        if job.background:
            self._launch_next()
        else:
            self._make_way()
            self._launch(name, job)

    def _make_way(self) -> None:
        """Stop the background job under way at the end of its stage; it begins again later."""
        for job in self._jobs.values():
            if job.background and job.is_under_way and not job.yielding:
                job.yielding = True
                (job.folder / "cancel").touch()

    def _launch_next(self) -> None:
        """Hand a background job to the worker, if it has nothing to do."""
        if any(job.is_under_way for job in self._jobs.values()):
            return
        for name, job in self._jobs.items():
            if job.background and not job.lost:
                self._launch(name, job)
                return

    def _launch(self, name: str, job: Job) -> None:
        (job.folder / "cancel").unlink(missing_ok=True)
        write_json(job.folder / "progress.json", {"state": "waiting"})
        try:
            job.future = future = self._submit(job.work, *job.arguments)
        except HarmonyExplorerError as error:
            write_json(job.folder / "progress.json", {"state": "failed", "message": str(error)})
            del self._jobs[name]
            return
        future.add_done_callback(lambda future: self._done(name, job, future))

    def _submit(self, work: Callable[..., str], *arguments: Any) -> Future[str]:
        if self._executor is None:
            self._executor = self._factory()
        try:
            return self._executor.submit(work, *arguments)
        except BrokenProcessPool:
            self._executor = self._factory()
            return self._executor.submit(work, *arguments)

    def _done(self, name: str, job: Job, future: Future[str]) -> None:
        with self._lock:
            if self._jobs.get(name) is job:
                self._settle(name, job, future)
            self._launch_next()

    def _settle(self, name: str, job: Job, future: Future[str]) -> None:
        """Decide what becomes of a job whose future is done: gone, again, or lost."""
        job.future = None
        if job.yielding:
            job.yielding = False
            return
        if future.cancelled() or future.exception() is None:
            del self._jobs[name]
            return
        if not executors.is_lost(future.exception()):
            log.error("%s could not say how it went", name, exc_info=future.exception())
            job.lost = _NOTHING_WRITTEN
            return
        log.warning("The worker died during %s", name)
        if read_progress(job.folder).state == "running":
            job.retries += 1  # one that was still waiting is not to blame
        if job.retries > _MAX_RETRIES:
            job.lost = _STOPPED_TWICE
        elif not job.background:
            self._launch(name, job)

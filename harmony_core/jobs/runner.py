"""Jobs on their places: submitted, followed, withdrawn, begun again.

The queue is kept here: a place gets no more than it computes at once, so a job that nobody wants
any more is forgotten without a trace, and a worker is never ended for what it only keeps in its own
queue. A run is handed over stage by stage; `harmony_core.jobs.queue` says whose is next, and
`harmony_core.jobs.urgency` which places take it. After each stage all is decided anew, so what is
more urgent waits for one stage at most, and what nobody wants any more ends with its stage.

The page process submits and asks how far it is; a worker computes. They speak through the store
alone, see `harmony_core.jobs.job_folder`.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from harmony_core.errors import HarmonyExplorerError
from harmony_core.jobs import executors
from harmony_core.jobs.hints import Hint, Watcher
from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.places import Place, places_for
from harmony_core.jobs.queue import NOTHING_WRITTEN, Job, JobQueue
from harmony_core.jobs.standing import Standing
from harmony_core.jobs.urgency import LANES, Lane
from harmony_core.jobs.warmup import warm_up
from harmony_core.jobs.work import Work
from harmony_core.store import Store

log = logging.getLogger(__name__)

PATIENCE: dict[Lane, float] = {"front": 5.0, "later": 60.0, "files": 5.0, "methods": 5.0}
"""Seconds after which an abandoned computation that does not stop by itself is ended, with its
process: soon where somebody waits in front of it or where a new process is cheap, else only where
one is sure to be cheaper than waiting."""

_MAX_RETRIES = 1
_STOPPED_TWICE = (
    "The computation stopped twice without an answer, most likely for lack of memory. Everything "
    "finished is kept; try fewer cells or close other programs."
)
_CRASHED = (
    "The computation crashed twice: something in these data, or a fault in the program, ends it. "
    "Everything finished is kept; if a file was just read, write it again with the tool that made "
    "it. The server's log has the details."
)
_FAULTS = (signal.SIGSEGV, signal.SIGFPE, signal.SIGILL)
"""Signals of a fault in compiled code. What ends for lack of memory has another: the system's, or
SIGABRT, by which compiled code ends that gets none."""
_GETTING_READY = (
    "Waiting for the worker, which is getting ready; the first time this takes half a minute"
)


class Runner:
    """Has work done for any number of viewers.

    Parameters
    ----------
    store
        Where datasets and results live.
    places
        Where jobs are computed; by default `harmony_core.jobs.places.places_for` the store.
    """

    def __init__(self, store: Store, places: Sequence[Place] | None = None) -> None:
        self.store = store
        self.queue = JobQueue()
        self._places = places
        self._lock = threading.RLock()
        # A pool reports finished jobs while it may hold locks that its `submit` needs.
        self._settler = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._standing = Standing(self.queue, self._n_places)
        self._hints = Watcher(self.progress, self._under_way)
        self._to_warm_up: Sequence[Place] = ()
        self._closed = False

    @property
    def places(self) -> Sequence[Place]:
        """Where jobs are computed.

        Raises
        ------
        HarmonyExplorerError
            If the environment asks for what can't be.
        """
        if self._places is None:
            self._places = places_for(self.store)
        return self._places

    def start(self) -> None:
        """Start the workers and warm them up, one after another.

        A job that comes earlier starts its worker at once.
        """
        with self._lock:
            if self._closed:
                return
            try:
                cold = [place for place in self.places if place.is_cold]
                self._to_warm_up = cold[1:]
                for place in cold[:1]:
                    self._when_done(place, place.warm_up(warm_up), self.start)
            except HarmonyExplorerError as error:
                log.warning("%s", error)  # the first run says it on its page

    def submit(self, viewer: str, *works: Work) -> None:
        """Ask for work on behalf of a viewer, who thereby withdraws from everything else.

        Work whose results exist is finished at once.
        """
        for work in works:
            work.prepare()
        with self._lock:
            unfinished = [work for work in works if not work.is_finished()]
            for work in works:
                if work in unfinished:
                    self._hints.expect(work)
                elif work.folder.progress.state != "finished":
                    with contextlib.suppress(OSError):  # disk full: what was written before stands
                        work.folder.write("finished", fraction=1.0)
            self._ask(viewer, unfinished, {work.name for work in works})

    def withdraw(self, viewer: str) -> None:
        """Forget what a viewer waits for; a job that nobody waits for is cancelled."""
        with self._lock:
            self._ask(viewer)

    def leave(self, person: str) -> None:
        """Forget everything that a person waits for, whose page is gone.

        Parameters
        ----------
        person
            What the names of this viewer begin with, up to a colon.
        """
        with self._lock:
            for job in self.queue.leave(person):
                self._stop(job)
            self._submit_waiting()

    def _ask(self, viewer: str, works: Iterable[Work] = (), keep: Iterable[str] = ()) -> None:
        for job in self.queue.ask(viewer, works, set(keep)):
            self._stop(job)
        self._submit_waiting()

    def progress(self, work: Work) -> Progress:
        """Return how far some work is."""
        with self._lock:
            job = self.queue.jobs.get(work.name)
            lost = "" if job is None else job.lost
            waiting = "" if job is None else self._why_it_waits(job)
        progress = work.folder.progress
        if job is None:
            return progress
        if lost and progress.state != "finished":
            return Progress("failed", message=lost)
        if not job.viewers:
            return progress if progress.is_over else Progress("cancelled")
        if progress.state == "cancelled":
            progress = Progress("waiting")  # it was wanted again too late
        if progress.is_over:
            return progress
        if job.retries:
            again = f"{progress.step or 'Waiting'}, again because its worker had stopped"
            return replace(progress, step=again)
        return replace(progress, step=waiting) if waiting else progress

    def _why_it_waits(self, job: Job) -> str:
        """Return what is said to who waits for a turn; nothing where it does not take long."""
        if job.is_waiting and self._is_warming(job):
            return _GETTING_READY
        return self._standing.step(job)

    def _is_warming(self, job: Job) -> bool:
        """Return whether a job waits because no place for it is warm yet."""
        takes = [one for one in self._places or () if job.urgency.lane in self._lanes(one)]
        return bool(takes) and all(place.is_warming for place in takes)

    def _lanes(self, place: Place) -> Collection[Lane]:
        """Return what a place takes: as long as others get ready, their lanes too.

        Else the first move of a new server would wait for all of them one after another.
        """
        if not place.is_warm:
            return place.lanes
        others = [one for one in self._places or () if one in self._to_warm_up or one.is_warming]
        return {*place.lanes, *(lane for one in others for lane in one.lanes)}

    def _n_places(self, lane: Lane) -> int:
        return sum(lane in place.lanes for place in self._places or ()) or 1

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

    def _under_way(self) -> dict[str, bool]:
        with self._lock:
            jobs = [job for job in self.queue.jobs.values() if not job.lost]
            return {job.work.name: not job.is_waiting for job in jobs}

    def close(self) -> None:
        """Cancel everything and end the workers."""
        with self._lock:
            self._closed = True
            for job in self.queue.jobs.values():
                job.stop()
            self.queue.jobs.clear()
        for place in self._places or ():
            place.close()

    def _stop(self, job: Job) -> None:
        job.stop()
        for place in self._places or ():
            if job.future in place.under_way:
                _call_later(_patience(place), self._end_if_in_the_way, place, job, job.future)

    def _end_if_in_the_way(self, place: Place, job: Job, future: Future[str]) -> None:
        """End the worker that still computes what should have stopped while somebody waits.

        Stages and layouts see their cancel mark; a call into a library does not.
        """
        with self._lock:
            if job.future is not future or not job.stopping or self._closed:
                return
            if self.queue.next(place.lanes) is not None:
                log.info("Ending a worker that computes what nobody waits for")
                place.end_processes()
            else:
                _call_later(_patience(place), self._end_if_in_the_way, place, job, future)

    def _submit_waiting(self) -> None:
        """Hand over what is next wherever there is room."""
        if self._closed:
            return
        try:
            places = self.places
        except HarmonyExplorerError as error:
            for job in self.queue.in_order(LANES):
                self._fail(job, error)
            return
        for place in places:
            while place.has_room and (turn := self.queue.next(self._lanes(place))) is not None:
                self._submit_to(place, turn)

    def _submit_to(self, place: Place, job: Job) -> None:
        work = job.work
        if not job.begun:
            job.begin_anew()
        if job.lost:
            return
        job.begun, job.since = True, self.queue.now()
        stage = {} if job.stage is None else {"stage": job.stage}
        folders = str(self.store.home), str(work.folder.path)
        try:
            job.future = place.submit(
                job.urgency, work.function, *folders, *work.arguments, **stage
            )
        except HarmonyExplorerError as error:
            self._fail(job, error)
        else:
            self._when_done(place, job.future, self._settle, place, job, job.future)

    def _end_if_idle(self, place: Place, n_taken: int) -> None:
        """End the process of a place that has taken no further job, and has none."""
        with self._lock:
            if place.n_taken == n_taken and not place.under_way:
                place.close()

    def _fail(self, job: Job, error: HarmonyExplorerError) -> None:
        job.write("failed", message=str(error))
        self.queue.remove(job)

    def _when_done(
        self, place: Place, future: Future[str], then: Callable[..., None], *arguments: Any
    ) -> None:
        def settle() -> None:
            with self._lock:
                place.under_way.discard(future)
                then(*arguments)
                self._submit_waiting()
                if place.idle_seconds is not None:
                    _call_later(place.idle_seconds, self._end_if_idle, place, place.n_taken)

        if future.done():
            settle()
        else:
            future.add_done_callback(lambda _: self._settler.submit(settle))

    def _settle(self, place: Place, job: Job, future: Future[str]) -> None:
        """Decide what becomes of a job whose future is done: gone, again, or lost."""
        name = job.work.name
        if self.queue.jobs.get(name) is not job:
            return
        job.future = None
        self._hints.look_at([name])
        error = None if future.cancelled() else future.exception()
        if not job.viewers:
            self.queue.remove(job)
        elif error is None:
            self._go_on(job)
        elif not executors.is_lost(error):
            log.error("%s could not say how it went", name, exc_info=error)
            job.lost = NOTHING_WRITTEN
        elif not job.stopping:  # a worker that we ended is not the job's fault
            job.begun = False
            log.warning("The worker died during %s (signal %s)", name, place.ended_by)
            job.retries += 1
            if job.retries > _MAX_RETRIES:
                job.lost = _CRASHED if place.ended_by in _FAULTS else _STOPPED_TWICE

    def _go_on(self, job: Job) -> None:
        """Forget a job that is over; go on to the next stage of any other."""
        state = job.work.folder.progress.state
        if state in ("finished", "failed"):
            self.queue.remove(job)
        elif state == "cancelled":  # it was wanted again after it had stopped
            job.begun = False
        else:
            self.queue.learn(job)
            for one in self.queue.advance(job):
                if one.is_complete:
                    one.write("finished", fraction=1.0)
                    self.queue.remove(one)
                self._hints.look_at([one.work.name])


def _patience(place: Place) -> float:
    return min(PATIENCE[lane] for lane in place.lanes)


def _call_later(seconds: float, function: Callable[..., None], *arguments: Any) -> None:
    timer = threading.Timer(seconds, function, arguments)
    timer.daemon = True
    timer.start()

"""Jobs in the order in which they were asked for, who waits for each, and whose turn it is."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from harmony_core.jobs.job_folder import State
from harmony_core.jobs.work import Work

NOTHING_WRITTEN = (
    "Nothing could be written into the store; most likely its disk is full. Make room, or give it "
    "another folder by HARMONY_EXPLORER_HOME."
)


@dataclass
class Job:
    """One computation and the viewers who wait for it; once lost, it says why.

    `stopping` jobs have been told to stop: nobody wants them any more, or they make way.
    """

    work: Work
    viewers: set[str] = field(default_factory=set)
    future: Future[str] | None = None
    retries: int = 0
    lost: str = ""
    stopping: bool = False

    @property
    def is_waiting(self) -> bool:
        return self.future is None and not self.lost

    def begin_anew(self) -> None:
        """Take back the cancel mark and what was written of an earlier try."""
        self.stopping = False
        self.work.folder.take_back_cancel()
        self.write("waiting")

    def write(self, state: State, **values: Any) -> None:
        """Write how far the job is; one that can't even do that is lost."""
        try:
            self.work.folder.write(state, **values)
        except OSError:
            self.lost = NOTHING_WRITTEN

    def stop(self) -> None:
        """Leave the cancel mark, which the worker sees between stages and layout rounds.

        Where none can be left, because the disk is full, the worker is ended instead if it is in
        somebody's way.
        """
        self.stopping = True
        self.work.folder.cancel()


class JobQueue:
    """Jobs by name. It holds no lock: its owner does."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def add(self, work: Work, viewer: str) -> None:
        """Ask for work on behalf of a viewer, or join those who wait for it already."""
        job = self.jobs.get(work.name)
        if job is None or job.lost:
            job = Job(work)
        if not job.viewers:
            job.begin_anew()
        job.viewers.add(viewer)
        self.jobs[work.name] = job

    def withdraw(self, viewer: str, keep: Collection[str] = ()) -> list[Job]:
        """Forget what a viewer waits for, except jobs of some names.

        Returns
        -------
        Jobs that a worker has although nobody waits for them any more.
        """
        abandoned = []
        for name, job in list(self.jobs.items()):
            if viewer not in job.viewers or name in keep:
                continue
            job.viewers.discard(viewer)
            if job.viewers:
                continue
            if job.future is None:
                del self.jobs[name]
                job.write("cancelled")
            else:
                abandoned.append(job)
        return abandoned

    def next(self, *, places: int, n_submitted: int) -> Job | None:
        """Return whose turn it is; a background job waits until the executor has nothing else.

        Parameters
        ----------
        places
            How many jobs the executor takes at once.
        n_submitted
            How many it has.
        """
        if in_front := self.in_front:
            return in_front[0] if n_submitted < places else None
        waiting = [job for job in self.jobs.values() if job.is_waiting]
        return waiting[0] if waiting and not n_submitted else None

    @property
    def in_front(self) -> list[Job]:
        """The jobs that somebody waits for in front of a slider and that have no place yet."""
        return [job for job in self.jobs.values() if job.is_waiting and not job.work.background]

    @property
    def in_the_way(self) -> list[Job]:
        """Background jobs under way, to be stopped, where others have no place."""
        if not self.in_front:
            return []
        under_way = [job for job in self.jobs.values() if job.future is not None]
        return [job for job in under_way if job.work.background and not job.stopping]

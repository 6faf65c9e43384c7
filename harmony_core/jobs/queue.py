"""Who waits for which job, since when, and whose stage is next."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from harmony_core.jobs.durations import Durations
from harmony_core.jobs.job_folder import State
from harmony_core.jobs.urgency import Lane, Urgency
from harmony_core.jobs.work import Work

NOTHING_WRITTEN = (
    "Nothing could be written into the store; most likely its disk is full. Make room, or give it "
    "another folder by HARMONY_EXPLORER_HOME."
)

OVERDUE_SECONDS: dict[Lane, float] = {"front": 20.0, "later": 60.0, "files": 60.0, "methods": 60.0}
"""Who has waited as long goes before all who came later, however urgent. In front it is less, so
that with thirty viewers who never stop moving each still sees a verdict within a minute."""

SECONDS_BEHIND = 5.0
"""For each second that a job takes it stands so many behind equally urgent ones: what ten viewers
of a small dataset wait for then hardly depends on whether half of them go over to a larger one."""


@dataclass
class Job:
    """One computation and the viewers who wait for it; once lost, it says why.

    A run is computed stage by stage, anything else at once or, if it is not finished then, in as
    many turns as it takes. `stopping` jobs have been told to stop: nobody wants them any more.
    `begun` ones go on from one stage to the next; `since` when one waits or is computed.
    """

    work: Work
    viewers: set[str] = field(default_factory=set)
    future: Future[str] | None = None
    retries: int = 0
    lost: str = ""
    stopping: bool = False
    begun: bool = False
    next_stage: int = 0
    since: float = 0.0

    def __post_init__(self) -> None:
        self.skip_stored()

    @property
    def is_waiting(self) -> bool:
        return self.future is None and not self.lost

    @property
    def people(self) -> set[str]:
        """The viewers without what each of their wishes is for."""
        return {_person(viewer) for viewer in self.viewers}

    @property
    def stage(self) -> str | None:
        """The stage of a run that is under way or next; None for anything else, and at its end."""
        stages = self.work.stages[self.next_stage : self.next_stage + 1]
        return stages[0] if stages else None

    @property
    def is_complete(self) -> bool:
        """Whether it is a run whose every stage is computed."""
        return bool(self.work.stages) and self.stage is None

    def skip_stored(self) -> None:
        """Go on to the next stage that the store does not have, whoever computed the others."""
        while self.stage is not None and self.work.has(self.stage):
            self.next_stage += 1

    @property
    def urgency(self) -> Urgency:
        return self.work.urgency_of(self.stage)

    @property
    def urgencies(self) -> set[Urgency]:
        """How urgent all of it is that has yet to be computed."""
        left = self.work.stages[self.next_stage :]
        return {self.work.urgency_of(stage) for stage in left} or {self.work.urgency}

    @property
    def result(self) -> Hashable:
        """What is computed next; equal where two jobs would compute the same."""
        return self.work.result_of(self.stage)

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
        self.stopping, self.begun = True, False
        self.work.folder.cancel()


def _person(viewer: str) -> str:
    """Return who a viewer is, without what the wish is for."""
    return viewer.partition(":")[0]


class JobQueue:
    """Jobs by name, and since when each viewer waits. It holds no lock: its owner does.

    Of two stages the more urgent is next, and of equally urgent ones that of the viewer who has
    waited longer, or not as long for something shorter. A viewer begins to wait with a first move
    and keeps the place through later ones, until there is a result; whoever waits for many runs
    begins anew with each that is finished.

    Parameters
    ----------
    now
        The time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.jobs: dict[str, Job] = {}
        self.now = now
        self.durations = Durations()
        self._since: dict[tuple[str, Urgency], float] = {}

    def ask(self, viewer: str, works: Iterable[Work], keep: Collection[str] = ()) -> list[Job]:
        """Have a viewer wait for some works, beside jobs of some names, and for nothing else.

        Returns
        -------
        Jobs that a worker has although nobody waits for them any more.
        """
        works = list(works)
        abandoned = self._withdraw(viewer, {*keep, *(work.name for work in works)})
        for work in works:
            self._add(work, viewer)
        self._note_waits()
        return abandoned

    def leave(self, person: str) -> list[Job]:
        """Have a person wait for nothing any more, whatever the wishes are for.

        Returns
        -------
        Jobs that a worker has although nobody waits for them any more.
        """
        viewers = {viewer for job in self.jobs.values() for viewer in job.viewers}
        names = sorted(viewer for viewer in viewers if _person(viewer) == person)
        return [job for name in names for job in self.ask(name, ())]

    def _add(self, work: Work, viewer: str) -> None:
        job = self.jobs.get(work.name)
        if job is None or job.lost:
            job = Job(work, since=self.now())
        if not job.viewers:
            job.begin_anew()
        job.viewers.add(viewer)
        self.jobs[work.name] = job

    def _withdraw(self, viewer: str, keep: Collection[str]) -> list[Job]:
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

    def learn(self, job: Job) -> None:
        """Note how long the stage took that was under way since the job's last change."""
        self.durations.learn(job.work, job.stage, self.now() - job.since)

    def seconds_left(self, job: Job) -> float:
        """Return how long a job takes until something less urgent is next; 0 if unknown."""
        stages = (*job.work.stages[job.next_stage :],) or (None,)
        same = (stage for stage in stages if job.work.urgency_of(stage) == job.urgency)
        return self.durations.of(job.work, same)

    def advance(self, job: Job) -> list[Job]:
        """Go on to the next stage of a job, and of all who wait for the one that is done.

        Returns
        -------
        All these jobs; those that are complete among them too.
        """
        done = job.result
        waiting = [other for other in self.jobs.values() if other.is_waiting]
        on = [other for other in waiting if other.result == done]
        for one in on:
            self._advance(one)
        self._note_waits()
        return on

    def _advance(self, job: Job) -> None:
        urgency, job.since = job.urgency, self.now()
        if job.stage is not None:
            job.next_stage += 1
            job.skip_stored()
        if job.stage is None or job.urgency != urgency:
            self._answer(job, urgency)

    def remove(self, job: Job) -> None:
        """Forget a job that is over."""
        del self.jobs[job.work.name]
        self._answer(job, job.urgency)
        self._note_waits()

    def _answer(self, job: Job, urgency: Urgency) -> None:
        """Have those who waited for something so urgent wait anew, or no longer."""
        for person in job.people:
            self._since.pop((person, urgency), None)

    def _note_waits(self) -> None:
        """Keep since when each viewer waits for each thing, and forget what nobody waits for."""
        now = self.now()
        self._since = {
            (person, urgency): self._since.get((person, urgency), now)
            for job in self.jobs.values()
            for person in job.people
            for urgency in job.urgencies
        }

    def next(self, lanes: Collection[Lane]) -> Job | None:
        """Return whose turn it is in some lanes.

        What is computed already for somebody else is waited for, not computed twice; and of a
        viewer's background jobs one is under way at a time.
        """
        under_way = [job for job in self.jobs.values() if job.future is not None]
        results = {job.result for job in under_way}
        served = {person for job in under_way if job.work.background for person in job.people}
        for job in self.in_order(lanes):
            at_limit = job.work.background and job.people <= served
            if job.result not in results and not at_limit:
                return job
        return None

    def in_order(self, lanes: Collection[Lane]) -> list[Job]:
        """Return the jobs that wait for a place in some lanes, whose turn is next first."""
        waiting = (job for job in self.jobs.values() if job.is_waiting)
        return sorted((job for job in waiting if job.urgency.lane in lanes), key=self._turn)

    def _turn(self, job: Job) -> tuple[bool, int, float]:
        """Return by what jobs are ordered: overdue or not, how urgent, since when and for how long.

        What a job has yet to bring in its lane makes it overdue, as what is next stands before it.
        """
        lane = job.urgency.lane
        first = min(self._waits(job, urgency) for urgency in job.urgencies if urgency.lane == lane)
        if self.now() - first >= OVERDUE_SECONDS[lane]:
            return False, 0, first
        behind = SECONDS_BEHIND * self.seconds_left(job)
        return True, job.urgency, self._waits(job, job.urgency) + behind

    def _waits(self, job: Job, urgency: Urgency) -> float:
        """Return since when somebody waits for something so urgent of a job."""
        now = self.now()
        return min((self._since.get((person, urgency), now) for person in job.people), default=now)

"""What is said to who waits for a turn: the place in the queue, and about how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harmony_core.jobs.estimate import in_words
from harmony_core.jobs.queue import Job, JobQueue
from harmony_core.jobs.urgency import LANES, Lane

PATIENCE_SECONDS = 1.0
"""Nothing is said of a shorter wait."""

_COUNT_EVERY_SECONDS = 0.5


class Standing:
    """The places of all who wait, counted now and then.

    Parameters
    ----------
    queue
        Whose places are counted.
    n_places
        Returns how many jobs of a lane are computed at once.
    """

    def __init__(self, queue: JobQueue, n_places: Callable[[Lane], int]) -> None:
        self._queue = queue
        self._n_places = n_places
        self._steps: Mapping[str, str] = {}
        self._counted_at = -_COUNT_EVERY_SECONDS

    def step(self, job: Job) -> str:
        """Return where a job stands; nothing where it does not wait, or not for long yet."""
        now = self._queue.now()
        if not job.is_waiting or now - job.since < PATIENCE_SECONDS:
            return ""
        if now - self._counted_at >= _COUNT_EVERY_SECONDS or job.work.name not in self._steps:
            self._counted_at = now
            self._steps = {n: s for lane in LANES for n, s in self._count(lane).items()}
        return self._steps.get(job.work.name, "")

    def _count(self, lane: Lane) -> dict[str, str]:
        jobs = [job for job in self._queue.jobs.values() if job.urgency.lane == lane]
        seconds = sum(self._queue.seconds_left(job) for job in jobs if job.future is not None)
        steps = {}
        for place, job in enumerate(self._queue.in_order([lane]), 1):
            steps[job.work.name] = _in_words(place, seconds / self._n_places(lane))
            seconds += self._queue.seconds_left(job)
        return steps


def _in_words(place: int, seconds: float) -> str:
    number = "next" if place == 1 else f"number {place}"
    if not seconds:
        return f"Waiting, {number} in the queue"
    if seconds < 1.5:
        return f"Waiting, {number} in the queue: about a second"
    about = f"about {round(seconds)} seconds" if seconds < 10 else in_words(seconds)
    return f"Waiting, {number} in the queue: {about}"

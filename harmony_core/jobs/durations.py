"""How long the stages of each dataset take, learnt from those that were computed."""

from __future__ import annotations

from collections.abc import Iterable

from harmony_core.jobs.work import Work


class Durations:
    """Seconds by dataset and stage, each as it was the last time."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], float] = {}

    def learn(self, work: Work, stage: str | None, seconds: float) -> None:
        """Note how long a stage took, or a turn of what has none."""
        self._seconds[_kind(work, stage)] = seconds

    def of(self, work: Work, stages: Iterable[str | None]) -> float:
        """Return how long some stages take together; those never computed count as nothing."""
        return sum(self._seconds.get(_kind(work, stage), 0.0) for stage in stages)


def _kind(work: Work, stage: str | None) -> tuple[str, str]:
    dataset = "" if work.plan is None else work.plan.dataset.fingerprint
    return dataset, stage or work.function.__name__

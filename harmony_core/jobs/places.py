"""Where jobs are computed: processes for what viewers wait for, one each for the rest, for files
and for methods of others, or Dask."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from harmony_core.errors import ParameterError
from harmony_core.jobs import executors
from harmony_core.jobs.urgency import FILES, FRONT, LANES, LATER, METHODS, Lane, Urgency
from harmony_core.store import Store

WORKERS_VARIABLE = "HARMONY_EXPLORER_WORKERS"
"""How many processes compute what viewers wait for; by default one for every two cores."""

NICENESS = 9
"""Of all other processes: beside one busy process each still gets a tenth of a core."""

IDLE_SECONDS = 60.0
"""After which a process that reads files or waits for methods is ended: a new one is there within
a second."""


class Place:
    """An executor that takes jobs of some lanes.

    Parameters
    ----------
    make
        Makes the executor; called again when its process has died.
    lanes
        Of what it takes.
    capacity
        How many jobs it takes at once; a cluster keeps a queue of its own.
    idle_seconds
        After so long without a job its process is ended, and made again for the next one; by
        default it stays, and is worth warming up.
    """

    def __init__(
        self,
        make: Callable[[], Executor],
        lanes: Collection[Lane] = LANES,
        capacity: int = 1,
        *,
        idle_seconds: float | None = None,
    ) -> None:
        self.lanes, self.idle_seconds = lanes, idle_seconds
        self.executor: Executor | None = None
        self.under_way: set[Future[str]] = set()
        self.n_taken = 0  # a number, as the last job itself would keep its dataset in memory
        self._make = make
        self._capacity = capacity
        self._warming: Future[str] | None = None
        self._processes: tuple[Any, ...] = ()

    @property
    def has_room(self) -> bool:
        return len(self.under_way) < self._capacity

    @property
    def is_cold(self) -> bool:
        """Whether it should be warmed up."""
        return self.executor is None and self.idle_seconds is None

    @property
    def is_warming(self) -> bool:
        return self._warming in self.under_way

    @property
    def is_warm(self) -> bool:
        """Whether it has been warmed up."""
        return self._warming is not None and not self.is_warming

    def warm_up(self, function: Callable[[], str]) -> Future[str]:
        """Have it compute something that nobody waits for."""
        self._warming = self.submit(Urgency.PREVIEW, function)
        return self._warming

    def submit(
        self, urgency: Urgency, function: Callable[..., str], /, *arguments: Any, **options: Any
    ) -> Future[str]:
        """Have it compute something.

        Raises
        ------
        HarmonyExplorerError
            If a cluster is configured that can't be reached.
        """
        if self.executor is None:
            self.executor = self._make()
        options["priority"] = -urgency
        try:
            future = executors.submit(self.executor, function, *arguments, **options)
        except BrokenProcessPool:
            self.executor = self._make()
            future = executors.submit(self.executor, function, *arguments, **options)
        self.under_way.add(future)
        self._processes = executors.processes_of(self.executor)
        self.n_taken += 1
        return future

    @property
    def ended_by(self) -> int | None:
        """Number of the signal that ended its process, where one did."""
        return executors.ended_by(self._processes)

    def end_processes(self) -> None:
        """Kill what it computes, where the process is ours."""
        if self.executor is not None:
            executors.end_processes(self.executor)

    def close(self) -> None:
        """End it without waiting for what it computes."""
        executor, self.executor = self.executor, None
        if executor is not None:
            executors.close(executor)


def places_for(store: Store) -> Sequence[Place]:
    """Return the places that the environment asks for.

    Raises
    ------
    ParameterError
        If ``HARMONY_EXPLORER_WORKERS`` is no number of processes.
    """
    address = os.environ.get(executors.SCHEDULER_VARIABLE)
    if address:
        return [Place(partial(executors.dask_cluster, address), capacity=sys.maxsize)]
    n_cores = available_cores()
    n_workers = workers(n_cores)
    front = partial(executors.spawned_worker, store, threads=max(1, n_cores // n_workers))
    other = partial(executors.spawned_worker, store, threads=n_cores, niceness=NICENESS)
    files = Place(partial(other, limited=True), FILES, idle_seconds=IDLE_SECONDS)
    methods = Place(other, METHODS, idle_seconds=IDLE_SECONDS)
    fronts = (Place(front, FRONT) for _ in range(n_workers))
    return [*fronts, Place(other, LATER), files, methods]


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers(n_cores: int) -> int:
    """Return how many processes compute what viewers wait for.

    Raises
    ------
    ParameterError
        If ``HARMONY_EXPLORER_WORKERS`` is no number of processes.
    """
    asked = os.environ.get(WORKERS_VARIABLE)
    if asked is None:
        return max(1, n_cores // 2)
    if asked.isdecimal() and int(asked) >= 1:
        return int(asked)
    raise ParameterError(
        f"{WORKERS_VARIABLE} is {asked!r}; it must be a number of processes, 1 or more, or unset "
        "for one to every two cores."
    )

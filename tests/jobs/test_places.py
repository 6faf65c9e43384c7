"""Which processes compute, with how many threads and how urgently; what a cluster begins with."""

from __future__ import annotations

import os
import resource
import threading
from typing import Any

import pytest

from harmony_core.errors import ParameterError
from harmony_core.jobs import executors, places
from harmony_core.jobs.executors import SCHEDULER_VARIABLE
from harmony_core.jobs.places import NICENESS, WORKERS_VARIABLE, Place, places_for, workers
from harmony_core.jobs.runner import Runner
from harmony_core.jobs.urgency import FILES, FRONT, LANES, LATER, METHODS, Urgency
from harmony_core.jobs.work import run_work
from harmony_core.store import Dataset, Store
from tests.conftest import SMALL
from tests.jobs.test_runner import _wait as wait_until

SECONDS = 60


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WORKERS_VARIABLE, raising=False)
    monkeypatch.delenv(SCHEDULER_VARIABLE, raising=False)


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_there_is_a_worker_for_every_two_cores(cores: int, expected: int) -> None:
    assert workers(cores) == expected


def test_threads_are_shared_out_and_the_rest_has_a_process_of_its_own(
    kept_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: list[dict[str, int]] = []

    def make(store: Store, **asked: int) -> Any:
        options.append(asked)
        return executors.ProcessPoolExecutor(1)

    monkeypatch.setattr(places, "available_cores", lambda: 16)
    monkeypatch.setattr(executors, "spawned_worker", make)
    monkeypatch.setenv(WORKERS_VARIABLE, "3")
    found = places_for(kept_store)
    assert [place.lanes for place in found] == [FRONT, FRONT, FRONT, LATER, FILES, METHODS]
    assert [place.is_cold for place in found] == [True, True, True, True, False, False]
    for place in found:
        place._make().shutdown()
    other = {"threads": 16, "niceness": NICENESS}
    assert options == [*[{"threads": 5}] * 3, other, other | {"limited": True}, other]


@pytest.mark.parametrize("text", ["none", "0", "-1", "1.5", ""])
def test_what_is_no_number_of_workers_is_a_sentence_on_the_page(
    kept_store: Store, dataset: Dataset, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, text)
    with pytest.raises(ParameterError, match="1 or more"):
        places_for(kept_store)
    runner, run = Runner(kept_store), run_work(dataset, SMALL, "scib_after")
    runner.submit("ada", run)
    progress = runner.progress(run)
    assert progress.state == "failed"
    assert WORKERS_VARIABLE in progress.message


def situation() -> str:
    """Say from within a worker how it computes."""
    variables = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    found = (os.environ[variable] for variable in variables)
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    limited = "all memory" if limit == resource.RLIM_INFINITY else "limited"
    return " ".join((str(os.getpriority(os.PRIO_PROCESS, 0)), *found, limited))


def test_a_worker_computes_as_it_was_asked_to(
    kept_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(variable, raising=False)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    place = Place(
        lambda: executors.spawned_worker(kept_store, threads=3, niceness=NICENESS, limited=True)
    )
    found = place.submit(Urgency.LATER, situation).result()  # it gives way to all others
    place.close()
    assert found == f"{before + NICENESS} 3 3 passive limited"


_begun = threading.Event()
_go = threading.Event()
_done: list[str] = []


def hold() -> str:
    """Keep a cluster's only thread busy until the test says so."""
    _begun.set()
    _go.wait(SECONDS)
    return ""


def note(what: str) -> str:
    _done.append(what)
    return ""


def test_a_cluster_begins_with_what_is_most_urgent(cluster: Any) -> None:
    wait_until(lambda: not cluster.scheduler.tasks)  # of other tests
    address = cluster.scheduler_address
    place = Place(lambda: executors.dask_cluster(address), LANES, capacity=9)
    place.submit(Urgency.BACKGROUND, hold)
    assert _begun.wait(SECONDS)
    # Dask hands the first ones to its worker in advance, two for each thread.
    asked = [*[Urgency.LATER] * 3, Urgency.VERDICT, Urgency.NEW_DATA, Urgency.PREVIEW]
    futures = [place.submit(urgency, note, urgency.name) for urgency in asked]
    wait_until(lambda: len(cluster.scheduler.tasks) == 1 + len(asked))
    _go.set()
    for future in futures:
        future.result(SECONDS)
    place.close()
    assert _done == ["LATER", "LATER", "PREVIEW", "VERDICT", "NEW_DATA", "LATER"]

"""Jobs on their places: sharing, latest wins, cancelling, a worker that dies."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import shutil
import signal
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

from harmony_core.errors import HarmonyExplorerError
from harmony_core.io.request import LoadRequest
from harmony_core.jobs import executors, job_folder, worker
from harmony_core.jobs import runner as runner_module
from harmony_core.jobs import work as work_module
from harmony_core.jobs.executors import SCHEDULER_VARIABLE, dask_cluster, spawned_worker
from harmony_core.jobs.job_folder import JobFolder
from harmony_core.jobs.places import Place
from harmony_core.jobs.queue import Job
from harmony_core.jobs.runner import Runner
from harmony_core.jobs.urgency import FILES, FRONT, LANES, LATER, Urgency
from harmony_core.jobs.work import Work, export_work, load_work, risk_work, run_work, selection_work
from harmony_core.methods import harmony
from harmony_core.params import RunParams
from harmony_core.runs import risk, selected_markers
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import STAGES, Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.verdict.risk import rows_at_risk
from tests.conftest import SMALL


def with_theta(theta: float) -> RunParams:
    return replace(SMALL, harmony=replace(SMALL.harmony, theta=(theta,)))


class ByHand(Executor):
    """Runs a job in this process when the test says so."""

    def __init__(self) -> None:
        self.queue: list[tuple[Future[Any], Callable[[], Any]]] = []
        self.broken = False

    @property
    def next_stage(self) -> str:
        """Name of the stage that it computes next."""
        _, work = self.queue[0]
        assert isinstance(work, partial)
        return str(work.keywords["stage"])

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        if self.broken:
            raise BrokenProcessPool("dead")
        future: Future[Any] = Future()
        self.queue.append((future, partial(work, *arguments, **options)))
        return future

    def run_next(self) -> None:
        future, work = self.queue.pop(0)
        future.set_running_or_notify_cancel()
        future.set_result(work())

    def die(self) -> None:
        """Lose every job, as a pool does whose process was killed."""
        self.broken = True
        for future, _ in self.queue:
            future.set_running_or_notify_cancel()
            future.set_exception(BrokenProcessPool("dead"))


class Hands:
    """A runner of one place, and the executors that it has asked for."""

    def __init__(self, store: Store) -> None:
        self.executors: list[ByHand] = []
        self.runner = Runner(store, [Place(self._new)])

    def _new(self) -> ByHand:
        self.executors.append(ByHand())
        return self.executors[-1]

    @property
    def now(self) -> ByHand:
        return self.executors[-1]

    @property
    def waiting(self) -> int:
        return len(self.now.queue)

    def run_next(self) -> None:
        """Compute a stage, or what has none."""
        self.now.run_next()
        self._settle()

    def run_all(self) -> None:
        """Compute until nothing is left to compute."""
        while self.waiting:
            self.run_next()

    def die(self) -> None:
        self.now.die()
        self._settle()

    def _settle(self) -> None:
        """Wait until the runner has heard of what is done."""
        self.runner._settler.submit(int).result()

    def ask(self, viewer: str, *works: Work) -> Work:
        """Submit work and return the first."""
        self.runner.submit(viewer, *works)
        return works[0]

    def state(self, work: Work) -> str:
        return self.runner.progress(work).state


@pytest.fixture
def hands(kept_store: Store) -> Hands:
    return Hands(kept_store)


@pytest.fixture
def fresh() -> Callable[[], RunParams]:
    """Settings that no other test has computed."""
    return lambda: with_theta(next(_THETAS) / 16)


_THETAS = iter(range(40, 200))


def test_a_job_that_is_over_is_forgotten(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    """What it is about, a dataset and the keys of all its runs, would stay in memory with it."""
    name = hands.ask("ada", run_work(dataset, fresh())).name
    job = weakref.ref(hands.runner.queue.jobs[name])
    hands.run_all()
    gc.collect()
    assert job() is None


def test_two_viewers_share_one_computation(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    run = hands.ask("ada", run_work(dataset, params))
    assert hands.ask("ben", run_work(dataset, params)).name == run.name
    assert hands.waiting == 1
    hands.runner.withdraw("ada")
    assert hands.state(run) == "waiting"
    hands.run_all()
    assert hands.state(run) == "finished"
    assert RunResults(dataset, params).is_finished


def test_the_latest_wish_of_a_viewer_wins(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    first, second = fresh(), fresh()
    old = hands.ask("ada", run_work(dataset, first))
    new = hands.ask("ada", run_work(dataset, second))
    assert hands.state(old) == "cancelled"
    assert hands.state(new) == "waiting"
    hands.run_all()
    assert hands.state(new) == "finished"
    assert RunResults(dataset, first).harmony is None  # it saw its mark at once


def test_wishes_that_nobody_keeps_never_reach_the_worker(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    under_way, *passed_over, last = (fresh() for _ in range(6))
    hands.ask("ben", run_work(dataset, under_way))
    for params in (*passed_over, last):
        run = hands.ask("ada", run_work(dataset, params))
    assert hands.waiting == 1
    hands.run_all()
    assert hands.state(run) == "finished"
    for params in passed_over:
        assert RunResults(dataset, params).harmony is None


def test_a_finished_run_is_answered_from_the_store(hands: Hands, dataset: Dataset) -> None:
    Pipeline(dataset, SMALL).run()
    run = hands.ask("ada", run_work(dataset, SMALL))
    assert hands.executors == []
    assert hands.state(run) == "finished"


def test_dropped_mid_run_it_stops_between_stages(
    hands: Hands,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = fresh()
    correct = harmony.correct

    def withdraw_and_correct(*arguments: Any) -> harmony.Correction:
        hands.runner.withdraw("ada")
        return correct(*arguments)

    monkeypatch.setattr(harmony, "correct", withdraw_and_correct)
    run = hands.ask("ada", run_work(dataset, params))
    hands.run_all()
    results = RunResults(dataset, params)
    assert hands.state(run) == "cancelled"
    assert results.stage("correct") is not None
    assert results.stage("neighbors_after") is None


def test_what_somebody_who_left_has_asked_for_stops_and_what_is_shared_goes_on(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    own, shared, many = fresh(), fresh(), fresh()
    dropped = hands.ask("ada", run_work(dataset, own))
    group = hands.ask("ada:suggest", run_work(dataset, many, "assess"))
    kept = hands.ask("ben", run_work(dataset, shared))
    hands.ask("ada:other", run_work(dataset, shared))
    hands.run_next()
    hands.runner.leave("ada")
    hands.run_all()
    assert [hands.state(work) for work in (dropped, group)] == ["cancelled"] * 2
    assert hands.state(kept) == "finished"
    assert not Plan(dataset, own).has("assess")
    assert not hands.runner.queue.jobs


def test_asked_again_while_its_cancelled_forerunner_still_writes(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    run = hands.ask("ada", run_work(dataset, params))
    hands.runner.withdraw("ada")
    hands.ask("ada", run_work(dataset, params))
    run.folder.write("cancelled")
    assert hands.state(run) == "waiting"


def test_between_two_stages_of_the_background_others_have_their_turn(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    many = [fresh(), fresh()]
    works = [run_work(dataset, params, "assess") for params in many]
    hands.ask("ada:suggest", *works)
    assert hands.waiting == 1
    urgent = fresh()
    run = hands.ask("ben", run_work(dataset, urgent))
    assert hands.waiting == 1
    hands.run_next()  # of the background, which nothing stops
    while hands.state(run) != "finished":
        assert [hands.state(work) for work in works].count("waiting") >= 1
        hands.run_next()
    assert RunResults(dataset, many[1]).harmony is None
    hands.run_all()
    assert [hands.state(work) for work in works] == ["finished"] * 2
    for params in many:
        assert RunResults(dataset, params).assessment is not None
        assert RunResults(dataset, params).layout("after") is None


def test_a_move_does_not_wait_for_what_comes_after_anothers_verdict(
    kept_store: Store, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    front, later = ByHand(), ByHand()
    runner = Runner(kept_store, [Place(lambda: front, FRONT), Place(lambda: later, LATER)])
    first, second = fresh(), fresh()

    def compute(executor: ByHand) -> None:
        executor.run_next()
        runner._settler.submit(int).result()

    runner.submit("ada", run_work(dataset, first))
    while not Plan(dataset, first).has("assess"):
        compute(front if front.queue else later)
    assert later.next_stage == "layout_after"
    assert not front.queue
    runner.submit("ben", run_work(dataset, second))
    while not Plan(dataset, second).has("assess"):
        compute(front)
    assert later.next_stage == "layout_after"
    assert not Plan(dataset, first).has("layout_after")
    while later.queue:
        compute(later)
    assert all(Plan(dataset, params).is_finished for params in (first, second))


def test_what_comes_after_a_verdict_does_not_wait_for_a_file_that_is_read(
    kept_store: Store, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    runs, files = ByHand(), ByHand()
    places = [Place(lambda: runs, FRONT + LATER), Place(lambda: files, FILES)]
    runner = Runner(kept_store, places)
    request = LoadRequest(paths=("mine.h5ad",), names=("mine.h5ad",))
    runner.submit("ben:load", load_work(kept_store, request))
    params = fresh()
    runner.submit("ada", run_work(dataset, params))
    while runs.queue:
        runs.run_next()
        runner._settler.submit(int).result()
    assert Plan(dataset, params).is_finished
    assert len(files.queue) == 1


def test_a_process_for_files_is_there_while_files_are_read(kept_store: Store) -> None:
    made: list[ByHand] = []

    def make() -> ByHand:
        made.append(ByHand())
        return made[-1]

    place = Place(make, FILES, idle_seconds=0.01)
    runner = Runner(kept_store, [place])
    runner.start()
    assert made == []
    request = LoadRequest(paths=("none.h5ad",), names=("none.h5ad",))
    for viewer in ("ada:load", "ben:load"):
        runner.submit(viewer, load_work(kept_store, request))
    (executor,) = made
    executor.run_next()
    _wait(lambda: bool(executor.queue))  # the next one is there before it has been idle
    time.sleep(0.05)
    assert place.executor is executor
    executor.run_next()
    _wait(lambda: place.executor is None)
    runner.submit("ada:load", load_work(kept_store, request))
    assert place.executor is made[1]


def test_what_is_asked_of_a_closed_runner_starts_no_worker(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    hands.runner.close()
    hands.ask("ada", run_work(dataset, fresh()))
    assert hands.executors == []


def test_only_preparation_by_itself_is_more_than_background(
    dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    for stages in (("prepare",), ("quality",), ("doublets",)):
        assert run_work(dataset, params, *stages).urgency is Urgency.NEW_DATA
    for stages in (("assess",), ("neighbors_before", "neighbors_after"), ("scib_after",)):
        assert run_work(dataset, params, *stages).urgency is Urgency.BACKGROUND


def test_the_store_is_held_to_its_limit_now_and_then(
    hands: Hands,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evicted: list[Store] = []
    monkeypatch.setattr(Store, "evict", lambda store: evicted.append(store))
    monkeypatch.setattr(worker, "_evicted_at", {})
    for _ in range(2):
        hands.ask("ada", run_work(dataset, fresh()))
        hands.run_all()
    assert len(evicted) == 1
    monkeypatch.setattr(worker, "EVICT_EVERY_SECONDS", 0.0)
    hands.ask("ada", run_work(dataset, fresh()))
    hands.run_all()
    assert len(evicted) == 2


def test_dropped_background_jobs_are_not_begun(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    many = [fresh(), fresh()]
    works = [run_work(dataset, params, "assess") for params in many]
    hands.ask("ada:suggest", *works)
    hands.runner.withdraw("ada:suggest")
    assert [hands.state(work) for work in works] == ["cancelled"] * 2
    hands.run_all()  # the one that the worker had sees its mark
    for params in many:
        assert RunResults(dataset, params).harmony is None


def test_a_dead_worker_is_replaced_unseen_and_the_innocent_are_not_blamed(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    culprit, innocent = fresh(), fresh()
    bad = hands.ask("ada", run_work(dataset, culprit))
    good = hands.ask("ben", run_work(dataset, innocent))
    bad.folder.write("running")
    hands.die()
    again = hands.runner.progress(bad)
    assert again.state == "waiting"
    assert "its worker had stopped" in again.step
    bad.folder.write("running")
    hands.die()
    lost = hands.runner.progress(bad)
    assert lost.state == "failed"
    assert "memory" in lost.message
    assert hands.state(good) == "waiting"
    hands.run_all()
    assert hands.state(good) == "finished"


def test_a_failure_is_a_sentence(hands: Hands, dataset: Dataset) -> None:
    params = replace(SMALL, harmony=replace(SMALL.harmony, batch=("nope",), theta=(2.0,)))
    run = hands.ask("ada", run_work(dataset, params))
    hands.run_next()
    found = hands.runner.progress(run)
    assert found.state == "failed"
    assert "no column" in found.message
    assert "Traceback" not in found.message


def test_a_killed_process_restarts_the_work_unseen(
    kept_store: Store, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    # Harmony alone: a whole run in two new processes would compile for a minute.
    pools: list[ProcessPoolExecutor] = []

    def pool() -> Executor:
        made = spawned_worker(kept_store)
        assert isinstance(made, ProcessPoolExecutor)
        pools.append(made)
        return made

    runner = Runner(kept_store, [Place(pool)])
    params = replace(fresh(), prepare=replace(SMALL.prepare, n_pcs=9))
    work = run_work(dataset, params, "correct")
    seen = set()

    def state() -> str:
        seen.add(runner.progress(work).state)
        return runner.progress(work).state

    try:
        runner.submit("ada", work)
        _wait(lambda: state() == "running")
        os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)
        _wait(lambda: state() in ("finished", "failed"))
        assert seen <= {"waiting", "running", "finished"}
        assert len(pools) == 2
        assert RunResults(dataset, params).harmony is not None
    finally:
        runner.close()


def test_a_crash_is_told_from_a_lack_of_memory() -> None:
    for number in (signal.SIGSEGV, signal.SIGKILL):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(int).result()
            processes = executors.processes_of(pool)
            future = pool.submit(os.kill, processes[0].pid, number)
            assert executors.is_lost(future.exception())
            assert executors.ended_by(processes) == number


def hang(*_: Any, **__: Any) -> str:
    """Stand in for a library call that knows of no cancel mark."""
    time.sleep(600)
    return ""


def answer(*arguments: Any, **_: Any) -> str:
    """Stand in for a run that is soon done."""
    JobFolder(Path(arguments[1])).write("finished", fraction=1.0)
    return ""


@pytest.fixture
def stuck(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Runner]:
    """A runner whose worker is stuck in a run that Ada waits for; all others are soon done."""
    monkeypatch.setattr(runner_module, "PATIENCE", dict.fromkeys(LANES, 0.2))
    runner = Runner(kept_store, [Place(partial(spawned_worker, kept_store))])
    monkeypatch.setattr(work_module, "compute", hang)
    future = _submit(runner, "ada", run_work(dataset, fresh())).future
    assert future is not None
    _wait(future.running)
    monkeypatch.setattr(work_module, "compute", answer)
    yield runner
    runner.close()


def test_a_call_that_never_ends_gives_way_to_who_waits(
    stuck: Runner, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    soon = run_work(dataset, fresh())
    stuck.submit("ben", soon)
    stuck.withdraw("ada")
    _wait(lambda: stuck.progress(soon).state == "finished")


def test_many_wishes_survive_a_worker_that_is_ended(
    stuck: Runner, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    for _ in range(5):
        run = run_work(dataset, fresh())
        stuck.submit("ada", run)
    _wait(lambda: stuck.progress(run).state == "finished")


def test_a_worker_that_never_answers_ends_with_its_runner(stuck: Runner) -> None:
    pool = stuck.places[0].executor
    assert isinstance(pool, ProcessPoolExecutor)
    (process,) = pool._processes.values()
    stuck.close()
    _wait(lambda: not process.is_alive())


def test_a_computation_wanted_again_goes_on(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[Executor] = []
    monkeypatch.setattr(executors, "end_processes", ended.append)
    hands = Hands(kept_store)
    params, other = fresh(), fresh()
    run = hands.ask("ada", run_work(dataset, params))
    hands.ask("ada", run_work(dataset, other))
    job = hands.runner.queue.jobs[run.name]
    assert job.future is not None
    hands.ask("ada", run_work(dataset, params))
    hands.ask("ben", run_work(dataset, other))
    hands.runner._end_if_in_the_way(hands.runner.places[0], job, job.future)
    assert ended == []
    assert not run.folder.is_cancelled
    assert hands.waiting == 1
    hands.run_all()
    assert hands.state(run) == "finished"


def test_a_computation_wanted_again_too_late_has_another_turn(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    run = hands.ask("ada", run_work(dataset, params))
    hands.runner.withdraw("ada")
    future, work = hands.now.queue[0]

    def stop_and_be_wanted() -> str:
        work()
        assert run.folder.progress.state == "cancelled"
        hands.ask("ada", run_work(dataset, params))
        return ""

    hands.now.queue[0] = (future, stop_and_be_wanted)
    hands.run_next()
    assert hands.state(run) == "waiting"
    hands.run_all()
    assert hands.state(run) == "finished"


def test_a_worker_that_gets_ready_is_not_ended_for_wishes_that_only_waited(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[Executor] = []
    monkeypatch.setattr(executors, "end_processes", ended.append)
    monkeypatch.setattr(runner_module, "PATIENCE", dict.fromkeys(LANES, 0.05))
    monkeypatch.setattr(runner_module, "warm_up", lambda: "")
    monkeypatch.setattr(work_module, "compute", answer)
    hands = Hands(kept_store)
    hands.runner.start()
    for _ in range(4):
        params = fresh()
        run = hands.ask("ada", run_work(dataset, params))
    assert "getting ready" in hands.runner.progress(run).step
    time.sleep(0.3)
    assert ended == []
    hands.run_next()
    assert "getting ready" not in hands.runner.progress(run).step
    hands.run_next()
    assert hands.state(run) == "finished"


def test_until_all_workers_are_ready_the_first_does_everything(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "warm_up", lambda: "")
    front, later = ByHand(), ByHand()
    runner = Runner(kept_store, [Place(lambda: front, FRONT), Place(lambda: later, LATER)])
    run = run_work(dataset, fresh())

    def run_next(place: ByHand) -> None:
        place.run_next()
        runner._settler.submit(int).result()

    runner.start()
    run_next(front)  # it is warm, and the other begins to get ready
    assert len(later.queue) == 1
    runner.submit("ada", run)
    stages = []
    while front.queue:
        stages.append(front.next_stage)
        run_next(front)
    assert "layout_after" in stages
    run_next(later)
    runner.submit("bob", run_work(dataset, fresh()))
    while front.queue:
        run_next(front)
    assert later.next_stage == "layout_after"  # now each does its own


def test_a_cluster_computes_the_same_bytes(
    cluster: Any,
    tmp_path: Path,
    dataset: Dataset,
    kept_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = replace(with_theta(2.5), prepare=replace(SMALL.prepare, n_pcs=9))
    Pipeline(dataset, here).run()
    elsewhere = Store(tmp_path)
    shutil.copytree(dataset.folder, elsewhere.home / "datasets" / dataset.fingerprint)
    copy = elsewhere.dataset(dataset.fingerprint)
    shutil.rmtree(copy.folder / "stages")
    (copy.folder / "stages").mkdir()
    monkeypatch.setenv(SCHEDULER_VARIABLE, cluster.scheduler_address)
    runner = Runner(elsewhere)
    try:
        run = run_work(copy, here)
        runner.submit("ada", run)
        _wait(lambda: runner.progress(run).is_over)
    finally:
        runner.close()
    for stage in STAGES:
        found = RunResults(copy, here).stage(stage.name)
        known = RunResults(dataset, here).stage(stage.name)
        assert found is not None
        assert known is not None
        assert sorted(found.arrays) == sorted(known.arrays)
        for array, values in known.arrays.items():
            assert np.asarray(values).tobytes() == np.asarray(found.arrays[array]).tobytes()


class Silent:
    """Stands in for Dask's client where the scheduler went away: nothing is answered any more."""

    status = "running"

    def get_executor(self, **options: Any) -> Executor:
        return ByHand()


def test_what_a_scheduler_was_asked_is_lost_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("Client is closed.")

    client = Silent()
    executor = executors._Cluster(client)
    asked = executor.submit(abs, -3)
    client.status = "closed"
    assert executors.is_lost(asked.exception(timeout=30))
    monkeypatch.setattr(ByHand, "submit", refuse)
    with pytest.raises(BrokenProcessPool):
        executor.submit(abs, -3)
    executors.close(executor)


def test_a_scheduler_that_does_not_answer_is_a_sentence(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SCHEDULER_VARIABLE, "nonsense")
    with pytest.raises(HarmonyExplorerError, match="unset it to compute on this machine"):
        dask_cluster("nonsense")
    # One that is open still, and is collected while the next is made, stops both for ever.
    clients = [thing for thing in gc.get_objects() if type(thing) is distributed.Client]
    assert {client.status for client in clients} == {"closed"}
    runner, run = Runner(kept_store), run_work(dataset, fresh())
    runner.submit("ada", run)
    found = runner.progress(run)
    assert found.state == "failed"
    assert "nonsense" in found.message


def _submit(runner: Runner, viewer: str, work: Work) -> Job:
    runner.submit(viewer, work)
    return runner.queue.jobs[work.name]


def _wait(condition: Callable[[], bool], most: float = 120) -> None:
    deadline = time.monotonic() + most
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_marker_genes_of_a_selection_are_superseded_by_those_of_the_next(
    hands: Hands, dataset: Dataset
) -> None:
    cells = np.arange(len(Pipeline(dataset, SMALL).cells))
    old = hands.ask("ada", selection_work(dataset, SMALL, cells < 30))
    new = hands.ask("ada", selection_work(dataset, SMALL, cells >= 30))
    assert hands.state(old) == "cancelled"
    hands.run_next()  # the first one sees its mark
    hands.run_next()
    assert hands.state(new) == "finished"
    name = selected_markers.key(dataset, SMALL, cells >= 30)
    assert selected_markers.stored(dataset, name) is not None


def test_marker_genes_of_two_cells_are_refused_in_a_sentence(
    hands: Hands, dataset: Dataset
) -> None:
    selected = np.arange(len(Pipeline(dataset, SMALL).cells)) < 2
    ranking = hands.ask("ada", selection_work(dataset, SMALL, selected))
    hands.run_next()
    assert "Select at least 3 cells" in hands.runner.progress(ranking).message


# Risk


def test_between_two_risks_a_run_has_its_turn(
    hands: Hands, dataset: Dataset, finished: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [with_theta(7.75), with_theta(7.5)]
    assessed = RunResults(dataset, finished).assessment
    assert assessed is not None
    rows = rows_at_risk(assessed.states)
    estimated: list[int] = []
    original = risk._risk

    def then_a_slider_moves(*arguments: Any) -> Any:
        estimated.append(len(estimated))
        if len(estimated) == 2:
            hands.runner.submit("bob", run)
        return original(*arguments)

    monkeypatch.setattr(risk, "_risk", then_a_slider_moves)
    run = run_work(dataset, with_theta(7.25))
    work = hands.ask("ada", risk_work(dataset, runs))
    while len(estimated) < 2:
        hands.run_next()
    assert hands.state(work) == "running"
    while hands.state(run) != "finished":
        hands.run_next()
    assert len(risk.stored_risks(dataset, runs[0], rows)) == 2
    hands.run_all()
    assert hands.state(work) == "finished"
    assert len(estimated) == 2 * len(rows)
    again = hands.ask("ada", risk_work(dataset, runs))
    assert hands.state(again) == "finished"
    assert not hands.waiting


# Exports


@pytest.fixture(scope="module")
def finished(dataset: Dataset) -> RunParams:
    Pipeline(dataset, SMALL).run()
    return SMALL


def test_an_export_is_made_once_and_again_with_other_options(
    hands: Hands, dataset: Dataset, finished: RunParams
) -> None:
    def settings(form: str) -> Work:
        return export_work(dataset, finished, "settings", {"options": {"settings": form}})

    toml = hands.ask("ada", settings("toml"))
    assert hands.state(toml) == "waiting"
    hands.run_next()
    progress = hands.runner.progress(toml)
    assert (progress.state, progress.result) == ("finished", "simulated_harmony_settings.toml")
    assert toml.folder.file(progress).read_text("utf-8").startswith("# Settings")
    assert toml.folder.notes == []
    hands.ask("ada", settings("toml"))
    assert hands.waiting == 0
    assert hands.runner.progress(toml) == progress
    json = hands.ask("ada", settings("json"))
    assert (json.name, json.folder) != (toml.name, toml.folder)
    hands.run_next()
    assert hands.runner.progress(json).result.endswith(".json")


def test_an_export_that_fails_says_why_and_can_be_asked_for_again(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    export = export_work(dataset, fresh(), "h5ad", {})  # of a run that is not computed
    for _ in range(2):
        hands.ask("ada", export)
        hands.run_next()
        progress = hands.runner.progress(export)
        assert progress.state == "failed"
        assert "not finished" in progress.message
    assert not list(export.folder.path.glob("*.h5ad"))


def test_a_disk_too_full_to_begin(
    hands: Hands,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    first, second = fresh(), fresh()
    done = hands.ask("ada", run_work(dataset, first))
    run = hands.ask("ben", run_work(dataset, second))
    done.folder.write("finished", fraction=1.0)
    hands.now.queue[0] = (hands.now.queue[0][0], str)
    with monkeypatch.context() as disk:
        disk.setattr(job_folder, "write_json", full)
        hands.run_next()  # it is Ben's turn, but nothing can be noted
    assert hands.waiting == 0
    assert "its disk is full" in hands.runner.progress(run).message
    hands.ask("ben", run_work(dataset, second))
    hands.run_all()
    assert hands.state(run) == "finished"


def test_a_disk_too_full_to_say_so(hands: Hands, dataset: Dataset, finished: RunParams) -> None:
    export = hands.ask("ada", export_work(dataset, finished, "python", {}))
    future, _ = hands.now.queue.pop()
    future.set_running_or_notify_cancel()
    future.set_exception(OSError(errno.ENOSPC, "No space left on device"))
    progress = hands.runner.progress(export)
    assert progress.state == "failed"
    assert "most likely its disk is full" in progress.message
    hands.ask("ada", export)
    hands.run_next()
    assert hands.state(export) == "finished"

"""Who is computed when: sharing, latest wins, making way, cancelling, a worker that dies."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harmony_core.errors import HarmonyExplorerError
from harmony_core.jobs import executors
from harmony_core.jobs import queue as job_queue
from harmony_core.jobs import runner as runner_module
from harmony_core.jobs.executors import SCHEDULER_VARIABLE, executor_for, spawned_worker
from harmony_core.jobs.runner import Progress, Runner
from harmony_core.jobs.worker import ProgressWriter, read_progress
from harmony_core.params import RunParams
from harmony_core.runs import selected_markers
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import STAGES
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from tests.conftest import SMALL


def with_theta(theta: float) -> RunParams:
    return replace(SMALL, harmony=replace(SMALL.harmony, theta=(theta,)))


class ByHand(Executor):
    """Runs a job in this process when the test says so."""

    def __init__(self) -> None:
        self.queue: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.broken = False

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        if self.broken:
            raise BrokenProcessPool("dead")
        future: Future[Any] = Future()
        self.queue.append((future, work, arguments))
        return future

    def run_next(self) -> None:
        future, work, arguments = self.queue.pop(0)
        future.set_running_or_notify_cancel()
        future.set_result(work(*arguments))

    def die(self) -> None:
        """Lose every job, as a pool does whose process was killed."""
        self.broken = True
        for future, _, _ in self.queue:
            future.set_running_or_notify_cancel()
            future.set_exception(BrokenProcessPool("dead"))


class Hands:
    """A runner, and the executors that it has asked for."""

    def __init__(self, store: Store) -> None:
        self.executors: list[ByHand] = []
        self.runner = Runner(store, self._new)

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
        self.now.run_next()
        self._settle()

    def die(self) -> None:
        self.now.die()
        self._settle()

    def _settle(self) -> None:
        """Wait until the runner has heard of what is done."""
        self.runner._settler.submit(int).result()

    def state(self, name: str, folder: Path) -> str:
        return self.runner.follow(name, folder).state


@pytest.fixture
def hands(kept_store: Store) -> Hands:
    return Hands(kept_store)


@pytest.fixture
def fresh() -> Callable[[], RunParams]:
    """Settings that no other test has computed."""
    return lambda: with_theta(next(_THETAS) / 16)


_THETAS = iter(range(40, 200))


def test_two_viewers_share_one_computation(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    name = hands.runner.submit_run("ada", dataset, params)
    assert hands.runner.submit_run("ben", dataset, params) == name
    assert hands.waiting == 1
    hands.runner.drop("ada")
    assert hands.state(name, dataset.run_folder(name)) == "waiting"
    hands.run_next()
    assert hands.state(name, dataset.run_folder(name)) == "finished"
    assert RunResults(dataset, params).is_finished


def test_the_latest_wish_of_a_viewer_wins(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    first, second = fresh(), fresh()
    old = hands.runner.submit_run("ada", dataset, first)
    new = hands.runner.submit_run("ada", dataset, second)
    assert hands.state(old, dataset.run_folder(old)) == "cancelled"
    assert hands.state(new, dataset.run_folder(new)) == "waiting"
    hands.run_next()  # the first one sees its mark at once
    hands.run_next()
    assert hands.state(new, dataset.run_folder(new)) == "finished"
    assert not RunResults(dataset, first).is_finished
    assert hands.waiting == 0


def test_wishes_that_nobody_keeps_never_reach_the_worker(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    under_way, *passed_over, last = (fresh() for _ in range(6))
    hands.runner.submit_run("ben", dataset, under_way)
    for params in (*passed_over, last):
        name = hands.runner.submit_run("ada", dataset, params)
    assert hands.waiting == 1
    hands.run_next()
    hands.run_next()
    assert hands.state(name, dataset.run_folder(name)) == "finished"
    assert hands.waiting == 0


def test_a_finished_run_is_answered_from_the_store(hands: Hands, dataset: Dataset) -> None:
    Pipeline(dataset, SMALL).run()
    name = hands.runner.submit_run("ada", dataset, SMALL)
    assert hands.executors == []
    assert hands.state(name, dataset.run_folder(name)) == "finished"


def test_dropped_mid_run_it_stops_between_stages(
    hands: Hands,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = fresh()
    compute = Pipeline._correct

    def correct_and_drop(self: Pipeline, *side: str) -> Any:
        hands.runner.drop("ada")
        return compute(self, *side)

    monkeypatch.setattr(Pipeline, "_correct", correct_and_drop)
    name = hands.runner.submit_run("ada", dataset, params)
    hands.run_next()
    results = RunResults(dataset, params)
    assert hands.state(name, dataset.run_folder(name)) == "cancelled"
    assert results.stage("correct") is not None
    assert results.stage("neighbors_after") is None


def test_asked_again_while_its_cancelled_forerunner_still_writes(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    name = hands.runner.submit_run("ada", dataset, params)
    hands.runner.drop("ada")
    hands.runner.submit_run("ada", dataset, params)
    ProgressWriter(dataset.run_folder(name)).write("cancelled")
    assert hands.state(name, dataset.run_folder(name)) == "waiting"


def test_background_jobs_go_one_at_a_time_and_make_way(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    many = [fresh(), fresh()]
    names = [hands.runner.submit_steps("ada:suggest", dataset, p, "assess") for p in many]
    folders = [hands.runner.steps_folder(dataset, p, "assess") for p in many]
    assert hands.waiting == 1
    urgent = fresh()
    run = hands.runner.submit_run("ada", dataset, urgent)
    hands.run_next()  # the background job sees its mark at once
    assert [hands.state(*job) for job in zip(names, folders, strict=True)] == ["waiting"] * 2
    assert hands.waiting == 1
    hands.run_next()
    assert hands.state(run, dataset.run_folder(run)) == "finished"
    for _ in many:
        assert hands.waiting == 1
        hands.run_next()
    assert [hands.state(*job) for job in zip(names, folders, strict=True)] == ["finished"] * 2
    for params in many:
        assert RunResults(dataset, params).assessment is not None
        assert RunResults(dataset, params).layout("after") is None


def test_dropped_background_jobs_are_not_begun(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    many = [fresh(), fresh()]
    names = [hands.runner.submit_steps("ada:suggest", dataset, p, "assess") for p in many]
    folders = [hands.runner.steps_folder(dataset, p, "assess") for p in many]
    hands.runner.drop("ada:suggest")
    assert [hands.state(*job) for job in zip(names, folders, strict=True)] == ["cancelled"] * 2
    hands.run_next()  # the one that the worker had sees its mark
    assert hands.waiting == 0
    for params in many:
        assert RunResults(dataset, params).harmony is None


def test_a_dead_worker_is_replaced_unseen_and_the_innocent_are_not_blamed(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    culprit, innocent = fresh(), fresh()
    bad = hands.runner.submit_run("ada", dataset, culprit)
    good = hands.runner.submit_run("ben", dataset, innocent)
    ProgressWriter(dataset.run_folder(bad)).write("running")
    hands.die()
    again = hands.runner.follow(bad, dataset.run_folder(bad))
    assert again.state == "waiting"
    assert "its worker had stopped" in again.step
    ProgressWriter(dataset.run_folder(bad)).write("running")
    hands.die()
    lost = hands.runner.follow(bad, dataset.run_folder(bad))
    assert lost.state == "failed"
    assert "memory" in lost.message
    assert hands.state(good, dataset.run_folder(good)) == "waiting"
    hands.run_next()
    assert hands.state(good, dataset.run_folder(good)) == "finished"


def test_a_failure_is_a_sentence(hands: Hands, dataset: Dataset) -> None:
    params = replace(SMALL, harmony=replace(SMALL.harmony, batch=("nope",), theta=(2.0,)))
    name = hands.runner.submit_run("ada", dataset, params)
    hands.run_next()
    found = hands.runner.follow(name, dataset.run_folder(name))
    assert found.state == "failed"
    assert "no column" in found.message
    assert "Traceback" not in found.message


def test_unreadable_progress_means_waiting(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text('{"state": "running", "sh')
    assert read_progress(tmp_path) == Progress("waiting")


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

    runner = Runner(kept_store, pool)
    params = replace(fresh(), prepare=replace(SMALL.prepare, n_pcs=9))
    folder = runner.steps_folder(dataset, params, "correct")
    seen = set()

    def state() -> str:
        seen.add(runner.follow(name, folder).state)
        return runner.follow(name, folder).state

    try:
        name = runner.submit_steps("ada", dataset, params, "correct")
        _wait(lambda: state() == "running")
        os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)
        _wait(lambda: state() in ("finished", "failed"))
        assert seen <= {"waiting", "running", "finished"}
        assert len(pools) == 2
        assert RunResults(dataset, params).harmony is not None
    finally:
        runner.close()


def hang(*_: Any) -> str:
    """Stand in for a library call that knows of no cancel mark."""
    time.sleep(600)
    return ""


def answer(*arguments: Any) -> str:
    """Stand in for a run that is soon done."""
    ProgressWriter(Path(arguments[-1])).write("finished", share=1.0)
    return ""


@pytest.fixture
def stuck(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Runner]:
    """A runner whose worker is stuck in a run that Ada waits for; all others are soon done."""
    monkeypatch.setattr(job_queue, "PATIENCE", 0.2)
    runner = Runner(kept_store)
    monkeypatch.setattr(runner_module, "compute", hang)
    future = runner._jobs[runner.submit_run("ada", dataset, fresh())].future
    assert future is not None
    _wait(future.running)
    monkeypatch.setattr(runner_module, "compute", answer)
    yield runner
    runner.close()


def test_a_call_that_never_ends_gives_way_to_who_waits(
    stuck: Runner, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    soon = stuck.submit_run("ben", dataset, fresh())
    stuck.drop("ada")
    _wait(lambda: stuck.follow(soon, dataset.run_folder(soon)).state == "finished")


def test_many_wishes_survive_a_worker_that_is_ended(
    stuck: Runner, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    for _ in range(5):
        name = stuck.submit_run("ada", dataset, fresh())
    _wait(lambda: stuck.follow(name, dataset.run_folder(name)).state == "finished")


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
    name = hands.runner.submit_run("ada", dataset, params)
    hands.runner.submit_run("ada", dataset, other)
    job = hands.runner._jobs[name]
    assert job.future is not None
    hands.runner.submit_run("ada", dataset, params)
    hands.runner.submit_run("ben", dataset, other)
    hands.runner._end_if_in_the_way(job, job.future)
    assert ended == []
    assert not (dataset.run_folder(name) / "cancel").exists()
    assert hands.waiting == 1
    hands.run_next()
    assert hands.state(name, dataset.run_folder(name)) == "finished"


def test_a_computation_wanted_again_too_late_has_another_turn(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()
    name = hands.runner.submit_run("ada", dataset, params)
    folder = dataset.run_folder(name)
    hands.runner.drop("ada")
    future, work, arguments = hands.now.queue[0]

    def stop_and_be_wanted(*_: Any) -> str:
        work(*arguments)
        assert read_progress(folder).state == "cancelled"
        hands.runner.submit_run("ada", dataset, params)
        return ""

    hands.now.queue[0] = (future, stop_and_be_wanted, ())
    hands.run_next()
    assert hands.state(name, folder) == "waiting"
    hands.run_next()
    assert hands.state(name, folder) == "finished"


def test_a_worker_that_gets_ready_is_not_ended_for_wishes_that_only_waited(
    kept_store: Store,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[Executor] = []
    monkeypatch.setattr(executors, "end_processes", ended.append)
    monkeypatch.setattr(job_queue, "PATIENCE", 0.05)
    monkeypatch.setattr(job_queue, "warm_up", lambda: "")
    monkeypatch.setattr(runner_module, "compute", answer)
    hands = Hands(kept_store)
    hands.runner._warm_up()
    for _ in range(4):
        params = fresh()
        name = hands.runner.submit_run("ada", dataset, params)
    folder = dataset.run_folder(name)
    assert "getting ready" in hands.runner.follow(name, folder).step
    time.sleep(0.3)
    assert ended == []
    hands.run_next()
    assert "getting ready" not in hands.runner.follow(name, folder).step
    hands.run_next()
    assert hands.state(name, folder) == "finished"


def test_a_cluster_computes_the_same_bytes(
    tmp_path: Path, dataset: Dataset, kept_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distributed

    here = replace(with_theta(2.5), prepare=replace(SMALL.prepare, n_pcs=9))
    Pipeline(dataset, here).run()
    elsewhere = Store(tmp_path)
    shutil.copytree(dataset.folder, elsewhere.home / "datasets" / dataset.fingerprint)
    copy = elsewhere.dataset(dataset.fingerprint)
    shutil.rmtree(copy.folder / "stages")
    (copy.folder / "stages").mkdir()
    # Threads of this process stand in for other machines; the protocol between them is TCP.
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        monkeypatch.setenv(SCHEDULER_VARIABLE, cluster.scheduler_address)
        runner = Runner(elsewhere)
        try:
            name = runner.submit_run("ada", copy, here)
            _wait(lambda: runner.follow(name, copy.run_folder(name)).is_over)
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
        executor_for(kept_store)
    runner, params = Runner(kept_store), fresh()
    name = runner.submit_run("ada", dataset, params)
    found = runner.follow(name, dataset.run_folder(name))
    assert found.state == "failed"
    assert "nonsense" in found.message


def _wait(condition: Callable[[], bool], most: float = 120) -> None:
    deadline = time.monotonic() + most
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_marker_genes_of_a_selection_are_superseded_by_those_of_the_next(
    hands: Hands, dataset: Dataset
) -> None:
    cells = np.arange(len(Pipeline(dataset, SMALL).cells))
    old, folder = hands.runner.submit_selected("ada", dataset, SMALL, cells < 30)
    new, elsewhere = hands.runner.submit_selected("ada", dataset, SMALL, cells >= 30)
    assert hands.state(old, folder) == "cancelled"
    hands.run_next()  # the first one sees its mark
    hands.run_next()
    assert hands.state(new, elsewhere) == "finished"
    name = selected_markers.key(dataset, SMALL, cells >= 30)
    assert selected_markers.stored(dataset, name) is not None


def test_marker_genes_of_two_cells_are_refused_in_a_sentence(
    hands: Hands, dataset: Dataset
) -> None:
    chosen = np.arange(len(Pipeline(dataset, SMALL).cells)) < 2
    name, folder = hands.runner.submit_selected("ada", dataset, SMALL, chosen)
    hands.run_next()
    assert "Select at least 3 cells" in hands.runner.follow(name, folder).message


# Exports


@pytest.fixture(scope="module")
def finished(dataset: Dataset) -> RunParams:
    Pipeline(dataset, SMALL).run()
    return SMALL


def test_a_form_is_made_once_and_again_when_asked_otherwise(
    hands: Hands, dataset: Dataset, finished: RunParams
) -> None:
    def ask(**how: Any) -> tuple[str, Path]:
        name = hands.runner.submit_export("ada", dataset, finished, "settings", **how)
        return name, hands.runner.export_folder(dataset, finished, "settings", **how)

    toml, json_ = {"chosen": {"settings": "toml"}}, {"chosen": {"settings": "json"}}
    name, folder = ask(**toml)
    assert hands.state(name, folder) == "waiting"
    hands.run_next()
    progress = hands.runner.follow(name, folder)
    assert (progress.state, progress.result) == ("finished", "simulated_harmony_settings.toml")
    assert (folder / progress.result).read_text("utf-8").startswith("# Settings")
    assert (folder / "notes.txt").read_text() == ""
    ask(**toml)
    assert hands.waiting == 0
    other, elsewhere = ask(**json_)
    assert (other, elsewhere) != (name, folder)
    hands.run_next()
    assert hands.runner.follow(other, elsewhere).result.endswith(".json")


def test_an_export_that_fails_says_why_and_can_be_asked_for_again(
    hands: Hands, dataset: Dataset, fresh: Callable[[], RunParams]
) -> None:
    params = fresh()  # not computed
    folder = hands.runner.export_folder(dataset, params, "h5ad")
    for _ in range(2):
        name = hands.runner.submit_export("ada", dataset, params, "h5ad")
        hands.run_next()
        progress = hands.runner.follow(name, folder)
        assert progress.state == "failed"
        assert "not finished" in progress.message
    assert not list(folder.glob("*.h5ad"))


def test_a_disk_too_full_to_begin(
    hands: Hands,
    dataset: Dataset,
    fresh: Callable[[], RunParams],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    first, second = fresh(), fresh()
    hands.runner.submit_run("ada", dataset, first)
    name = hands.runner.submit_run("ben", dataset, second)
    with monkeypatch.context() as disk:
        disk.setattr(job_queue, "write_json", full)
        hands.run_next()  # it is Ben's turn, but nothing can be noted
    assert hands.waiting == 0
    assert "its disk is full" in hands.runner.follow(name, dataset.run_folder(name)).message
    hands.runner.submit_run("ben", dataset, second)
    hands.run_next()
    assert hands.state(name, dataset.run_folder(name)) == "finished"


def test_a_disk_too_full_to_say_so(hands: Hands, dataset: Dataset, finished: RunParams) -> None:
    name = hands.runner.submit_export("ada", dataset, finished, "python")
    folder = hands.runner.export_folder(dataset, finished, "python")
    future, _, _ = hands.now.queue.pop()
    future.set_running_or_notify_cancel()
    future.set_exception(OSError(errno.ENOSPC, "No space left on device"))
    progress = hands.runner.follow(name, folder)
    assert progress.state == "failed"
    assert "most likely its disk is full" in progress.message
    hands.runner.submit_export("ada", dataset, finished, "python")
    hands.run_next()
    assert hands.state(name, folder) == "finished"

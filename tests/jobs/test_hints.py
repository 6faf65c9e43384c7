"""What is said of work under way: each stage once, each change of progress, the end."""

from __future__ import annotations

import queue
from dataclasses import replace
from pathlib import Path

import pytest

from harmony_core.jobs.hints import Hint, Watcher
from harmony_core.jobs.job_folder import JobFolder, Progress
from harmony_core.jobs.work import Work, run_work
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import STAGES
from harmony_core.store import Dataset, Store
from tests.conftest import SMALL
from tests.jobs.test_runner import Hands

SECONDS = 60
"""In which a hint comes at the latest, where another thread says it."""

NEW = replace(SMALL, harmony=replace(SMALL.harmony, theta=(1.9375,)))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    folder = JobFolder(tmp_path / "job")
    folder.create()
    return Work("job", folder, str, ())


class Told:
    """A watcher of one job that is looked at when the test says so."""

    def __init__(self, work: Work) -> None:
        self.names = {work.name: False}
        self.hints: list[Hint] = []
        self.watcher = Watcher(lambda work: work.folder.progress, lambda: self.names)
        self.watcher._listeners.append(self.hints.append)  # without its thread
        self.watcher.expect(work)

    def look(self) -> list[Hint]:
        self.hints.clear()
        self.watcher.look()
        return list(self.hints)


def test_each_change_of_progress_is_said_once(work: Work) -> None:
    told = Told(work)
    assert told.look() == [Hint("job", (), Progress("waiting"))]
    assert told.look() == []
    work.folder.write("running", step="Reading", fraction=0.25)
    assert told.look() == [Hint("job", (), Progress("running", "Reading", 0.25))]
    assert told.look() == []


def test_the_end_is_said_once_and_nothing_is_looked_at_any_more(work: Work) -> None:
    told = Told(work)
    told.look()
    work.folder.write("finished", fraction=1.0, result="it")
    told.names.clear()
    assert told.look() == [Hint("job", (), Progress("finished", fraction=1.0, result="it"))]
    work.folder.write("running")
    assert told.look() == []


def test_without_news_only_what_is_computed_is_looked_at(work: Work) -> None:
    told = Told(work)
    told.look()
    work.folder.write("running", fraction=0.5)
    told.hints.clear()
    told.watcher.look(())
    assert told.hints == []
    told.names[work.name] = True
    told.watcher.look(())
    assert [hint.progress.fraction for hint in told.hints] == [0.5]


def test_asked_for_again_it_is_looked_at_again(work: Work) -> None:
    told = Told(work)
    told.names.clear()
    told.look()
    told.names[work.name] = False
    told.watcher.expect(work)
    work.folder.write("running", fraction=0.5)
    assert told.look() == [Hint("job", (), Progress("running", fraction=0.5))]


def test_each_stage_is_named_once_and_not_what_was_stored_before(dataset: Dataset) -> None:
    params = replace(NEW, harmony=replace(NEW.harmony, theta=(1.96875,)))
    pipeline = Pipeline(dataset, params)
    pipeline.stage("prepare")
    told = Told(run_work(dataset, params))
    told.look()
    pipeline.stage("correct")
    assert [hint.stages for hint in told.look()] == [("correct",)]
    pipeline.run("neighbors_before", "neighbors_after")
    (hint,) = told.look()
    assert "neighbors_after" in hint.stages
    assert not {"prepare", "correct"} & set(hint.stages)


def test_a_runner_says_every_stage_and_the_end(kept_store: Store, dataset: Dataset) -> None:
    hands = Hands(kept_store)
    runner = hands.runner
    hints: queue.Queue[Hint] = queue.Queue()
    runner.listen(lambda hint: 1 / 0)  # one that fails takes nothing from the others
    runner.listen(hints.put)
    work = run_work(dataset, NEW)
    missing = {stage.name for stage in STAGES} - set(work.stored)
    runner.submit("ada", work)
    assert hints.get(timeout=SECONDS).progress.state == "waiting"
    hands.run_all()
    said: list[str] = []
    while (hint := hints.get(timeout=SECONDS)).progress.state != "finished":
        assert hint.work == work.name
        said += hint.stages
    assert sorted([*said, *hint.stages]) == sorted(missing)


def test_who_has_ended_listening_hears_nothing(work: Work) -> None:
    told = Told(work)
    heard: list[Hint] = []
    end = told.watcher.listen(heard.append)
    end()
    end()
    work.folder.write("running")
    told.watcher.look()
    told.names.clear()
    assert told.hints[-1].progress.state == "running"
    assert all(hint.progress.state == "waiting" for hint in heard)

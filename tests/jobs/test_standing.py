"""What is said to who waits for a turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from harmony_core.jobs.queue import Job
from harmony_core.jobs.standing import Standing
from tests.jobs.test_queue import RUN, Line


class Counted(Line):
    """A queue whose places are counted."""

    def __init__(self, folder: Path, n_places: int = 1) -> None:
        super().__init__(folder)
        self.standing = Standing(self.queue, lambda lane: n_places)

    def ask(self, viewer: str) -> Job:
        work = self.run(viewer, *RUN)
        self.queue.ask(viewer, [work])
        return self.queue.jobs[work.name]

    def take(self, seconds: float) -> None:
        """Compute what is next, which takes some seconds."""
        job = self.begin()
        job.since = self.time
        self.time += seconds
        self.queue.learn(job)
        self.end(job)


@pytest.fixture
def line(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


def test_of_a_short_wait_nothing_is_said(line: Counted) -> None:
    ada = line.ask("ada")
    line.time += 0.9
    assert line.standing.step(ada) == ""
    line.time += 0.2
    assert line.standing.step(ada) == "Waiting, next in the queue"
    line.begin()
    assert line.standing.step(ada) == ""


def test_the_place_counts_who_waits_before(line: Counted) -> None:
    jobs = [line.ask(viewer) for viewer in ("ada", "ben", "cleo")]
    line.begin()
    line.time += 2
    assert [line.standing.step(job) for job in jobs] == [
        "",
        "Waiting, next in the queue",
        "Waiting, number 2 in the queue",
    ]


def test_how_long_is_learnt_from_what_was_computed(line: Counted) -> None:
    line.ask("ada")
    line.take(2)  # its correction
    line.take(1)  # its preview
    ben, cleo, dora = (line.ask(viewer) for viewer in ("ben", "cleo", "dora"))
    line.begin()
    line.time += 2
    assert line.standing.step(ben) == ""
    assert line.standing.step(cleo) == "Waiting, next in the queue: about 3 seconds"
    assert line.standing.step(dora) == "Waiting, number 2 in the queue: about 6 seconds"


def test_two_places_halve_the_wait(tmp_path: Path) -> None:
    line = Counted(tmp_path, n_places=2)
    line.ask("ada")
    line.take(1)
    line.take(1)
    line.ask("ben")
    cleo = line.ask("cleo")
    line.begin()
    line.time += 2
    assert line.standing.step(cleo) == "Waiting, next in the queue: about a second"


def test_a_long_wait_is_said_in_round_numbers(line: Counted) -> None:
    line.ask("ada")
    line.take(12)
    line.take(0)
    line.ask("ben")
    cleo = line.ask("cleo")
    line.begin()
    line.time += 2
    assert line.standing.step(cleo) == "Waiting, next in the queue: about 10 seconds"

"""Whose stage is next: what viewers wait for, one turn a person, nobody for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harmony_core.jobs import queue
from harmony_core.jobs.job_folder import JobFolder
from harmony_core.jobs.queue import OVERDUE_SECONDS, SECONDS_BEHIND, Job, JobQueue
from harmony_core.jobs.urgency import FRONT, LANES, LATER, STAGES, Lane, Urgency, of_stage
from harmony_core.jobs.work import Work
from harmony_core.runs.stages import registry

RUN = ("correct", "preview_after", "neighbors_after", "assess", "layout_after", "clusters_after")

Waits = list[float]
"""Seconds from each move to its verdict."""


@dataclass(frozen=True)
class FakeWork(Work):
    """Work that needs no dataset: its stages are stored where the test says so."""

    settings: str = ""
    store: set[tuple[str, str]] = field(default_factory=set)

    def has(self, stage: str) -> bool:
        return (self.settings, stage) in self.store

    def result_of(self, stage: str | None) -> tuple[str, str]:
        return self.settings, stage or ""


class Line:
    """A queue, its time, and what was stored."""

    def __init__(self, folder: Path) -> None:
        self.time = 0.0
        self.queue = JobQueue(lambda: self.time)
        self.store: set[tuple[str, str]] = set()
        self.folder = folder

    def run(
        self,
        settings: str,
        *stages: str,
        urgency: Urgency = Urgency.PREVIEW,
        data: str = "the data",
    ) -> Work:
        dataset = SimpleNamespace(fingerprint=data)
        stages_by_name = {stage.name: stage for stage in (*registry.STAGES, *registry.ON_DEMAND)}
        plan: Any = SimpleNamespace(dataset=dataset, stages=stages_by_name)
        name = f"{settings}-{urgency.name}"
        folder = JobFolder(self.folder / name)
        folder.create()
        return FakeWork(
            name,
            folder,
            str,
            (),
            urgency=urgency,
            plan=plan,
            stages=stages or RUN,
            settings=settings,
            store=self.store,
        )

    def group(self, viewer: str, n: int, *, urgency: Urgency = Urgency.BACKGROUND) -> None:
        """Have a viewer wait for many runs."""
        person = viewer.partition(":")[0]
        runs = [self.run(f"{person}{i}", "correct", "assess", urgency=urgency) for i in range(n)]
        self.queue.ask(viewer, runs)

    def begin(self, lanes: tuple[Lane, ...] = LANES) -> Job:
        job = self.queue.next(lanes)
        assert job is not None
        job.future = Future()
        return job

    def end(self, job: Job) -> None:
        """Store the stage under way."""
        assert isinstance(job.work, FakeWork)
        self.store.add((job.work.settings, job.stage or ""))
        job.future = None
        for one in self.queue.advance(job):
            if one.is_complete:
                self.queue.remove(one)

    def compute(self, lanes: tuple[Lane, ...] = LANES) -> str:
        """Compute what is next; return its settings and stage."""
        job = self.begin(lanes)
        done = f"{job.work.name.partition('-')[0]} {job.stage}"
        self.time += 1
        self.end(job)
        return done

    def compute_all(self, lanes: tuple[Lane, ...] = LANES) -> list[str]:
        done = []
        while self.queue.next(lanes) is not None:
            done.append(self.compute(lanes))
        return done


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_every_stage_with_an_urgency_is_one_of_a_run() -> None:
    names = {stage.name for stage in (*registry.STAGES, *registry.ON_DEMAND)} | {"marker_labels"}
    assert set(STAGES) < names
    lanes = [of_stage(stage.name).lane for stage in registry.STAGES]
    assert set(lanes) == {"front", "later"}
    last = max(i for i, lane in enumerate(lanes) if lane == "front")
    assert registry.STAGES[last].name == "assess"


def test_what_viewers_wait_for_comes_before_what_comes_after_anybodys_verdict(line: Line) -> None:
    line.queue.ask("ada", [line.run("a")])
    line.compute_all(FRONT)
    line.queue.ask("ben", [line.run("b")])
    line.queue.ask("cleo", [line.run("c")])
    assert line.compute_all() == [
        *("b correct", "b preview_after", "c correct", "c preview_after"),
        *("b neighbors_after", "b assess", "c neighbors_after", "c assess"),
        *("a layout_after", "b layout_after", "c layout_after"),
        *("a clusters_after", "b clusters_after", "c clusters_after"),
    ]


def test_new_data_come_after_others_verdicts_and_before_their_layouts(line: Line) -> None:
    line.queue.ask("ada", [line.run("a", "layout_after")])
    line.queue.ask("ben", [line.run("b", "prepare", "correct")])
    line.queue.ask("cleo", [line.run("c", "assess")])
    assert line.compute_all() == ["c assess", "b prepare", "b correct", "a layout_after"]


def test_each_lane_has_its_own_turns(line: Line) -> None:
    line.queue.ask("ada", [line.run("a", "layout_after")])
    line.queue.ask("ben", [line.run("b", "correct")])
    assert line.queue.next(LATER) is line.queue.jobs["a-PREVIEW"]
    assert line.queue.next(FRONT) is line.queue.jobs["b-PREVIEW"]
    line.begin(LATER)
    assert line.queue.next(LATER) is None


def test_who_moves_again_keeps_the_place(line: Line) -> None:
    for viewer in ("ada", "ben", "cleo"):
        line.queue.ask(viewer, [line.run(viewer[0], "correct")])
        line.time += 1
    line.queue.ask("ada", [line.run("a2", "correct")])
    assert line.compute_all() == ["a2 correct", "b correct", "c correct"]


def test_who_has_an_answer_waits_behind_who_has_none(line: Line) -> None:
    line.queue.ask("ada", [line.run("a", "correct")])
    line.compute()
    line.queue.ask("ben", [line.run("b", "correct")])
    line.time += 1
    line.queue.ask("ada", [line.run("a2", "correct")])
    assert line.compute_all() == ["b correct", "a2 correct"]


def test_who_withdraws_gives_the_place_up(line: Line) -> None:
    line.queue.ask("ada", [line.run("a", "correct")])
    line.queue.ask("ada", ())
    line.time += 1
    line.queue.ask("ben", [line.run("b", "correct")])
    line.time += 1
    line.queue.ask("ada", [line.run("a2", "correct")])
    assert line.compute_all() == ["b correct", "a2 correct"]


def test_who_leaves_waits_for_nothing_any_more_and_others_still_do(line: Line) -> None:
    line.queue.ask("ada", [line.run("a"), line.run("shared")])
    line.queue.ask("adam", [line.run("adam")])
    line.queue.ask("ben", [line.run("shared")])
    line.group("ada:suggest", 3)
    under_way = line.begin(FRONT)
    assert line.queue.leave("ada") == [under_way]
    assert set(line.queue.jobs) == {"a-PREVIEW", "shared-PREVIEW", "adam-PREVIEW"}
    assert [job.people for job in line.queue.jobs.values()] == [set(), {"ben"}, {"adam"}]
    assert line.queue.leave("ada") == []


def test_superseded_no_further_stage_begins(line: Line) -> None:
    line.queue.ask("ada", [line.run("a")])
    job = line.begin()
    assert line.queue.ask("ada", [line.run("a2", "correct")]) == [job]
    assert line.compute_all() == ["a2 correct"]


def test_one_with_twenty_wishes_waits_for_one_with_one(line: Line) -> None:
    line.group("ada:suggest", 20)
    line.time += 1
    line.group("ben:suggest", 1)
    done = line.compute_all()
    assert done[:4] == ["ada0 correct", "ada0 assess", "ben0 correct", "ben0 assess"]
    assert len(done) == 42


def test_a_viewer_has_one_background_job_under_way(line: Line) -> None:
    line.group("ada:suggest", 3)
    line.group("ada:film", 3)
    line.group("ben:suggest", 1)
    assert {"ada"} == line.begin().people
    assert {"ben"} == line.begin().people
    assert line.queue.next(LANES) is None


def test_the_background_gives_way(line: Line) -> None:
    line.group("ada:suggest", 2)
    line.compute()
    line.queue.ask("ada", [line.run("a")])
    assert line.compute_all()[: len(RUN)] == [f"a {stage}" for stage in RUN]


def test_equal_stages_of_several_viewers_are_computed_once(line: Line) -> None:
    line.queue.ask("ada", [line.run("same")])
    line.queue.ask("ben", [replace(line.run("same", "correct"), name="other")])
    first = line.begin()
    assert line.queue.next(LANES) is None
    line.end(first)
    assert "other" not in line.queue.jobs
    assert line.compute_all() == [f"same {stage}" for stage in RUN[1:]]


@pytest.mark.parametrize("lane", ["front", "later"])
def test_who_has_waited_long_goes_before_all_who_came_later(line: Line, lane: Lane) -> None:
    late, soon = ("assess", "correct") if lane == "front" else ("clusters_after", "layout_after")
    line.queue.ask("ada", [line.run("a", late)])
    line.time += OVERDUE_SECONDS[lane] - 1
    line.queue.ask("ben", [line.run("b", soon)])
    assert line.compute() == f"b {soon}"
    line.queue.ask("ben", [line.run("b2", soon)])
    assert line.compute_all() == [f"a {late}", f"b2 {soon}"]


def test_of_equally_urgent_ones_the_shorter_goes_first_but_not_for_long(line: Line) -> None:
    for stage, seconds in (("correct", 2.0), ("preview_after", 0.5)):
        line.queue.ask("zoe", [line.run(f"z {stage}", stage)])
        job = line.begin()
        job.since, line.time = line.time, line.time + seconds
        line.queue.learn(job)
        line.end(job)
    ahead = SECONDS_BEHIND * 1.5
    for later, first in ((ahead - 0.1, "b preview_after"), (ahead + 0.1, "a correct")):
        line.queue.ask("ada", [line.run("a", "correct")])
        line.time += later
        line.queue.ask("ben", [line.run("b", "preview_after")])
        assert line.compute_all()[0] == first
        line.store.clear()


def test_hasty_viewers_see_a_verdict_within_a_minute(line: Line) -> None:
    """Thirty who move every second, without end; a stage takes 0.1 s."""
    verdicts: dict[str, float] = dict.fromkeys((f"viewer{i}" for i in range(30)), 0.0)
    waits: list[float] = []
    stages = RUN[: RUN.index("assess") + 1]
    for tick in range(2400):
        line.time = tick / 10
        for i, viewer in enumerate(verdicts):
            if (tick + i) % 10 == 0:
                line.queue.ask(viewer, [line.run(f"{viewer}at{tick}", *stages)])
        job = line.begin()
        viewer, stage = job.work.name.partition("at")[0], job.stage
        line.end(job)
        if stage == "assess":
            waits.append(line.time - verdicts[viewer])
            verdicts[viewer] = line.time
    assert max(waits) < 60
    assert min(verdicts.values()) > 180


def test_no_viewer_waits_much_longer_than_the_mean(line: Line) -> None:
    waits = _tune(line, dict.fromkeys((f"v{i}" for i in range(10)), 0.1))
    assert _fairness(waits) < 1.5


def test_who_tunes_more_cells_holds_the_others_up_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {f"v{i}": 0.1 for i in range(10)}
    mixed = small | {f"v{i}": 0.17 for i in range(5)}
    among_equals = _p95(_tune(Line(tmp_path), small), small)
    others = [viewer for viewer in mixed if mixed[viewer] == 0.1]
    waits = _tune(Line(tmp_path), mixed)
    assert _p95(waits, others) < 1.3 * among_equals
    assert _fairness(waits) < 1.5
    monkeypatch.setattr(queue, "SECONDS_BEHIND", 0.0)
    assert _p95(_tune(Line(tmp_path), mixed), others) > 1.3 * among_equals


def _tune(line: Line, stage_seconds: Mapping[str, float], n_moves: int = 40) -> dict[str, Waits]:
    """Return what each viewer waits for verdicts who thinks 3 to 12 s between moves.

    Parameters
    ----------
    stage_seconds
        What a stage of the viewer's data takes; data of equal ones are the same.
    """
    waits: dict[str, Waits] = {viewer: [] for viewer in stage_seconds}
    think = _thinking(3, 12)
    move_at = {viewer: think() for viewer in waits}
    asked: dict[str, float] = {}
    while move_at or asked:
        if line.queue.next(FRONT) is None:
            line.time = max(line.time, min(move_at.values()))
        for viewer in [v for v, at in move_at.items() if at <= line.time]:
            asked[viewer] = move_at.pop(viewer)
            seconds = stage_seconds[viewer]
            run = line.run(f"{viewer}at{line.time}", *RUN[:4], data=f"{seconds}")
            line.queue.ask(viewer, [run])
        job = line.begin(FRONT)
        viewer, stage = job.work.name.partition("at")[0], job.stage
        job.since = line.time
        line.time += stage_seconds[viewer]
        line.queue.learn(job)
        line.end(job)
        if stage == "assess":
            waits[viewer].append(line.time - asked.pop(viewer))
            if len(waits[viewer]) < n_moves:
                move_at[viewer] = line.time + think()
    return waits


def _fairness(waits: Mapping[str, Waits]) -> float:
    means = [sum(of) / len(of) for of in waits.values()]
    return max(means) / (sum(means) / len(means))


def _p95(waits: Mapping[str, Waits], viewers: Iterable[str]) -> float:
    found = sorted(wait for viewer in viewers for wait in waits[viewer])
    return found[-(len(found) // 20)]


def _thinking(low: float, high: float) -> Callable[[], float]:
    """Return what gives some seconds, in no order that anybody shares."""
    state = [7]

    def think() -> float:
        state[0] = state[0] * 16807 % 2147483647
        return low + (high - low) * state[0] / 2147483647

    return think

"""Viewers without a browser on a real server: what they see, and when, against the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import websockets
from line import Bar, Ear, Line, Where
from served import Server, served
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tab import Faults, MessageCache, Run
from viewers import Move, Screen, Setting, Settings
from websockets.asyncio.server import ServerConnection

from benchmarks import load, page
from harmony_core.jobs.runner import Runner
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Store


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


def stored(server: Server) -> dict[tuple[float, float], RunResults]:
    """Return every run in the server's store by theta and sigma."""
    found = {}
    for file in server.home.glob("datasets/*/runs/*/params.json"):
        params = RunParams.from_dict(json.loads(file.read_text("utf-8")))
        dataset = Store(server.home).dataset(file.parents[2].name)
        found[params.harmony.theta[0], params.harmony.sigma] = RunResults(dataset, params)
    return found


@pytest.mark.timeout(300)
def test_two_viewers_see_what_the_store_has_and_not_before(server: Server) -> None:
    few = "--viewers 2 --moves 2 --think 0 0 --ramp 0 --impatient 0 --revisit 0 --linger 0"
    lone = "--warm-up 0 --lone-moves 1 --lone-think 0 0"
    options = load.parse([*few.split(), *lone.split()])
    crowds: list[load.Crowd] = []

    def keep(crowd: load.Crowd, moves: list[Move], n_files: int = 0) -> dict:
        crowds.append(crowd)
        return summarise(crowd, moves, n_files)

    summarise = load.summarise
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "summarise", keep)
        report = asyncio.run(load.run(server, options))

    moves = crowds[0].moves
    assert len(moves) == report["moves"] == 4
    assert len({move.setting for move in moves}) == 4
    runs = stored(server)
    for move in moves:
        run = runs[move.setting.theta, move.setting.sigma]
        assert move.name == run.plan.run
        for what, stage in (("preview", "preview_after"), ("verdict", "assess")):
            folder = run.dataset.folder / "stages" / run.plan.keys[stage].folder
            assert folder.stat().st_mtime <= move.wall + move.seen[what]
        assert move.seen["page run"] <= move.seen["preview"] <= move.seen["verdict"]
    assert report["faults"] == {}
    assert report["log"] == []
    assert report["last_moves_unanswered"] == report["dropped_sockets"] == 0
    assert report["crowd"]["verdict"]["n"] == 4
    assert report["lone"]["everything"]["n"] == 1
    assert 0 < report["memory_mb"]["before"]["page"] < report["memory_mb"]["before"]["workers"]
    printed = "\n".join(load.lines(report) + load.against_aims("tuning", report))
    assert "went wrong: nothing" in printed
    assert "aim: verdict p95 25, reached" in printed
    for profile in load.PROFILES:
        found = load.against_aims(profile, report)
        assert len(found) == len(load.AIMS[profile]) + len(load.AIMS_OF_ALL)
        assert "aim: faults 0, reached 0.00" in found


@pytest.mark.timeout(300)
def test_a_lone_viewer_is_measured_from_move_to_store_to_screen(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(page, "WARM_UP", page.WARM_UP[:1])
    monkeypatch.setattr(page, "REPEATS", 1)
    monkeypatch.setattr(page, "MANY", 12)
    options = page.parse(["--moves", "1", "--viewers", "0"])
    faults = Faults()
    found = asyncio.run(page.look(server, faults, options, None))
    assert faults.counts == {}
    assert [cost.move.setting for cost in found.new] == page.new_settings(1)
    assert all(cost.cpu > 0 for cost in [*found.new, *found.again])
    assert len(found.again) == 1
    assert all(seconds > 0 for times in found.stored.values() for seconds in times)
    assert max(found.page_runs) == 12  # which the page lists as runs of its own

    # The worker's own seconds are those that the store's stages say of themselves.
    (setting,) = page.new_settings(1)
    run = stored(server)[setting.theta, setting.sigma]
    assert page.stages_to(run.plan, "preview") == ["correct", "preview_after"]
    own = {
        what: sum(run.seconds[name] for name in page.stages_to(run.plan, what))
        for what in page.SHOWN_BY
    }
    assert own["preview"] < own["verdict"] < own["everything"]
    table = {row.what: row for row in page.rows(found, own)}
    assert table["on screen: verdict, median"].aim == pytest.approx(own["verdict"] + 0.2)
    assert table["page CPU, a move"].value == found.new[0].cpu


def test_the_worker_alone_computes_the_moves_that_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page, "WARM_UP", page.WARM_UP[:1])
    computed: list[RunParams] = []

    def compute(runner: Runner, dataset: object, params: RunParams) -> None:
        computed.append(params)

    monkeypatch.setattr(page, "_compute", compute)
    monkeypatch.setattr(Runner, "start", lambda self: None)
    seconds = {"correct": 0.2, "preview_after": 0.1, "reference": 9.0, "assess": 0.4}
    monkeypatch.setattr(RunResults, "seconds", seconds)
    base = RunParams(harmony=HarmonyParams(batch=("condition",)), label="marker_based_type")
    moves = [Setting(1.0), Setting(4.0, 0.2), Setting(3.0, 0.1, 30)]
    own = page.worker_alone("kang", base.to_dict(), moves)
    assert [(p.harmony.theta, p.harmony.sigma, p.harmony.nclust) for p in computed] == [
        ((1.0,), 0.1, None),
        ((4.0,), 0.2, None),
        ((3.0,), 0.1, 30),
    ]
    # What a dataset needs once is no move's.
    assert own == pytest.approx({"preview": 0.3, "verdict": 0.7, "everything": 0.7})


# What is counted


def test_both_sides_of_the_cache_forget_by_the_same_rule() -> None:
    cache = MessageCache()
    large = ForwardMsg(hash="a")
    large.metadata.cacheable = True
    large.delta.fragment_id = "part"
    large.delta.new_element.markdown.body = "text"
    reference = ForwardMsg(ref_hash="a")
    reference.metadata.delta_path.append(3)
    assert cache.resolve(reference) is None
    cache.resolve(large)
    for _ in range(5):
        cache.run_ended(2, ("another",))
    whole = cache.resolve(reference)
    assert whole is not None
    assert whole.delta.new_element.markdown.body == "text"
    assert list(whole.metadata.delta_path) == [3]
    for _ in range(2):
        cache.run_ended(2, ())
    assert cache.hashes == ["a"]
    cache.run_ended(2, ("part",))
    assert cache.hashes == []


def test_parts_are_asked_one_at_a_time_when_what_they_lack_is_said() -> None:
    asked: list[str] = []
    said: list[list[dict]] = [
        [{"work": "run", "stages": ["assess"], "progress": {"state": "running"}}],
        [{"work": "run", "stages": ["layout_after"], "progress": {"state": "finished"}}],
    ]

    def ear(part: str, *missing: str) -> Ear:
        lacking = {"run": list(missing)}
        return Ear(part, Where(part, f"fragment of {part}", 1), lacking, waits=bool(missing))

    async def ask(ear: Ear) -> None:
        asked.append(ear.part)
        heard.set()

    async def serve(socket: ServerConnection) -> None:
        for hints in said:
            await socket.send(json.dumps(hints))
            await socket.recv()
        said.clear()

    async def until(n_asked: int) -> None:
        while len(asked) < n_asked:
            heard.clear()
            await heard.wait()

    async def hear() -> None:
        async with websockets.serve(serve, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            line = Line(f"ws://127.0.0.1:{port}", "http://127.0.0.1", ask, lambda _: heard.set())
            for name, *missing in (
                ("headline", "assess"),
                ("why", "assess"),
                ("map", "layout_after"),
            ):
                line.draw(ear(name, *missing))
            line.draw_bar(Bar("run", "waiting", Where("bar", "fragment of status", 1)))
            await asyncio.wait_for(until(1), 10)
            assert asked == ["headline"]  # the other when this one has answered
            line.draw(ear("headline"))
            await asyncio.sleep(0)
            line.draw(ear("why"))
            assert line.is_awaited
            assert line._socket is not None
            await line._socket.send("?")
            await asyncio.wait_for(until(3), 10)
            assert asked == ["headline", "why", "map"]
            assert [bar.state for bar in line.bars.values()] == ["finished"]
            line.forget(2, ("fragment of status",))
            assert (line.bars, len(line.ears)) == ({}, 3)
            await line.close()

    heard = asyncio.Event()
    asyncio.run(hear())


def test_a_full_picture_is_no_other_picture_than_its_preview() -> None:
    screen = Screen()
    runs = [Run(number, (), 0.0) for number in range(4)]
    screen.draw_picture("theta 1 · sigma 0.1", dimmed=True, run=runs[1], at=1.0)
    note = "theta 1 · sigma 0.1 · preview, the full picture follows"
    screen.draw_picture(note, dimmed=False, run=runs[2], at=2.0)
    assert (screen.note, screen.is_preview) == (Setting(1.0).note, True)
    screen.draw_picture("theta 1 · sigma 0.1", dimmed=False, run=runs[3], at=3.0)
    assert (screen.pictured_by, screen.pictured_at, screen.is_preview) == (2, 3.0, False)


def test_nobody_asks_for_the_same_unless_they_are_a_class() -> None:
    own = Settings(3)
    now, seen = Setting(2.0), set()
    for _ in range(500):
        now, before = own.next(now)
        assert not before
        assert now not in seen
        seen.add(now)
    common = Settings(3, common=True)
    asked = [common.next(Setting(2.0)) for _ in range(200)]
    assert {setting.theta for setting, _ in asked} == set(Settings.THETAS) - {2.0}
    assert [before for _, before in asked] == [
        setting in [other for other, _ in asked[:i]] for i, (setting, _) in enumerate(asked)
    ]


def test_moving_again_does_not_end_a_wait() -> None:
    def move(sent: float, verdict: float | None) -> Move:
        seen = {} if verdict is None else {"verdict": verdict}
        return Move(Setting(1.0), sent=sent, seen=seen)

    moves = [move(0, None), move(5, None), move(9, 2), move(20, 3), move(30, None)]
    assert load.longest_wait(moves, "verdict", 36) == 11  # from 0 to 9 + 2
    assert load.longest_wait(moves, "verdict", 99) == 69
    assert load.longest_wait(moves[3:4], "verdict", 99) == 3
    assert load.waits(moves, "verdict") == [2, 3]
    assert load.share_seen([moves[2], replace(moves[0], patient=False), moves[4]]) == {
        "preview": 0,
        "verdict": 0.5,
        "picture": 0,
        "everything": 0,
    }


@pytest.mark.parametrize("profile", load.PROFILES)
def test_a_profile_can_be_changed(profile: str) -> None:
    options = load.parse(["--profile", profile, "--linger", "7"])
    assert options.linger == 7
    for name, value in load.PROFILES[profile].items():
        assert name == "linger" or getattr(options, name) == value


def test_copied_runs_are_runs_of_their_own(tmp_path: Path) -> None:
    from harmony_core.runs.history import assessed_runs
    from harmony_core.store import examples

    dataset = Store(tmp_path).dataset(examples.fingerprint(Store(tmp_path), "kang"))
    sample = examples.EXAMPLES["kang"]
    params = RunParams(
        harmony=HarmonyParams(batch=(sample.batch,)), label=sample.label, condition=True
    )
    assert Plan(dataset, params).is_finished
    saved = dataset.run_folder(Plan(dataset, params).run) / "params.json"
    saved.write_text(json.dumps(params.to_dict()))
    kept = page.Kept(tmp_path)
    kept.fill(Setting(2.0), 4)
    runs = assessed_runs(dataset)
    assert len(runs) == kept.n_runs == 4
    assert len({run.harmony.theta for run in runs}) == 4
    assert all(RunResults(dataset, run).is_finished for run in runs)

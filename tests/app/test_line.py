"""What is said to whom when something changes, and who may listen."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from starlette.websockets import WebSocketDisconnect
from streamlit import config
from streamlit.testing.v1 import AppTest

from harmony_core.jobs.hints import Hint
from harmony_core.jobs.job_folder import JobFolder, Progress
from harmony_core.jobs.work import Work
from harmony_core.store import Store, examples
from pages.ui import made, services
from pages.ui.line import listeners, route
from pages.ui.line.listeners import Line, Listener
from pages.ui.line.route import address
from pages.ui.same_origin import is_allowed
from tests.server import ROOT

_T = TypeVar("_T")
END = {"name": "the end"}
RUNNING = Progress("running", step="Correction", fraction=0.5)


def _work(name: str) -> Work:
    return Work(name, JobFolder(Path("nowhere")), lambda: "", ())


def _run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in a loop of its own, also where browser tests have left one running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _until_the_end(line: Line) -> list[Any]:
    messages: list[Any] = []
    while END not in messages:
        messages += await line.next()
    return messages[:-1]


def _heard(listener: Listener, *hints: Hint) -> list[Any]:
    """Return what an open line is told of some hints."""

    async def listen() -> list[Any]:
        line = listener.open()
        for hint in hints:
            await asyncio.to_thread(listeners.hear, hint)
        line.say(END)
        return await _until_the_end(line)

    return _run(listen())


def test_a_page_hears_of_what_its_parts_follow_and_of_nothing_else() -> None:
    listener = Listener(lambda work: RUNNING, "ada")
    listener.follow("verdict", [_work("old")])
    listener.follow("genes", [_work("other")])
    listener.follow("verdict", [_work("run")])
    hints = [Hint(name, ("assess",), RUNNING) for name in ("old", "run", "other", "foreign")]
    progress = {"state": "running", "step": "Correction", "fraction": 0.5}
    assert _heard(listener, *hints) == [
        {"work": name, "stages": ["assess"], "progress": progress} for name in ("run", "other")
    ]


def test_hints_without_a_line_are_lost_and_a_question_brings_them_back() -> None:
    listener = Listener(lambda work: Progress("finished", fraction=1.0), "ada")
    listener.follow("verdict", [_work("run")])
    listener.hear(Hint("run", ("assess",), RUNNING))

    async def ask() -> list[Any]:
        line = listener.open()
        listener.say_all()
        line.say(END)
        return await _until_the_end(line)

    (answer, alive) = _run(ask())
    assert answer["work"] == "run"
    assert answer["progress"]["state"] == "finished"
    assert alive == {}


def test_the_newest_line_of_a_page_is_the_one_that_hears() -> None:
    listener = Listener(lambda work: RUNNING, "ada")
    listener.follow("verdict", [_work("run")])

    async def reopen() -> tuple[list[Any], int]:
        first, second = listener.open(), listener.open()
        listener.close(first)  # which is noticed late
        listener.say({"name": "selection"})
        second.say(END)
        return await _until_the_end(second), first._said.qsize()

    assert _run(reopen()) == ([{"name": "selection"}], 0)


def test_a_session_that_is_gone_listens_no_more() -> None:
    listener = Listener(lambda work: RUNNING, "ada")
    name = listener.name
    assert listeners.find(name) is listener
    del listener
    gc.collect()
    assert listeners.find(name) is None


class _PageThatLeaves:
    """A websocket whose page is gone as soon as it has opened a line."""

    headers: Mapping[str, str] = {"host": "localhost"}

    def __init__(self, listener: Listener) -> None:
        self.path_params = {"listener": listener.name}

    async def accept(self) -> None:
        """Do nothing."""

    async def send_text(self, text: str) -> None:
        """Send it nowhere."""

    async def receive_text(self) -> str:
        raise WebSocketDisconnect


@pytest.mark.parametrize("others", [True, False])
def test_what_was_made_for_viewers_goes_when_the_last_has_left(
    others: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(services, "store", lambda: store)
    name = examples.fingerprint(store, "kang")
    looked = asyncio.Event()
    left = route._forget_if_left

    def look() -> None:
        left()
        looked.set()

    monkeypatch.setattr(route, "LEFT_SECONDS", 0.0)
    monkeypatch.setattr(route, "_forget_if_left", look)
    one, other = (Listener(lambda work: RUNNING, "ada") for _ in range(2))
    first, again = object(), object()
    made.once(("a test", "of leaving", others), lambda: first)
    opened = services.dataset(name)

    async def leave() -> None:
        if others:
            other.open()
        await route._serve(_PageThatLeaves(one))  # type: ignore[arg-type]
        await looked.wait()

    _run(leave())
    found = made.once(("a test", "of leaving", others), lambda: again)
    assert found is (first if others else again)
    assert (services.dataset(name) is opened) is others


class _Wishes:
    """A runner that notes who has left."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def leave(self, person: str) -> None:
        self.left.append(person)


class _Loop:
    """What is to be called later, at the times of a clock that the test moves."""

    def __init__(self) -> None:
        self.time = 0.0
        self._calls: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        self._calls.append((self.time + seconds, partial(function, *arguments)))

    def run_in_executor(
        self, executor: None, function: Callable[..., None], *arguments: Any
    ) -> None:
        function(*arguments)

    def wait_until(self, time: float) -> None:
        while due := [call for call in self._calls if call[0] <= time]:
            self._calls.remove(first := min(due, key=lambda call: call[0]))
            self.time = first[0]
            first[1]()
        self.time = time


class _Tab:
    """A page of one session, whose line opens and ends when the test says so."""

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.listener = Listener(lambda work: RUNNING, "ada", lambda: loop.time)

    def open(self) -> None:
        self.line = _run(_opened(self.listener))

    def close(self) -> None:
        route._end(self.listener, self.line)


async def _opened(listener: Listener) -> Line:
    return listener.open()


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> _Wishes:
    found = _Wishes()
    monkeypatch.setattr(services, "runner", lambda: found)
    return found


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> _Loop:
    found = _Loop()
    monkeypatch.setattr(route.asyncio, "get_running_loop", lambda: found)
    return found


def test_wishes_end_two_minutes_after_their_tab_was_closed(loop: _Loop, wishes: _Wishes) -> None:
    tab = _Tab(loop)
    tab.open()
    loop.wait_until(1000)
    tab.close()
    loop.wait_until(1119)
    assert wishes.left == []
    loop.wait_until(1120)
    assert wishes.left == ["ada"]


def test_wishes_end_where_the_session_ended_meanwhile(loop: _Loop, wishes: _Wishes) -> None:
    tab = _Tab(loop)
    tab.open()
    tab.close()
    del tab
    gc.collect()
    loop.wait_until(120)
    assert wishes.left == ["ada"]


def test_a_page_whose_line_is_open_again_keeps_its_wishes(loop: _Loop, wishes: _Wishes) -> None:
    tab = _Tab(loop)
    tab.open()
    tab.close()
    loop.wait_until(119)
    tab.open()
    loop.wait_until(1000)
    assert wishes.left == []
    tab.close()
    loop.wait_until(1120)
    assert wishes.left == ["ada"]


def test_a_page_that_draws_without_a_line_keeps_its_wishes(loop: _Loop, wishes: _Wishes) -> None:
    tab = _Tab(loop)
    tab.open()
    tab.close()
    loop.wait_until(100)
    tab.listener.follow("verdict", [_work("run")])
    loop.wait_until(219)
    assert wishes.left == []
    loop.wait_until(220)
    assert wishes.left == ["ada"]


@pytest.fixture
def options(request: pytest.FixtureRequest) -> Any:
    """Set some of Streamlit's options for a test."""
    before = {name: config.get_option(name) for name in request.param}
    for name, value in request.param.items():
        config.set_option(name, value)
    yield
    for name, value in before.items():
        config.set_option(name, value)


LOCAL = {"server.allowedHosts": ["127.0.0.1", "localhost"]}


@pytest.mark.parametrize(
    ("options", "host", "origin", "allowed"),
    [
        (LOCAL, "localhost:8501", "http://localhost:8501", True),
        (LOCAL, "127.0.0.1:8501", None, True),
        (LOCAL, "localhost:8501", "http://evil.example", False),
        (LOCAL, "localhost:8501", "http://localhost:9999", False),
        (LOCAL, "localhost:8501", "null", False),
        (LOCAL, "evil.example:8501", "http://evil.example:8501", False),
        (LOCAL, "", None, False),
        (LOCAL, "[", "http://[", False),
        ({"server.allowedHosts": ["*.lab.org"]}, "a.lab.org", "https://a.lab.org", True),
        ({"server.allowedHosts": ["*.lab.org"]}, "lab.org.evil", "https://lab.org.evil", False),
        ({"server.allowedHosts": []}, "any.org", "https://any.org", True),
        (
            LOCAL | {"server.corsAllowedOrigins": ["https://portal.org"]},
            "localhost",
            "https://portal.org",
            True,
        ),
    ],
    indirect=["options"],
)
@pytest.mark.usefixtures("options")
def test_only_pages_of_this_server_may_listen(host: str, origin: str | None, allowed: bool) -> None:
    assert is_allowed(host, origin) is allowed


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"server.baseUrlPath": ""}, "/api/told/x"),
        ({"server.baseUrlPath": "lab/harmony/"}, "/lab/harmony/api/told/x"),
    ],
    indirect=["options"],
)
@pytest.mark.usefixtures("options")
def test_a_line_lies_below_the_servers_base_path(path: str) -> None:
    assert address("x") == path


def test_without_a_browser_parts_draw_what_is_stored(home: Path) -> None:
    (home / "theta 2").mkdir()
    (home / "theta 2" / "verdict").touch()
    (home / "hold").touch()
    app = AppTest.from_file(str(ROOT / "tests/browser/parts_app.py")).run()
    assert not app.exception
    texts = [text.value for text in app.text]
    assert texts[1:] == [
        "narrow",
        "picture is under way",
        "verdict of theta 2",
        "genes is under way",
        "notes is under way",
        "switched off",
        "nothing chosen",
    ]
    (home / "hold").unlink()

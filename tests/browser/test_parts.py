"""Parts of a page in a real browser: what is stored is on screen, whatever happens to the line."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.server import ROOT, start_server

APP = ROOT / "tests" / "browser" / "parts_app.py"
PARTS = ("picture", "verdict", "genes", "notes")
SOON = 15_000
LOOK = 3_500
"""Milliseconds within which a part that waits looks by itself, 3 s, and is drawn."""


class Server:
    """A server of the page with parts.

    Parameters
    ----------
    home
        Where its store lies.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self, **options: Any) -> None:
        self.process, self.url = start_server(APP, self.home, **options)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

    @property
    def hold(self) -> Path:
        """While there is this file no stage is stored."""
        return self.home / "hold"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("parts"))
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in (server.home / "server.log").read_text("utf-8")


@pytest.fixture
def server(running: Server) -> Server:
    """The server, with nothing stored."""
    running.hold.unlink(missing_ok=True)
    for folder in running.home.glob("theta *"):
        shutil.rmtree(folder)
    return running


def move(page: Page) -> str:
    """Move the slider by a step and return the setting, by its name."""
    slider = page.get_by_role("slider")
    before = float(slider.input_value())
    slider.press("ArrowRight")
    return f"theta {before + 0.5:g}"


def expect_all(page: Page, setting: str, *, within: float = SOON) -> None:
    """Expect that all parts show a setting."""
    for part in PARTS:
        expect(page.get_by_text(f"{part} of {setting}", exact=True)).to_be_visible(timeout=within)


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect_all(page, "theta 2")


class Wire:
    """A websocket of a page, over which a test has a say.

    Parameters
    ----------
    page
        Not opened yet.
    address
        Pattern of the websocket's address.

    Attributes
    ----------
    passes
        Says of a message from the server whether it reaches the page.
    accepts
        Whether a new one is accepted.
    asks
        Says of a message from the page whether it reaches the server.
    held
        Messages that did not reach the page.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.passes: Callable[[str | bytes], bool] = lambda message: True
        self.asks: Callable[[str | bytes], bool] = lambda message: True
        self.accepts = True
        self.opened = 0
        self.held: list[str | bytes] = []
        self.route: WebSocketRoute | None = None
        page.route_web_socket(re.compile(address), self._open)

    def _open(self, route: WebSocketRoute) -> None:
        if not self.accepts:
            route.close()
            return
        self.opened += 1
        self.route, server = route, route.connect_to_server()

        def hear(message: str | bytes) -> None:
            (route.send if self.passes(message) else self.held.append)(message)

        def ask(message: str | bytes) -> None:
            if self.asks(message):
                server.send(message)

        server.on_message(hear)
        route.on_message(ask)

    def cut(self) -> None:
        assert self.route is not None
        self.route.close()

    def release(self) -> None:
        """Let everything reach the page, first what was held back."""
        assert self.route is not None
        self.passes = lambda message: True
        for message in self.held:
            self.route.send(message)
        self.held.clear()


LINE, STREAM = "/api/told/", "/_stcore/stream"


def is_hint(message: str | bytes) -> bool:
    """Return whether this is no answer to a question."""
    return {} not in json.loads(message)


def test_a_move_is_one_page_run_and_each_part_comes_by_itself(page: Page, server: Server) -> None:
    open_page(page, server)
    setting = move(page)
    expect_all(page, setting)
    expect(page.get_by_text("page run 2", exact=True)).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    for part in PARTS:
        ear = page.locator(f"[data-part={part}]")
        expect(ear).to_have_attribute("data-setting", setting)
        expect(ear).to_have_attribute("data-waits", "false")


def test_progress_moves_without_a_part_and_cancel_is_said_to_the_other_parts(
    page: Page, server: Server
) -> None:
    open_page(page, server)
    server.hold.touch()
    move(page)
    bar = page.get_by_role("progressbar")
    expect(bar).to_contain_text("Making the picture")
    page.get_by_role("button", name="Cancel").click()
    expect(bar).to_have_count(0)
    for part in PARTS:
        expect(page.locator(f"[data-part={part}]")).to_have_attribute("data-waits", "false")
    expect(page.get_by_text("page run 2", exact=True)).to_be_visible()


def test_what_one_part_says_draws_another(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_text("chosen", exact=True).click()
    expect(page.get_by_text("nothing chosen")).to_have_count(0)
    expect(page.get_by_text("page run 1", exact=True)).to_be_visible()


def test_hasty_moves_end_with_all_parts_of_the_last(page: Page, server: Server) -> None:
    open_page(page, server)
    for pause in (50, 300, 120, 700, 10, 400, 60, 200):
        setting = move(page)
        page.wait_for_timeout(pause)
    expect_all(page, setting)


def test_what_a_browser_was_sent_is_not_sent_again(page: Page, server: Server) -> None:
    # By two hidden options of .streamlit/config.toml; with Streamlit's own values it is.
    frames: list[bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda f: frames.append(f)))
    open_page(page, server)
    assert any(b"At length about theta 2." in frame for frame in map(_bytes, frames))
    expect_all(page, move(page))
    expect_all(page, move(page))
    frames.clear()
    page.get_by_role("slider").press("ArrowLeft")
    page.get_by_role("slider").press("ArrowLeft")
    expect_all(page, "theta 2")
    expect(page.get_by_text("At length about theta 2.").first).to_be_visible()
    again = b"".join(map(_bytes, frames))
    assert b"verdict of theta 2" in again
    assert b"At length about theta 2." not in again
    assert b"class Line" not in again


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def test_lost_hints_come_with_an_answer(page: Page, server: Server) -> None:
    line = Wire(page, LINE)
    open_page(page, server)
    line.passes = lambda message: not is_hint(message)
    expect_all(page, move(page))
    assert line.held
    assert line.opened == 1


def test_hints_that_are_there_before_their_parts(page: Page, server: Server) -> None:
    line, stream = Wire(page, LINE), Wire(page, STREAM)
    open_page(page, server)
    line.passes = is_hint
    stream.passes = lambda message: False
    setting = move(page)
    notes = server.home / setting / "notes"
    for _ in range(100):
        page.wait_for_timeout(50)  # playwright hands over messages only while it waits
        if notes.exists():
            break
    page.wait_for_timeout(200)
    stream.release()
    expect_all(page, setting)
    assert line.opened == 1  # it was not given up as silent, so nobody looked for that


def test_a_question_that_never_reaches_the_server_is_asked_again(
    page: Page, server: Server
) -> None:
    stream = Wire(page, STREAM)
    open_page(page, server)
    questions: list[bytes] = []

    def is_not_the_first(message: str | bytes) -> bool:
        if b"harmony-ask-" not in _bytes(message):  # the click, which nobody would repeat
            return True
        questions.append(_bytes(message))
        return len(questions) > 1

    expect(page.get_by_role("progressbar")).to_have_count(0)  # all asked what they had to
    stream.asks = is_not_the_first
    page.get_by_text("chosen", exact=True).click()
    expect(page.get_by_text("nothing chosen")).to_have_count(0)
    assert len(questions) > 1


@pytest.mark.parametrize("box", ["switch", "widen"])
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_changed_in_the_moment_of_a_question_is_not_lost(
    page: Page, server: Server, box: str, is_first: bool
) -> None:
    open_page(page, server)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.evaluate(
        """([box, isFirst]) => {
            const change = () => document.querySelector(`input[aria-label="${box}"]`).click();
            if (isFirst) change();
            document.querySelector("[data-ear=echo]").behind.ask();
            if (!isFirst) change();
        }""",
        [box, is_first],
    )
    told = {"switch": "switched on", "widen": "wide"}[box]
    expect(page.get_by_text(told, exact=True)).to_be_visible()


def waiting(page: Page, server: Server) -> str:
    """Move the slider, and wait until all parts of the page wait."""
    server.hold.touch()
    setting = move(page)
    expect(page.get_by_text("is under way")).to_have_count(len(PARTS))
    expect(page.get_by_role("progressbar")).to_be_visible()
    return setting


def test_a_line_that_is_cut(page: Page, server: Server) -> None:
    line = Wire(page, LINE)
    open_page(page, server)
    setting = waiting(page, server)
    line.accepts = False
    line.cut()
    page.wait_for_timeout(100)
    server.hold.unlink()
    expect_all(page, setting, within=LOOK)


def test_a_line_that_has_gone_silent(page: Page, server: Server) -> None:
    line = Wire(page, LINE)
    open_page(page, server)
    setting = waiting(page, server)
    line.passes = lambda message: False
    server.hold.unlink()
    expect_all(page, setting, within=LOOK)
    assert line.held


def test_a_tab_that_was_frozen_and_is_seen_again(page: Page, server: Server) -> None:
    line = Wire(page, LINE)
    open_page(page, server)
    setting = waiting(page, server)
    browser = page.context.new_cdp_session(page)
    browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    line.passes = lambda message: not is_hint(message)
    server.hold.unlink()
    page.wait_for_timeout(1000)
    browser.send("Page.setWebLifecycleState", {"state": "active"})
    expect_all(page, setting, within=LOOK)


def test_a_server_that_was_restarted_under_an_open_page(page: Page, tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        open_page(page, server)
        server.stop()
        expect(page.get_by_role("slider")).to_be_disabled(timeout=SOON)
        server.start(port=int(server.url.rpartition(":")[2]))
        expect(page.get_by_role("slider")).to_be_enabled(timeout=SOON)
        expect_all(page, move(page))
    finally:
        server.stop()


def test_a_session_that_has_expired(page: Page, tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start(STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL="1")
    line, stream = Wire(page, LINE), Wire(page, STREAM)
    try:
        open_page(page, server)
        line.accepts = stream.accepts = False
        line.cut()
        stream.cut()
        expect(page.get_by_role("slider")).to_be_disabled(timeout=SOON)
        page.wait_for_timeout(1500)
        line.accepts = stream.accepts = True
        expect(page.get_by_role("slider")).to_be_enabled(timeout=SOON)
        expect_all(page, move(page))
        assert stream.opened == 2
    finally:
        server.stop()


def test_ten_tabs_of_one_browser(context: BrowserContext, server: Server) -> None:
    tabs = [context.new_page() for _ in range(10)]
    for tab in tabs:
        tab.goto(server.url)
    for tab in tabs:
        expect_all(tab, "theta 2")
    for tab in tabs:
        tab.get_by_role("slider").press("ArrowRight")
    for tab in tabs:
        expect_all(tab, "theta 2.5")
        tab.close()


def test_a_base_path(page: Page, tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start(base="lab/harmony")
    line = Wire(page, "/lab/harmony/api/told/")
    try:
        open_page(page, server)
        line.passes = is_hint
        expect_all(page, move(page))
        assert line.opened == 1
    finally:
        server.stop()


def test_a_line_is_refused_to_pages_of_others(page: Page, server: Server) -> None:
    addresses: list[str] = []
    page.on("websocket", lambda socket: addresses.append(socket.url))
    open_page(page, server)
    (line,) = [address for address in addresses if LINE in address]
    own = server.url.removeprefix("http://")
    assert _answer(line, Host=own, Origin=server.url) == 101
    assert _answer(line, Host=own, Origin="http://evil.example") == 403
    assert _answer(line, Host="evil.example", Origin="http://evil.example") == 403
    assert _answer(f"{line}x", Host=own, Origin=server.url) == 403


def _answer(address: str, **headers: str) -> int:
    """Return the status with which a server answers who wants to open a websocket."""
    where = urlsplit(address)
    asked = {"Connection": "Upgrade", "Upgrade": "websocket"}
    asked |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    with contextlib.closing(http.client.HTTPConnection(where.netloc, timeout=10)) as connection:
        connection.request("GET", where.path, headers=asked | headers)
        return connection.getresponse().status

"""Parts of a page in a real browser: what is stored is on screen, whatever happens to the line."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.server import ROOT, start_server

APP = ROOT / "tests" / "browser" / "parts_app.py"
PARTS = ("picture", "verdict", "genes", "notes")
SOON = 15_000
LOOK = 3_000
"""Milliseconds within which a part that waits looks by itself."""


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

    def start(self, *, port: int | None = None, base: str = "") -> None:
        self.process, self.url = start_server(APP, self.home, port=port, base=base)

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

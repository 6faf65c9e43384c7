"""Chromium and a Streamlit server for the browser tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.server import ROOT, start_server

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

Serve = Callable[..., str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; without it the tests are skipped, except where CI promises it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, but CI must run the browser tests.")
        pytest.skip("Chromium is not installed.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One cache for all pages, so that Streamlit's own scripts are loaded and compiled once."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A fresh page with reduced motion; fails when anything in it asked for another host."""
    page = context.new_page()
    page.emulate_media(reduced_motion="reduce")
    abroad: list[str] = []

    def note_host(url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "file:")):
            abroad.append(url)

    page.on("request", lambda request: note_host(request.url))
    page.on("websocket", lambda socket: note_host(socket.url))
    yield page
    page.close()
    assert abroad == []


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start `streamlit run` on a script of the project and give its address.

    `serve(script, **environment)` starts one server per script and environment and keeps it.
    None of them may have logged a traceback by the end of all tests.
    """
    servers: dict[tuple[object, ...], tuple[subprocess.Popen[bytes], str]] = {}
    homes: list[Path] = []

    def start(script: str | Path, **environment: str) -> str:
        key = (str(script), *sorted(environment.items()))
        if key not in servers:
            homes.append(tmp_path_factory.mktemp("home"))
            servers[key] = start_server(ROOT / script, homes[-1], **environment)
        return servers[key][1]

    yield start
    _end([process for process, _ in servers.values()], homes)


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app that nobody has asked for anything.

    It ends with the test: its workers would get ready beside all that follow.
    """
    home = tmp_path_factory.mktemp("home")
    process, url = start_server(ROOT / "app.py", home)
    yield url
    _end([process], [home])


def _end(servers: Sequence[subprocess.Popen[bytes]], homes: Sequence[Path]) -> None:
    """End servers, none of which may have logged a traceback."""
    for process in servers:
        process.terminate()
    for process, home in zip(servers, homes, strict=True):
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # the log then says where each thread is
            process.wait(timeout=60)
            pytest.fail(f"A server did not end:\n{(home / 'server.log').read_text('utf-8')}")
    logs = [folder / "server.log" for folder in homes]
    faults = [text for log in logs if "Traceback" in (text := log.read_text("utf-8"))]
    assert not faults, "\n".join(faults)

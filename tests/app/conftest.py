"""The app with a store of its own and a runner that only notes what is asked of it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from harmony_core.jobs.places import Place
from harmony_core.jobs.queue import Job
from harmony_core.jobs.runner import Runner
from harmony_core.store import HOME_VARIABLE, Store, examples
from pages.ui import faults, services

ROOT = Path(__file__).resolve().parents[2]


def _raise(error: Exception) -> None:
    raise error


class Busy(Executor):
    """An executor that is never done, and remembers the arguments of each job."""

    def __init__(self) -> None:
        self.handed: list[tuple[Any, ...]] = []
        self.futures: list[Future[Any]] = []

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.handed.append(arguments)
        self.futures.append(Future())
        return self.futures[-1]


class Waiting(Runner):
    """A runner whose worker never gets anything done."""

    def __init__(self, store: Store, executor: Busy | None = None) -> None:
        self._busy = executor or Busy()
        super().__init__(store, [Place(lambda: self._busy)])

    def start(self, delay: float = 0.0) -> None:
        pass

    @property
    def handed(self) -> list[tuple[Any, ...]]:
        """The arguments of the jobs that the worker was given."""
        return self._busy.handed

    def end(self) -> None:
        """Let the worker be done with what it has, whatever came of it."""
        self._busy.futures[-1].set_result("")
        self._settler.submit(int).result()

    @property
    def wanted(self) -> list[Job]:
        """The jobs that somebody waits for."""
        return [job for job in self.queue.jobs.values() if job.viewers]


@pytest.fixture(scope="session", autouse=True)
def _installed_packages_are_read_once() -> Iterator[None]:
    """Every new `AppTest` looks through all of them for components, as long as a page takes."""
    with pytest.MonkeyPatch.context() as patch:
        scan = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the sample that is on screen at first; to unpack it takes longer than a page."""
    home = tmp_path_factory.mktemp("sample")
    examples.install(Store(home), examples.FIRST)
    contents = _contents(home)
    yield home
    assert _contents(home) == contents, "a test wrote into a file that all share"


def _contents(home: Path) -> dict[Path, bytes]:
    files = sorted(path for path in home.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in files}


def begin_with(sample_home: Path, home: Path) -> None:
    """Have a home begin with the sample. Its files are shared, and so only ever replaced."""
    shutil.copytree(sample_home, home, copy_function=os.link, dirs_exist_ok=True)


@pytest.fixture
def home(tmp_path: Path, sample_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of one's own, without what an earlier test's server kept."""
    begin_with(sample_home, tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture
def runner(home: Path, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """The runner behind the app."""
    waiting = Waiting(services.store())
    monkeypatch.setattr(services, "runner", lambda: waiting)
    return waiting


@pytest.fixture
def faults_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in a page is the app's `exception`, not a sentence on the page."""
    monkeypatch.setattr(faults, "stop", _raise)


@pytest.fixture
def app(runner: Waiting, faults_raised: None) -> AppTest:
    """The app, not run yet."""
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)


def ears(app: AppTest) -> dict[str, dict[str, Any]]:
    """Return what the browser is told of each part and of each bar, by its key."""
    protos = [element.proto for element in app.get("bidi_component")]
    found = [json.loads(one.json) for one in protos if one.component_name == "harmony_ear"]
    return {data["key"]: data for data in found}

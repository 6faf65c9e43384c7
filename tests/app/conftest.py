"""The app with a store of its own and a runner that only notes what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core.data.store import HOME_VARIABLE, Store
from harmony_core.runner import Runner
from pages.ui import services

ROOT = Path(__file__).resolve().parents[2]


class Waiting(Runner):
    """A runner that hands jobs to nobody, and remembers the arguments of each."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.handed: list[tuple[Any, ...]] = []

    def start(self, delay: float = 0.0) -> None:
        pass

    def _submit(self, work: Any, *arguments: Any) -> Future[str]:
        self.handed.append(arguments)
        return Future()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, without what an earlier test's server kept."""
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
def app(runner: Waiting) -> AppTest:
    """The app, not run yet."""
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)

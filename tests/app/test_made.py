"""What pages make of results and read of datasets: once, and again where it has changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harmony_core.errors import FileError
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Store, examples
from harmony_core.store.info import INFO_FILE
from pages.ui import made, services
from pages.ui.current_run import results_of, shared


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    opened = Store(tmp_path)
    monkeypatch.setattr(services, "store", lambda: opened)
    return opened


def test_what_is_made_is_made_once_and_nothing_is_remembered_as_missing() -> None:
    asked: list[str] = []

    def make() -> str | None:
        asked.append("again")
        return None if len(asked) == 1 else "figure"

    assert made.once(("a test", "of", 1), make) is None
    assert made.once(("a test", "of", 1), make) == "figure"
    assert made.once(("a test", "of", 1), make) == "figure"
    assert len(asked) == 2


def test_what_is_too_large_to_be_kept_is_still_returned() -> None:
    large = np.zeros(20_000_000, np.uint8)
    assert made.once(("a test", "of size"), lambda: large) is large


def test_a_dataset_is_opened_once_for_all_and_anew_when_it_has_changed(store: Store) -> None:
    name = examples.fingerprint(store, "kang")
    first = services.dataset(name)
    assert services.dataset(name) is first
    path = first.folder / INFO_FILE
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"name": "another"}), "utf-8")
    assert services.dataset(name).name == "another"
    path.unlink()
    with pytest.raises(FileError):
        services.dataset(name)


def test_parts_of_a_page_run_share_what_they_read(store: Store) -> None:
    dataset = services.dataset(examples.fingerprint(store, "kang"))
    params = RunParams(harmony=HarmonyParams(batch=("condition",)))
    with shared():
        assert results_of(dataset, params) is results_of(dataset, replace(params))
    assert results_of(dataset, params) is not results_of(dataset, params)


def test_keys_that_are_remembered_are_those_of_the_settings(store: Store) -> None:
    name = examples.fingerprint(store, "kang")
    dataset, anew = services.dataset(name), store.dataset(name)
    settings = [
        RunParams(harmony=HarmonyParams(batch=("condition",), theta=(theta,)), condition=condition)
        for theta in (1, 2)
        for condition in (False, True)
    ]
    first = [Plan(dataset, params).keys for params in settings]
    assert [Plan(dataset, params).keys for params in settings] == first
    assert [Plan(anew, params).keys for params in settings] == first

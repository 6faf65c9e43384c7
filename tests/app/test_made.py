"""What pages make of results and read of datasets: once, and again where it has changed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harmony_core.errors import FileError
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, StageKey, StageResult, Store, examples
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
    values = json.loads(path.read_text("utf-8"))
    path.unlink()  # a link to what other tests have, too
    path.write_text(json.dumps(values | {"name": "another"}), "utf-8")
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


def test_a_small_stage_is_read_once_for_all_while_the_store_has_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = services.dataset(examples.fingerprint(store, "kang"))
    params = RunParams(harmony=HarmonyParams(batch=("condition",), theta=(1.37,)))
    plan = Plan(dataset, params)
    large = np.zeros(made._MOST_BYTES_EACH + 1, np.uint8)
    dataset.computed(plan.keys["assess"], lambda: ({"a": np.arange(3)}, {"n": 1}))
    dataset.computed(plan.keys["correct"], lambda: ({"a": large}, {"n": 2}))
    reads: list[str] = []
    finished = Dataset.finished

    def counted(self: Dataset, key: StageKey) -> StageResult | None:
        reads.append(key.stage)
        return finished(self, key)

    monkeypatch.setattr(Dataset, "finished", counted)
    mark = dataset.folder / "stages" / plan.keys["assess"].folder / "info.json"
    for _ in range(2):
        os.utime(mark, (1, 1))
        small = results_of(dataset, params).stage("assess")
        assert small is not None
        np.testing.assert_array_equal(small.arrays["a"], np.arange(3))
        assert not small.arrays["a"].flags.writeable  # it is everybody's
        assert mark.stat().st_mtime > 1  # used, so the store keeps it
        assert results_of(dataset, params).stage("correct") is not None
    assert reads == ["assess", "correct", "correct"]
    mark.unlink()
    assert results_of(dataset, params).stage("assess") is None

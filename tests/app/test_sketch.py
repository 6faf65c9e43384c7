"""Large data: a sketch is offered, follows the sliders, and its settings run on all cells."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import anndata as ad
import pytest
from streamlit.testing.v1 import AppTest

from harmony_core.jobs import estimate
from harmony_core.params import RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.store import Dataset, StageKey, Store, digest
from harmony_core.store.ingest import ingest_file
from pages.ui import services, state
from pages.ui.tune import sketch
from tests.app.conftest import Busy, Waiting
from tests.conftest import SMALL


class _ReadsAtOnce(Busy):
    """Reads files at once, and gets nothing else done."""

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future = super().submit(work, *arguments)
        if work.__name__ == "load_files":
            future.set_result(work(*arguments))
        return future


@pytest.fixture
def runner(home: Path, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    reading = Waiting(services.store(), _ReadsAtOnce())
    monkeypatch.setattr(services, "runner", lambda: reading)
    return reading


@pytest.fixture
def app(
    app: AppTest, home: Path, monkeypatch: pytest.MonkeyPatch, simulated: ad.AnnData
) -> AppTest:
    """The Tune page with 400 cells in hand, which count as many."""
    monkeypatch.setattr(sketch, "ABOVE", 200)
    monkeypatch.setattr(sketch, "CELLS", 120)
    simulated.write_h5ad(home / "all.h5ad")
    whole = ingest_file(services.store(), home / "all.h5ad", name="all.h5ad")
    app.session_state[state.DATASET] = whole.fingerprint
    app.session_state[state.SETTINGS] = {whole.fingerprint: SMALL.to_dict()}
    return app.run()


def _in_hand(app: AppTest) -> Dataset:
    return services.store().dataset(app.session_state[state.DATASET])


def _click(app: AppTest, label: str) -> None:
    next(b for b in [*app.button, *app.sidebar.button] if label in b.label).click()
    app.run()
    assert not app.exception


def test_nothing_is_computed_before_the_user_decided(app: AppTest) -> None:
    assert not app.exception
    assert "These are 400 cells" in app.info[0].value
    assert not services.runner().queue.jobs
    _click(app, "Work on all cells")
    assert len(services.runner().queue.jobs) == 1
    assert not [i for i in app.info if "These are" in i.value]


def test_settings_found_on_a_sketch_run_on_all_cells(app: AppTest) -> None:
    whole = _in_hand(app)
    _click(app, "Explore 120 cells")
    app.run()
    small = _in_hand(app)
    assert small.n_cells == 120
    assert small.obs["batch"].value_counts().tolist() == [60, 60]
    assert small.info.reading.inputs == ()
    found = RunParams.from_dict(app.session_state[state.SETTINGS][small.fingerprint])
    assert found == SMALL
    _click(app, "Run these settings on all 400 cells")
    assert f"all-cells:{whole.fingerprint}" in str(services.runner().queue.jobs)
    Pipeline(whole, found).run()
    app.run()
    _click(app, "Open these settings on all cells")
    assert _in_hand(app).fingerprint == whole.fingerprint
    assert "120 of 400" not in str(app.sidebar.caption)


def test_time_is_estimated_from_what_was_finished_here(dataset: Dataset, tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert estimate.seconds_for(store, 10**6) is None
    large = store.datasets_folder / "large"
    large.mkdir()
    meta = json.loads((dataset.folder / "dataset.json").read_text())
    (large / "dataset.json").write_text(json.dumps(meta | {"n_cells": 10_000}))
    seconds = {"correct": 2.0, "layout": 3.0, "assess": 1.0, "other_clusters": 4.0}
    for stage, taken in seconds.items():
        key = StageKey(stage, digest(1))
        Dataset(large).computed(key, lambda: ({}, {}))
        path = large / "stages" / key.folder / "info.json"
        info = json.loads(path.read_text())
        assert info["values"]["seconds"] < 1
        info["values"]["seconds"] = taken
        path.write_text(json.dumps(info))
    for name, folder in {
        "info.json": large / "stages" / "lisi-1",
        "dataset.json": large.with_name("a"),
    }.items():
        folder.mkdir()
        (folder / name).write_text('{"values": ')
    # Harmony and the verdict once, layouts and other clusters before and after.
    assert estimate.seconds_for(store, 10_000) == pytest.approx(17.0)
    assert estimate.seconds_for(store, 100_000) == pytest.approx(17.0 * 10**estimate.GROWTH)
    assert estimate.in_words(9.0) == "about 10 seconds"
    assert estimate.in_words(240) == "about 4 minutes"
    assert "no large run" in estimate.in_words(None)

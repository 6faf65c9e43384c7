"""Files into the store: what is recorded of them, progress, cancelling, samples of large ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from harmony_core.errors import Cancelled
from harmony_core.io import memory
from harmony_core.io.request import LoadRequest
from harmony_core.jobs.job_folder import JobFolder
from harmony_core.jobs.worker import load_files
from harmony_core.params import PrepareParams
from harmony_core.runs.plan import LOADING
from harmony_core.store.info import StartSettings
from harmony_core.store.ingest import ingest, ingest_request
from harmony_core.store.store import UPLOADS_KEPT_SECONDS, Store
from tests.io import formats


@pytest.fixture
def own(simulated: ad.AnnData, tmp_path: Path) -> Path:
    simulated.write_h5ad(tmp_path / "own.h5ad")
    return tmp_path / "own.h5ad"


def test_a_request_survives_json() -> None:
    request = LoadRequest(paths=("a", "b"), names=("x", "y"), genes="union", max_cells=5)
    assert LoadRequest.from_dict(request.to_dict()) == request
    assert request.name == "x and 1 more"


def test_where_data_came_from_is_recorded_but_not_of_uploads(store: Store, own: Path) -> None:
    kept = ingest_request(store, LoadRequest.of_path(own))
    assert kept.info.reading.inputs == (str(own),)
    assert kept.name == "own.h5ad"
    table = own.with_name("table.csv")
    formats.dataset().to_df().to_csv(table)
    upload = LoadRequest(paths=(str(table),), names=("mine.csv",), is_upload=True)
    reading = ingest_request(store, upload).info.reading
    assert reading.inputs == ()
    assert reading.choices == {"cells_in": "rows"}


def test_progress_names_each_step_and_cancels_between_them(store: Store, own: Path) -> None:
    heard: list[str] = []

    def report(step: str, share: float) -> None:
        heard.append(step)
        if step == "keep":
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        ingest_request(store, LoadRequest.of_path(own), report)
    assert list(dict.fromkeys(heard)) == [step.name for step in LOADING]
    assert list(store.datasets_folder.iterdir()) == []


def test_a_sample_is_offered_of_an_h5ad_that_is_too_large(
    store: Store, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 400_000.0)
    folder = tmp_path / "job"
    folder.mkdir()
    assert load_files(str(store.home), str(folder), LoadRequest.of_path(own)) == ""
    progress = JobFolder(folder).progress
    assert progress.state == "failed"
    assert "needs about" in progress.message
    assert progress.sample == {
        "cells": 400,
        "columns": ["batch", "true_type"],
        "by": "batch",
    }
    table = tmp_path / "own.csv"
    formats.dataset().to_df().to_csv(table)
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000.0)
    load_files(str(store.home), str(folder), LoadRequest.of_path(table))
    assert JobFolder(folder).progress.state == "failed"
    assert JobFolder(folder).progress.sample is None


def test_uploads_that_a_session_left_behind_go_after_a_day(store: Store) -> None:
    import os
    import time

    old, new = store.uploads_folder / "old", store.uploads_folder / "new"
    dead, busy = store.datasets_folder / ".new-dead", store.datasets_folder / ".new-busy"
    for folder in (old, new, dead, busy):
        folder.mkdir()
    past = time.time() - UPLOADS_KEPT_SECONDS - 60
    for folder in (old, dead):
        os.utime(folder, (past, past))
    store.evict()
    assert [p.name for p in store.uploads_folder.iterdir()] == ["new"]
    assert [p.name for p in store.datasets_folder.iterdir()] == [".new-busy"]


def test_what_a_page_says_of_embeddings(store: Store, simulated: ad.AnnData) -> None:
    from harmony_core.store.ingest import ingest

    several = simulated.copy()
    rng = np.random.default_rng(0)
    depth = np.asarray(several.X.sum(axis=1)).ravel()
    several.obsm["X_harmony"] = rng.normal(size=(400, 5))
    several.obsm["X_lsi"] = np.column_stack([np.log1p(depth), rng.normal(size=(400, 4))])
    several.obsm["X_umap"] = rng.normal(size=(400, 2))
    info = ingest(store, several, name="several").info
    assert info.embeddings == ("X_harmony", "X_lsi")
    assert info.uncorrected == ("X_lsi",)
    assert info.embedding_facts["X_lsi"].follows_depth
    assert not info.embedding_facts["X_harmony"].follows_depth


def test_a_panel_of_genes_gets_a_threshold_of_its_own(store: Store, simulated: ad.AnnData) -> None:
    from harmony_core.store.ingest import ingest

    assert simulated.n_vars < 1_000
    found = ingest(store, simulated, name="panel").info.suggested.prepare
    assert found == PrepareParams(min_genes=simulated.n_vars // 50)
    logged = simulated.copy()
    logged.X = np.log1p(logged.X)
    suggested = ingest(store, logged, name="logged").info.suggested
    assert suggested.prepare == PrepareParams()


def test_cell_types_are_never_suggested_as_batches(store: Store, simulated: ad.AnnData) -> None:
    from harmony_core.store.ingest import ingest

    alone = simulated.copy()
    alone.obs = alone.obs[["true_type"]].rename(columns={"true_type": "cell_type"})
    info = ingest(store, alone, name="types").info
    assert [c.name for c in info.candidates] == ["cell_type"]
    assert (info.suggested.batch, info.suggested.label) == ((), "cell_type")


@pytest.mark.parametrize("name", ["RNA_snn_res.0.8", "Phase", "predicted.id", "T_cell_subset"])
def test_groups_that_a_method_found_are_never_suggested_as_batches(
    store: Store, simulated: ad.AnnData, name: str
) -> None:
    alone = simulated.copy()
    alone.obs = alone.obs[["true_type"]].rename(columns={"true_type": name})
    info = ingest(store, alone, name="groups").info
    assert info.suggested.batch == ()


def test_a_mixture_is_laid_to_the_column_that_tells_whichever_is_chosen(store: Store) -> None:
    adata = formats.dataset()
    adata.obs["study"] = ["s1", "s2"] * (adata.n_obs // 2)
    values = adata.X.toarray()
    values[1::2] = np.log1p(values[1::2] / 3.7)
    adata.X = values
    mixed = ingest(store, adata, name="mixed").info.mixed_kinds
    assert set(mixed) == {"batch", "study"}
    assert all("'study' hold" in told for told in mixed.values())
    assert all("log-transformed values in s2" in told for told in mixed.values())


def test_a_number_and_the_same_as_text_are_one_level(store: Store, simulated: ad.AnnData) -> None:
    lane = np.resize([1, "1", "2"], simulated.n_obs).astype(object)
    lane[::3] = 1
    for column in (lane, pd.Categorical(lane)):
        adata = simulated.copy()
        adata.obs["lane"] = column
        found = ingest(store, adata, name="x").obs["lane"]
        assert list(found) == [str(level) for level in lane]
        assert list(found.cat.categories) == ["1", "2"]


def test_name_and_notes_follow_the_file_that_was_opened_last(store: Store, own: Path) -> None:
    first = ingest_request(store, LoadRequest.of_path(own))
    names = {path.name for path in first.folder.iterdir()}
    upload = LoadRequest(paths=(str(own),), names=("mine.h5ad",), is_upload=True)
    again = ingest_request(store, upload)
    assert again.fingerprint == first.fingerprint
    assert (again.name, again.info.reading.inputs) == ("mine.h5ad", ())
    assert store.dataset(first.fingerprint).info == again.info
    assert {path.name for path in first.folder.iterdir()} == names
    cells = ad.read_h5ad(own)
    noted = ingest(store, cells, name="cells", notes=["Rows were taken for cells."])
    assert noted.fingerprint == first.fingerprint
    assert noted.info.warnings[0] == "Rows were taken for cells."
    assert ingest_request(store, upload).info == again.info
    # An older version suggested other settings to begin with.
    replace(again.info, suggested=StartSettings()).write(again.folder)
    assert ingest_request(store, upload).info == again.info

"""A run that was opened from its file again writes what the run itself wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core.export import write_h5ad
from harmony_core.export.formats import write_export
from harmony_core.export.job import ExportJob
from harmony_core.export.record import original_params, run_record
from harmony_core.export.scripts.python import python_script
from harmony_core.params import RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest_file
from tests.conftest import SMALL

INPUT = "/data/own.h5ad"


@pytest.fixture(scope="module")
def reopened(
    finished: RunResults, kept_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> RunResults:
    path = tmp_path_factory.mktemp("run") / "corrected.h5ad"
    write_h5ad(finished, path, input_path=INPUT)
    dataset = ingest_file(kept_store, path, name="corrected.h5ad")
    assert dataset.fingerprint != finished.dataset.fingerprint
    return _run(dataset, dataset.info.run)


def _run(dataset: Dataset, params: RunParams) -> RunResults:
    Pipeline(dataset, params).run()
    return RunResults(dataset, params)


def _with_theta(reopened: RunResults, theta: float) -> RunResults:
    now = reopened.params
    return _run(reopened.dataset, replace(now, harmony=replace(now.harmony, theta=(theta,))))


def test_it_is_the_same_run(finished: RunResults, reopened: RunResults) -> None:
    assert reopened.params.prepare.basis == "X_pca"
    np.testing.assert_array_equal(
        np.asarray(reopened.embedding("after")), np.asarray(finished.embedding("after"))
    )


@pytest.mark.parametrize("form", ["python", "notebook", "settings"])
def test_its_files_are_those_of_the_first_run(
    form: str, finished: RunResults, reopened: RunResults, tmp_path: Path
) -> None:
    written = []
    for results, source in ((finished, INPUT), (reopened, "/data/corrected.h5ad")):
        folder = tmp_path / results.dataset.fingerprint
        folder.mkdir()
        path, _ = write_export(form, ExportJob(results, input_path=source), folder)
        written.append(path.read_text("utf-8"))
    assert written[0] == written[1]
    assert form == "settings" or INPUT in written[0]


def test_another_setting_is_told_from_the_first_data(
    finished: RunResults, reopened: RunResults
) -> None:
    told = run_record(_with_theta(reopened, 1.0))
    direct = RunResults(
        finished.dataset, replace(SMALL, harmony=replace(SMALL.harmony, theta=(1.0,)))
    )
    Pipeline(direct.dataset, direct.params).run("correct")
    assert python_script(told) == python_script(run_record(direct, input_path=INPUT))


def test_another_start_is_a_run_of_its_own(reopened: RunResults) -> None:
    other = _run(reopened.dataset, replace(reopened.params, prepare=SMALL.prepare))
    told = run_record(other, input_path="/data/corrected.h5ad")
    assert told["input"] == "/data/corrected.h5ad"
    assert told["fingerprint"] == reopened.dataset.fingerprint
    assert original_params(other) == other.params


def test_its_report_tells_of_the_first_data(reopened: RunResults, tmp_path: Path) -> None:
    path, _ = write_export("report", ExportJob(reopened), tmp_path)
    page = path.read_text("utf-8")
    assert INPUT in page
    assert "principal components computed from them" in page


def test_its_file_can_be_opened_a_third_time(
    finished: RunResults, reopened: RunResults, kept_store: Store, tmp_path: Path
) -> None:
    write_h5ad(_with_theta(reopened, 4.0), tmp_path / "again.h5ad")
    dataset = ingest_file(kept_store, tmp_path / "again.h5ad", name="again.h5ad")
    params = dataset.info.run
    assert params.harmony.theta == (4.0,)
    told = run_record(_run(dataset, params))
    assert told["input"] == INPUT
    assert RunParams.from_dict(told["params"]).prepare == SMALL.prepare
    assert told["fingerprint"] == finished.dataset.fingerprint
    assert list(ad.read_h5ad(tmp_path / "again.h5ad").obsm) == list(
        ad.read_h5ad(reopened.dataset.source).obsm
    )

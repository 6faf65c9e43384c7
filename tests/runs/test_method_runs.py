"""A run by another method: judged, queued, cancelled, and taken away as Harmony's runs are.

The method is a fake; what real libraries give is held in `tests.methods.integration.test_real`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest

from harmony_core import Study, cli
from harmony_core.errors import BatchError, DataError
from harmony_core.export import write_h5ad
from harmony_core.export.html_report import report_page
from harmony_core.export.json_report import report_values
from harmony_core.export.methods import methods_paragraph
from harmony_core.export.record import run_record
from harmony_core.export.scripts.python import python_script
from harmony_core.export.scripts.seurat import r_script
from harmony_core.export.settings import loaded_settings, settings_text
from harmony_core.export.tables import run_tables
from harmony_core.jobs.estimate import GROWTH, method_seconds
from harmony_core.jobs.places import Place
from harmony_core.jobs.runner import Runner
from harmony_core.jobs.urgency import FRONT, LATER, METHODS
from harmony_core.jobs.work import run_work
from harmony_core.method_catalog import Method
from harmony_core.methods.integration.process import MethodFailed
from harmony_core.params import MethodParams, RunParams
from harmony_core.runs.history import assessed_runs, differing, in_words, save_settings, side_names
from harmony_core.runs.link import from_parameters, to_parameters
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest_file
from tests.conftest import SMALL
from tests.kernel import Kernel
from tests.methods.fake import fake_method
from tests.methods.fake_child import FAILS, HANGS, LACKS_CELLS, NO_ARRAY, NOT_FINITE

__all__ = ["fake_method"]

pytestmark = pytest.mark.usefixtures("fake_method")


def by_fake(**settings: float) -> RunParams:
    return replace(SMALL, method=MethodParams(name="fake", settings=tuple(settings.items())))


@pytest.fixture
def run(dataset: Dataset) -> RunResults:
    """A whole run of the fake; kept, as the store has it after the first test."""
    params = by_fake(scale=2)
    save_settings(dataset, params)
    Pipeline(dataset, params).run()
    return RunResults(dataset, params)


def test_it_is_judged_and_drawn_as_harmonys_runs_are(run: RunResults) -> None:
    before, after = np.asarray(run.embedding("before")), np.asarray(run.embedding("after"))
    batch = run.dataset.obs["batch"].to_numpy()[run.cells]
    centred = before.astype(np.float64)
    for level in np.unique(batch):
        centred[batch == level] -= centred[batch == level].mean(axis=0)
    np.testing.assert_array_equal(after, (2 * centred).astype(np.float32))
    assert run.is_finished
    assert run.harmony is None
    assert run.assessment is not None
    assert run.assessment.verdict.advice == ()  # theta is not its setting
    assert "displacement" not in run.assessment.per_cell
    stage = run.stage("correct")
    assert stage is not None
    assert stage.info["versions"]["numpy"] == np.__version__


def test_its_settings_are_told_and_compared(run: RunResults) -> None:
    assert in_words(run.params) == "Fake scale 2"
    assert side_names(run.params) == ("Before correction", "After Fake")
    assert differing([run.params, by_fake()]) == ["method"]


def test_another_version_of_the_library_is_another_run(
    dataset: Dataset, fake_method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harmony_core.runs.stages import correction

    now = (
        Plan(dataset, by_fake())
        .stages["correct"]
        .key(by_fake(), dataset, Plan(dataset, SMALL).keys)
    )
    monkeypatch.setattr(correction, "installed", lambda method: "0.0.0")
    other = (
        Plan(dataset, by_fake())
        .stages["correct"]
        .key(by_fake(), dataset, Plan(dataset, SMALL).keys)
    )
    assert now != other


def test_its_results_count_where_the_library_is_gone(
    run: RunResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harmony_core.runs.stages import correction

    monkeypatch.setattr(correction, "installed", lambda method: None)
    assert Plan(run.dataset, run.params).is_finished
    assert run.params in assessed_runs(run.dataset)
    assert not Plan(run.dataset, by_fake(scale=9)).has("correct")


def test_seconds_are_told_by_what_it_took_here_before(run: RunResults, kept_store: Store) -> None:
    stage, method = run.stage("correct"), run.params.method
    assert stage is not None
    assert method is not None
    seconds = method_seconds(kept_store, method, 800)
    assert seconds == pytest.approx(stage.info["seconds"] * 2**GROWTH)
    assert method_seconds(kept_store, method, 400_000) is None
    other = by_fake(scale=8).method
    assert other is not None
    assert method_seconds(kept_store, other, 400) is None


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        (FAILS, MethodFailed, "Fake failed: RuntimeError: the seventh seal is broken"),
        (LACKS_CELLS, DataError, r"an embedding of 399 cells and 10 dimensions, where 400"),
        (NOT_FINITE, DataError, "values that are no numbers in 1 cells"),
        (NO_ARRAY, DataError, "gave no embedding"),
    ],
)
def test_what_is_no_correction_ends_in_a_sentence(
    dataset: Dataset, how: int, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        Pipeline(dataset, by_fake(how=how)).run("correct")


def test_a_batch_that_is_too_small_is_named(dataset: Dataset) -> None:
    with pytest.raises(BatchError, match=r"needs 300 cells of each batch, .* lower k or leave"):
        Pipeline(dataset, by_fake(k=300)).run("correct")


def test_memory_that_is_not_there_is_not_spent(
    dataset: Dataset, fake_method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harmony_core.method_catalog import METHODS as KNOWN

    monkeypatch.setitem(KNOWN, "fake", replace(fake_method, bytes_per_cell=1e12))
    with pytest.raises(DataError, match="GB of memory for 400 cells"):
        Pipeline(dataset, by_fake(scale=3)).run("correct")


def test_what_needs_expression_says_so_where_there_is_none(
    kept_store: Store, fake_method: Method, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from harmony_core.method_catalog import METHODS as KNOWN

    rng = np.random.default_rng(0)
    adata = ad.AnnData(obs={"batch": np.repeat(["a", "b"], 50)})
    adata.obsm["X_pca"] = rng.normal(size=(100, 5))
    adata.write_h5ad(tmp_path / "pcs.h5ad")
    pcs = ingest_file(kept_store, tmp_path / "pcs.h5ad", name="pcs")
    params = replace(by_fake(), prepare=replace(SMALL.prepare, basis="X_pca"), label=None)
    Pipeline(pcs, params).run("correct")
    monkeypatch.setitem(KNOWN, "fake", replace(fake_method, needs="expression"))
    with pytest.raises(DataError, match="Fake needs expression values, and these data have none"):
        Pipeline(pcs, replace(params, method=MethodParams.from_words(["fake", "scale=4"]))).run(
            "correct"
        )


class Threads:
    """A runner whose places are threads of this process, where the fake is known."""

    def __init__(self, store: Store) -> None:
        places = [Place(lambda: ThreadPoolExecutor(1), lanes) for lanes in (FRONT + LATER, METHODS)]
        self.runner = Runner(store, places)

    def wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, "it never came"
            time.sleep(0.02)


def test_nobody_waits_behind_it_and_a_cancel_ends_it(kept_store: Store, dataset: Dataset) -> None:
    Pipeline(dataset, SMALL).run("prepare")
    threads = Threads(kept_store)
    slow = run_work(dataset, by_fake(how=HANGS))
    other = replace(SMALL, harmony=replace(SMALL.harmony, sigma=0.17))
    try:
        threads.runner.submit("ada", slow)
        threads.wait(lambda: threads.runner.progress(slow).step == "Correcting with Fake")
        quick = run_work(dataset, other, "correct")
        threads.runner.submit("ben", quick)
        threads.wait(lambda: threads.runner.progress(quick).state == "finished")
        assert threads.runner.progress(slow).state == "running"
        threads.runner.withdraw("ada")
        threads.wait(lambda: not threads.runner.queue.jobs)
        assert threads.runner.progress(slow).state == "cancelled"
    finally:
        threads.runner.close()


def test_one_that_fails_says_so_and_the_others_go_on(kept_store: Store, dataset: Dataset) -> None:
    threads = Threads(kept_store)
    bad, good = run_work(dataset, by_fake(how=FAILS)), run_work(dataset, by_fake(scale=5))
    try:
        threads.runner.submit("ada", bad, good)
        threads.wait(lambda: threads.runner.progress(good).state == "finished")
        failed = threads.runner.progress(bad)
        assert failed.state == "failed"
        assert "the seventh seal is broken" in failed.message
    finally:
        threads.runner.close()


def test_the_h5ad_restores_the_run(run: RunResults, kept_store: Store, tmp_path: Path) -> None:
    write_h5ad(run, tmp_path / "corrected.h5ad")
    written = ad.read_h5ad(tmp_path / "corrected.h5ad")
    np.testing.assert_array_equal(written.obsm["X_fake"], run.embedding("after"))
    assert "X_pca_harmony" not in written.obsm
    assert written.uns["neighbors"]["params"]["use_rep"] == "X_fake"
    again = ingest_file(kept_store, tmp_path / "corrected.h5ad", name="corrected.h5ad")
    assert again.info.run is not None
    assert again.info.run.method == run.params.method
    Pipeline(again, again.info.run).run("correct")
    np.testing.assert_array_equal(
        RunResults(again, again.info.run).embedding("after"), run.embedding("after")
    )


def test_settings_files_and_links_restore_it(run: RunResults) -> None:
    params = run.params
    for form in ("toml", "json"):
        text = settings_text(params, form)
        assert loaded_settings(text.encode(), f"s.{form}", run.dataset) == params
    link = to_parameters(params, SMALL)
    assert link["method"] == ["fake", "scale=2.0"]
    assert from_parameters(link, run.dataset, SMALL) == (params, ())
    back = to_parameters(replace(SMALL, harmony=params.harmony), params)
    assert from_parameters(back, run.dataset, params)[0].by_harmony
    _, (problem,) = from_parameters({"method": ["nothing"]}, run.dataset, SMALL)
    assert "There is no method 'nothing'" in problem


def test_the_script_repeats_it(
    run: RunResults, simulated: ad.AnnData, kernel: Kernel, tmp_path: Path
) -> None:
    simulated.write_h5ad(tmp_path / "data.h5ad")
    record = run_record(run, simulated, input_path=str(tmp_path / "data.h5ad"))
    (tmp_path / "rerun.py").write_text(python_script(record), "utf-8")
    kernel.run_script(tmp_path / "rerun.py")
    again = ad.read_h5ad(tmp_path / "rerun.h5ad")
    np.testing.assert_array_equal(again.obsm["X_fake"], run.embedding("after"))
    clusters = again.obs["leiden"].astype(int).to_numpy()
    np.testing.assert_array_equal(clusters, run.clusters("after"))


def test_what_is_written_names_it(run: RunResults, simulated: ad.AnnData) -> None:
    text, references = methods_paragraph(run)
    assert "were corrected with Fake [" in text
    assert "how 0; scale 2; k 5" in text
    assert "harmonypy" not in text
    assert "Nobody. Nothing. Never." in references
    assert "Fake corrected in place of Harmony" in report_page(run)
    values: dict[str, Any] = report_values(run)
    assert values["params"]["method"] == {"name": "fake", "scale": 2.0}
    assert values["method"]["versions"]["numpy"] == np.__version__
    assert json.loads(json.dumps(values["params"])) == values["params"]
    assert run_tables(run)["embedding"].columns[0] == "fake_1"
    script = r_script(run_record(run, simulated))
    assert "RunHarmony" not in script
    assert "X_fake" in script


def test_the_command_and_python_ask_for_the_same(
    run: RunResults, simulated: ad.AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.write_h5ad(tmp_path / "data.h5ad")
    prepare = ["--min-genes", "5", "--n-top-genes", "150", "--n-pcs", "10"]
    asked = ["correct", str(tmp_path / "data.h5ad"), "--batch", "batch", *prepare]
    out = ["--out", str(tmp_path / "out.h5ad")]
    method = ["--method", "fake", "--method-setting", "scale=2"]
    assert cli.main([*asked, *method, *out]) == 0
    found = ad.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(found.obsm["X_fake"], run.embedding("after"))
    assert cli.main([*asked, "--method-setting", "scale=2", *out]) == 2
    assert "say with --method of which one" in capsys.readouterr().err
    study = Study.read(simulated, batch="batch", home=tmp_path / "home")
    ours = study.prepare(min_genes=5, n_top_genes=150, n_pcs=10).correct(method="fake", scale=2)
    np.testing.assert_array_equal(ours.results.embedding("after"), run.embedding("after"))

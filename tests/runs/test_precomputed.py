"""Another tool's embedding as a run: judged as `diagnose` does, shown and exported as ours are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core import cli
from harmony_core.errors import DataError, ParameterError
from harmony_core.export import write_h5ad
from harmony_core.export.formats import EXPORT_FORMATS, write_export
from harmony_core.export.html_report import report_page
from harmony_core.export.job import ExportJob
from harmony_core.export.json_report import report_values
from harmony_core.export.record import run_record
from harmony_core.export.scripts.python import python_script
from harmony_core.export.scripts.seurat import r_script
from harmony_core.export.settings import parse_settings, settings_text
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.history import differing, in_words, summary
from harmony_core.runs.other_tools import assess_embedding
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import HOME_VARIABLE, Dataset, Store
from harmony_core.store.ingest import ingest_file
from tests.conftest import SMALL
from tests.kernel import Kernel

GIVEN = RunParams(
    harmony=HarmonyParams(batch=("batch",)),
    prepare=PrepareParams(basis="X_pca"),
    label="true_type",
    precomputed="X_tool",
)


@pytest.fixture(scope="module")
def path(simulated: ad.AnnData, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with an uncorrected embedding, another tool's, and a layout made from that."""
    pipeline = Pipeline(dataset, SMALL)
    pipeline.run()
    adata = simulated[pipeline.cells].copy()
    adata.obsm["X_pca"] = np.array(pipeline.context.embedding("before"))
    adata.obsm["X_tool"] = np.array(pipeline.context.embedding("after"))[:, :8]
    adata.obsm["X_umap"] = np.array(RunResults(dataset, SMALL).layout("after"))
    written = tmp_path_factory.mktemp("integrated") / "integrated.h5ad"
    adata.write_h5ad(written)
    return written


@pytest.fixture(scope="module")
def run(path: Path, kept_store: Store) -> RunResults:
    dataset = ingest_file(kept_store, path, name=path.name)
    Pipeline(dataset, GIVEN).run()
    return RunResults(dataset, GIVEN)


def test_it_is_judged_as_the_command_judges_it(
    run: RunResults,
    path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    found = run.assessment
    assert found is not None
    pipeline = Pipeline(run.dataset, replace(GIVEN, precomputed=None))
    direct = assess_embedding(pipeline, run.dataset.embedding("X_tool"))
    assert found["metrics"] == direct.metrics
    assert found["verdict"]["sentences"] == list(direct.verdict.sentences)
    assert found["verdict"]["advice"] == []
    command = ["diagnose", str(path), "--batch", "batch", "--label", "true_type", "--json"]
    command += ["--basis-before", "X_pca", "--basis-after", "X_tool"]
    command += ["--out", str(tmp_path / "judged.h5ad"), "--home", str(tmp_path / "home")]
    assert cli.main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"] == found["metrics"]
    assert told["verdict"]["sentences"] == found["verdict"]["sentences"]
    assert (tmp_path / "judged.h5ad").is_file()


def test_harmony_is_not_run_and_not_told_of(run: RunResults) -> None:
    assert run.is_finished
    assert run.harmony is None
    np.testing.assert_array_equal(
        np.asarray(run.embedding("after")), run.dataset.embedding("X_tool")
    )
    titles = [stage.title for stage in Plan(run.dataset, GIVEN).stages_for()]
    assert "Taking the corrected embedding" in titles
    assert "Running Harmony" not in titles
    assert in_words(GIVEN) == "X_tool, by another tool"
    ours = replace(GIVEN, precomputed=None)
    told = summary(run, differing([GIVEN, ours, replace(ours, harmony=SMALL.harmony)]))
    assert told is not None
    assert told["settings"] == {"harmony.max_iter": None, "given": "X_tool"}
    assert report_values(run)["harmony"] is None


def test_settings_of_harmony_make_no_second_run() -> None:
    pushed = HarmonyParams(batch=("batch",), theta=(7.0,))
    assert replace(GIVEN, harmony=pushed) == GIVEN
    assert RunParams.from_dict(parse_settings(settings_text(GIVEN), "toml")) == GIVEN
    assert "theta" not in settings_text(GIVEN)


def test_what_cannot_be_judged_is_refused(run: RunResults) -> None:
    with pytest.raises(ParameterError, match="two different ones"):
        replace(GIVEN, precomputed="X_pca")
    with pytest.raises(DataError, match="'X_nope' in these data; available: X_pca, X_tool, X_umap"):
        Pipeline(run.dataset, replace(GIVEN, precomputed="X_nope")).run()


def test_a_layout_can_be_judged_and_is_kept_aside(run: RunResults, tmp_path: Path) -> None:
    of_layout = replace(GIVEN, precomputed="X_umap")
    Pipeline(run.dataset, of_layout).run()
    notes = write_h5ad(RunResults(run.dataset, of_layout), tmp_path / "judged.h5ad")
    assert "it is kept as obsm['X_umap_original']" in " ".join(notes)
    written = ad.read_h5ad(tmp_path / "judged.h5ad")
    assert written.uns["neighbors"]["params"]["use_rep"] == "X_umap_original"
    again = ingest_file(Store(tmp_path / "home"), tmp_path / "judged.h5ad", name="judged.h5ad")
    assert again.info.run is not None
    assert again.info.run.precomputed == "X_umap_original"


def test_its_file_opens_as_the_same_run(run: RunResults, kept_store: Store, tmp_path: Path) -> None:
    write_h5ad(run, tmp_path / "judged.h5ad")
    written = ad.read_h5ad(tmp_path / "judged.h5ad")
    assert "X_pca_harmony" not in written.obsm
    assert "harmony_soft_cluster" not in written.obs
    assert written.uns["neighbors"]["params"]["use_rep"] == "X_tool"
    again = ingest_file(kept_store, tmp_path / "judged.h5ad", name="judged.h5ad")
    assert again.info.run == GIVEN


@pytest.mark.parametrize("format", [f.name for f in EXPORT_FORMATS if not f.needs_other])
def test_every_format_is_written(format: str, run: RunResults, tmp_path: Path) -> None:
    path, _ = write_export(format, ExportJob(run), tmp_path)
    assert path.stat().st_size > 0


def test_the_report_names_the_tool_and_not_harmonys_settings(run: RunResults) -> None:
    page = report_page(run)
    assert "The corrected embedding X_tool came with the data from another tool" in page
    assert "sigma" not in page
    assert "Korsunsky" not in page
    assert "Objective per iteration" not in page


def test_the_r_script_needs_no_harmony(run: RunResults) -> None:
    script = r_script(run_record(run))
    assert 'corrected <- "X_tool"' in script
    assert "RunHarmony" not in script
    assert "library(harmony)" not in script


def test_the_script_repeats_it(run: RunResults, path: Path, kernel: Kernel, tmp_path: Path) -> None:
    script = python_script(run_record(run, input_path=str(path)))
    assert "harmonypy" not in script
    (tmp_path / "rerun.py").write_text(script, "utf-8")
    kernel.run_script(tmp_path / "rerun.py")
    again = ad.read_h5ad(tmp_path / "rerun.h5ad")
    np.testing.assert_array_equal(again.obsm["X_tool"], np.asarray(run.embedding("after")))
    np.testing.assert_array_equal(again.obsm["X_umap"], np.asarray(run.layout("after")))
    clusters = run.clusters("after")
    assert clusters is not None
    assert again.obs["leiden"].astype(int).tolist() == clusters.tolist()

"""The few lines of a notebook: what they give is what the pages show."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from harmony_core import Run, Study
from harmony_core.errors import BatchError, DataError, ParameterError
from harmony_core.export.record import prepared_facts
from harmony_core.export.settings import read_settings
from harmony_core.params import ClusterParams, HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.verdict.tried import outcome
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def ours(simulated: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    simulated.write_h5ad(folder / "cells.h5ad")
    study = Study.read(
        folder / "cells.h5ad", batch="batch", label="true_type", home=folder / "home"
    )
    return study.prepare(min_genes=5, n_top_genes=150, n_pcs=10)


@pytest.fixture(scope="module")
def run(ours: Study) -> Run:
    return ours.correct(theta=2, max_iter=3)


def test_a_run_is_the_one_of_the_pages(run: Run, ours: Study) -> None:
    assert run.results.params == SMALL
    Pipeline(ours.dataset, SMALL).run()
    results = RunResults(ours.dataset, SMALL)
    np.testing.assert_array_equal(run.embedding, results.embedding("after"))
    assert results.assessment is not None
    assert run.verdict.to_dict()["sentences"] == tuple(results.assessment["verdict"]["sentences"])
    after = results.assessment["metrics"]["after"]["batch"]
    shown = run.metrics.set_index(["batch_variable", "metric"])["after"]
    assert shown["batch", "mcm"] == after["mcm"]
    assert run.tables["embedding"].shape == (run.embedding.shape)


def test_as_an_earlier_harmony(run: Run, ours: Study) -> None:
    pair = run.releases()
    assert pair.sentence == repr(pair)
    one = ours.correct(theta=2, max_iter=3, as_harmony="1")
    assert one.results.params == pair.one.params
    np.testing.assert_array_equal(one.embedding, pair.one.embedding("after"))
    assert one.results.params.harmony.lamb == 1.0
    assert pair.two.params == run.results.params
    with pytest.raises(ParameterError, match="no Harmony '7' here; available: 2, 1"):
        ours.correct(as_harmony="7")
    with pytest.raises(ParameterError, match="as_harmony is for Harmony; leave it out for mnn"):
        ours.correct(method="mnn", as_harmony="1")


def test_components_of_a_basis_are_its_first_ones(simulated: ad.AnnData, tmp_path: Path) -> None:
    cells = simulated.copy()
    cells.obsm["X_pca"] = np.random.default_rng(0).normal(size=(cells.n_obs, 12)).astype("f4")
    study = Study.read(cells, batch="batch", home=tmp_path).prepare(basis="X_pca", n_pcs=5)
    pipeline = Pipeline(study.dataset, study._params(HarmonyParams(batch=("batch",))))
    np.testing.assert_array_equal(pipeline.context.embedding("before"), cells.obsm["X_pca"][:, :5])


def test_it_is_drawn(run: Run) -> None:
    assert run.verdict.sentences[0] in repr(run)
    assert "No mitochondrial genes were found, so cells cannot be judged by them." in run.notes
    warned = [f"{w.severity}: {w.sentence}" for w in run.design if w.severity != "green"]
    assert repr(run).splitlines()[1:] == [*(f"note: {note}" for note in run.notes), *warned]
    shown = run._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "sandbox" in shown
    assert shown.count("<") == 2  # whatever the report holds stays inside the frame
    names = {trace.name for trace in run.figure("true_type").data}
    assert {"T1", "T2"} <= names
    with pytest.raises(DataError, match=r"no column 'nope' to colour by; available: .*batch"):
        run.figure("nope")


def test_it_leaves_in_every_form(run: Run, ours: Study, tmp_path: Path) -> None:
    names = ("h5ad", "zarr", "html", "py", "ipynb", "R", "toml", "json", "png", "svg", "pdf")
    for ending in names:
        assert run.export(tmp_path / f"it.{ending}") == ()
    assert {p.name for p in tmp_path.iterdir()} == {f"it.{ending}" for ending in names}
    assert f"INPUT = {ours.input_path!r}" in (tmp_path / "it.py").read_text("utf-8")
    assert RunParams.from_dict(read_settings(tmp_path / "it.toml")) == SMALL
    with pytest.raises(ParameterError, match=r"'it.gif' must end in one of \.zarr, \.h5ad"):
        run.export(tmp_path / "it.gif")
    for ending, chosen in (("png", {"dpis": 300}), ("h5ad", {"compression": "brotli"})):
        with pytest.raises(ParameterError, match=next(iter(chosen))):
            run.export(tmp_path / f"wrong.{ending}", **chosen)
    assert not list(tmp_path.glob("wrong.*"))


def test_a_report_compares_the_runs_it_is_given(run: Run, ours: Study, tmp_path: Path) -> None:
    other = ours.correct(theta=0.5, max_iter=3)
    run.export(tmp_path / "one.html", compared=[run])
    assert "Runs compared" not in (tmp_path / "one.html").read_text("utf-8")
    run.export(tmp_path / "two.html", compared=[run, other])
    page = (tmp_path / "two.html").read_text("utf-8")
    table = page[page.index("Runs compared") : page.index("Methods")]
    assert table.count("<tr>") == 3  # a header and two runs
    assert all(f">{theta}<" in table for theta in ("2", "0.5"))


def test_other_settings_and_what_is_unknown(ours: Study) -> None:
    other = ours.correct(max_iter=3, clusters=ClusterParams(resolutions=(0.7,), shown=0.7))
    assert other.results.clusters("after", 0.7) is not None
    with pytest.raises(ParameterError, match="Unknown setting 'thetta'"):
        ours.correct(thetta=1)
    with pytest.raises(ParameterError, match="Unknown setting 'n_pc'"):
        ours.prepare(n_pc=1)


def test_embeddings_of_other_tools(ours: Study, run: Run) -> None:
    found = ours.diagnose(run.embedding)
    assert found.verdict.kind == run.verdict.kind
    with pytest.raises(DataError, match="The embedding has 3 cells, the data 400"):
        ours.diagnose(np.zeros((3, 2), dtype=np.float32))
    with pytest.raises(DataError, match="no embedding 'X_scVI'"):
        ours.diagnose("X_scVI")


def test_advice_that_was_tried_is_said_as_its_own_run_says(
    run: Run, ours: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(run.advice) >= 3
    assert set(run.advice.outcome) == {"Not tried on your data yet."}
    assert "Not tried on your data yet." in run._repr_html_()
    tried = run.try_advice().set_index("advice")
    followed = ours.correct(alpha=1, max_iter=3)
    row = next(row for sentence, row in tried.iterrows() if sentence.startswith("Raise alpha to 1"))
    assert row.verdict == followed.verdict.kind
    now, then = (each.results.assessment for each in (run, followed))
    assert now is not None
    assert row.outcome == outcome(now, then)
    assert row.outcome in run._repr_html_()
    monkeypatch.setattr(Pipeline, "run", lambda *_: pytest.fail("tried again"))
    assert run.try_advice().equals(run.advice)


def test_the_risk_is_told_by_label_and_theta_and_goes_into_the_states(run: Run) -> None:
    risk = run.risk(8)
    assert list(risk.theta.unique()) == ["2", "8"]
    labels = run.tables["states"].query("kind == 'label'")
    here = risk[risk.theta == "2"].set_index("name")
    assert set(here.index) == set(labels.name)
    assert here.fraction.notna().sum() >= 3
    np.testing.assert_array_equal(labels.risk, here.fraction[labels.name])


def test_the_states_say_how_far_shared_labels_are_mixed(run: Run) -> None:
    assert run.results.assessment is not None
    states = run.tables["states"]
    labels = states.query("kind == 'label'").set_index("name").mixing
    expected = {row.name: row.mixing for row in run.results.assessment.labels}
    assert labels.notna().sum() >= 3
    assert {name: None if np.isnan(x) else x for name, x in labels.items()} == expected
    own = states.query("kind == 'state'")
    # The batches of these cells are one pool, so its states have no match to mix with.
    assert set(own.batch) == {"A, B"}
    assert own.mixing.isna().all()
    assert not set(own.outcome) & {"apart", "partly"}


def test_cells_with_few_genes_stay_unless_the_user_says_otherwise(
    simulated: ad.AnnData, tmp_path: Path
) -> None:
    n_genes = np.asarray((simulated.X > 0).sum(axis=1)).ravel()
    study = Study.read(simulated, batch="batch", home=tmp_path)
    lowered = simulated.n_vars // 50
    assert study.prepared.min_genes == study.prepare(n_pcs=10).prepared.min_genes == lowered
    run = study.prepare(n_pcs=10).correct(max_iter=1)
    assert len(run.embedding) == (n_genes >= lowered).sum()
    said = f"Cells need {lowered} genes here rather than 200"
    assert any(said in note for note in prepared_facts(run.results)["notes"])
    own = study.prepare(min_genes=lowered + 1).prepared
    assert own.min_genes == lowered + 1
    assert study.dataset.info.notes_on(own) == ()


def test_what_suits_counts_leaves_an_embedding_alone(simulated: ad.AnnData, tmp_path: Path) -> None:
    study = Study.read(simulated, batch="batch", home=tmp_path)
    assert study.dataset.info.start_of_preparation({"basis": "X"}) == PrepareParams(basis="X")


def test_embeddings_as_python_has_them(ours: Study) -> None:
    values = np.random.default_rng(0).normal(size=(400, 5))
    expected = ours.diagnose(values).verdict
    assert ours.diagnose(sp.csr_matrix(values)).verdict == expected
    table = pd.DataFrame(values, index=ours.dataset.obs.index)
    assert ours.diagnose(table[::-1]).verdict == expected
    assert ours.diagnose(pd.DataFrame(values)).verdict == expected
    with pytest.raises(DataError, match="399 rows, of which 399 are named like one of the 400"):
        ours.diagnose(table[1:])
    with pytest.raises(DataError, match="something else than numbers"):
        ours.diagnose(np.full((400, 2), "word"))


def test_several_files_become_one_dataset_and_are_read_as_asked(
    simulated: ad.AnnData, tmp_path: Path
) -> None:
    counts = pd.DataFrame(simulated.X.toarray(), simulated.obs_names, simulated.var_names)
    counts.astype(int).to_csv(tmp_path / "counts.csv")
    simulated.obs[::-1].to_csv(tmp_path / "metadata.csv")
    files = [tmp_path / "counts.csv", str(tmp_path / "metadata.csv")]
    study = Study.read(files, batch="batch", home=tmp_path / "home", max_cells=100)
    assert study.dataset.n_cells == 100
    assert (study.dataset.obs["batch"] == simulated.obs["batch"][study.dataset.obs.index]).all()
    assert any("100 of 400 cells" in note for note in study.notes)
    with pytest.raises(ParameterError, match="Unknown way to read files: rows; there are genes,"):
        Study.read(files, batch="batch", home=tmp_path / "home", rows=3)


def test_data_that_are_backed_and_data_that_are_none(simulated: ad.AnnData, tmp_path: Path) -> None:
    simulated.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    read = Study.read(backed, batch="batch", home=tmp_path / "home").dataset
    assert (
        read.fingerprint == Study.read(simulated, batch="batch", home=tmp_path).dataset.fingerprint
    )
    assert backed.isbacked
    backed.file.close()
    with pytest.raises(DataError, match="of type ndarray; give the path of a file, or AnnData"):
        Study.read(np.zeros((50, 3)), batch="batch", home=tmp_path)  # type: ignore[arg-type]


def test_a_column_or_an_embedding_that_is_not_there(simulated: ad.AnnData, tmp_path: Path) -> None:
    cells = simulated.copy()
    cells.obsm["X_pca"] = pd.DataFrame({"PC_1": 1.0, "note": "x"}, index=cells.obs_names)
    with pytest.raises(BatchError, match="There is no column 'nope'; available: "):
        _ = Study.read(cells, batch="nope", home=tmp_path).design
    study = Study.read(cells, batch="batch", label="nope", home=tmp_path)
    with pytest.raises(DataError, match="There is no column 'nope' for labels; available: "):
        _ = study.design
    said = "available: none. 'obsm/X_pca' is not used: it holds something else than numbers."
    with pytest.raises(DataError, match=said):
        Study.read(cells, batch="batch", home=tmp_path).diagnose("X_pca")


def test_a_number_names_the_column_of_that_name(simulated: ad.AnnData, tmp_path: Path) -> None:
    cells = simulated.copy()
    cells.obs[3], cells.obs["4"] = cells.obs["batch"].array, cells.obs["true_type"].array
    study = Study.read(cells, batch=3, label=4, home=tmp_path)  # type: ignore[arg-type]
    assert (study.batch, study.label) == (("3",), "4")
    study = Study.read(cells, batch=("batch", np.int64(3)), home=tmp_path)  # type: ignore[arg-type]
    assert study.batch == ("batch", "3")
    for none in (7, 3.5, None, ("batch", 7)):
        with pytest.raises(BatchError, match=r"There is no column '.*'; available: .*'batch'"):
            Study.read(cells, batch=none, home=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="There is no column '7' for labels; available: "):
        Study.read(cells, batch="batch", label=7, home=tmp_path)  # type: ignore[arg-type]

"""Runs of several methods side by side: their own numbers, one answer, and failures as rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs import history
from harmony_core.runs.method_comparison import (
    MethodComparison,
    compare_runs,
    method_name,
    runs_to_compare,
)
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest
from harmony_core.verdict.verdict import KINDS

OURS = RunParams(
    harmony=HarmonyParams(batch=("batch",)),
    prepare=PrepareParams(basis="X_pca"),
    label="true_type",
)
STRONG = replace(OURS, harmony=replace(OURS.harmony, theta=(8.0,)))
SQUEEZED = replace(OURS, precomputed="X_<b>squeezed")
RUNS = (OURS, STRONG, SQUEEZED)


@pytest.fixture(scope="module")
def dataset(simulated: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Types apart and batches shifted, and an embedding in which all of that is gone."""
    data, rng = ad.AnnData(obs=simulated.obs), np.random.default_rng(0)
    types = data.obs["true_type"].astype("category").cat.codes.to_numpy()
    centres = rng.normal(scale=8, size=(types.max() + 1, 6))
    clean = centres[types] + rng.normal(size=(400, 6))
    shift = 3 * (data.obs["batch"] == "A").to_numpy()[:, None]
    data.obsm["X_pca"] = (clean + shift).astype("float32")
    data.obsm["X_<b>squeezed"] = rng.normal(size=(400, 5)).astype("float32")
    found = ingest(Store(tmp_path_factory.mktemp("store")), data, name="shifted")
    for params in RUNS:
        history.save_settings(found, params)
        Pipeline(found, params).run("assess")
    return found


@pytest.fixture(scope="module")
def comparison(dataset: Dataset) -> MethodComparison:
    return compare_runs([RunResults(dataset, params) for params in RUNS])


def test_each_row_has_the_runs_own_numbers(dataset: Dataset, comparison: MethodComparison) -> None:
    table = comparison.table.set_index("run")
    assert list(table.index) == ["Harmony, theta 2", "Harmony, theta 8", "X_<b>squeezed"]
    for name, params in zip(table.index, RUNS, strict=True):
        found = RunResults(dataset, params).assessment
        assert found is not None
        row, mixing = table.loc[name], found.mixing["batch"]
        assert row.verdict == KINDS[found.verdict.kind].heading
        assert (row.least_mixing, row.mean_mixing) == (mixing.worst, mixing.mean)
        assert row.ilisi == found.after["batch"]["ilisi"]
        assert row.worst_loss == max(label.loss for label in found.labels)
    assert table.seconds.isna().tolist() == [False, False, True]
    assert table.scib_total.isna().all()


def test_states_are_those_of_the_diagnostics(
    dataset: Dataset, comparison: MethodComparison
) -> None:
    table = comparison.states
    for name, params in zip(comparison.table.run, RUNS, strict=True):
        found = RunResults(dataset, params).assessment
        assert found is not None
        mine = table[table.run == name].set_index("state")
        labels = {row.name: row for row in found.states if row.kind == "label"}
        assert mine.outcome.to_dict() == {n: row.outcome for n, row in labels.items()}
        assert mine.lost.to_dict() == pytest.approx({n: r.amount for n, r in labels.items()})


def test_the_method_that_merges_everything_is_not_the_right_one(
    comparison: MethodComparison,
) -> None:
    assert comparison.answer.answer == "best"
    assert comparison.sentence == "Harmony is the right tool here."
    assert comparison.sentences[2].startswith("X_<b>squeezed does worse: it merged “")
    assert repr(comparison).splitlines()[0] == comparison.sentence
    page = comparison._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;squeezed" in page


def test_a_failure_is_a_row_with_its_sentence_and_the_others_go_on(dataset: Dataset) -> None:
    failed = replace(OURS, precomputed="X_gone")
    runs = [RunResults(dataset, params) for params in (OURS, failed)]
    found = compare_runs(runs, {failed: "There is no embedding of that name."})
    row = found.table.iloc[1]
    assert row.problem == "There is no embedding of that name."
    assert row[["least_mixing", "seconds", "worst_loss"]].isna().all()
    assert found.answer.answer == "alone"
    assert found.sentences[-1] == "X_gone: There is no embedding of that name."


def test_kept_runs_that_judge_the_same_are_one(dataset: Dataset) -> None:
    other_picture = replace(OURS, layout=replace(OURS.layout, spread=2.0))
    other_cells = replace(OURS, prepare=PrepareParams(basis="X_pca", use_dims=4))
    for params in (other_picture, other_cells):
        history.save_settings(dataset, params)
    Pipeline(dataset, other_cells).run("assess")
    found = {run.params for run in runs_to_compare(dataset, OURS)}
    assert found == {other_picture, STRONG, SQUEEZED}


def test_names_that_users_give_are_told_apart(dataset: Dataset) -> None:
    for params in RUNS[:2]:
        history.set_tag(dataset, params, history.RunTag("mine"))
    names = compare_runs([RunResults(dataset, params) for params in RUNS]).table.run
    assert list(names[:2]) == ["mine", "mine (2)"]
    for params in RUNS[:2]:
        history.set_tag(dataset, params, history.RunTag())


def test_memory_is_that_of_the_process(dataset: Dataset) -> None:
    stage = RunResults(dataset, OURS).stage("correct")
    assert stage is not None
    if Path("/proc/self/statm").exists():
        assert stage.memory is not None
        assert 50e6 < stage.memory < 50e9


def test_an_embedding_that_is_called_like_a_method_is_another() -> None:
    assert method_name(OURS) == "Harmony"
    assert method_name(replace(OURS, precomputed="Harmony")) == "Harmony (another tool)"
    assert method_name(replace(OURS, precomputed="X_scVI")) == "X_scVI"

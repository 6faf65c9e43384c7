"""The whole chain: results, memory of what was computed, refusals."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from dataclasses import replace

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.errors import BatchError, Cancelled, DataError
from harmony_core.methods import neighbors, umap
from harmony_core.methods.harmony import correct
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs import selected_markers
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import STAGES, Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, StageKey, Store
from harmony_core.store.ingest import ingest
from tests.conftest import SMALL


def test_a_run_has_everything_a_page_shows(finished: RunResults) -> None:
    assert finished.is_finished
    n = len(finished.cells if finished.cells is not None else [])
    for side in ("before", "after"):
        layout = finished.layout(side)
        clusters = finished.clusters(side)
        assert layout is not None
        assert layout.shape == (n, 2)
        assert np.isfinite(layout).all()
        assert clusters is not None
        assert len(clusters) == n
        markers = finished.markers(side)
        assert markers is not None
        assert len(markers) == clusters.max() + 1
        assert len(markers[0].symbols) == 50
    assert finished.assessment is not None
    after = finished.assessment["metrics"]["after"]["batch"]
    assert {"mcm", "ilisi", "ilisi_vs_null", "clisi", "worst_label_purity_loss"} <= set(after)
    assert set(finished.seconds) == {stage.name for stage in STAGES}


def test_the_corrected_embedding_is_harmonys(finished: RunResults) -> None:
    before = finished.embedding("before")
    assert before is not None
    assert finished.obs is not None
    alone = correct(np.asarray(before), [finished.obs["batch"].to_numpy()], SMALL.harmony)
    np.testing.assert_array_equal(finished.embedding("after"), alone.embedding)


def test_what_a_run_has_read_is_freed_with_it(dataset: Dataset, finished: RunResults) -> None:
    """A worker computes hundreds: until garbage is collected they would take hundreds of MB."""
    harmony = replace(SMALL.harmony, theta=(3.5,))
    pipeline = Pipeline(dataset, replace(SMALL, harmony=harmony))
    gc.disable()
    try:
        for stage in pipeline.plan.stages_for():
            pipeline.compute(stage.name)
        read = weakref.ref(pipeline.context)
        del pipeline
        assert read() is None
    finally:
        gc.enable()


def test_nothing_is_computed_twice(
    dataset: Dataset, finished: RunResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("computed again")

    for module, name in (
        (neighbors, "nearest_neighbors"),
        (umap, "layout"),
        (umap, "fuzzy_graph"),
    ):
        monkeypatch.setattr(module, name, fail)
    Pipeline(Store(dataset.folder.parents[1]).dataset(dataset.fingerprint), SMALL).run()


def test_keys_are_others_only_where_neighbours_are_searched_otherwise(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys() -> Mapping[str, StageKey]:  # of a dataset that remembers none
        return Plan(Dataset(dataset.folder), SMALL).keys

    few = keys()
    monkeypatch.setattr(neighbors, "LISTS_UP_TO", dataset.n_cells)
    assert keys() == few
    monkeypatch.setattr(neighbors, "LISTS_UP_TO", dataset.n_cells - 1)
    many = keys()
    same = {name for name in few if few[name] == many[name]}
    assert {"prepare", "correct", "reference"} <= same
    assert not {name for name in same if name.startswith(("neighbors", "clusters", "lisi"))}


def test_another_theta_keeps_the_side_before(dataset: Dataset) -> None:
    moved = replace(SMALL, harmony=replace(SMALL.harmony, theta=(1.0,)))
    here, there = Plan(dataset, SMALL).keys, Plan(dataset, moved).keys
    same = {name for name in here if here[name] == there[name]}
    assert {"prepare", "neighbors_before", "layout_before", "reference"} <= same
    assert not {"correct", "layout_after", "assess"} & same


def test_data_with_the_same_settings_have_runs_of_their_own(
    kept_store: Store, dataset: Dataset, simulated: ad.AnnData
) -> None:
    other = ingest(kept_store, simulated[::2], name="other")
    assert Plan(other, SMALL).run != Plan(dataset, SMALL).run
    chosen = np.arange(200) < 20
    assert selected_markers.key(other, SMALL, chosen) != selected_markers.key(
        dataset, SMALL, chosen
    )


def test_a_damaged_run_is_computed_again_where_it_is_damaged(
    dataset: Dataset, finished: RunResults
) -> None:
    before = np.array(finished.layout("after"))
    path = dataset.folder / "stages" / finished.plan.keys["layout_after"].folder / "positions.npy"
    path.write_bytes(path.read_bytes()[:200])
    assert finished.is_finished  # nobody has looked
    Pipeline(dataset, SMALL).run()
    np.testing.assert_array_equal(RunResults(dataset, SMALL).layout("after"), before)


def test_a_broken_stage_is_computed_again(dataset: Dataset, finished: RunResults) -> None:
    key = finished.plan.keys["clusters_after"]
    before = np.array(finished.clusters("after"))
    folder = dataset.folder / "stages" / key.folder
    (folder / "info.json").write_text("{")
    next(folder.glob("*.npy")).unlink()
    assert RunResults(dataset, SMALL).clusters("after") is None
    Pipeline(dataset, SMALL).stage("clusters_after")
    np.testing.assert_array_equal(RunResults(dataset, SMALL).clusters("after"), before)


def test_cancelled_between_stages_keeps_what_was_done(dataset: Dataset) -> None:
    params = replace(SMALL, harmony=replace(SMALL.harmony, sigma=0.2))

    def report(step: str, share: float) -> None:
        if step == "neighbors_after":
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        Pipeline(dataset, params, report).run()
    results = RunResults(dataset, params)
    assert results.stage("correct") is not None
    assert results.layout("after") is None


def test_an_embedding_alone_is_enough(kept_store: Store, simulated: ad.AnnData) -> None:
    rng = np.random.default_rng(0)
    pcs = rng.normal(size=(simulated.n_obs, 6)).astype(np.float32)
    bare = ad.AnnData(obs=simulated.obs.copy(), obsm={"X_lsi": pcs})
    found = ingest(kept_store, bare, name="bare")
    params = RunParams(
        harmony=HarmonyParams(batch=("batch",), max_iter=2), prepare=PrepareParams(basis="X_lsi")
    )
    Pipeline(found, params).run()
    results = RunResults(found, params)
    np.testing.assert_array_equal(results.embedding("before"), pcs)
    assert results.markers("after") == ()
    assert results.assessment is not None


def test_cells_that_are_all_the_same_are_refused(kept_store: Store, simulated: ad.AnnData) -> None:
    same = simulated.copy()
    same.X = sp.csr_matrix(np.tile(same.X[:1].toarray(), (same.n_obs, 1)))
    with pytest.raises(DataError, match="nothing tells them apart"):
        Pipeline(ingest(kept_store, same, name="same"), SMALL).run("prepare")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"harmony": HarmonyParams(batch=("nope",))}, "no column.*nope.*available"),
        ({"label": "nope"}, "no column 'nope' for labels"),
        ({"prepare": PrepareParams(basis="X_nope")}, "no embedding 'X_nope'"),
        ({"harmony": HarmonyParams(batch=("cell",))}, "like a name for each cell"),
        ({"harmony": HarmonyParams(batch=("depth",))}, "look measured"),
        ({"harmony": HarmonyParams(batch=("same",))}, "one level only"),
        ({"harmony": HarmonyParams(batch=("gaps",))}, "no value in it"),
    ],
)
def test_refused_before_anything_runs(
    kept_store: Store, simulated: ad.AnnData, change: dict[str, object], sentence: str
) -> None:
    odd = simulated.copy()
    odd.obs["cell"] = [f"c{i}" for i in range(odd.n_obs)]
    odd.obs["depth"] = np.linspace(0, 1, odd.n_obs)
    odd.obs["same"] = "x"
    odd.obs["gaps"] = ["a", None, "b", "b"] * (odd.n_obs // 4)
    found = ingest(kept_store, odd, name="odd")
    with pytest.raises((BatchError, DataError), match=sentence):
        Pipeline(found, replace(SMALL, **change)).run()  # type: ignore[arg-type]

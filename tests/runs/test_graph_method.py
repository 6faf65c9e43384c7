"""A method that gives a neighbour graph and no embedding: judged and drawn as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core.errors import DataError, ExportError
from harmony_core.export import write_h5ad
from harmony_core.export.record import run_record
from harmony_core.export.scripts.python import python_script
from harmony_core.export.scripts.seurat import r_script
from harmony_core.export.tables import run_tables
from harmony_core.finished_run import Run
from harmony_core.params import MethodParams, RunParams
from harmony_core.runs.comparing import computed_comparison
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL
from tests.kernel import Kernel
from tests.methods.fake import fake_method

__all__ = ["fake_method"]

pytestmark = pytest.mark.usefixtures("fake_method")


def by_graph(**settings: float) -> RunParams:
    method = MethodParams(name="fake_graph", settings=tuple(settings.items()))
    return replace(SMALL, method=method)


@pytest.fixture
def run(dataset: Dataset) -> RunResults:
    Pipeline(dataset, by_graph()).run()
    return RunResults(dataset, by_graph())


def test_its_neighbours_are_judged_as_they_are(run: RunResults) -> None:
    x, batch = np.asarray(run.embedding("before")), run.dataset.obs["batch"].to_numpy()
    context = Pipeline(run.dataset, run.params).context
    near = context.neighbors("after")
    assert near.k == 10
    far = np.sqrt(((x[7] - x) ** 2).sum(axis=1))
    far[7] = np.inf
    wanted = [
        cell
        for level in np.unique(batch)
        for cell in sorted(np.flatnonzero(batch == level), key=lambda cell: far[cell])[:5]
    ]
    assert near.indices[7].tolist() == sorted(wanted, key=lambda cell: far[cell])
    np.testing.assert_allclose(near.distances[7], np.sort(far[wanted]), rtol=1e-5)
    assert run.is_finished
    assert run.embedding("after") is None
    assert run.assessment is not None
    assert "It gives a graph only." in run.assessment.notes
    with pytest.raises(DataError, match="no embedding"):
        _ = Run(run).embedding
    with pytest.raises(DataError, match="gives a graph only"):
        Pipeline(run.dataset, run.params).run("scib_after")


def test_it_is_compared_without_scib(run: RunResults) -> None:
    targets = ("assess", "scib_after")
    (row,) = computed_comparison(run.dataset, [run.params], targets=targets).rows
    assert row.problem == ""
    assert row.contender is not None


def test_clusters_and_pictures_come_from_its_graph(run: RunResults) -> None:
    from harmony_core.methods.leiden import leiden

    graph = Pipeline(run.dataset, run.params).context.graph("after")
    assert graph.nnz > 0
    assert abs(graph - graph.T).max() == 0
    shown = run.params.clusters.shown
    (clusters,) = leiden(graph, [shown], run.params.clusters)
    np.testing.assert_array_equal(run.clusters("after"), clusters)


@pytest.mark.parametrize("how", [1, 2, 3])
def test_what_is_no_graph_of_these_cells_is_refused(dataset: Dataset, how: int) -> None:
    sentence = "no numbers" if how == 1 else "no neighbour graph of 400 cells"
    with pytest.raises(DataError, match=sentence):
        Pipeline(dataset, by_graph(how=how)).run("correct")


def test_it_is_taken_away_without_an_embedding(
    run: RunResults, simulated: ad.AnnData, kernel: Kernel, tmp_path: Path
) -> None:
    write_h5ad(run, tmp_path / "corrected.h5ad")
    written = ad.read_h5ad(tmp_path / "corrected.h5ad")
    assert not {"X_fake_graph", "X_pca_harmony"} & set(written.obsm)
    graph = Pipeline(run.dataset, run.params).context.graph("after")
    assert abs(written.obsp["connectivities"] - graph).max() == 0
    assert written.uns["neighbors"]["params"]["use_rep"] == "X_pca"
    assert written.uns["neighbors"]["params"]["n_neighbors"] == 11
    assert "embedding" not in run_tables(run)
    with pytest.raises(ExportError, match="Fake graph gives a neighbour graph and no embedding"):
        r_script(run_record(run, simulated))
    simulated.write_h5ad(tmp_path / "data.h5ad")
    record = run_record(run, simulated, input_path=str(tmp_path / "data.h5ad"))
    (tmp_path / "rerun.py").write_text(python_script(record), "utf-8")
    kernel.run_script(tmp_path / "rerun.py")
    again = ad.read_h5ad(tmp_path / "rerun.h5ad")
    clusters = again.obs["leiden"].astype(int).to_numpy()
    np.testing.assert_array_equal(clusters, run.clusters("after"))

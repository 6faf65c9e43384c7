"""Every picture as a file: complete, vector text, self-contained, names harmless."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from harmony_core.errors import ExportError, ParameterError
from harmony_core.export.figure_folder import write_figures
from harmony_core.export.interactive import write_interactive
from harmony_core.figures.paper.genes import dots_figure, draw_dots, genes_figure
from harmony_core.figures.paper.harmony import convergence_figure, draw_soft_clusters
from harmony_core.figures.paper.layouts import pair_figure, two_runs_figure
from harmony_core.figures.paper.violins import draw_violins
from harmony_core.figures.screen.heatmaps import soft_cluster_heatmap
from harmony_core.params import PrepareParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest
from tests.conftest import SMALL

HOSTILE = "</script><b>$x$"
COLUMN = "<script>$y$"


@pytest.fixture(scope="module")
def hostile(simulated: ad.AnnData, kept_store: Store) -> RunResults:
    """A run whose batches, genes and file have names that mean something in HTML and TeX."""
    adata = simulated.copy()
    adata.obs[COLUMN] = np.where(adata.obs["batch"] == "A", HOSTILE, "_b")
    adata.var_names = ["CD3D", "CD3E", HOSTILE, *adata.var_names[3:]]
    dataset = ingest(kept_store, adata, name=HOSTILE)
    harmony = replace(SMALL.harmony, batch=(COLUMN,))
    params = replace(SMALL, harmony=harmony, label=None)
    Pipeline(dataset, params).run()
    return RunResults(dataset, params)


def test_a_folder_of_pictures(hostile: RunResults, tmp_path: Path) -> None:
    formats = ("png", "svg", "pdf", "html")
    paths = write_figures(hostile, tmp_path / "new" / "pictures", formats=formats)
    drawn = {"harmony_batch_evaluation", "before_after_batch_1", "before_after_cluster"}
    drawn |= {"convergence", "soft_clusters", "genes", "genes_by_cluster", "genes_by_batch"}
    expected = {f"{name}.{kind}" for name in drawn for kind in ("png", "svg", "pdf")}
    assert {path.name for path in paths} == expected | {"harmony_pictures.html"}
    assert {path.name for path in paths[0].parent.iterdir()} == {path.name for path in paths}
    svg = (paths[0].parent / "before_after_batch_1.svg").read_text("utf-8")
    assert "&lt;/script&gt;&lt;b&gt;$x$" in svg  # text stays text
    assert "_b" in svg
    for name in ("soft_clusters", "genes_by_batch"):
        text = (paths[0].parent / f"{name}.svg").read_text("utf-8")
        assert "&lt;/script&gt;&lt;b&gt;$x$" in text
        assert ">_b<" in text.replace("\n", "")


def test_two_runs_beside_each_other(finished: RunResults, tmp_path: Path) -> None:
    other = replace(SMALL, harmony=replace(SMALL.harmony, theta=(0.5,)))
    Pipeline(finished.dataset, other).run()
    second = RunResults(finished.dataset, other)
    path = tmp_path / "two.svg"
    two_runs_figure(finished, second, path, names=("theta 2", "theta 0.5"))
    text = path.read_text("utf-8")
    assert text.index("theta 2, by batch") < text.index("theta 0.5, by batch")


def test_a_chosen_column_and_chosen_genes(finished: RunResults, tmp_path: Path) -> None:
    pair_figure(finished, tmp_path / "a.svg", column="true_type")
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert "Before Harmony, by true_type" in text
    symbols = finished.dataset.symbols[:2].tolist()
    genes_figure(finished, tmp_path / "b.svg", genes=symbols)
    dots_figure(finished, tmp_path / "c.svg", genes=symbols)
    for name in ("b.svg", "c.svg"):
        assert all(symbol in (tmp_path / name).read_text("utf-8") for symbol in symbols)
    convergence_figure(finished, tmp_path / "d.svg")
    assert "iterations" in (tmp_path / "d.svg").read_text("utf-8")


def test_genes_that_the_data_lack(finished: RunResults, tmp_path: Path) -> None:
    # The simulated genes are none of the textbook's: the best of each cluster are drawn.
    write_figures(finished, tmp_path / "a", formats=("svg",))
    markers = finished.markers("after")
    assert markers
    for name in ("genes", "genes_by_cluster", "genes_by_batch"):
        drawn = (tmp_path / "a" / f"{name}.svg").read_text("utf-8")
        assert all(m.symbols[0] in drawn for m in markers if m.symbols)
    with pytest.raises(ExportError, match="none of these genes: CD3E"):
        write_figures(finished, tmp_path / "b", formats=("svg",), genes=["CD3E"])


def test_data_without_genes(kept_store: Store, simulated: ad.AnnData, tmp_path: Path) -> None:
    embedded = ad.AnnData(obs=simulated.obs, obsm={"X_mine": simulated.X[:, :6].toarray()})
    dataset = ingest(kept_store, embedded, name="embedded")
    params = replace(SMALL, prepare=PrepareParams(basis="X_mine"))
    Pipeline(dataset, params).run()
    names = {path.stem for path in write_figures(RunResults(dataset, params), tmp_path)}
    assert not any(name.startswith("genes") for name in names)
    assert {"harmony_batch_evaluation", "convergence", "soft_clusters"} <= names


def test_the_interactive_page_needs_no_network_and_runs_no_name(
    hostile: RunResults, tmp_path: Path
) -> None:
    path = tmp_path / "pictures.html"
    write_interactive(hostile, path)
    page = path.read_text("utf-8")
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", page)
    assert HOSTILE not in page
    assert COLUMN not in page
    # Within the script's own data, too: a closing tag would end the script there.
    assert page.count("</script>") == page.count("<script")


def test_refusals(finished: RunResults, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'gif' is no format; available: png, svg"):
        write_figures(finished, tmp_path, formats=("png", "gif"))
    with pytest.raises(ExportError, match="no column 'nope'"):
        pair_figure(finished, tmp_path / "a.png", column="nope")
    other = replace(SMALL, harmony=replace(SMALL.harmony, theta=(7.5,)))
    unfinished = RunResults(dataset, other)
    with pytest.raises(ExportError, match="not finished"):
        write_interactive(unfinished, tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_dots_and_violins_show_the_cells(finished: RunResults) -> None:
    """What is drawn of one gene, against a table of pandas."""
    symbol = finished.dataset.symbols[0]
    values = finished.gene(0)
    assert values is not None
    clusters, obs = finished.clusters("after"), finished.obs
    assert clusters is not None
    assert obs is not None
    expected = pd.DataFrame(
        {"value": values, "cluster": np.asarray(clusters), "batch": obs["batch"].astype(str)}
    )
    dots = draw_dots({symbol: values}, {"after": np.asarray(clusters)})
    drawn = dots.axes[0].collections[0]
    assert isinstance(drawn, mpl.collections.PathCollection)
    share = expected["value"].gt(0).groupby(expected["cluster"]).mean()
    np.testing.assert_allclose(drawn.get_sizes() / 120, share)

    figure = draw_violins(finished, {symbol: values})
    means = sorted(line.get_ydata()[0] for line in figure.axes[0].lines)
    grouped = expected.groupby(["cluster", "batch"])["value"]
    np.testing.assert_allclose(means, sorted(grouped.mean()), rtol=1e-6)
    reach = sorted(
        path.vertices[:, 1].max() for c in figure.axes[0].collections for path in c.get_paths()
    )
    np.testing.assert_allclose(reach, sorted(grouped.max()), rtol=1e-6)


def test_soft_clusters_are_drawn_as_on_screen(finished: RunResults) -> None:
    stage = finished.stage("soft_clusters")
    assert stage is not None
    observed, expected = (np.asarray(stage.arrays[f"{of}_0"]) for of in ("observed", "expected"))
    (mesh,) = (
        c
        for c in draw_soft_clusters(finished).axes[0].collections
        if isinstance(c, mpl.collections.QuadMesh)
    )
    (shown,) = soft_cluster_heatmap(observed, expected, ["A", "B"]).data
    np.testing.assert_allclose(mesh.get_array(), shown.z, rtol=1e-6)

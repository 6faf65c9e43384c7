"""What is taken away: complete, readable by others, and nothing of the user's lost."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from harmony_core.errors import ExportError
from harmony_core.export import evaluation_figure, write_h5ad, write_zarr
from harmony_core.figures.paper.layouts import Colouring, draw, save, short_names
from harmony_core.io.writing import in_words, write_text_whole, written_whole
from harmony_core.palette import CATEGORICAL, colors_for
from harmony_core.params import RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest, ingest_file
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def written(finished: RunResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "corrected.h5ad"
    assert write_h5ad(finished, path) == ()
    return path


@pytest.fixture
def corrected(written: Path) -> ad.AnnData:
    return ad.read_h5ad(written)


def test_the_file_has_the_run(finished: RunResults, corrected: ad.AnnData) -> None:
    for name, value in (
        ("X_pca", finished.embedding("before")),
        ("X_pca_harmony", finished.embedding("after")),
        ("X_umap", finished.layout("after")),
        ("X_umap_uncorrected", finished.layout("before")),
    ):
        np.testing.assert_array_equal(corrected.obsm[name], value)
    for side, stem in (("after", "leiden"), ("before", "leiden_uncorrected")):
        for resolution, name in ((0.5, stem), (0.3, f"{stem}_0.3"), (0.8, f"{stem}_0.8")):
            expected = finished.clusters(side, resolution)  # type: ignore[arg-type]
            assert expected is not None
            assert corrected.obs[name].astype(int).tolist() == expected.tolist()
    record = json.loads(corrected.uns["harmony_explorer"])
    assert RunParams.from_dict(record["params"]) == SMALL
    assert record["fingerprint"] == finished.dataset.fingerprint
    assert record["versions"]["harmonypy"] == "2.1.0"


def test_what_came_in_comes_out(
    simulated: ad.AnnData, finished: RunResults, corrected: ad.AnnData
) -> None:
    kept = simulated[np.asarray(finished.cells)]
    assert corrected.obs_names.tolist() == kept.obs_names.tolist()
    assert corrected.var_names.tolist() == kept.var_names.tolist()
    assert corrected.X.dtype == kept.X.dtype
    assert (corrected.X != kept.X).nnz == 0
    expected = simulated.obs.iloc[finished.cells]
    pd.testing.assert_frame_equal(corrected.obs[list(expected.columns)], expected)
    assert corrected.uns["truth"] == kept.uns["truth"]


@pytest.mark.parametrize(
    ("neighbors_key", "column"),
    [("neighbors", "leiden"), ("neighbors_uncorrected", "leiden_uncorrected")],
)
def test_scanpy_clusters_from_our_neighbours(
    corrected: ad.AnnData, neighbors_key: str, column: str
) -> None:
    sc.tl.leiden(
        corrected,
        resolution=0.5,
        flavor="igraph",
        n_iterations=2,
        directed=False,
        neighbors_key=neighbors_key,
        key_added="again",
    )
    assert adjusted_rand_score(corrected.obs["again"], corrected.obs[column]) == 1


@pytest.mark.parametrize(
    ("rep", "prefix"), [("X_pca_harmony", ""), ("X_pca", "neighbors_uncorrected_")]
)
def test_the_graph_is_the_one_scanpy_would_make(
    corrected: ad.AnnData, rep: str, prefix: str
) -> None:
    ours = {kind: corrected.obsp[f"{prefix}{kind}"] for kind in ("connectivities", "distances")}
    plain = ad.AnnData(obs=corrected.obs, obsm={rep: corrected.obsm[rep]})
    sc.pp.neighbors(plain, n_neighbors=15, use_rep=rep)
    for kind, matrix in ours.items():
        assert matrix.nnz == plain.obsp[kind].nnz
        # Both search bandwidths in single precision, from distances summed in another order.
        difference = abs(matrix - plain.obsp[kind])
        assert difference.max() < 0.02
        assert difference.mean() < 1e-5


@pytest.mark.parametrize("side", ["", "_uncorrected"])
def test_markers_are_those_of_scanpy(corrected: ad.AnnData, side: str) -> None:
    groups = corrected.uns[f"rank_genes_groups{side}"]["names"].dtype.names
    sc.pp.filter_genes(corrected, min_cells=3)
    sc.pp.normalize_total(corrected, target_sum=1e4)
    sc.pp.log1p(corrected)
    sc.tl.rank_genes_groups(corrected, f"leiden{side}", method="wilcoxon", key_added="again")
    assert groups == corrected.uns["again"]["names"].dtype.names
    for group in groups:
        # What nearly ties may stand in another order, as expression is rounded in another way.
        ranked = sc.get.rank_genes_groups_df(corrected, group, key=f"rank_genes_groups{side}")
        again = sc.get.rank_genes_groups_df(corrected, group, key="again").set_index("names")
        again = again.loc[ranked["names"]]
        assert ranked["names"].is_unique
        # p values far in the tail magnify what is left of rounding in the scores.
        for column, rtol in (
            *(("scores", 1e-3), ("logfoldchanges", 1e-3)),
            *(("pvals", 0.02), ("pvals_adj", 0.02)),
        ):
            np.testing.assert_allclose(ranked[column], again[column], rtol=rtol)


def test_colours_are_those_of_the_screen(corrected: ad.AnnData) -> None:
    assert corrected.uns["batch_colors"].tolist() == list(CATEGORICAL[:2])
    n_clusters = len(corrected.obs["leiden"].cat.categories)
    assert corrected.uns["leiden_colors"].tolist() == list(CATEGORICAL[:n_clusters])


def test_opening_our_file_restores_the_run(
    written: Path, finished: RunResults, tmp_path: Path
) -> None:
    again = ingest_file(Store(tmp_path), written, name="again")
    run = again.info.run
    assert run is not None
    expected = replace(SMALL, prepare=replace(SMALL.prepare, basis="X_pca"))
    assert run == expected
    correct = Pipeline(again, run).stage("correct")
    np.testing.assert_array_equal(correct.arrays["embedding"], finished.embedding("after"))


@pytest.fixture(scope="module")
def crowded(simulated: ad.AnnData) -> ad.AnnData:
    """Data that bring entries of every kind, and names that clash with ours."""
    adata = simulated.copy()
    rng = np.random.default_rng(0)
    n = adata.n_obs
    adata.raw = simulated
    adata.layers["counts"] = adata.X.copy()
    adata.layers["dense"] = adata.X.toarray().astype(np.float64)
    adata.obs["leiden"] = pd.Categorical(rng.choice(["mine", "yours"], n))
    adata.obs["score"] = rng.normal(size=n)
    adata.obs["flag"] = rng.random(n) > 0.5
    adata.obs["maybe"] = pd.array(np.where(rng.random(n) > 0.5, 1, None), dtype="Int64")
    adata.obs["unused"] = pd.Categorical(["a"] * n, categories=["a", "never"])
    adata.obs["text"] = [f"text {i}" for i in range(n)]
    adata.obsm["X_umap"] = rng.normal(size=(n, 2))
    adata.obsp["connectivities"] = sp.eye_array(n, format="csr")
    adata.uns["neighbors"] = {"connectivities_key": "connectivities", "params": {"who": "me"}}
    adata.uns["batch_colors"] = np.array(["#000000", "#ffffff"], dtype=object)
    return adata


@pytest.fixture(scope="module")
def crowded_run(
    kept_store: Store, crowded: ad.AnnData, tmp_path_factory: pytest.TempPathFactory
) -> RunResults:
    path = tmp_path_factory.mktemp("crowded") / "crowded.h5ad"
    crowded.write_h5ad(path, convert_strings_to_categoricals=False)
    dataset = ingest_file(kept_store, path, name="crowded")
    Pipeline(dataset, SMALL).run()
    return RunResults(dataset, SMALL)


def test_clashing_names_are_kept_and_said(
    crowded: ad.AnnData, crowded_run: RunResults, tmp_path: Path
) -> None:
    path = tmp_path / "out.h5ad"
    notes = write_h5ad(crowded_run, path)
    out = ad.read_h5ad(path)
    kept = crowded[np.asarray(crowded_run.cells)]
    expected = crowded.obs.iloc[crowded_run.cells]
    pd.testing.assert_frame_equal(out.obs[list(expected.columns)], expected)
    assert out.obs["unused"].cat.categories.tolist() == ["a", "never"]
    clusters = crowded_run.clusters("after")
    assert clusters is not None
    assert out.obs["leiden_explorer"].astype(int).tolist() == clusters.tolist()
    np.testing.assert_array_equal(out.obsm["X_umap_original"], kept.obsm["X_umap"])
    np.testing.assert_array_equal(out.obsm["X_umap"], crowded_run.layout("after"))
    assert out.uns["neighbors_original"]["params"] == {"who": "me"}
    moved = out.uns["neighbors_original"]["connectivities_key"]
    assert (out.obsp[moved] != kept.obsp["connectivities"]).nnz == 0
    assert out.uns["batch_colors"].tolist() == ["#000000", "#ffffff"]
    assert out.uns["rank_genes_groups"]["params"]["groupby"] == "leiden_explorer"
    assert out.uns["leiden_explorer"]["params"]["resolution"] == 0.5
    assert "leiden" not in out.uns
    assert (out.raw.X != kept.raw.X).nnz == 0
    assert (out.layers["counts"] != kept.layers["counts"]).nnz == 0
    np.testing.assert_array_equal(out.layers["dense"], kept.layers["dense"])
    for name in ("leiden", "X_umap", "connectivities", "neighbors"):
        assert any(f"'{name}'" in note for note in notes)


def test_exporting_our_own_export_replaces_and_does_not_pile_up(
    written: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    again = ingest_file(store, written, name="again")
    run = again.info.run
    assert run is not None
    run = replace(run, harmony=replace(run.harmony, theta=(1.0,)))
    Pipeline(again, run).run()
    assert write_h5ad(RunResults(again, run), tmp_path / "second.h5ad") == ()
    first, second = ad.read_h5ad(written), ad.read_h5ad(tmp_path / "second.h5ad")
    for part in ("obs", "obsm", "obsp", "uns"):
        assert set(getattr(first, part)) == set(getattr(second, part))
    np.testing.assert_array_equal(first.obsm["X_pca"], second.obsm["X_pca"])


def test_zarr_holds_the_same(finished: RunResults, corrected: ad.AnnData, tmp_path: Path) -> None:
    path = tmp_path / "corrected.zarr"
    for _ in range(2):  # the second time replaces the first
        assert write_zarr(finished, path) == ()
        again = ad.read_zarr(path)
        pd.testing.assert_frame_equal(again.obs, corrected.obs)
        assert (again.X != corrected.X).nnz == 0
        for part in ("obsm", "obsp", "uns"):
            assert set(getattr(again, part)) == set(getattr(corrected, part))
        np.testing.assert_array_equal(again.obsm["X_pca_harmony"], corrected.obsm["X_pca_harmony"])
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(ExportError, match="is a folder"):
        write_zarr(finished, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_a_zarr_opens_as_the_run_too(
    finished: RunResults, kept_store: Store, tmp_path: Path
) -> None:
    write_zarr(finished, tmp_path / "run.zarr")
    again = ingest_file(kept_store, tmp_path / "run.zarr", name="run.zarr")
    assert again.info.run is not None
    assert again.info.run.harmony == SMALL.harmony


def test_a_slash_in_a_name_is_no_folder_of_zarr(
    kept_store: Store, simulated: ad.AnnData, tmp_path: Path
) -> None:
    adata = simulated.copy()
    adata.obs["type / fine"] = adata.obs["true_type"]
    with pytest.warns(FutureWarning, match="slashes"):
        adata.write_h5ad(tmp_path / "in.h5ad")
    found = ingest_file(kept_store, tmp_path / "in.h5ad", name="slashes")
    Pipeline(found, SMALL).run()
    notes = write_zarr(RunResults(found, SMALL), tmp_path / "out.zarr")
    assert "The column 'type / fine' is 'type | fine' in zarr" in " ".join(notes)
    written = ad.read_zarr(tmp_path / "out.zarr")
    assert written.obs["type | fine"].tolist() == written.obs["true_type"].tolist()


def test_lzf_holds_the_same(finished: RunResults, corrected: ad.AnnData, tmp_path: Path) -> None:
    write_h5ad(finished, tmp_path / "fast.h5ad", compression="lzf")
    again = ad.read_h5ad(tmp_path / "fast.h5ad")
    assert (again.X != corrected.X).nnz == 0
    pd.testing.assert_frame_equal(again.obs, corrected.obs)
    with h5py.File(tmp_path / "fast.h5ad") as file:
        assert file["X/data"].compression == "lzf"


def test_cellxgene_opens_it(corrected: ad.AnnData, written: Path) -> None:
    """What its documentation asks of a file: unique names, layouts that are finite numbers."""
    assert corrected.obs_names.is_unique
    assert corrected.var_names.is_unique
    layouts = [name for name in corrected.obsm if name.startswith("X_")]
    assert "X_umap" in layouts
    for name in layouts:
        values = corrected.obsm[name]
        assert values.ndim == 2
        assert values.shape[1] >= 2
        assert values.dtype.kind == "f"
        assert np.isfinite(values).all()
    for name in corrected.obs:
        kind = corrected.obs[name].dtype
        assert isinstance(kind, pd.CategoricalDtype) or kind.kind in "fiub"
    with h5py.File(written) as file:
        assert file.attrs["encoding-type"] == "anndata"
        assert file["X/data"].compression == "gzip"


@pytest.mark.filterwarnings("ignore:The set_bad function:PendingDeprecationWarning")  # scanpy's
def test_scanpy_draws_it(corrected: ad.AnnData) -> None:
    with mpl.rc_context({"backend": "agg"}):
        figure = sc.pl.umap(corrected, color=["batch", "leiden"], show=False, return_fig=True)
    batch, leiden = figure.axes[:2]
    assert (batch.get_title(), leiden.get_title()) == ("batch", "leiden")
    # In the colours of the screen, which scanpy reads from uns.
    drawn = {tuple(color) for color in batch.collections[0].get_facecolor()}
    expected = {mpl.colors.to_rgba(color) for color in CATEGORICAL[:2]}
    assert drawn == expected


def test_each_cell_has_what_was_measured_of_it(finished: RunResults, corrected: ad.AnnData) -> None:
    stage = finished.stage("assess")
    assert stage is not None
    measured = {k: v for k, v in stage.arrays.items() if v.shape == (corrected.n_obs,)}
    assert {"conflict", "displacement"} & set(measured)
    for name, values in measured.items():
        np.testing.assert_array_equal(corrected.obs[f"harmony_{name}"], values)
    soft = finished.stage("soft_clusters")
    assert soft is not None
    np.testing.assert_array_equal(
        corrected.obs["harmony_soft_cluster"], soft.arrays["soft_cluster"]
    )


def test_doublet_scores_come_along_and_stay_when_the_file_is_opened_again(
    kept_store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    params = replace(SMALL, prepare=replace(SMALL.prepare, max_doublet=0.2))
    Pipeline(dataset, params).run()
    results = RunResults(dataset, params)
    write_h5ad(results, tmp_path / "first.h5ad")
    first = ad.read_h5ad(tmp_path / "first.h5ad")
    scored = results.stage("doublets")
    assert scored is not None
    assert 0 < first.n_obs < dataset.n_cells
    scores = first.obs["doublet_score"].to_numpy()
    np.testing.assert_array_equal(scores, scored.arrays["scores"][results.cells])
    assert 0 < scores.max() <= np.float32(0.2)

    again = ingest_file(kept_store, tmp_path / "first.h5ad", name="first.h5ad")
    assert "doublet_score" in again.info.own_columns
    assert "doublet_score" not in {*(c.name for c in again.info.candidates), *again.info.labels}
    run = again.info.run
    assert run is not None
    Pipeline(again, run).run()
    write_h5ad(RunResults(again, run), tmp_path / "second.h5ad")
    np.testing.assert_array_equal(
        ad.read_h5ad(tmp_path / "second.h5ad").obs["doublet_score"], scores
    )


def test_columns_that_hdf5_has_no_place_for(
    kept_store: Store, simulated: ad.AnnData, tmp_path: Path
) -> None:
    adata = simulated.copy()
    n = adata.n_obs
    adata.obs["mixed"] = pd.Categorical([1 if i % 2 else "one" for i in range(n)])
    adata.obs["binned"] = pd.cut(np.arange(n), 4)
    adata.obs["day"] = pd.date_range("2024-01-01", periods=n)
    adata.obs["a/b"] = "slash"
    adata.obs["anything"] = [[i] if i % 2 else None for i in range(n)]
    adata.obs["barcode"] = pd.Categorical([f"level {i:05d}" for i in range(n)])
    found = ingest(kept_store, adata, name="troubled")
    Pipeline(found, SMALL).run()
    results = RunResults(found, SMALL)
    write_h5ad(results, tmp_path / "out.h5ad")
    obs = ad.read_h5ad(tmp_path / "out.h5ad").obs
    kept = adata.obs.iloc[results.cells]
    for name in ("mixed", "binned"):
        assert obs[name].astype(str).tolist() == kept[name].astype(str).tolist()
    assert pd.to_datetime(obs["day"].astype(str)).tolist() == kept["day"].tolist()
    assert set(obs["a|b"]) == {"slash"}
    assert obs["anything"].notna().tolist() == kept["anything"].notna().tolist()
    assert obs["barcode"].tolist() == kept["barcode"].tolist()
    for name in ("binned", "barcode"):
        evaluation_figure(results, tmp_path / "out.png", batch=name)


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """A disk on which no file can grow beyond this: as good as full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_half_written(finished: RunResults, tmp_path: Path) -> None:
    path = tmp_path / "out.h5ad"
    path.write_text("what was there")
    with (
        largest_file(50_000),
        pytest.raises(ExportError, match=r"no room left \(it may take up to .* MB, .* are free"),
    ):
        write_h5ad(finished, path)
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5ad"]
    assert path.read_text() == "what was there"


def test_a_full_disk_says_what_a_text_needs(tmp_path: Path) -> None:
    with largest_file(100), pytest.raises(ExportError, match=r"it may take up to 2\.0 kB"):
        write_text_whole(tmp_path / "rerun.py", "é" * 1000)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_a_folder_for_a_file(finished: RunResults, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="There is no folder"):
        write_h5ad(finished, tmp_path / "nowhere" / "out.h5ad")
    with pytest.raises(ExportError, match="is a folder"):
        write_h5ad(finished, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def fail_halfway() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unfinished_run_is_not_written(dataset: Dataset, tmp_path: Path) -> None:
    other = RunResults(dataset, replace(SMALL, harmony=replace(SMALL.harmony, theta=(7.5,))))
    with pytest.raises(ExportError, match="not finished"):
        write_h5ad(other, tmp_path / "out.h5ad")
    with pytest.raises(ExportError, match="not finished"):
        evaluation_figure(other, tmp_path / "out.png")


def test_sizes_in_words() -> None:
    assert in_words(999) == "999 bytes"
    assert in_words(2_340_000) == "2.3 MB"


# The evaluation figure


def png_size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


def test_the_evaluation_figure_is_drawn_at_150_dpi(finished: RunResults, tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    evaluation_figure(finished, tmp_path / "a.png")
    evaluation_figure(finished, tmp_path / "b.png", dpi=300)
    assert plt.get_fignums() == before
    width, height = png_size(tmp_path / "a.png")
    assert width == round(150 * 3 * 4.6)
    assert np.abs(np.subtract(png_size(tmp_path / "b.png"), (2 * width, 2 * height))).max() <= 1


def test_vector_figures_keep_text_as_text(finished: RunResults, tmp_path: Path) -> None:
    evaluation_figure(finished, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    titles = ["After Harmony, by batch", "After Harmony, by cluster", "Before Harmony, by batch"]
    assert [text.index(title) for title in titles] == sorted(text.index(t) for t in titles)
    evaluation_figure(finished, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    evaluation_figure(finished, tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_text() == text


def test_another_ending_is_refused(finished: RunResults, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"must end in \.png, \.svg or \.pdf"):
        evaluation_figure(finished, tmp_path / "a.gif")


def panel(levels: tuple[str, ...], n: int = 300) -> tuple[str, npt.NDArray[Any], Colouring]:
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, len(levels), n)
    return "a picture", rng.normal(size=(n, 2)), Colouring("column", codes, levels)


@pytest.mark.parametrize("n_levels", [1, 30, 40, 2000])
def test_legends_overlap_nothing(n_levels: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    levels = tuple(f"a rather long batch name {i}" for i in range(n_levels))
    figure = draw([panel(levels), panel(("a", "b")), panel(levels)])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [legend.get_window_extent(canvas.get_renderer()) for legend in figure.legends]
    pictures = [axes.get_window_extent() for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert not any(box.overlaps(picture) for picture in pictures)
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize(
    "name",
    [
        "University Hospital of a Rather Long Name, ward {}",
        "{} University Hospital of a Rather Long Name",
        "UniversityHospitalOfARatherLongName_{}_ward",
    ],
)
def test_long_names_can_be_told_apart(name: str) -> None:
    shown = short_names([name.format(i) for i in range(40)])
    assert len(set(shown)) == 40
    assert max(map(len, shown)) <= 28


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    names = ("_hidden", "$\\frac{a}{b}$", "日本", "<b>bold</b>", "")
    save(draw([panel(names)]), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    for shown in ("_hidden", "$\\frac{a}{b}$", "日本", "&lt;b&gt;bold&lt;/b&gt;", "(empty)"):
        assert shown in text


def test_points_have_the_colours_of_their_levels() -> None:
    title, positions, colouring = panel(("a", "b", "c"))
    figure = draw([(title, positions, colouring)])
    points = figure.axes[0].collections[0]
    drawn = {
        tuple(place): "#{:02x}{:02x}{:02x}".format(*(round(255 * v) for v in color[:3]))
        for place, color in zip(points.get_offsets(), points.get_facecolor(), strict=True)
    }
    colors = [*colors_for(colouring.levels).values(), "#c8c8c8"]
    assert [drawn[tuple(p)] for p in positions] == [colors[c] for c in colouring.codes]

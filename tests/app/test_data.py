"""The Data page in its states: what is read, refused, recognised, chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest

from harmony_core.export import write_h5ad
from harmony_core.io import memory
from harmony_core.jobs.places import Place
from harmony_core.jobs.runner import Runner
from harmony_core.params import MARKER_LABEL, PrepareParams, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import HOME_VARIABLE, Dataset, Store
from harmony_core.store.ingest import ingest, ingest_file
from pages.ui import services, state
from pages.ui.text import plain
from tests.app.conftest import begin_with, ears
from tests.conftest import SMALL
from tests.io import formats

ROOT = Path(__file__).resolve().parents[2]
HTML = '<img src=x onerror="alert(1)"> [link](javascript:alert) **bold** $x$'


class _AtOnce(Executor):
    """Does everything in the asking process, before it answers."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **named))
        return future


class _SaysLater(Executor):
    """Does everything at once, but is not known to be done before the test says so."""

    def __init__(self) -> None:
        self.done: list[Future[Any]] = []

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        work(*arguments, **named)
        self.done.append(Future())
        return self.done[-1]


class _Never(Executor):
    """Is always busy with something else."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        return Future()


class _Working(Runner):
    def start(self, delay: float = 0.0) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path, sample_home: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    begin_with(sample_home, tmp_path / "home")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return Store(tmp_path / "home")


@pytest.fixture
def app(store: Store, faults_raised: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    st.cache_resource.clear()
    st.cache_data.clear()
    working = _Working(store, [Place(_AtOnce)])
    monkeypatch.setattr(services, "runner", lambda: working)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    yield app.switch_page("pages/data.py").run()
    st.cache_resource.clear()
    st.cache_data.clear()


def _text(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.subheader, *app.error, *app.info]
    elements += [*app.warning, *app.success]
    return "\n".join(str(e.value) for e in elements).replace("\\", "")


def _upload(app: AppTest, *files: Path | tuple[str, bytes]) -> AppTest:
    given = [f if isinstance(f, tuple) else (f.name, f.read_bytes()) for f in files]
    sent = [(name, content, "application/octet-stream") for name, content in given]
    app.file_uploader[0].set_value(sent).run()
    assert not app.exception
    return app


def _open(app: AppTest, dataset: Dataset) -> AppTest:
    app.session_state["dataset"] = dataset.fingerprint
    app.run()
    assert not app.exception
    return app


def _widget(widgets: Any, label: str) -> Any:
    return next(w for w in widgets if w.label == label)


def _tables(adata: ad.AnnData, folder: Path) -> list[Path]:
    """Write the cells of each batch as a table; the second lacks 100 genes."""
    paths = []
    for name, n_genes in (("A", 300), ("B", 200)):
        cells = (adata.obs["batch"] == name).to_numpy()
        counts = adata.X[cells][:, :n_genes].toarray().astype(int)
        table = pd.DataFrame(counts, adata.obs_names[cells], adata.var_names[:n_genes])
        table.to_csv(folder / f"lane {name}.csv")
        paths.append(folder / f"lane {name}.csv")
    return paths


def test_the_upload_names_the_tools_whose_folders_are_read(app: AppTest) -> None:
    for tool in ("CellRanger", "STARsolo", "kb-python", "alevin-fry", "Parse", "R object"):
        assert tool in app.file_uploader[0].help
        assert tool == "R object" or tool in _text(app)


def test_several_files_become_one_dataset_by_common_genes_or_all(
    app: AppTest, simulated: ad.AnnData, tmp_path: Path
) -> None:
    _upload(app, *_tables(simulated, tmp_path))
    text = _text(app)
    assert "400 cells, 200 genes" in text
    assert "200 genes are in all files and are kept; left out: 100 of 300 in 'lane A'" in text
    assert _widget(app.multiselect, "Batch variable(s)").value == ["file"]
    _widget(app.selectbox, "Genes of several files").set_value("union").run()
    assert not app.exception
    assert "400 cells, 300 genes" in _text(app)
    assert _widget(app.selectbox, "Genes of several files").value == "union"


def test_the_orientation_of_a_table_is_shown_and_can_be_turned(
    app: AppTest, simulated: ad.AnnData
) -> None:
    names = [f"g{i}" for i in range(simulated.n_vars)]
    table = pd.DataFrame(simulated.X.toarray().astype(int).T, names, simulated.obs_names)
    _upload(app, ("genes in rows.csv", table.to_csv().encode()))
    side = _widget(app.selectbox, "Orientation of the table")
    first, n_cells = side.value, {"rows": "300 cells", "columns": "400 cells"}
    assert n_cells[first] in _text(app)
    other = "rows" if first == "columns" else "columns"
    side.set_value(other).run()
    assert not app.exception
    assert n_cells[other] in _text(app)


def test_an_embedding_finds_its_metadata_by_cell_name(
    app: AppTest, simulated: ad.AnnData, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    dims = pd.DataFrame(
        rng.normal(size=(400, 6)), simulated.obs_names, [f"PC_{i + 1}" for i in range(6)]
    )
    _upload(
        app,
        ("embedding.csv", dims.to_csv().encode()),
        ("meta.csv", simulated.obs.iloc[:390].to_csv().encode()),
    )
    text = _text(app)
    assert "390 cells, no genes" in text
    assert "10 of 400 cells have no line in 'meta.csv' and are left out." in text
    assert _widget(app.selectbox, "Start from").value == "X_pca"


def test_an_embedding_is_added_to_the_data_in_hand(
    app: AppTest, store: Store, simulated: ad.AnnData, tmp_path: Path
) -> None:
    simulated.write_h5ad(tmp_path / "own.h5ad")
    _upload(app, tmp_path / "own.h5ad")
    before = app.session_state["dataset"]
    _widget(app.selectbox, "Label column").set_value("true_type").run()
    columns = [f"integrated.cca_{i + 1}" for i in range(6)]
    values = np.random.default_rng(0).normal(size=(400, 6))
    table = pd.DataFrame(values, simulated.obs_names, columns)

    def add(name: str, frame: pd.DataFrame) -> None:
        adder = next(u for u in app.file_uploader if u.label.startswith("Tables of embeddings"))
        adder.set_value([(name, frame.to_csv().encode(), "text/csv")]).run()
        assert not app.exception
        assert list(store.uploads_folder.iterdir()) == []

    add("counts.csv", simulated.to_df().astype(int))
    assert "'counts.csv' is no table of an embedding." in _text(app)
    add("others.csv", table.set_axis([f"other {i}" for i in range(400)]))
    assert "'others.csv' names none of the cells" in _text(app)
    assert app.session_state["dataset"] == before
    add("cca.csv", table.sample(frac=1, random_state=0))
    added = store.dataset(app.session_state["dataset"])
    assert added.name == "own.h5ad"
    np.testing.assert_allclose(added.embedding("X_integrated.cca"), values, rtol=1e-6)
    assert _widget(app.selectbox, "Label column").value == "true_type"
    _widget(app.selectbox, "Corrected by").set_value("X_integrated.cca").run()
    chosen = RunParams.from_dict(app.session_state["settings"][added.fingerprint])
    assert chosen.precomputed == "X_integrated.cca"
    assert store.dataset(before).source.exists()


def test_the_modality_of_an_h5mu_can_be_chosen(app: AppTest, tmp_path: Path) -> None:
    rna, protein = formats.dataset(), formats.dataset(1)
    protein = protein[:, :12].copy()
    protein.obs_names = rna.obs_names
    _upload(app, formats.h5mu(tmp_path / "cite.h5mu", rna, protein))
    assert "50 cells, 30 genes" in _text(app)
    _widget(app.selectbox, "Modality").set_value("prot").run()
    assert not app.exception
    assert "50 cells, 12 genes" in _text(app)


def test_a_refused_file_leaves_what_is_on_screen(app: AppTest) -> None:
    _upload(app, ("broken.h5ad", b"not an h5ad"))
    text = _text(app)
    assert "'broken.h5ad' is not an HDF5 file" in text
    assert "The dataset you had before is still in hand." in text
    assert "Kang PBMC" in text
    _upload(app, ("object.rds", b"x" * 100))
    assert "write.csv(Embeddings(object)" in _text(app)


def test_streamlit_forgets_files_that_were_received_and_they_can_be_opened_again(
    app: AppTest, simulated: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    managers: list[MemoryUploadedFileManager] = []
    add_file = MemoryUploadedFileManager.add_file

    def noted(self: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
        managers.append(self)
        add_file(self, session_id, file)

    monkeypatch.setattr(MemoryUploadedFileManager, "add_file", noted)
    simulated.write_h5ad(tmp_path / "own.h5ad")
    for files, read in [
        ([tmp_path / "own.h5ad"], "own.h5ad"),
        ([tmp_path / "own.h5ad"], "own.h5ad"),
        (_tables(simulated, tmp_path), "lane A"),
    ]:
        managers.clear()
        _upload(app, *files)
        assert read in _text(app)
        assert managers
        assert not any(kept for manager in managers for kept in manager.file_storage.values())


def test_nothing_that_was_uploaded_stays_behind(
    app: AppTest, store: Store, simulated: ad.AnnData, tmp_path: Path
) -> None:
    simulated.write_h5ad(tmp_path / "own.h5ad")
    _upload(app, ("broken.h5ad", b"not an h5ad"))
    _upload(app, tmp_path / "own.h5ad")
    assert "own.h5ad" in _text(app)
    assert list(store.uploads_folder.iterdir()) == []


def test_the_next_file_may_come_before_the_runner_knows_of_the_last_ones_end(
    app: AppTest,
    store: Store,
    simulated: ad.AnnData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor = _SaysLater()
    working = _Working(store, [Place(lambda: executor)])
    monkeypatch.setattr(services, "runner", lambda: working)
    simulated.write_h5ad(tmp_path / "own.h5ad")
    _upload(app, ("broken.h5ad", b"not an h5ad"))
    assert "'broken.h5ad' is not an HDF5 file" in _text(app)
    _upload(app, tmp_path / "own.h5ad")
    executor.done[0].set_result("")
    working._settler.submit(int).result()
    app.run()
    assert not app.exception
    assert "own.h5ad" in _text(app)
    assert list(store.uploads_folder.iterdir()) == []


def test_reading_can_be_cancelled_and_leaves_nothing(
    app: AppTest,
    store: Store,
    simulated: ad.AnnData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = _Working(store, [Place(_Never)])
    monkeypatch.setattr(services, "runner", lambda: busy)
    simulated.write_h5ad(tmp_path / "own.h5ad")
    _upload(app, tmp_path / "own.h5ad")
    assert "Kang PBMC" in _text(app)
    assert ears(app)["loading"]["waits"]
    app.button(key="cancel-load").click().run()
    assert not app.exception
    assert not ears(app)["loading"]["waits"]
    assert not [b for b in app.button if b.key == "cancel-load"]
    assert "Kang PBMC" in _text(app)
    assert not list(store.uploads_folder.glob("*/0"))


def test_looking_at_cells_can_be_cancelled_and_taken_up(
    app: AppTest, store: Store, simulated: ad.AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = _Working(store, [Place(_Never)])
    monkeypatch.setattr(services, "runner", lambda: busy)
    _open(app, ingest(store, simulated, name="mine"))
    assert ears(app)["data-quality"]["label"] == "Counting genes and molecules"
    assert ears(app)["cells"]["waits"]
    assert ears(app)["preparation"]["waits"]
    app.button(key="cancel-data-quality").click().run()
    assert not ears(app)["cells"]["waits"]
    assert ears(app)["preparation"]["waits"]
    assert "Counting genes and molecules: cancelled." in _text(app)
    assert not [b for b in app.button if b.key == "cancel-data-quality"]
    working = _Working(store, [Place(_AtOnce)])
    monkeypatch.setattr(services, "runner", lambda: working)
    app.button(key="resume-quality").click().run()
    assert not app.exception
    assert "of 400 cells are kept." in _text(app)


def test_a_file_too_large_offers_a_sample_per_batch(
    app: AppTest, simulated: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated.write_h5ad(tmp_path / "large.h5ad")
    monkeypatch.setattr(memory, "free_memory", lambda: 400_000.0)
    _upload(app, tmp_path / "large.h5ad")
    assert "needs about" in _text(app)
    assert "Kang PBMC" in _text(app)
    monkeypatch.undo()
    _widget(app.number_input, "Cells to draw").set_value(100)
    _widget(app.selectbox, "As many of each level of").set_value("batch").run()
    monkeypatch.setattr(services, "runner", lambda: _Working(services.store(), [Place(_AtOnce)]))
    _widget(app.button, "Read a sample").click().run()
    assert not app.exception
    text = _text(app)
    assert "100 cells, 300 genes" in text
    assert "100 of 400 cells of 'large.h5ad' were drawn at random." in text


def test_folders_of_the_server_can_be_looked_through_and_nothing_else(
    app: AppTest, simulated: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [w for w in app.multiselect if w.label == "Files on the server"]
    (tmp_path / "shared" / "deep").mkdir(parents=True)
    simulated.write_h5ad(tmp_path / "shared" / "deep" / "mine.h5ad")
    simulated.write_h5ad(tmp_path / "secret.h5ad")
    monkeypatch.setenv("HARMONY_EXPLORER_DATA", str(tmp_path / "shared"))
    app.run()
    files = _widget(app.multiselect, "Files on the server")
    assert files.options == ["deep/mine.h5ad"]
    files.set_value([str(tmp_path / "secret.h5ad")]).run()
    _widget(app.button, "Read").click().run()
    assert "is outside the folders that may be opened" in _text(app)
    _widget(app.multiselect, "Files on the server").set_value(["deep/mine.h5ad"]).run()
    _widget(app.button, "Read").click().run()
    assert "mine.h5ad" in [s.value.replace("\\", "") for s in app.subheader]


def _nested(adata: ad.AnnData) -> ad.AnnData:
    found = adata.copy()
    half = np.resize(["1", "2"], found.n_obs)
    found.obs["donor"] = [f"{b}{h}" for b, h in zip(found.obs["batch"], half, strict=True)]
    found.obs["disease"] = np.where(found.obs["batch"] == "A", "ill", "well")
    return found


def test_what_cannot_be_separated_is_said(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    _open(app, ingest(store, _nested(simulated), name="nested"))
    batch = _widget(app.multiselect, "Batch variable(s)")
    batch.set_value(["batch"]).run()
    text = _text(app)
    told = "“disease” divides the cells exactly as “batch” does: nothing in these data can separate"
    assert told in text
    assert "“disease” are meant to stay" not in text
    assert "“donor” divides each level of “batch” further" in text
    assert "“donor” goes with “batch”" not in text
    _widget(app.multiselect, "Batch variable(s)").set_value(["batch", "donor"]).run()
    text = _text(app)
    assert "correcting “donor” alone removes both" in text
    assert "theta of its own" in text
    _widget(app.multiselect, "Batch variable(s)").set_value(["disease"]).run()
    text = _text(app)
    assert "“disease” looks like a condition" in text
    assert "but it goes with “disease”" in text


def test_batches_of_different_values_are_refused_by_name(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    mixed = simulated.copy()
    logged = mixed.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    is_a = (mixed.obs["batch"] == "A").to_numpy()
    values = mixed.X.toarray().astype(np.float32)
    values[is_a] = logged.X.toarray()[is_a]
    mixed.X = values
    _open(app, ingest(store, mixed, name="mixed"))
    assert any("hold different kinds of values" in e.value.replace("\\", "") for e in app.error)
    assert not [w for w in app.number_input if w.label == "Variable genes"]


def test_cells_kept_follow_the_thresholds_and_reach_the_run(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    dataset = ingest(store, simulated, name="mine")
    _open(app, dataset)
    n_genes = np.asarray((simulated.X > 0).sum(axis=1)).ravel()
    limit = int(np.quantile(n_genes, 0.3) // 50 * 50)
    _widget(app.number_input, "Fewest genes a cell").set_value(limit).run()
    _widget(app.number_input, "Principal components").set_value(12).run()
    _widget(app.toggle, "Scale genes to equal variance").set_value(True).run()
    assert not app.exception
    kept = int((n_genes >= limit).sum())
    assert f"{kept:,} of 400 cells are kept." in _text(app)
    assert "12 components" in _text(app)
    params = RunParams.from_dict(app.session_state["settings"][dataset.fingerprint])
    assert (params.prepare.min_genes, params.prepare.n_pcs) == (limit, 12)
    assert params.prepare.scale
    assert len(Pipeline(dataset, params).cells) == kept


def test_data_that_an_older_version_took_in_are_offered_the_thresholds_that_fit(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    dataset = ingest(store, simulated, name="mine")
    fitting = dataset.info.suggested.prepare.min_genes
    assert fitting < PrepareParams().min_genes
    older = replace(dataset.info.suggested, prepare=PrepareParams())
    replace(dataset.info, suggested=older).write(dataset.folder)
    _open(app, Dataset(dataset.folder))
    assert _widget(app.number_input, "Fewest genes a cell").value == 200
    said = "Prepared with 200 to 6,000 genes a cell and at most 20 % mitochondrial counts."
    assert said in _text(app)
    assert f"{fitting} to 6,000 genes a cell" in _text(app)
    _widget(app.button, "Take what fits").click().run()
    assert not app.exception
    assert _widget(app.number_input, "Fewest genes a cell").value == fitting
    assert "Prepared with" not in _text(app)
    params = RunParams.from_dict(app.session_state["settings"][dataset.fingerprint])
    assert params.prepare.min_genes == fitting


def test_what_is_kept_of_each_batch_and_label_is_seen_as_thresholds_are_chosen(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    cells = simulated.copy()
    n_genes = np.asarray((cells.X > 0).sum(axis=1)).ravel()
    limit = int(np.quantile(n_genes, 0.4))
    passing = n_genes >= limit
    types = cells.obs["true_type"].astype(str).to_numpy()
    types[np.flatnonzero(~passing)[:20]] = "poor *type*"
    types[np.flatnonzero(passing)[:7]] = types[np.flatnonzero(~passing)[20:50]] = "small"
    cells.obs["true_type"] = types
    dataset = ingest(store, cells, name="mine")
    _open(app, dataset)
    assert not any("Quality control" in w.value for w in app.warning)
    _widget(app.number_input, "Fewest genes a cell").set_value(limit).run()
    assert not app.exception
    warned = [w.value for w in app.warning if "Quality control" in w.value]
    gone = "every cell of “poor *type*” in “true_type” (20 cells)"
    assert any(plain(gone) in text for text in warned)
    assert any(plain("fewer than 30 cells of “small” 7 of 37 in “true_type”") in w for w in warned)
    tables = {tuple(t.value.columns): t.value for t in app.dataframe if "Kept" in t.value}
    (columns,) = tables
    assert columns == ("Level", "Cells", "Kept", "Part")
    drawn = [t.value.set_index("Level").Kept for t in app.dataframe if "Kept" in t.value]
    by_batch = {b: int(passing[cells.obs["batch"] == b].sum()) for b in ("A", "B")}
    by_type = {t: int(passing[types == t].sum()) for t in set(types)}
    assert [kept.to_dict() for kept in drawn] == [by_batch, by_type]


def test_doublets_are_scored_when_asked_for(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    dataset = ingest(store, simulated, name="mine")
    _open(app, dataset)
    _widget(app.number_input, "Fewest genes a cell").set_value(0).run()
    _widget(app.toggle, "Leave out likely doublets").set_value(True).run()
    _widget(app.number_input, "Largest doublet score").set_value(0.1).run()
    assert not app.exception
    params = RunParams.from_dict(app.session_state["settings"][dataset.fingerprint])
    assert params.prepare.max_doublet == 0.1
    kept = len(Pipeline(dataset, params).cells)
    assert kept < 400
    assert f"{kept:,} of 400 cells are kept." in _text(app)


def test_prepared_data_offer_their_embedding_and_depth_can_be_dropped(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    logged = simulated.copy()
    depth = np.asarray(logged.X.sum(axis=1)).ravel()
    logged.obs["total_counts"] = depth
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    noise = np.random.default_rng(0).normal(size=(logged.n_obs, 5))
    logged.obsm["X_lsi"] = np.column_stack([np.log1p(depth), noise])
    dataset = ingest(store, logged, name="logged")
    _open(app, dataset)
    assert "These data seem prepared already" in _text(app)
    _widget(app.button, "Start from X\\_lsi").click().run()
    assert not app.exception
    assert "follows the counts per cell" in _text(app)
    assert "These data seem prepared already" not in _text(app)
    _widget(app.toggle, "Leave its first dimension out").set_value(True).run()
    params = RunParams.from_dict(app.session_state["settings"][dataset.fingerprint])
    assert (params.prepare.basis, params.prepare.skip_dims) == ("X_lsi", 1)
    np.testing.assert_allclose(
        Pipeline(dataset, params).context.embedding("before"), noise.astype(np.float32)
    )
    _widget(app.number_input, "Take its first dimensions up to").set_value(4).run()
    assert not app.exception
    params = RunParams.from_dict(app.session_state["settings"][dataset.fingerprint])
    assert (params.prepare.skip_dims, params.prepare.use_dims) == (1, 4)
    np.testing.assert_allclose(
        Pipeline(dataset, params).context.embedding("before"), noise[:, :3].astype(np.float32)
    )


@pytest.fixture(scope="module")
def written(
    kept_store: Store, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, RunParams]:
    """The corrected h5ad of a run, and its settings."""
    params = replace(SMALL, harmony=replace(SMALL.harmony, theta=(3.3,)))
    Pipeline(dataset, params).run()
    path = tmp_path_factory.mktemp("written") / "corrected.h5ad"
    write_h5ad(RunResults(dataset, params), path)
    return path, params


def test_an_h5ad_that_we_wrote_restores_its_run(
    app: AppTest, written: tuple[Path, RunParams]
) -> None:
    path, params = written
    _upload(app, path)
    assert "its run's settings are restored" in _text(app)
    restored = RunParams.from_dict(app.session_state["settings"][app.session_state["dataset"]])
    assert restored.harmony == params.harmony
    assert restored.label == params.label
    assert restored.prepare == replace(params.prepare, basis="X_pca")
    assert _widget(app.selectbox, "Start from").value == "X_pca"


def test_columns_that_we_wrote_are_no_confounders(
    app: AppTest, written: tuple[Path, RunParams], tmp_path: Path
) -> None:
    adata = ad.read_h5ad(written[0])
    # Clusters of uncorrected cells may well be the batches; a donor may be too, which is a finding.
    for name in ("leiden", "leiden_uncorrected", "donor"):
        adata.obs[name] = adata.obs["batch"].astype(str).to_numpy()
    adata.write_h5ad(tmp_path / "ours.h5ad")
    _upload(app, tmp_path / "ours.h5ad")
    on_data = _text(app)
    app.switch_page("pages/tune.py").run()
    app.switch_page("pages/diagnostics.py").run()
    app.segmented_control(key="deep-section").set_value("Confounding").run()
    assert not app.exception
    for text in (on_data, _text(app)):
        assert "“donor” divides the cells exactly as “batch” does" in text
        assert "“leiden" not in text


def test_a_run_on_an_embedding_is_taken_up_from_where_its_record_says(
    store: Store, simulated: ad.AnnData, tmp_path: Path
) -> None:
    own = simulated.copy()
    rng = np.random.default_rng(0)
    shift = 3.0 * (own.obs["batch"] == "A").to_numpy()[:, None]
    own.obsm["X_pca_harmony"] = rng.normal(size=(own.n_obs, 6)) + shift
    basis = replace(SMALL, prepare=replace(SMALL.prepare, basis="X_pca_harmony"))
    dataset = ingest(store, own, name="own")
    Pipeline(dataset, basis).run()
    write_h5ad(RunResults(dataset, basis), tmp_path / "out.h5ad")
    again = ingest_file(store, tmp_path / "out.h5ad", name="out.h5ad")
    restored = again.info.run
    assert restored is not None
    assert restored.prepare.basis is not None
    np.testing.assert_array_equal(
        again.embedding(restored.prepare.basis), dataset.embedding("X_pca_harmony")
    )


def test_names_from_files_are_text(app: AppTest, simulated: ad.AnnData, tmp_path: Path) -> None:
    odd = simulated.copy()
    odd.obs = odd.obs.rename(columns={"batch": HTML})
    odd.obs["disease"] = odd.obs[HTML].astype(str).map(lambda b: f"{HTML}{b}")
    odd.write_h5ad(tmp_path / "odd.h5ad")
    _upload(app, (f"{HTML}.h5ad".replace("/", ""), (tmp_path / "odd.h5ad").read_bytes()))
    _widget(app.multiselect, "Batch variable(s)").set_value([HTML, "disease"]).run()
    assert not app.exception
    elements = [*app.markdown, *app.caption, *app.subheader, *app.error, *app.warning, *app.info]
    shown = "\n".join(str(e.value) for e in elements)
    assert "bold" in shown
    assert HTML not in shown
    assert "](javascript" not in shown
    assert "<img" not in shown.replace("\\<img", "")


def test_labels_can_be_made_from_marker_genes_of_one_s_own(
    app: AppTest, store: Store, simulated: ad.AnnData
) -> None:
    dataset = ingest(store, simulated, name="simulated")
    _open(app, dataset)
    _widget(app.multiselect, "Batch variable(s)").set_value(["batch"]).run()
    _widget(app.selectbox, "Label column").set_value(MARKER_LABEL).run()
    assert not app.exception
    assert "They are not those of the data's authors" in _text(app)
    assert "The data have none of these genes" in _text(app)  # blood, in simulated cells
    _widget(app.button_group, "Marker genes of").set_value("Paste my own").run()
    assert not app.exception
    box = _widget(app.text_area, "One cell type a line: its name, a colon, its marker genes")
    box.set_value(f"{HTML}: {simulated.var_names[0]}").run()
    assert "at least two cell types" in _text(app)
    panel = f"one: {simulated.var_names[0]}\ntwo: {simulated.var_names[3]}"
    _widget(app.text_area, box.label).set_value(panel).run()
    assert not app.exception
    chosen = RunParams.from_dict(app.session_state[state.SETTINGS][dataset.fingerprint])
    assert (chosen.label, chosen.panel) == (MARKER_LABEL, panel)
    # What can't be used leaves what is in use, as does a table that is no longer there.
    _widget(app.text_area, box.label).set_value("one: NOGENE").run()
    assert "at least two cell types" in _text(app)
    _widget(app.button_group, "Marker genes of").set_value("Table of my own (CSV)").run()
    assert not app.exception
    assert "stay in use until there are others" in _text(app)
    kept = RunParams.from_dict(app.session_state[state.SETTINGS][dataset.fingerprint])
    assert (kept.label, kept.panel) == (MARKER_LABEL, panel)

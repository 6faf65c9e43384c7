"""A run starts from the same settings on the page, on the command line and in Python."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from harmony_core import Study
from harmony_core.cli.correct import params_of
from harmony_core.cli.parser import command_parser
from harmony_core.params import PrepareParams
from harmony_core.store import Dataset, Store
from harmony_core.store.info import DatasetInfo, StartSettings
from harmony_core.store.ingest import ingest
from pages.ui import state


def _from_command_line(dataset: Dataset, *more: str) -> PrepareParams:
    given = ["correct", "in.h5ad", "--batch", "batch", "--out", "o.h5ad", *more]
    return params_of(command_parser().parse_args(given), dataset.info).prepare


def _cells(X: object, **embeddings: int) -> ad.AnnData:
    rng = np.random.default_rng(0)
    n_cells = X.shape[0]  # type: ignore[attr-defined]
    obs = pd.DataFrame({"batch": pd.Categorical(np.where(np.arange(n_cells) % 2, "a", "b"))})
    obs.index = [f"cell{i}" for i in range(n_cells)]
    obsm = {name: rng.normal(size=(n_cells, dims)) for name, dims in embeddings.items()}
    return ad.AnnData(X, obs=obs, obsm=obsm)


def _counts(median: float, n_genes: int) -> sp.csr_matrix:
    """Return counts of 200 cells in which about so many genes are seen."""
    rng = np.random.default_rng(0)
    return sp.csr_matrix(rng.poisson(median / n_genes, (200, n_genes)).astype(np.float32))


def _scaled() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(200, 60))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (_cells(_counts(400, 3_000), X_pca=8), PrepareParams()),
        (_cells(_counts(90, 500)), PrepareParams(min_genes=10)),
        (_cells(_scaled(), X_pca=8), PrepareParams(basis="X_pca")),
        (_cells(_scaled(), X_pca_harmony=8), PrepareParams()),
        (_cells(_scaled()), PrepareParams()),
        (_cells(sp.csr_matrix((200, 0)), X_lsi=5, X_pca=8), PrepareParams(basis="X_pca")),
    ],
    ids=["counts", "panel", "scaled", "scaled, corrected", "scaled alone", "embeddings"],
)
def test_every_way_starts_from_the_same_settings(
    cells: ad.AnnData, expected: PrepareParams, tmp_path: Path
) -> None:
    dataset = ingest(Store(tmp_path), cells, name="cells")
    on_page = state.suggested(dataset.info)
    assert on_page is not None
    in_python = Study.read(cells, batch="batch", home=tmp_path).prepared
    assert on_page.prepare == in_python == _from_command_line(dataset) == expected


def test_thresholds_of_deep_cells_are_those_of_every_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n_genes = rng.integers(5_000, 8_000, 60)
    seen = np.arange(9_000)[None, :] < n_genes[:, None]
    cells = _cells(sp.csr_matrix(seen.astype(np.float32) * rng.poisson(2, seen.shape)))
    dataset = ingest(Store(tmp_path), cells, name="cells")
    found = _from_command_line(dataset)
    on_page = state.suggested(dataset.info)
    assert on_page is not None
    assert on_page.prepare == found == Study.read(cells, batch="batch", home=tmp_path).prepared
    measured = np.asarray((cells.X > 0).sum(axis=1)).ravel()
    assert measured.max() <= found.max_genes
    assert found == PrepareParams(max_genes=found.max_genes)
    assert dataset.info.notes_on(found) == (
        f"Cells may have {found.max_genes:,} genes here rather than 6,000, as the data have many "
        "genes a cell.",
    )


def test_a_choice_of_genes_means_the_expression(tmp_path: Path) -> None:
    cells = _cells(_scaled(), X_pca=8)
    dataset = ingest(Store(tmp_path), cells, name="cells")
    study = Study.read(cells, batch="batch", home=tmp_path)
    assert study.prepare(n_pcs=5).prepared == PrepareParams(basis="X_pca", use_dims=5)
    assert study.prepare(basis=None, n_pcs=5).prepared == PrepareParams(n_pcs=5)
    assert study.prepare(n_top_genes=50).prepared == PrepareParams(n_top_genes=50)
    asked = _from_command_line(dataset, "--n-top-genes", "50")
    assert asked == PrepareParams(n_top_genes=50)
    assert _from_command_line(dataset, "--scale") == PrepareParams(scale=True)


def test_what_another_tool_corrected_is_no_start() -> None:
    info = DatasetInfo(
        name="cells",
        n_cells=40,
        kind="none",
        embeddings=("X_scvi", "X_pca"),
        uncorrected=("X_pca",),
    )
    assert info.start_basis() == "X_pca"
    assert info.start_basis(other_than="X_pca") == "X_scvi"
    assert info.start_basis({"n_top_genes": 50, "basis": None}) == "X_pca"
    assert info.start_basis({"basis": "X_scvi"}) == "X_scvi"


def test_each_loosened_threshold_is_said() -> None:
    fitting = PrepareParams(min_genes=6, max_genes=9_000, max_mito=45)
    info = DatasetInfo(name="cells", n_cells=40, suggested=StartSettings(prepare=fitting))
    assert [note.split(",")[0] for note in info.notes_on(fitting)] == [
        "Cells need 6 genes here rather than 200",
        "Cells may have 9",
        "Cells may have 45 % mitochondrial counts here rather than 20 %",
    ]
    assert info.notes_on(PrepareParams()) == ()
    assert info.notes_on(PrepareParams(min_genes=7, max_mito=44)) == ()
    assert info.notes_on(PrepareParams(basis="X_pca", min_genes=6)) == ()

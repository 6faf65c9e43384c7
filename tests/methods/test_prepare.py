"""Preparation, checked against the scanpy calls made by hand."""

from __future__ import annotations

import warnings
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from harmony_core.errors import DataError
from harmony_core.matrices import blocks
from harmony_core.methods.hvg import moments, variable_genes
from harmony_core.methods.prepare import (
    from_basis,
    log_normalised,
    log_normalised_gene,
    prepare,
)
from harmony_core.params import PrepareParams

PARAMS = PrepareParams(min_genes=200, max_genes=250, min_cells=5, n_top_genes=120, n_pcs=12)


@pytest.fixture(scope="module")
def by_hand(simulated: ad.AnnData) -> ad.AnnData:
    adata = simulated.copy()
    sc.pp.filter_cells(adata, min_genes=PARAMS.min_genes)
    sc.pp.filter_cells(adata, max_genes=PARAMS.max_genes)
    sc.pp.filter_genes(adata, min_cells=PARAMS.min_cells)
    adata.X = adata.X.astype(np.float32)
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=PARAMS.n_top_genes, batch_key="batch")
    double = adata.copy()
    double.X = adata.X.astype(np.float64)
    sc.pp.pca(double, n_comps=PARAMS.n_pcs, mask_var="highly_variable", random_state=0)
    adata.obsm["X_pca"] = double.obsm["X_pca"]
    return adata


def test_equals_scanpy(simulated: ad.AnnData, by_hand: ad.AnnData) -> None:
    ours = prepare(
        simulated.X, simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy(), PARAMS
    )
    assert 0 < len(ours.cells) < simulated.n_obs
    assert list(simulated.obs_names[ours.cells]) == list(by_hand.obs_names)
    assert list(simulated.var_names[ours.genes]) == list(by_hand.var_names)
    np.testing.assert_array_equal(ours.variable, by_hand.var["highly_variable"])
    np.testing.assert_allclose(ours.embedding, by_hand.obsm["X_pca"], atol=1e-6)
    kept = simulated.X[ours.cells][:, ours.genes]
    values = log_normalised(sp.csr_matrix(kept), ours.totals, kind="counts")
    np.testing.assert_allclose(values.toarray(), by_hand.X.toarray(), rtol=1e-5)
    gene = log_normalised_gene(
        np.asarray(kept[:, [3]].todense()).ravel().astype(np.float32), ours.totals, kind="counts"
    )
    np.testing.assert_allclose(gene, by_hand.X[:, 3].toarray().ravel(), rtol=1e-5)


def test_normalised_data_are_not_normalised_again(
    simulated: ad.AnnData, by_hand: ad.AnnData
) -> None:
    ours = prepare(
        by_hand.X,
        by_hand.var_names.to_numpy(),
        by_hand.obs["batch"].to_numpy(),
        PARAMS,
        kind="log",
    )
    assert len(ours.cells) == by_hand.n_obs
    assert any("already normalised" in note for note in ours.notes)
    np.testing.assert_allclose(ours.embedding, by_hand.obsm["X_pca"], atol=1e-6)


def test_fewer_components_than_asked_for_is_said(simulated: ad.AnnData) -> None:
    few = PrepareParams(min_genes=0, min_cells=0, n_top_genes=50, n_pcs=80)
    ours = prepare(
        simulated.X, simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy(), few
    )
    assert ours.embedding.shape[1] < 80
    assert any("principal components instead of 80" in note for note in ours.notes)


def test_thresholds_that_leave_nothing_are_refused(simulated: ad.AnnData) -> None:
    strict = PrepareParams(min_genes=5000)
    with pytest.raises(DataError, match=r"pass quality control.*min_genes"):
        prepare(
            simulated.X, simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy(), strict
        )


def test_scaling_is_scanpys(simulated: ad.AnnData, by_hand: ad.AnnData) -> None:
    scaled = replace(PARAMS, scale=True)
    ours = prepare(
        simulated.X, simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy(), scaled
    )
    theirs = by_hand[:, by_hand.var["highly_variable"]].copy()
    theirs.X = theirs.X.toarray().astype(np.float64)
    sc.pp.scale(theirs, max_value=10)
    sc.pp.pca(theirs, n_comps=PARAMS.n_pcs, random_state=0)
    np.testing.assert_allclose(ours.embedding, theirs.obsm["X_pca"], atol=1e-6)


def test_in_how_many_batches_a_gene_is_variable(simulated: ad.AnnData, by_hand: ad.AnnData) -> None:
    batch = simulated.obs["batch"].to_numpy()
    ours = prepare(simulated.X, simulated.var_names.to_numpy(), batch, PARAMS)
    np.testing.assert_array_equal(ours.variable_in, by_hand.var["highly_variable_nbatches"])


def _variable_by_hand(adata: ad.AnnData, is_large: np.ndarray, *, several: bool) -> np.ndarray:
    """Return the variable genes of some of the cells, normalised with all of them."""
    by_hand = adata.copy()
    by_hand.X = by_hand.X.astype(np.float32)
    sc.pp.filter_genes(by_hand, min_cells=PARAMS.min_cells)
    sc.pp.normalize_total(by_hand, target_sum=1e4)
    sc.pp.log1p(by_hand)
    large = by_hand[is_large].copy()
    key = "batch" if several else None
    sc.pp.highly_variable_genes(large, n_top_genes=PARAMS.n_top_genes, batch_key=key)
    return large.var_names[large.var["highly_variable"]].to_numpy()


@pytest.mark.parametrize("several", [True, False])
def test_only_a_batch_that_is_too_small_has_no_say_in_the_choice_of_genes(
    simulated: ad.AnnData, several: bool
) -> None:
    cells = simulated.copy()
    large = cells.obs["batch"].astype(str) if several else "A"
    is_small = np.arange(cells.n_obs) % 9 == 0  # 45 cells
    cells.obs["batch"] = pd.Categorical(np.where(is_small, "solo", large))
    params = replace(PARAMS, min_genes=0, max_genes=1000)
    names = cells.var_names.to_numpy()
    ours = prepare(cells.X, names, cells.obs["batch"].to_numpy(), params)
    expected = _variable_by_hand(cells, ~is_small, several=several)
    np.testing.assert_array_equal(np.sort(names[ours.genes[ours.variable]]), np.sort(expected))
    assert set(expected) != set(_variable_by_hand(cells, is_small | True, several=False))
    assert (ours.genes_chosen, ours.small_batches) == ("within batches", ("solo",))
    assert len(ours.cells) == cells.n_obs
    assert (
        "Variable genes were chosen within the larger batches only: “solo” has fewer than 50 cells "
        "and had no say." in ours.notes
    )


def test_where_most_cells_are_in_small_batches_genes_are_chosen_over_all(
    simulated: ad.AnnData,
) -> None:
    cells = simulated.copy()
    batch = np.where(np.arange(400) < 190, "large", np.array([f"d{i // 40}" for i in range(400)]))
    params = replace(PARAMS, min_genes=0, max_genes=1000)
    names = cells.var_names.to_numpy()
    ours = prepare(cells.X, names, batch, params)
    expected = _variable_by_hand(cells, np.ones(400, dtype=bool), several=False)
    np.testing.assert_array_equal(np.sort(names[ours.genes[ours.variable]]), np.sort(expected))
    assert ours.genes_chosen == "over all cells"
    assert any("most cells are in batches of fewer than 50 cells" in note for note in ours.notes)


def test_all_genes_of_scaled_values_are_taken_and_said(simulated: ad.AnnData) -> None:
    scaled = np.random.default_rng(0).normal(size=(60, 200)).astype(np.float32)
    names = np.array([f"g{i}" for i in range(200)])
    ours = prepare(sp.csr_matrix(scaled), names, np.repeat(["a", "b"], 30), PARAMS, kind="scaled")
    assert ours.genes_chosen == "all"
    assert ours.variable.sum() == 200
    assert any(note.startswith("The values came scaled or corrected") for note in ours.notes)


def test_doublets_above_the_limit_are_left_out(simulated: ad.AnnData) -> None:
    names, batch = simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy()
    scores = np.linspace(0, 1, simulated.n_obs)
    limited = replace(PARAMS, min_genes=0, max_genes=1000, max_doublet=0.5)
    ours = prepare(simulated.X, names, batch, limited, doublets=scores)
    np.testing.assert_array_equal(ours.cells, np.flatnonzero(scores <= 0.5))


def test_leading_dimensions_of_an_embedding_are_left_out() -> None:
    embedding = np.arange(12.0).reshape(4, 3)
    ours = from_basis(embedding, None, kind="none", skip_dims=1)
    np.testing.assert_array_equal(ours.embedding, embedding[:, 1:])
    assert any("first dimension was left out" in note for note in ours.notes)
    with pytest.raises(DataError, match="at least 2 must remain"):
        from_basis(embedding, None, kind="none", skip_dims=2)


def test_the_first_dimensions_of_an_embedding_are_taken_as_dims_use_of_r_takes_them() -> None:
    embedding = np.arange(20.0).reshape(4, 5)
    first = from_basis(embedding, None, kind="none", use_dims=3)
    np.testing.assert_array_equal(first.embedding, embedding[:, :3])
    assert "Of its 5 dimensions the first 3 were taken." in first.notes
    both = from_basis(embedding, None, kind="none", skip_dims=1, use_dims=3)  # dims.use = 2:3
    np.testing.assert_array_equal(both.embedding, embedding[:, 1:3])
    more = from_basis(embedding, None, kind="none", use_dims=9)
    np.testing.assert_array_equal(more.embedding, embedding)
    assert "It has 5 dimensions, fewer than the 9 asked for." in more.notes
    with pytest.raises(DataError, match="Of the embedding are taken 2 dimensions"):
        from_basis(embedding, None, kind="none", skip_dims=1, use_dims=2)


@pytest.mark.parametrize("kind", ["counts", "normalised"])
def test_reading_some_genes_at_a_time_changes_nothing(
    simulated: ad.AnnData, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    names, batch = simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy()
    untouched = sp.csr_matrix(simulated.X, dtype=np.float32, copy=True)
    first = prepare(untouched, names, batch, PARAMS, kind=kind)
    assert (untouched != simulated.X).nnz == 0
    monkeypatch.setattr(blocks, "VALUES_PER_BLOCK", 997)
    second = prepare(untouched, names, batch, PARAMS, kind=kind)
    for name in ("cells", "genes", "variable", "variable_in", "totals", "embedding"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(20, 60), min_size=2, max_size=4),
    n_genes=st.integers(25, 120),
    n_top=st.integers(5, 24),
)
@settings(max_examples=25)
def test_variable_genes_are_scanpys(seed: int, sizes: list[int], n_genes: int, n_top: int) -> None:
    rng = np.random.default_rng(seed)
    depth = rng.lognormal(0, 2, n_genes)
    counts = rng.poisson(depth * rng.gamma(1.0, 1.0, (sum(sizes), n_genes)))
    counts[:, rng.random(n_genes) < 0.1] = 0
    batch = np.repeat([f"b{i}" for i in range(len(sizes))], sizes)
    values = sp.csr_matrix(np.log1p(counts, dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = ad.AnnData(values, obs=pd.DataFrame({"batch": pd.Categorical(batch)}))
        sc.pp.highly_variable_genes(adata, n_top_genes=n_top, batch_key="batch")
        alone = ad.AnnData(values)
        sc.pp.highly_variable_genes(alone, n_top_genes=n_top)
    codes = np.unique(batch, return_inverse=True)[1]
    by_column = [sp.csc_matrix(values)[:, :10], sp.csc_matrix(values)[:, 10:]]
    variable, variable_in = variable_genes(moments(by_column, codes), n_top)
    np.testing.assert_array_equal(variable, adata.var["highly_variable"])
    np.testing.assert_array_equal(variable_in, adata.var["highly_variable_nbatches"])
    variable, _ = variable_genes(moments(by_column, np.zeros_like(codes)), n_top)
    np.testing.assert_array_equal(variable, alone.var["highly_variable"])


def test_panels_of_few_genes(simulated: ad.AnnData) -> None:
    """Antibodies of a CITE-seq experiment are a dozen; four measurements are too few."""
    names, batch = simulated.var_names.to_numpy(), simulated.obs["batch"].to_numpy()
    params = PrepareParams(min_genes=1, n_pcs=50)
    dozen = prepare(simulated.X[:, :12], names[:12], batch, params)
    assert dozen.embedding.shape == (len(dozen.cells), 11)
    with pytest.raises(DataError, match=r"have 4 genes; at least 5 are needed .* start from an"):
        prepare(simulated.X[:, :4], names[:4], batch, params)

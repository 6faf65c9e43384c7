"""Harmony, checked against harmonypy called bare and against the R package's result."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import anndata as ad
import harmonypy
import numpy as np
import pandas as pd
import pytest

from harmony_core.errors import BatchError, DataError, ParameterError
from harmony_core.methods.harmony import correct, effective_theta
from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.metrics.mixing import lisi
from harmony_core.params import HarmonyParams

RNG = np.random.default_rng(0)
BATCH = np.repeat(["a", "b", "c"], 60)
TYPES = 4 * RNG.normal(size=(4, 8))[np.arange(180) % 4]
SHIFTS = RNG.normal(size=(3, 8))[np.repeat([0, 1, 2], 60)]
X = (RNG.normal(size=(180, 8)) + TYPES + SHIFTS).astype(np.float32)
PARAMS = HarmonyParams(batch=("batch",))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"theta": (0.0,)},
        {"theta": (5.0,), "sigma": 0.05, "nclust": 12, "max_iter": 4},
        {"tau": 5.0, "alpha": 1.0, "block_size": 0.2, "max_iter_kmeans": 8, "seed": 3},
        {"lamb": 1.0, "epsilon_cluster": 0.0, "epsilon_harmony": 0.0, "max_iter": 3},
        {"batch_prop_cutoff": 0.01},
    ],
)
def test_equals_bare_harmonypy_to_the_last_bit(settings: dict[str, object]) -> None:
    params = HarmonyParams(batch=("batch",), **settings)  # type: ignore[arg-type]
    ours = correct(X, [BATCH], params)
    bare = harmonypy.run_harmony(
        X,
        pd.DataFrame({"batch": BATCH}),
        ["batch"],
        theta=params.theta[0],
        lamb=params.lamb,
        sigma=params.sigma,
        nclust=params.nclust,
        tau=params.tau,
        block_size=params.block_size,
        max_iter_harmony=params.max_iter,
        max_iter_kmeans=params.max_iter_kmeans,
        epsilon_cluster=params.epsilon_cluster,
        epsilon_harmony=params.epsilon_harmony,
        alpha=params.alpha,
        batch_prop_cutoff=params.batch_prop_cutoff,
        random_state=params.seed,
        verbose=False,
    )
    np.testing.assert_array_equal(ours.embedding, bare.Z_corr)
    assert list(ours.objective) == bare.objective_harmony
    assert ours.nclust == bare.K


def test_several_batch_variables_equal_bare_harmonypy() -> None:
    other = np.tile([1, 2], 90)
    params = HarmonyParams(batch=("batch", "run"), theta=(1.0, 4.0))
    ours = correct(X, [BATCH, other], params)
    meta = pd.DataFrame({"batch": BATCH, "run": other})
    bare = harmonypy.run_harmony(X, meta, ["batch", "run"], theta=[1.0, 4.0], verbose=False)
    np.testing.assert_array_equal(ours.embedding, bare.Z_corr)
    assert ours.levels == (("a", "b", "c"), ("1", "2"))


def test_single_batches_and_soft_clusters_equal_bare_harmonypy() -> None:
    other = np.tile([9, 10], 90)  # which sort as numbers
    params = HarmonyParams(
        batch=("batch", "run"),
        theta=(1.0, 4.0),
        theta_of=(("run", "10", 0.5), ("batch", "c", 3.0)),
        lamb=1.0,
        lamb_of=(("batch", "a", 5.0),),
        nclust=4,
        sigma_of=(0.05, 0.1, 0.1, 0.2),
        tau=3.0,
    )
    ours = correct(X, [BATCH, other], params)
    meta = pd.DataFrame({"batch": BATCH, "run": other})
    theta, lamb = [1.0, 1.0, 3.0, 4.0, 0.5], [5.0, 1.0, 1.0, 1.0, 1.0]
    settings = {"theta": theta, "lamb": lamb, "sigma": [0.05, 0.1, 0.1, 0.2], "nclust": 4, "tau": 3}
    bare = harmonypy.run_harmony(X, meta, ["batch", "run"], verbose=False, **settings)
    np.testing.assert_array_equal(ours.embedding, bare.Z_corr)
    sizes = np.array([60, 60, 60, 90, 90])
    left = np.array(theta) * (1 - np.exp(-((sizes / 12) ** 2)))
    np.testing.assert_allclose(np.concatenate(ours.theta_b), left)


@pytest.mark.parametrize(
    ("settings", "unlike"),
    [
        ({"theta_of": (("batch", "a", 9.0),)}, {}),
        ({"lamb": 1.0, "lamb_of": (("batch", "a", 50.0),)}, {"lamb": 1.0}),
        ({"nclust": 2, "sigma_of": (0.02, 0.5)}, {"nclust": 2}),
        ({"batch_prop_cutoff": 0.05}, {}),
    ],
)
def test_each_of_these_settings_changes_the_result(
    settings: dict[str, object], unlike: dict[str, object]
) -> None:
    cells, batch = _three_batches()
    moved, usual = (
        correct(cells, [batch], HarmonyParams(batch=("batch",), **each)).embedding  # type: ignore[arg-type]
        for each in (settings, unlike)
    )
    assert np.abs(moved - usual).max() > 1e-3


def test_a_batch_that_is_gone_is_named() -> None:
    for name in ("theta_of", "lamb_of"):
        params = HarmonyParams(batch=("batch",), lamb=1.0, **{name: (("batch", "d", 9.0),)})  # type: ignore[arg-type]
        with pytest.raises(
            ParameterError, match=rf"{name} names 'd' of 'batch', .* one of 'a', 'b'"
        ):
            correct(X, [BATCH], params)


OURS_FOR_HARMONYPYS = {
    **{"vars_use": "batch", "max_iter_harmony": "max_iter", "random_state": "seed"},
    **{name: name for name in ("theta", "lamb", "sigma", "nclust", "tau", "block_size", "alpha")},
    **{name: name for name in ("max_iter_kmeans", "epsilon_cluster", "epsilon_harmony")},
    "batch_prop_cutoff": "batch_prop_cutoff",
}
"""Our setting for each argument of harmonypy; `theta_of`, `lamb_of`, `sigma_of` are what theta,
lamb and sigma are as sequences."""
NO_SETTING = {
    "data_mat": "the embedding that the run prepares or takes",
    "meta_data": "the table of cells",
    "verbose": "harmonypy's own log; the page shows the objective instead",
    "ncores": "results are the same for any; the workers share out the processor's",
}
"""Arguments that are no setting, and why. Beside these, lamb's penalty of the intercept: anything
but 0 draws every soft cluster towards the origin of the components, which means nothing of the
batches."""


def test_every_argument_of_harmonypy_is_a_setting_or_has_a_reason() -> None:
    arguments = inspect.signature(harmonypy.run_harmony).parameters
    assert set(arguments) == set(OURS_FOR_HARMONYPYS) | set(NO_SETTING)
    ours = {field.name: field.default for field in fields(HarmonyParams)}
    of_each = {"theta_of", "lamb_of", "sigma_of"} | {"penalties_as_r"}  # theta, divided
    assert set(ours) == set(OURS_FOR_HARMONYPYS.values()) | of_each
    for theirs, name in OURS_FOR_HARMONYPYS.items():
        if name not in ("batch", "theta"):  # () and None both stand for 2
            assert arguments[theirs].default == ours[name], name


def test_penalties_of_several_variables_multiply_as_the_help_says() -> None:
    """A variable given again at theta 1 and 3 is one at theta 4; in R both would add to less."""

    def soft_clusters(theta: dict[str, float]) -> np.ndarray:
        names = list(theta)
        batches = pd.DataFrame(dict.fromkeys(names, BATCH))
        settings = {"theta": list(theta.values()), "nclust": 6, "max_iter_harmony": 1}
        return np.asarray(harmonypy.run_harmony(X, batches, names, verbose=False, **settings).R)

    twice = soft_clusters({"batch": 1.0, "again": 3.0})
    np.testing.assert_allclose(twice, soft_clusters({"batch": 4.0}), atol=1e-5)
    assert np.abs(twice - soft_clusters({"batch": 2.0})).max() > 0.01


def test_as_r_adds_penalties_exactly_where_variables_divide_the_cells_alike() -> None:
    """In R a variable given again adds nothing: r^theta + r^theta has the shares of r^theta."""
    settings = {"nclust": 6, "max_iter": 3}
    names = ("batch", "again")
    as_r = correct(X, [BATCH, BATCH], HarmonyParams(batch=names, penalties_as_r=True, **settings))  # type: ignore[arg-type]
    R = {
        n: correct(
            X,
            [BATCH] * n,
            HarmonyParams(batch=names[:n], max_iter=1, nclust=6, penalties_as_r=n > 1),
        )
        for n in (1, 2)
    }
    np.testing.assert_allclose(R[2].soft_clusters, R[1].soft_clusters, atol=1e-5)
    assert as_r.theta_b == ((1.0,) * 3, (1.0,) * 3)
    multiplied = correct(X, [BATCH, BATCH], HarmonyParams(batch=names, max_iter=1, nclust=6))
    assert np.abs(multiplied.soft_clusters - R[1].soft_clusters).max() > 0.01


def test_as_r_is_close_to_added_penalties_near_an_even_spread() -> None:
    """Of penalties r and s near 1: (r^t s^t)^(1/2) and (r^t + s^t) / 2 agree to first order."""
    r, s = np.meshgrid(np.linspace(0.9, 1.1, 21), np.linspace(0.9, 1.1, 21))
    added, as_r, multiplied = (r**2 + s**2) / 2, r * s, r**2 * s**2
    assert np.abs(as_r / added - 1).max() < 0.021
    assert np.abs(multiplied / added - 1).max() > 0.2


def test_no_iteration_leaves_the_embedding_alone() -> None:
    ours = correct(X, [BATCH], HarmonyParams(batch=("batch",), max_iter=0))
    np.testing.assert_array_equal(ours.embedding, X)
    assert (ours.stop_reason, ours.iterations) == ("none", 0)


def test_says_why_it_stopped() -> None:
    assert correct(X, [BATCH], HarmonyParams(batch=("b",), max_iter=1)).stop_reason == "limit"
    settled = correct(X, [BATCH], HarmonyParams(batch=("b",), epsilon_harmony=0.1, max_iter=50))
    assert settled.stop_reason == "converged"
    assert settled.iterations < 50


def test_tau_lowers_theta_of_small_batches() -> None:
    found = effective_theta(2.0, np.array([50, 500]), 10, 5.0)
    np.testing.assert_allclose(found, [2 * (1 - np.exp(-1)), 2 * (1 - np.exp(-100))])
    np.testing.assert_array_equal(effective_theta(2.0, np.array([50, 500]), 10, 0.0), [2, 2])


def test_automatic_nclust_is_harmonypys() -> None:
    assert PARAMS.nclust_for(45) == 2  # rounds half to even, as harmonypy does
    assert PARAMS.nclust_for(3000) == 100
    assert PARAMS.nclust_for(10**6) == 100


@pytest.mark.parametrize(
    ("embedding", "batch", "sentence"),
    [
        (np.where(np.arange(180)[:, None] == 7, np.nan, X), BATCH, "1 of 180 cells"),
        (np.where(np.arange(180)[:, None] == 7, np.inf, X), BATCH, "missing or infinite"),
        (np.where(np.arange(180)[:, None] == 7, 0, X), BATCH, "zero in every dimension"),
        (X[:39], BATCH[:39], "39 cells; at least 40"),
        (X[:, :1], BATCH, "single dimension"),
        (X, np.repeat("a", 180), "single batch"),
        (X, np.where(np.arange(180) == 3, None, BATCH), "no value for 1 cell;"),
        (X, BATCH[:100], "100 values for 180 cells"),
    ],
)
def test_refuses_what_harmony_would_take_or_choke_on(
    embedding: np.ndarray, batch: np.ndarray, sentence: str
) -> None:
    with pytest.raises((DataError, BatchError), match=sentence):
        correct(embedding, [batch], PARAMS)


def test_what_harmony_cannot_solve_for_is_said() -> None:
    # Without a penalty, a soft cluster that one batch has no part in leaves nothing to solve for.
    apart = X + 50 * (BATCH == "a")[:, None] * np.eye(8, dtype=np.float32)[0]
    params = HarmonyParams(batch=("batch",), lamb=0.0, theta=(0.0,), sigma=0.01)
    with pytest.raises(ParameterError, match="raise lambda or leave it automatic"):
        correct(apart, [BATCH], params)


def test_refuses_more_soft_clusters_than_cells() -> None:
    with pytest.raises(ParameterError, match="only 180 cells"):
        correct(X, [BATCH], HarmonyParams(batch=("batch",), nclust=190))


def _mean_lisi(embedding: np.ndarray, column: pd.Series) -> float:
    found = nearest_neighbors(embedding, 90)
    codes = column.astype("category").cat.codes.to_numpy()
    return float(lisi(found.indices, found.distances, codes).mean())


def test_cell_lines_reach_the_known_mixing(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "cell_lines.h5ad")
    pcs = adata.obsm["X_pca"]
    corrected = correct(pcs, [adata.obs["dataset"].to_numpy()], PARAMS).embedding
    assert _mean_lisi(pcs, adata.obs["dataset"]) == pytest.approx(1.17, abs=0.01)
    assert _mean_lisi(corrected, adata.obs["dataset"]) == pytest.approx(1.71, abs=0.01)
    assert _mean_lisi(corrected, adata.obs["cell_type"]) == pytest.approx(1.00, abs=0.01)


def test_pbmc_agree_with_the_r_package(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "pbmc_3500.h5ad")
    pcs, reference = adata.obsm["X_pca"], adata.obsm["X_pca_harmony_reference"]
    corrected = correct(pcs, [adata.obs["donor"].to_numpy()], PARAMS).embedding
    for dim in range(pcs.shape[1]):
        assert np.corrcoef(corrected[:, dim], reference[:, dim])[0, 1] >= 0.95
    assert _mean_lisi(pcs, adata.obs["donor"]) == pytest.approx(1.51, abs=0.01)
    assert _mean_lisi(corrected, adata.obs["donor"]) == pytest.approx(2.27, abs=0.01)


def _three_batches() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b", "c"], 300)
    cells = rng.normal(size=(900, 10))
    cells[:, 0] += 3 * rng.integers(0, 3, 900)
    cells[batch == "b"] += 1.5
    cells[batch == "c", 1] += 2
    return cells, batch


def test_a_rise_of_the_objective_never_stops_harmony() -> None:
    cells, batch = _three_batches()
    run = correct(cells, [batch], HarmonyParams(batch=("x",), theta=(100.0,), max_iter=15))
    rises = np.flatnonzero(np.diff(run.objective) > 0)
    assert rises[0] < 13
    assert run.iterations == 15
    assert run.stop_reason == "rose"


@pytest.mark.parametrize("rounds", [4, 5, 6])
def test_epsilon_of_clustering_counts_from_the_fifth_round_on(rounds: int) -> None:
    cells, batch = _three_batches()
    first, second = (
        correct(
            cells,
            [batch],
            HarmonyParams(batch=("x",), max_iter_kmeans=rounds, epsilon_cluster=epsilon),
        ).embedding
        for epsilon in (0.0, 0.1)
    )
    assert np.array_equal(first, second) is (rounds <= 5)


def test_lambda_corrects_nearly_fully_at_a_tenth_and_cannot_be_solved_for_at_zero() -> None:
    cells, batch = _three_batches()
    moved = [
        np.abs(correct(cells, [batch], HarmonyParams(batch=("x",), lamb=lamb)).embedding - cells)
        for lamb in (1e-6, 0.1, 100.0)
    ]
    full, tenth, hundred = (float(m.mean()) for m in moved)
    assert tenth > 0.95 * full
    assert hundred < 0.2 * full
    with pytest.raises(ParameterError, match="lambda of 0 Harmony cannot solve"):
        correct(cells, [batch], HarmonyParams(batch=("x",), lamb=0.0))

"""The simulator: what it promises, checked against the numbers that it was told to draw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from benchmarks.scenarios import SCENARIOS
from benchmarks.truth import true_mixing, wrong_type_fraction
from harmony_core.errors import ParameterError
from harmony_core.simulate import Scenario, simulate, to_anndata
from harmony_core.simulate.cells import Simulation


def log_normalised(simulation: Simulation) -> np.ndarray:
    counts = simulation.counts.toarray()
    return np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)


def neighbours(matrix: np.ndarray, k: int = 30) -> np.ndarray:
    """30 nearest cells on 20 principal components, by exhaustive search."""
    pcs = PCA(20, svd_solver="randomized", random_state=0).fit_transform(matrix)
    found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(pcs)
    return found.kneighbors(pcs, return_distance=False)[:, 1:]


@pytest.fixture(scope="module")
def small() -> Scenario:
    return Scenario(name="small", n_cells=600, n_genes=300, presence="exclusive_sibling")


def test_same_seed_same_counts_other_seed_other_counts(small):
    one, again, other = (simulate(small, seed=s) for s in (1, 1, 2))
    assert (one.counts != again.counts).nnz == 0
    assert np.array_equal(one.cell_type, again.cell_type)
    assert (one.counts != other.counts).nnz > 0


def test_counts_are_whole_numbers_of_the_asked_shape_and_depth(small):
    drawn = simulate(small, seed=0).counts
    assert drawn.shape == (600, 300)
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn.data, np.round(drawn.data))
    assert drawn.data.min() >= 1
    assert drawn.sum(axis=1).mean() == pytest.approx(2000, rel=0.1)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_types_live_where_the_scenario_says(name):
    drawn = simulate(SCENARIOS[name], seed=3)
    found = {
        t: set(np.unique(drawn.batch[drawn.cell_type == t])) for t in np.unique(drawn.cell_type)
    }
    assert len(found) == SCENARIOS[name].n_types
    alone = {t: next(iter(b)) for t, b in found.items() if len(b) == 1}
    assert dict(drawn.exclusive) == alone
    presence = SCENARIOS[name].presence
    if presence == "shared":
        assert not alone
    elif presence == "replacing":
        assert alone == {"T1": "A", "T2": "B"}
    elif presence == "confounded":
        assert len(alone) == SCENARIOS[name].n_types
    else:
        assert alone == {("T1" if presence == "exclusive_sibling" else "T6"): "A"}
    for t, sibling in drawn.siblings.items():
        assert drawn.siblings[sibling] == t


def test_batch_sizes_are_met():
    drawn = simulate(SCENARIOS["uneven_sizes"], seed=0)
    assert np.mean(drawn.batch == "A") == pytest.approx(0.85, abs=0.01)


def test_no_batch_effect_draws_the_same_cells(small):
    with_effect = simulate(small, seed=5)
    without = simulate(small, seed=5, batch_effect=False)
    assert np.array_equal(with_effect.batch, without.batch)
    assert np.array_equal(with_effect.cell_type, without.cell_type)
    # The cell's own rates are shared, so its counts resemble its own without the effect
    # more than those of another cell of its type.
    a, b = log_normalised(with_effect), log_normalised(without)
    like = np.flatnonzero((without.cell_type == "T3") & (without.batch == "A"))
    same = np.mean([np.corrcoef(a[i], b[i])[0, 1] for i in like])
    other = np.mean([np.corrcoef(a[like[k]], b[like[k - 1]])[0, 1] for k in range(len(like))])
    assert same > other + 0.05


def test_the_batch_effect_is_as_strong_as_asked():
    scenario = Scenario(
        name="one type's factor",
        n_cells=6000,
        n_genes=200,
        n_types=2,
        common_effect=0.5,
        specific_effect=0.0,
        dispersion=0.0,
        depth=20_000.0,
    )
    drawn = simulate(scenario, seed=0)
    in_t1 = drawn.cell_type == "T1"
    rates = [
        np.asarray(drawn.counts[in_t1 & (drawn.batch == b)].mean(axis=0)).ravel() for b in "AB"
    ]
    seen = (rates[0] > 1) & (rates[1] > 1)
    # The difference of two independent factors has sqrt(2) times the standard deviation of one.
    measured = np.std(np.log(rates[0][seen] / rates[1][seen]))
    assert measured == pytest.approx(0.5 * np.sqrt(2), rel=0.15)


def test_null_has_no_difference_between_batches():
    drawn = simulate(SCENARIOS["no_batch_effect"], seed=0)
    near = neighbours(log_normalised(drawn))
    assert true_mixing(near, drawn.cell_type, drawn.batch) > 0.95


def test_siblings_are_closer_than_other_types_and_yet_distinct(small):
    drawn = simulate(dataclasses.replace(small, presence="shared"), seed=1, batch_effect=False)
    matrix = log_normalised(drawn)
    centre = {t: matrix[drawn.cell_type == t].mean(axis=0) for t in np.unique(drawn.cell_type)}
    from_t1 = {t: np.linalg.norm(centre["T1"] - c) for t, c in centre.items() if t != "T1"}
    assert min(from_t1, key=from_t1.__getitem__) == "T2"
    assert wrong_type_fraction(neighbours(matrix), drawn.cell_type)["T1"] < 0.3


def test_anndata_carries_the_truth_as_strings(small):
    data = to_anndata(simulate(small, seed=0))
    assert list(data.obs.columns) == ["batch", "true_type"]
    assert data.uns["truth"] == {
        "scenario": "small",
        "exclusive": "T1 only in A",
        "siblings": "T1 and T2",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"presence": "nowhere"}, "available: shared"),
        ({"batch_sizes": ()}, "batch_sizes"),
        ({"batch_sizes": (1.0, -1.0)}, "batch_sizes"),
        ({"n_types": 1}, "do not fit"),
        ({"n_sibling_pairs": 4}, "do not fit"),
        ({"n_cells": 50}, "too few"),
        ({"common_effect": -1.0}, "common_effect"),
        ({"depth": 0.0}, "depth"),
        ({"presence": "replacing", "n_sibling_pairs": 0}, "sibling pair"),
        ({"presence": "exclusive_alone", "n_sibling_pairs": 3}, "without a sibling"),
        ({"presence": "replacing", "batch_sizes": (1.0,)}, "two batches"),
        ({"presence": "replacing", "exclusive_batch": 2}, "exclusive_batch"),
    ],
)
def test_impossible_scenarios_are_refused_in_a_sentence(change, words):
    with pytest.raises(ParameterError, match=words):
        Scenario(name="impossible", **change)

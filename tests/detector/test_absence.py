"""In-silico absence: against cells taken out by hand, harmonypy alone and scikit-learn."""

from __future__ import annotations

import harmonypy
import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

from harmony_core import thresholds
from harmony_core.detector.absence import Absence, measure_absence, sampled, why_not
from harmony_core.params import HarmonyParams
from tests.detector.simulated import Cells, cells

PARAMS = HarmonyParams(batch=("batch",), theta=(4.0,), nclust=20, max_iter=4)


def absence_of(data: Cells, label: int, home: int) -> Absence:
    return Absence(data.labels, label, data.codes == home)


def wrong(points: np.ndarray, labels: np.ndarray, own: np.ndarray) -> float:
    """Mean part of the 30 nearest that carry another label, of some cells."""
    near = NearestNeighbors(n_neighbors=31).fit(points).kneighbors(points[own])[1]
    assert (near[:, 0] == np.flatnonzero(own)).all()
    return float((labels[near[:, 1:]] != labels[own][:, None]).mean())


@pytest.mark.parametrize(("label", "home"), [(2, 0), (3, 1), (0, 1)])
def test_the_loss_is_that_of_cells_taken_out_by_hand(label: int, home: int) -> None:
    data = cells(0)
    found = measure_absence(data.embedding, [data.codes], absence_of(data, label, home), PARAMS)

    left = ~((data.labels == label) & (data.codes != home))
    points, labels, codes = data.embedding[left], data.labels[left], data.codes[left]
    corrected = harmonypy.run_harmony(
        points,
        pd.DataFrame({"batch": codes.astype(str)}),
        ["batch"],
        theta=4.0,
        nclust=20,
        max_iter_harmony=4,
        alpha=0.2,
        block_size=0.05,
        max_iter_kmeans=4,
        epsilon_cluster=1e-3,
        epsilon_harmony=1e-2,
        lamb=None,
        random_state=0,
        verbose=False,
    ).Z_corr.astype(np.float32)
    own, at_home = labels == label, codes == home
    assert (own <= at_home).all()
    usual = max(wrong(points, labels, own), wrong(points[at_home], labels[at_home], own[at_home]))
    assert found.loss == pytest.approx(wrong(corrected, labels, own) - usual, abs=1e-6)


def test_a_close_relative_is_what_a_missing_type_becomes() -> None:
    data = cells(0)
    risks = {
        label: measure_absence(data.embedding, [data.codes], absence_of(data, label, 1), PARAMS)
        for label in (1, 2, 4)
    }
    assert risks[1].other == 0
    assert risks[1].loss > 0.1
    assert max(risks[2].loss, risks[4].loss) < 0.1


def test_cells_without_a_label_count_nowhere() -> None:
    data = cells(0)
    labels = np.where(np.arange(len(data.labels)) % 3 == 0, -1, data.labels)
    absence = Absence(labels, 2, data.codes == 0)
    assert absence.own.sum() == ((labels == 2) & (data.codes == 0)).sum()
    found = measure_absence(data.embedding, [data.codes], absence, PARAMS)
    assert 0 <= found.loss < 0.2


def test_what_can_not_be_told_says_why() -> None:
    n = 200
    codes = np.repeat([0, 1], n // 2)
    labels = np.zeros(n, dtype=int)
    labels[:10] = labels[100:] = 1
    home = codes == 0
    for absence, why in (
        (Absence(labels, 1, home), "fewer than 25 cells"),
        (Absence(labels, 0, np.ones(n, bool)), "mixed before any correction"),
        (Absence(np.zeros(n, int), 0, home), "no other to tell it from"),
        (Absence(np.full(n, -1), 0, home), "no other to tell it from"),
        (Absence(np.where(home & (np.arange(n) < 50), 0, 1), 1, home), "no other batch remains"),
    ):
        assert why in why_not(absence, [codes])
    fine = Absence(np.arange(n) % 2, 1, home)
    assert why_not(fine, [codes]) == ""
    assert "no other batch" in why_not(fine, [codes, np.where(labels >= 0, "a", "b")])


def test_large_data_are_sampled_by_seed_and_tau_protects_the_same_batches() -> None:
    params = HarmonyParams(batch=("batch",), tau=10.0)
    limit = thresholds.RISK_CELLS
    everything, same = sampled(limit, params, seed=0)
    np.testing.assert_array_equal(everything, np.arange(limit))
    assert same == params
    some, fitted = sampled(4 * limit, params, seed=1)
    assert len(np.unique(some)) == limit
    assert (np.diff(some) > 0).all()
    assert fitted.tau == pytest.approx(2.5)
    np.testing.assert_array_equal(some, sampled(4 * limit, params, seed=1)[0])
    assert (some != sampled(4 * limit, params, seed=2)[0]).any()

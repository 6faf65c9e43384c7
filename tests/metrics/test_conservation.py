"""Conservation numbers against plain loops, scikit-learn's distances, and their own limits."""

from __future__ import annotations

import numpy as np
import pytest

from harmony_core.metrics.conservation import (
    clisi,
    purity_loss,
    without_contradicted,
    wrong_label_fraction,
    wrong_label_fraction_within_batch,
)
from harmony_core.metrics.mixing import lisi
from tests.metrics.brute_force import neighbours


@pytest.fixture(scope="module")
def separate() -> dict[str, np.ndarray]:
    """Two batches far apart, each with two labels far apart."""
    rng = np.random.default_rng(0)
    labels, batch = np.repeat([0, 1, 0, 1], 60), np.repeat([0, 0, 1, 1], 60)
    noise = rng.normal(size=(240, 3))
    X = noise + 100 * labels[:, None] * [1, 0, 0] + 1000 * batch[:, None] * [0, 1, 0]
    return {"X": X, "noise": noise, "labels": labels, "batch": batch}


def test_no_change_loses_nothing(separate):
    indices, _ = neighbours(separate["X"], 90)
    result = purity_loss(indices, indices, separate["labels"], separate["batch"])
    assert [row.loss for row in result.labels] == [0, 0]
    assert {(row.label, row.cells) for row in result.labels} == {(0, 120), (1, 120)}


def test_merging_everything_loses_half(separate):
    before, _ = neighbours(separate["X"], 90)
    after, _ = neighbours(separate["noise"], 90)
    result = purity_loss(before, after, separate["labels"], separate["batch"])
    assert result.worst is not None
    assert result.worst.before == 0
    assert result.worst.loss == pytest.approx(0.5, abs=0.05)


def test_overlap_within_batches_is_no_loss(separate):
    """Labels that overlap in each batch, and look pure only for lack of neighbours elsewhere."""
    labels = np.random.default_rng(1).integers(0, 2, 240)
    before, _ = neighbours(separate["X"], 90)
    after, _ = neighbours(separate["noise"], 90)
    result = purity_loss(before, after, labels, separate["batch"])
    assert result.worst is not None
    assert result.worst.loss < 0.05
    assert result.worst.within_batch == pytest.approx(0.5, abs=0.05)


def test_neighbours_searched_within_batches_are_used_if_given(separate):
    before, _ = neighbours(separate["X"], 30)
    after, _ = neighbours(separate["noise"], 30)
    labels, batch = separate["labels"], separate["batch"]
    shuffled, _ = neighbours(separate["noise"], 30)
    given = purity_loss(before, after, labels, batch, indices_within_batch=shuffled)
    assert {row.loss for row in given.labels} == {0.0}


def test_picking_within_batches_equals_searching_there(separate):
    """With all other cells as neighbours nothing is missed."""
    X, batch = separate["noise"], separate["batch"]
    labels = np.random.default_rng(2).integers(0, 3, 240)
    everyone, _ = neighbours(X, 239)
    searched = np.empty((240, 30), dtype=np.int32)
    for b in (0, 1):
        cells = np.flatnonzero(batch == b)
        searched[cells] = cells[neighbours(X[cells], 30)[0]]
    np.testing.assert_array_equal(
        wrong_label_fraction_within_batch(everyone, labels, batch),
        wrong_label_fraction(searched, labels),
    )


def test_a_cell_without_neighbours_of_its_batch_has_no_value_within():
    indices = np.array([[1], [0], [0]])
    found = wrong_label_fraction_within_batch(
        indices, np.array([0, 0, 0]), np.array([0, 0, 1]), n_neighbors=1
    )
    assert found[:2].tolist() == [0, 0]
    assert np.isnan(found[2])
    result = purity_loss(indices, indices, np.zeros(3, int), np.arange(3), min_cells=1)
    assert result.labels[0].loss == 0


def test_a_label_rare_in_a_batch_is_not_mixed_there_by_its_number_alone(separate):
    """Five cells have four others of their label: the nearest four tell whether they lie apart."""
    X, batch = np.array(separate["X"]), separate["batch"]
    labels = np.zeros(240, int)
    rare = np.flatnonzero(batch == 0)[:6]
    labels[rare[:5]], labels[rare[5]] = 1, 2
    X[rare[:5]] += 50
    everyone, _ = neighbours(X, 239)
    found = wrong_label_fraction_within_batch(everyone, labels, batch)
    assert (found[rare[:5]] == 0).all()
    assert np.isnan(found[rare[5]])


def test_a_label_that_no_cell_nearby_carries_is_taken_off(separate):
    labels = separate["labels"]
    wrong = int(np.flatnonzero(labels == 0)[0])
    errors = labels.copy()
    errors[wrong] = 1
    near, _ = neighbours(separate["X"], 90)
    cleaned = without_contradicted(near, errors, separate["batch"])
    assert np.flatnonzero(cleaned < 0).tolist() == [wrong]
    np.testing.assert_array_equal(without_contradicted(near, labels, separate["batch"]), labels)


def test_missing_labels_are_left_out_and_counted(separate):
    labels = separate["labels"].copy()
    labels[:40] = -1
    before, _ = neighbours(separate["X"], 90)
    share = wrong_label_fraction(before, labels)
    assert np.isnan(share[:40]).all()
    assert (share[40:] == 0).all()
    result = purity_loss(before, before, labels, separate["batch"])
    assert result.cells_without_label == 40
    assert {row.label: row.cells for row in result.labels} == {0: 80, 1: 120}


def test_labels_of_a_few_cells_are_named_not_judged(separate):
    labels = separate["labels"].copy()
    labels[0] = 2
    labels[1:15] = 4
    before, _ = neighbours(separate["X"], 90)
    result = purity_loss(before, before, labels, separate["batch"])
    assert result.too_small == (2, 4)
    assert {row.label for row in result.labels} == {0, 1}


def test_one_label_and_no_label(separate):
    before, _ = neighbours(separate["X"], 90)
    after, _ = neighbours(separate["noise"], 90)
    batch = separate["batch"]
    one = purity_loss(before, after, np.zeros(240, int), batch)
    assert [row.loss for row in one.labels] == [0]
    none = purity_loss(before, after, np.full(240, -1), batch)
    assert none.labels == ()
    assert none.worst is None
    assert none.cells_without_label == 240


def test_fewer_neighbours_than_asked_are_used():
    X = np.random.default_rng(3).normal(size=(10, 2))
    indices, _ = neighbours(X, 30)
    labels = np.arange(10) % 2
    assert indices.shape == (10, 9)
    np.testing.assert_allclose(wrong_label_fraction(indices, labels), 5 / 9, rtol=1e-6)


def test_clisi_by_label(separate):
    labels = separate["labels"]
    before = lisi(*neighbours(separate["X"], 90), labels)
    after = lisi(*neighbours(separate["noise"], 90), labels)
    result = clisi(before, after, labels)
    assert result.before == pytest.approx(1, abs=1e-3)
    assert result.after == pytest.approx(float(after.mean()))
    assert result.worst is not None
    assert result.worst.change == pytest.approx(
        max(after[labels == i].mean() - before[labels == i].mean() for i in (0, 1)), rel=1e-5
    )
    empty = clisi(before * np.nan, after * np.nan, np.full(240, -1))
    assert empty.worst is None
    assert np.isnan(empty.after)

"""States lent between batches: what was merged, what stays apart, which batches are one pool."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from harmony_core.detector.lending import LentStates
from harmony_core.detector.pooling import batch_mixing, pool_batches
from harmony_core.detector.reference import _joined
from harmony_core.detector.results import StateRow
from harmony_core.detector.scores import score
from harmony_core.detector.state_rows import _false_discovery_rates, measure_states
from harmony_core.detector.wrong_neighbors import apartness, wrong_by_state
from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.metrics.shared_labels import (
    least_mixed_batch,
    mean_shared_mixing,
    shared_mixing,
)
from tests.detector.simulated import Cells, built, cells, clean, merged, uncorrected


def main_types(data: Cells, lent: LentStates) -> list[int]:
    return [int(np.bincount(data.labels[lent.state == s]).argmax()) for s in range(len(lent.pool))]


def rows_of(data: Cells, after: np.ndarray) -> tuple[StateRow, ...]:
    names = [f"gene{i}" for i in range(data.values.shape[1])]
    return score(
        built(data),
        after,
        uncorrected(data),
        expression=data.expression,
        batch_names="ab",
        gene_names=names,
    ).states


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_states_are_the_types_of_each_batch(seed: int) -> None:
    data = cells(seed, 2, 1500, 900)
    lent = built(data).lent
    np.testing.assert_array_equal(lent.pool[lent.state], data.codes)
    types = np.array(main_types(data, lent))
    assert (types[lent.state] == data.labels).mean() > 0.95
    for batch in range(2):
        present = set(np.unique(data.labels[data.codes == batch]))
        assert set(types[lent.pool == batch]) == present


def test_cells_of_the_other_batch_borrow_their_own_type() -> None:
    data = cells(0, 2, 1500, 900)
    lent = built(data).lent
    types = np.array(main_types(data, lent))
    theirs = data.codes == 0
    assert (types[lent.lent[1, theirs]] == data.labels[theirs]).mean() > 0.95


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_merged_state_is_found_and_no_other(seed: int) -> None:
    data = cells(seed, 2, 1500, 900)
    lent = built(data).lent
    types = main_types(data, lent)
    found = {types[row.state] for row in rows_of(data, merged(data)) if row.outcome == "merged"}
    assert found <= {0, 1}
    assert 1 in found
    assert not [row for row in rows_of(data, clean(data)) if row.outcome == "merged"]


def test_a_merged_state_names_what_it_merged_with_and_genes_that_differ() -> None:
    data = cells(0, 2, 1500, 900)
    lent = built(data).lent
    types = np.array(main_types(data, lent))
    row = next(r for r in rows_of(data, merged(data)) if types[r.state] == 1)
    assert row.outcome == "merged"
    name_of = {r.name: r.state for r in rows_of(data, merged(data))}
    assert types[name_of[row.other]] == 0
    true = np.abs(data.values[data.labels == 0].mean(0) - data.values[data.labels == 1].mean(0))
    genes = [int(gene.removeprefix("gene")) for gene in row.genes]
    assert true[genes].min() > np.quantile(true, 0.9)


def test_uncorrected_batches_are_apart() -> None:
    data = cells(0, 2, 1500, 900)
    far = data.embedding + 1000 * data.codes[:, None].astype(np.float32)
    rows = rows_of(data, nearest_neighbors(far, 30).indices)
    assert {row.outcome for row in rows} <= {"apart", "kept"}
    apart = [row for row in rows if row.outcome == "apart"]
    assert apart
    assert all(row.mixing == 0.0 and row.other for row in apart)


def test_a_state_that_mixes_less_than_half_is_said_and_one_that_mixes_is_not() -> None:
    data = cells(0, 2, 1500, 900)
    lent, near = built(data).lent, clean(data)
    types = np.array(main_types(data, lent))
    held = near.copy()
    # Of one type, all neighbours but a third of those of the other batch become the cell itself's.
    same = data.labels == types[0]
    rng = np.random.default_rng(0)
    cross = data.codes[near] != data.codes[:, None]
    drop = cross & same[:, None] & (rng.random(near.shape) > 0.3)
    rows, _ = np.nonzero(drop)
    held[drop] = rows
    before = {row.state: row for row in rows_of(data, near)}
    after = {row.state: row for row in rows_of(data, held)}
    low = {s for s, row in after.items() if row.outcome == "partly"}
    assert low
    assert {types[s] for s in low if s is not None} == {types[0]}
    for s in low:
        assert 0.25 <= (after[s].mixing or 0) < 0.5 <= (before[s].mixing or 0)


def test_wrong_fraction_by_brute_force() -> None:
    data = cells(1)
    lent, near = built(data).lent, merged(data)
    found, _ = wrong_by_state(lent.lent, lent.state, lent.apart, near)
    for state in range(len(lent.pool)):
        labels = lent.lent[lent.pool[state]]
        wrong = lent.apart[labels[:, None], labels[near]].mean(1)
        assert found[state, 0] == pytest.approx(wrong[labels == state].mean(), abs=1e-6)
        assert found[state, 1] == pytest.approx(wrong[lent.state == state].mean(), abs=1e-6)


def test_a_missing_neighbor_counts_for_nothing() -> None:
    lent, state = np.array([[0, 0, 1]], dtype=np.int16), np.array([0, 0, 1])
    near = np.array([[1, 2], [0, -1], [0, 1]], dtype=np.int32)
    found, _ = wrong_by_state(lent, state, 1.0 - np.eye(2), near)
    np.testing.assert_allclose(found, [[0.25, 0.25], [1.0, 1.0]])


def test_apart_from_all_others_unless_two_states_touch() -> None:
    # 30 cells each of three states; each cell of 0 and 1 has a part of its ten neighbours in the
    # other of the two, which in an even mixture would be half of them.
    state = np.repeat(np.arange(3, dtype=np.int32), 30)
    pool = np.zeros(3, dtype=np.int32)

    def apart_if(shared: float) -> float:
        rng = np.random.default_rng(0)
        own = state[:, None] * 30 + rng.integers(0, 30, (90, 1000))
        crosses = (rng.random(own.shape) < shared) & (state < 2)[:, None]
        other = np.where(crosses, (1 - state)[:, None] * 30 + rng.integers(0, 30, own.shape), own)
        found = apartness(state, pool, [(np.arange(90, dtype=np.int32), other)])
        np.testing.assert_array_equal(np.diag(found), 0)
        np.testing.assert_array_equal(found[2, :2], 1)
        assert found[0, 1] == found[1, 0]
        return float(found[0, 1])

    assert apart_if(0.03) == 1.0
    assert apart_if(0.075) == pytest.approx(0.5, abs=0.05)
    assert apart_if(0.11) == 0.0


def test_states_of_two_pools_are_apart() -> None:
    lent = built(cells(1)).lent
    of_two_pools = lent.pool[:, None] != lent.pool
    assert of_two_pools.any()
    np.testing.assert_array_equal(lent.apart[of_two_pools], 1)


def test_rates_of_false_discoveries_equal_scipys() -> None:
    p = np.random.default_rng(0).random(40) ** 3
    p[[3, 9]] = np.nan
    known = np.isfinite(p)
    found = _false_discovery_rates(p)
    np.testing.assert_allclose(found[known], false_discovery_control(p[known]))
    assert np.isnan(found[~known]).all()


def test_a_state_of_few_cells_is_not_judged() -> None:
    data = cells(0, 2, 1500, 900)
    lent = built(data).lent
    numbers = measure_states(lent, clean(data), uncorrected(data))
    np.testing.assert_array_equal(np.isnan(numbers.loss), lent.sizes < 25)


def test_batches_without_an_effect_are_one_pool_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(900, 5)).astype(np.float32)
    codes = np.repeat(np.arange(3), 300).astype(np.int32)
    codes[:600] = rng.integers(0, 2, 600)
    points[codes == 2] += 50
    near = nearest_neighbors(points, 30).indices
    np.testing.assert_array_equal(pool_batches(near, codes), [0, 0, 1])
    mixing = batch_mixing(near, codes)
    assert mixing[2] == 0
    other = (codes[near] != codes[:, None])[codes == 0].mean()
    assert mixing[0] == pytest.approx(other / (1 - (codes == 0).mean()))


def test_small_batches_are_pooled_sooner() -> None:
    rng = np.random.default_rng(1)
    codes = np.r_[np.zeros(400), np.ones(40)].astype(np.int32)
    points = rng.normal(size=(440, 3)).astype(np.float32)
    points[codes == 1] += 0.8
    near = nearest_neighbors(points, 30).indices
    assert pool_batches(near, codes).max() == 0
    assert (
        pool_batches(near[:, :30], np.r_[np.zeros(220), np.ones(220)].astype(np.int32)).max() == 0
    )


def test_shared_mixing_by_brute_force() -> None:
    data = cells(2, 3)
    near, labels, batch = clean(data), data.labels.astype(np.int32), data.codes
    labels[:50] = -1
    for row in shared_mixing(near, labels, batch):
        sizes = np.bincount(batch[labels == row.label], minlength=3)
        shares = np.flatnonzero(sizes >= 15)
        total, cross, expected = sizes[shares].sum(), 0, 0.0
        for cell in np.flatnonzero((labels == row.label) & (batch == row.batch)):
            same = [n for n in near[cell] if labels[n] == row.label and batch[n] in shares]
            cross += sum(batch[n] != row.batch for n in same)
            expected += len(same) * (total - sizes[row.batch]) / (total - 1)
        assert row.mixing == pytest.approx(min(1.0, cross / expected))
        assert row.cells == sizes[row.batch]


def test_the_least_mixed_batch_is_found() -> None:
    labels = np.zeros(90, dtype=np.int32)
    batch = np.repeat(np.arange(3), 30).astype(np.int32)
    rng = np.random.default_rng(0)
    near = np.array([rng.integers(0, 60, 20) if b < 2 else rng.integers(60, 90, 20) for b in batch])
    rows = shared_mixing(near, labels, batch)
    assert least_mixed_batch(rows) == (2, 0.0)
    assert mean_shared_mixing(rows) == pytest.approx(np.mean([r.mixing for r in rows]))
    assert least_mixed_batch(()) is None
    assert mean_shared_mixing(()) is None


def test_a_pool_of_many_batches_is_called_one() -> None:
    assert _joined(["s1", "s2", "s3"]) == "s1, s2, s3"
    assert _joined([f"s{i}" for i in range(1, 11)]) == "pool of 10 batches (s1, …)"

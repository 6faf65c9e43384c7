"""The reference: what it holds, that a store can keep it, and its behaviour at the limits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from scipy import sparse

from harmony_core.detector.profiles import choose_genes
from harmony_core.detector.reference import Reference, build_reference
from harmony_core.detector.scores import score
from harmony_core.errors import DataError
from tests.detector.simulated import built, cells, clean, uncorrected


def test_round_trip_through_plain_arrays() -> None:
    data = cells(0)
    reference = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    buffer = io.BytesIO()
    np.savez(buffer, **reference.to_arrays())
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as stored:
        again = Reference.from_arrays(dict(stored))
    first, second = reference.to_arrays(), again.to_arrays()
    assert list(first) == list(second)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        assert values.dtype == second[name].dtype


def test_same_seed_same_reference() -> None:
    data = cells(0)
    one, two = (
        build_reference(
            data.embedding, data.codes, data.expression, uncorrected(data), seed=3
        ).to_arrays()
        for _ in range(2)
    )
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_pre_clusters_stay_within_their_batch_largest_first() -> None:
    data = cells(1, 3)
    reference = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    for partition in reference.partitions:
        np.testing.assert_array_equal(partition.batch[partition.pre], data.codes)
        np.testing.assert_array_equal(partition.sizes, np.bincount(partition.pre))
        for batch in range(3):
            assert (np.diff(partition.sizes[partition.batch == batch]) <= 0).all()


def test_partners_hold_the_same_type() -> None:
    data = cells(0)
    reference = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    partition = reference.matching
    main = [
        np.bincount(data.labels[partition.pre == c]).argmax()
        for c in partition.pre.max() + 1 - np.arange(partition.pre.max() + 1, 0, -1)
    ]
    assert len(partition.partners) >= 4
    for first, second in partition.partners:
        assert main[first] == main[second]


def test_genes_are_chosen_by_variance_over_mean() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((50, 2500)) * (rng.random((50, 2500)) < 0.3)
    values[:, 7] = 1.0
    chosen = choose_genes(sparse.csc_matrix(values))
    wanted = np.sort(np.argsort(-(values.var(0) / np.maximum(values.mean(0), 0.05)))[:2000])
    np.testing.assert_array_equal(chosen, wanted)
    assert 7 not in choose_genes(sparse.csc_matrix(values[:, :100]))


def test_markers_by_brute_force() -> None:
    data = cells(0)
    reference = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    partition = reference.evidence
    values = data.values[:, reference.genes].astype(float)
    cluster = int(np.flatnonzero(partition.markers[:, 0] >= 0)[0])
    batch = data.codes == partition.batch[cluster]
    own, rest = partition.pre == cluster, batch & (partition.pre != cluster)
    error = values[own].var(0) / own.sum() + values[rest].var(0) / rest.sum() + 1e-4
    t = (values[own].mean(0) - values[rest].mean(0)) / np.sqrt(error)
    z = (values[own].mean(0) - values[batch].mean(0)) / (values[batch].std(0) + 0.02)
    wanted = [g for g in np.argsort(-t) if t[g] > 5 and z[g] > 0.4][:30]
    found = partition.markers[cluster]
    assert found[found >= 0].tolist() == wanted
    np.testing.assert_allclose(partition.marker_z[cluster, : len(wanted)], z[wanted], rtol=1e-5)


def test_tiny_batches_are_left_out_and_said() -> None:
    data = cells(0)
    codes = data.codes.copy()
    codes[:1] = 2
    codes[1:4] = 3
    codes[4:12] = 5  # and no cell at all in batch 4
    reference = built(data, codes=codes)
    assert any("2 of 4 pools of batches" in note for note in reference.notes)
    assert any("fewer than 20 cells" in note for note in reference.notes)
    found = score(
        reference,
        clean(data),
        uncorrected(data),
        expression=data.expression,
        batch_names=list("abcdef"),
    )
    assert not found.flagged
    assert {row.batch for row in found.clusters if row.judged} == {"a", "b, c"}


def test_what_is_not_judged_agrees_with_its_number() -> None:
    data = cells(0)
    codes = data.codes.copy()
    codes[:1] = 2
    codes[1:4] = 3
    one, several = built(data, codes=codes).notes
    assert one == (
        "1 of 3 pools of batches has no cluster of 20 cells or more, so it is not judged."
    )
    assert several == "3 of 14 pre-clusters have fewer than 20 cells and are not judged."


def test_one_batch_is_said() -> None:
    data = cells(0)
    codes = np.zeros(len(data.codes), dtype=np.int32)
    reference = built(data, codes=codes)
    assert any("only one batch" in note for note in reference.notes)
    found = score(
        reference,
        clean(data),
        uncorrected(data),
        expression=data.expression,
        batch_names=["a"],
    )
    assert (found.conflict, found.gap, found.mcm, found.flagged) == (None, None, None, False)


def test_many_batches() -> None:
    data = cells(0)
    codes = np.arange(len(data.codes), dtype=np.int32) % 12
    reference = built(data, codes=codes)
    found = score(
        reference,
        clean(data),
        uncorrected(data),
        expression=data.expression,
        batch_names=[f"b{i}" for i in range(12)],
    )
    assert len({row.batch for row in found.clusters}) == 12
    assert all(0 <= row.share <= 1 for row in found.clusters)


def test_identical_cells() -> None:
    n = 80
    codes = (np.arange(n) % 2).astype(np.int32)
    same = sparse.csc_matrix(np.ones((n, 5), dtype=np.float32))
    indices = ((np.arange(n)[:, None] + np.arange(1, 31)) % n).astype(np.int32)
    reference = build_reference(np.zeros((n, 3), np.float32), codes, same, indices, seed=0)
    found = score(
        reference,
        indices,
        indices,
        expression=same,
        batch_names="ab",
    )
    assert not found.flagged


def test_unequal_lengths_are_refused() -> None:
    data = cells(0)
    with pytest.raises(DataError, match="same cells"):
        build_reference(data.embedding[:-1], data.codes, data.expression, uncorrected(data), seed=0)
    with pytest.raises(DataError, match="same cells"):
        build_reference(data.embedding, data.codes, data.expression[:-1], uncorrected(data), seed=0)
    with pytest.raises(DataError, match="no cells"):
        build_reference(data.embedding[:0], data.codes[:0], None, uncorrected(data), seed=0)

"""The detector against the prototype it was built from, and on cells with known truth."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import sparse

from harmony_core import thresholds
from harmony_core.detector.cluster_scores import Contrast, score_partitions
from harmony_core.detector.matched_mixing import matched_mixing
from harmony_core.detector.reference import EVIDENCE, Reference, build_reference
from harmony_core.detector.results import Detection
from harmony_core.detector.scores import score
from harmony_core.errors import DataError
from tests.detector.simulated import Cells, built, cells, clean, merged, uncorrected

PROTOTYPE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "detector.py"


@pytest.fixture(scope="module")
def prototype() -> ModuleType:
    if not PROTOTYPE.exists():
        pytest.skip("the prototype of the detector is not beside this project")
    spec = importlib.util.spec_from_file_location("detector_prototype", PROTOTYPE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def detect(data: Cells, after: np.ndarray, **options: object) -> tuple[Reference, Detection]:
    reference = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    names = [f"gene{i}" for i in range(data.values.shape[1])]
    found = score(
        reference,
        after,
        uncorrected(data),
        expression=data.expression,
        batch_names=list("abc")[: reference.n_batches],
        gene_names=names,
        **options,
    )
    return reference, found


@pytest.mark.parametrize(("seed", "n_batches"), [(0, 2), (1, 3), (2, 2)])
@pytest.mark.parametrize("after", [merged, clean], ids=["merged", "clean"])
def test_equals_prototype(prototype: ModuleType, seed: int, n_batches: int, after: object) -> None:
    """Where the definitions are still the prototype's, so are the numbers."""
    prototype.REL_LO, prototype.REL_HI = thresholds.DISTINCT_LOW, thresholds.DISTINCT_HIGH
    data = cells(seed, n_batches)
    indices, before = after(data), uncorrected(data)
    theirs = prototype.references(data.embedding.astype(float), data.values, data.codes)
    reference, _ = detect(data, indices)
    scores = score_partitions(
        reference, indices, before, Contrast.of(reference, indices), data.expression
    )
    for mine, partition, ref in zip(scores, reference.partitions, theirs, strict=True):
        # The same clusters, ours numbered by size.
        same = np.zeros(len(partition.sizes), dtype=int)
        same[partition.pre] = ref.pre
        np.testing.assert_array_equal(same[partition.pre], ref.pre)
        wanted = {k: v[same] for k, v in prototype.score(ref, indices).items()}
        np.testing.assert_array_equal(mine.assessed, wanted["good"])
        np.testing.assert_allclose(mine.mixing, wanted["share"], atol=1e-9)
        np.testing.assert_allclose(mine.residual, wanted["residual"], atol=1e-4)
        # Theirs is relative to the cross-batch part expected, ours a part of all neighbours.
        expected = 1 - np.bincount(data.codes)[partition.batch] / len(data.codes)
        raw = prototype.score(ref, before)
        raw = np.where(raw["good"], raw["conflict"], np.nan)[same]
        rise = (wanted["conflict"] - raw) * expected
        usable = np.isfinite(rise) & (mine.mixing < 1) & (partition.sizes >= 25) & mine.assessed
        np.testing.assert_allclose(mine.conflict[usable], rise[usable], atol=1e-3)
        assert usable.any() or not mine.assessed.any()


def test_merged_siblings_are_flagged_and_named() -> None:
    data = cells(0)
    reference, found = detect(data, merged(data))
    assert found.flagged
    worst = max(found.clusters, key=lambda row: row.score)
    members = reference.cells_of(worst.cluster)
    # Type 1 is only in batch b, so it is b's own cells that have no counterpart.
    assert worst.batch == "b"
    assert np.bincount(data.labels[members]).argmax() == 1
    partner = reference.cells_of(worst.merged_cluster)
    assert np.bincount(data.labels[partner]).argmax() == 0
    assert worst.merged_with.startswith("a · cluster ")
    assert len(worst.genes) == 10
    assert set(worst.lost_genes) <= {f"gene{i}" for i in range(data.values.shape[1])}
    assert worst.lost > 0.1


def test_clean_mixing_is_not_flagged() -> None:
    data = cells(0)
    _, found = detect(data, clean(data))
    assert not found.flagged
    assert found.mcm > 0.8


def test_genes_of_evidence_are_those_that_differ_between_the_merged_types() -> None:
    data = cells(0)
    _, found = detect(data, merged(data))
    worst = max(found.clusters, key=lambda row: row.score)
    means = [data.values[(data.labels == t) & (data.codes == 1)].mean(0) for t in (0, 1)]
    truly = set(np.argsort(-np.abs(means[0] - means[1]))[:30])
    assert len({int(g[4:]) for g in worst.genes} & truly) >= 8


def test_condition_raises_the_limit_of_the_gap() -> None:
    data = cells(0)
    _, plain = detect(data, merged(data))
    _, condition = detect(data, merged(data), condition=True)
    assert condition.condition
    assert condition.gap == plain.gap
    assert condition.score <= plain.score


def test_csr_and_csc_give_the_same() -> None:
    data = cells(0)
    _, found = detect(data, merged(data))
    csr = sparse.csr_matrix(data.values)
    names = [f"gene{i}" for i in range(data.values.shape[1])]
    same = score(
        built(data, expression=csr),
        merged(data),
        uncorrected(data),
        expression=csr,
        batch_names="ab",
        gene_names=names,
    )
    assert same == found


def test_without_expression_components_are_judged() -> None:
    data = cells(0)
    reference = built(data, expression=None)
    found = {}
    for name, after in (("merged", merged(data)), ("clean", clean(data))):
        found[name] = score(reference, after, uncorrected(data), expression=None, batch_names="ab")
        assert found[name].gap_basis == "components"
        assert all(row.genes == () and row.lost is None for row in found[name].clusters)
        assert any("cannot name genes" in note for note in found[name].notes)
    assert found["merged"].gap > found["clean"].gap


def test_wrong_matrix_is_refused() -> None:
    data = cells(0)
    with_genes = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    i = uncorrected(data)
    with pytest.raises(DataError, match="that the reference was built from"):
        score(with_genes, i, i, expression=None, batch_names="ab")
    with pytest.raises(DataError, match="same cells"):
        score(with_genes, i[:-1], i, expression=data.expression, batch_names="ab")


def test_nothing_is_judged_where_batches_do_not_touch() -> None:
    data = cells(0)
    far = data.embedding + 1000 * data.codes[:, None].astype(np.float32)
    from harmony_core.methods.neighbors import nearest_neighbors

    apart = nearest_neighbors(far, 30).indices
    _, found = detect(data, apart)
    assert found.conflict is None
    assert found.gap is None
    assert not found.flagged
    assert found.mcm == 0.0
    assert all(not row.judged and row.merged_with == "" for row in found.clusters)


def test_matched_mixing_by_brute_force() -> None:
    data = cells(1, 3)
    reference = build_reference(
        data.embedding, data.codes, data.expression, uncorrected(data), seed=0
    )
    after = clean(data)
    found = matched_mixing(reference, after)
    partition = reference.matching
    for (own, partner), mixing in zip(found.pairs, found.mixing, strict=True):
        members = np.flatnonzero(partition.pre == own)
        near = data.codes[after[members, :30]].ravel()
        theirs = (near == partition.batch[partner]).sum()
        ours = (near == partition.batch[own]).sum()
        size = (partition.pre == partner).sum()
        wanted = min(1.0, theirs / (theirs + ours) / (size / (size + len(members))))
        assert mixing == pytest.approx(wanted)
    assert found.mcm == pytest.approx(
        np.average(found.mixing, weights=partition.sizes[found.pairs[:, 0]])
    )


def test_detection_survives_json() -> None:
    data = cells(0)
    _, found = detect(data, merged(data))
    assert Detection.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_lost_markers_by_brute_force() -> None:
    data = cells(0)
    reference, found = detect(data, merged(data))
    partition = reference.partitions[EVIDENCE]
    z = np.empty_like(data.values)
    for batch in (0, 1):
        own = data.codes == batch
        z[own] = (data.values[own] - data.values[own].mean(0)) / (data.values[own].std(0) + 0.02)
    after = merged(data)[:, :30]
    for row in found.clusters:
        genes = partition.markers[row.cluster]
        genes = reference.genes[genes[genes >= 0]]
        if row.lost is None:
            assert not row.judged or not len(genes)
            continue
        members = np.flatnonzero(partition.pre == row.cluster)
        near = after[members].ravel()
        near = near[data.codes[near] != data.codes[members[0]]]
        own = z[members][:, genes].mean(0)
        lost = z[near][:, genes].mean(0) < 0.5 * np.maximum(own, 0.15)
        assert row.lost == pytest.approx(row.share * lost.mean())

"""The scIB set against scikit-learn, networks counted by hand, and scib-metrics where it is."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances,
    silhouette_score,
)

from benchmarks.whole_kbet import kbet
from harmony_core.errors import DataError
from harmony_core.metrics import scib
from harmony_core.metrics.mixing import lisi
from tests.metrics.brute_force import neighbours


def blobs(n: int = 400, seed: int = 0, *, apart: bool = False) -> tuple[np.ndarray, ...]:
    """Cells of three labels in two batches, mixed or far apart; label 2 in batch 0 only."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    batch = np.where(labels == 2, 0, rng.integers(0, 2, n))
    X = rng.normal(size=(n, 6)) + 12 * np.eye(3, 6)[labels]
    return X + 60 * batch[:, None] * np.eye(1, 6, k=4) * apart, labels, batch


# --- each score against an oracle ------------------------------------------------------------


def test_label_asw_is_scikit_learns_silhouette():
    X, labels, _ = blobs()
    found = scib.label_asw(scib.label_silhouettes(X, labels))
    assert found == pytest.approx((silhouette_score(X, labels) + 1) / 2)


def test_bras_from_a_dense_distance_matrix():
    X, labels, batch = blobs()
    expected = []
    for label in (0, 1):
        D = pairwise_distances(X[labels == label], metric="cosine")
        b = batch[labels == label]
        widths = []
        for i, own in enumerate(b):
            inner = D[i, (b == own) & (np.arange(len(b)) != i)].mean()
            outer = D[i, b != own].mean()
            widths.append(abs(outer - inner) / max(outer, inner))
        expected.append(1 - np.mean(widths))
    assert scib.bras(X, labels, batch) == pytest.approx(np.mean(expected))


def test_isolated_label_is_the_one_in_fewest_batches():
    X, labels, batch = blobs()
    widths = scib.label_silhouettes(X, labels)
    assert scib.isolated_label(widths, labels, batch) == pytest.approx(
        (widths[labels == 2].mean() + 1) / 2
    )


def test_batch_variance_is_principal_component_regression():
    X, _, batch = blobs(apart=True)
    batch = batch + (X[:, 0] > 8)
    pca = PCA().fit(X)
    scores, onehot = pca.transform(X), np.eye(3)[batch]
    r2 = [LinearRegression().fit(onehot, s).score(onehot, s) for s in scores.T]
    expected = np.sum(pca.explained_variance_ * r2) / pca.explained_variance_.sum()
    assert scib.batch_variance(X, batch) == pytest.approx(expected)


def test_pcr_comparison_at_its_limits():
    X, _, batch = blobs(apart=True)
    removed = X - np.array([X[batch == b].mean(axis=0) for b in (0, 1)])[batch]
    assert scib.pcr_comparison(X, X, batch) == 0
    assert scib.pcr_comparison(X, removed, batch) == pytest.approx(1)
    assert scib.pcr_comparison(removed + 0.01 * X, X, batch) == 0
    assert scib.pcr_comparison(X, X, np.zeros(len(X), int)) is None
    assert scib.batch_variance(np.zeros((5, 2)), np.arange(5)) == 0


def test_graph_connectivity_by_hand():
    # Label 0: a ring of three and a pair; label 1: a chain, which is not strongly connected.
    indices = np.array([[1], [2], [0], [4], [3], [6], [7], [7]])
    indices[7] = 0
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    assert scib.graph_connectivity(indices, labels) == pytest.approx((3 / 5 + 1 / 3) / 2)
    assert scib.graph_connectivity(indices, np.full(8, -1)) is None
    everyone = neighbours(np.arange(8.0)[:, None], 7)[0]
    assert scib.graph_connectivity(everyone, labels) == 1


def test_nmi_and_ari_are_scikit_learns_for_the_best_clustering():
    _, labels, _ = blobs()
    rng = np.random.default_rng(1)
    good = np.where(rng.random(400) < 0.1, 0, labels)
    found = scib.best_nmi_ari(labels, [rng.integers(0, 5, 400), good])
    assert found == (
        pytest.approx(normalized_mutual_info_score(labels, good)),
        pytest.approx(adjusted_rand_score(labels, good)),
    )
    assert scib.best_nmi_ari(labels, []) == (None, None)


def test_total_weights():
    assert scib.total_score(0.5, 1.0) == pytest.approx(0.8)
    assert scib.total_score(None, 1.0) is None


def test_stratified_sample_keeps_shares_and_small_groups():
    strata = np.repeat([0, 1, 2, 3], [6000, 3000, 3, 1])
    drawn = scib.stratified_sample(strata, 900)
    assert np.bincount(strata[drawn]).tolist() == [600, 300, 2, 1]
    assert len(np.unique(drawn)) == len(drawn)
    assert np.array_equal(drawn, scib.stratified_sample(strata, 900))
    assert scib.stratified_sample(strata, 10_000).tolist() == list(range(9004))


# --- the whole set ---------------------------------------------------------------------------


def test_all_scores_of_a_good_and_a_bad_embedding():
    mixed, labels, batch = blobs()
    apart, _, _ = blobs(apart=True)
    good = scib.scib_scores(mixed, apart, neighbours(mixed, 90), batch, labels, [labels])
    bad = scib.scib_scores(apart, apart, neighbours(apart, 90), batch, labels, [batch])
    assert set(good.scores) == {*scib.BATCH_SCORES, *scib.BIO_SCORES}
    for name in scib.BATCH_SCORES:
        assert 0 <= bad.scores[name] <= good.scores[name] <= 1, name
    assert good.scores["nmi"] == good.scores["ari"] == pytest.approx(1)
    assert bad.scores["pcr_comparison"] == 0
    assert good.total == pytest.approx(0.4 * good.batch + 0.6 * good.bio)
    assert good.total > bad.total
    assert good.cells == good.silhouette_cells == 400


def test_cells_without_batch_or_label_are_left_out():
    X, labels, batch = blobs()
    labels, batch = labels.copy(), batch.copy()
    labels[:30], batch[30:50] = -1, -1
    found = scib.scib_scores(X, X, neighbours(X, 90), batch, labels, [labels])
    assert found.cells == 350
    assert all(v is not None and np.isfinite(v) for v in found.scores.values())
    with pytest.raises(DataError, match="both a batch and a label"):
        scib.scib_scores(X, X, neighbours(X, 90), np.full(400, -1), labels, [])


def test_one_label_or_one_batch_leaves_scores_out_and_says_so():
    X, labels, batch = blobs()
    graph = neighbours(X, 90)
    one_label = scib.scib_scores(X, X, graph, batch, np.zeros(400, int), [])
    missing = {name for name, value in one_label.scores.items() if value is None}
    assert missing == {"clisi", "label_asw", "isolated_label", "nmi", "ari"}
    assert one_label.total is None
    one_batch = scib.scib_scores(X, X, graph, np.zeros(400, int), labels, [labels])
    missing = {name for name, value in one_batch.scores.items() if value is None}
    assert missing == {"ilisi", "kbet", "pcr_comparison", "bras"}


def test_a_label_of_one_cell_breaks_nothing():
    X, labels, batch = blobs()
    labels[0] = 7
    found = scib.scib_scores(X, X, neighbours(X, 90), batch, labels, [labels])
    assert found.scores["graph_connectivity"] is not None
    assert found.total is not None


def test_progress_is_told_in_order_and_can_stop():
    X, labels, batch = blobs(120)
    told: list[tuple[float, str]] = []
    graph = neighbours(X, 90)
    scib.scib_scores(
        X, X, graph, batch, labels, [], progress=lambda part, what: told.append((part, what))
    )
    parts = [part for part, _ in told]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0, 1)

    class StopHereError(Exception):
        pass

    def stop(part: float, what: str) -> None:
        if part > 0:
            raise StopHereError

    with pytest.raises(StopHereError):
        scib.scib_scores(X, X, graph, batch, labels, [], progress=stop)


# --- scib-metrics, where it can be imported --------------------------------------------------


def test_scores_equal_scib_metrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = pytest.importorskip(
            "scib_metrics", reason="scib-metrics is an optional extra and is not installed"
        )
        from scib_metrics.nearest_neighbors import NeighborsResults

        X, labels, batch = blobs(apart=False)
        shifted = X + 2 * batch[:, None] * np.eye(1, 6, k=4)
        indices, distances = neighbours(X, 90)
        own = np.arange(400)[:, None]
        with_self = NeighborsResults(
            indices=np.hstack([own, indices]), distances=np.hstack([0.0 * own, distances])
        )
        fifteen = NeighborsResults(
            indices=np.hstack([own, indices[:, :15]]),
            distances=np.hstack([0.0 * own, distances[:, :15]]),
        )
        widths = scib.label_silhouettes(X, labels)
        pairs = {
            "label_asw": (scib.label_asw(widths), reference.silhouette_label(X, labels)),
            "isolated_label": (
                scib.isolated_label(widths, labels, batch),
                reference.isolated_labels(X, labels, batch),
            ),
            "bras": (scib.bras(X, labels, batch), reference.bras(X, labels, batch)),
            "pcr": (
                scib.pcr_comparison(shifted, X, batch),
                reference.pcr_comparison(shifted, X, batch, categorical=True),
            ),
            "connectivity": (
                scib.graph_connectivity(indices, labels),
                reference.graph_connectivity(fifteen, labels),
            ),
            "ilisi": (
                scib.scaled_ilisi(lisi(indices, distances, batch), batch),
                reference.ilisi_knn(with_self, batch, perplexity=30),
            ),
            "clisi": (
                scib.scaled_clisi(lisi(indices, distances, labels), labels),
                reference.clisi_knn(with_self, labels, perplexity=30),
            ),
            "kbet": (
                kbet(with_self.indices, batch, n_neighbors=91),
                reference.kbet(with_self, batch)[0],
            ),
        }
    for name, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(float(theirs), abs=5e-3), name

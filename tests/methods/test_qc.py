"""What cells are judged by, counted by hand, and doublets that were made on purpose."""

from __future__ import annotations

import anndata as ad
import numpy as np
import scipy.sparse as sp

from harmony_core.methods.qc import (
    cell_quality,
    doublet_scores,
    within_thresholds,
)
from harmony_core.params import PrepareParams


def test_mitochondrial_share_of_human_and_mouse() -> None:
    counts = sp.csr_matrix(np.array([[1, 1, 2, 0], [0, 0, 5, 5], [0, 0, 0, 0]], dtype=float))
    share = cell_quality(counts, np.array(["MT-ND1", "mt-Co1", "CD3E", "MTOR"])).mito
    np.testing.assert_allclose(share, [50, 0, 0])


def test_mitochondrial_genes_of_two_genomes() -> None:
    counts = sp.csr_matrix(np.array([[1, 1, 2]], dtype=np.float32))
    share = cell_quality(counts, np.array(["hg19_MT-ND1", "mm10___mt-Co1", "hg19_MTOR"])).mito
    np.testing.assert_allclose(share, [50])


def test_thresholds_are_inclusive() -> None:
    counts = sp.csr_matrix(np.array([[1, 4, 0], [2, 2, 4], [0, 0, 7]], dtype=np.float32))
    found = cell_quality(counts, np.array(["MT-ND1", "CD3E", "CD4"]))
    assert found.n_genes.tolist() == [2, 3, 1]
    assert found.counts.tolist() == [5, 8, 7]
    assert found.mito.tolist() == [20, 25, 0]
    limits = PrepareParams(min_genes=2, max_genes=100, max_mito=20)
    assert within_thresholds(found, limits).tolist() == [True, False, False]


def test_simulated_doublets_score_higher(simulated: ad.AnnData) -> None:
    counts = sp.csr_matrix(simulated.X)
    types = simulated.obs["true_type"].astype(str).to_numpy()
    batch = simulated.obs["batch"].astype(str).to_numpy()
    rng = np.random.default_rng(0)
    in_a = np.flatnonzero(batch == "A")
    pairs = [rng.choice(in_a, 2, replace=False) for _ in range(60)]
    pairs = [(i, j) for i, j in pairs if types[i] != types[j]][:20]
    doublets = sp.vstack([counts[i] + counts[j] for i, j in pairs])
    everything = sp.csr_matrix(sp.vstack([counts, doublets]))
    scores = doublet_scores(everything, np.append(batch, ["A"] * len(pairs)))
    assert np.median(scores[400:]) > 2 * np.median(scores[in_a])
    assert (doublet_scores(counts[:50], batch[:50]) == 0).all()  # too few to tell


def test_only_cells_that_were_kept_are_scored(simulated: ad.AnnData) -> None:
    batch = simulated.obs["batch"].astype(str).to_numpy()
    kept = np.random.default_rng(0).random(len(batch)) < 0.8
    scores = doublet_scores(simulated.X, batch, passing=kept)
    np.testing.assert_array_equal(np.isnan(scores), ~kept)
    alone = doublet_scores(simulated.X[np.flatnonzero(kept)], batch[kept])
    np.testing.assert_array_equal(scores[kept], alone)

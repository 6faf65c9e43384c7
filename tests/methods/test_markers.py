"""Marker genes, checked against scipy's rank-sum test."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp
from scipy.stats import ranksums

from harmony_core.inspect.gene_sets import find_genes
from harmony_core.methods.markers import cluster_markers


def test_scores_equal_scipys_rank_sum(simulated: ad.AnnData) -> None:
    values = sp.csr_matrix(np.log1p(simulated.X.toarray()), dtype=np.float32)
    groups = simulated.obs["true_type"].astype("category").cat.codes.to_numpy()
    found = cluster_markers(values, groups, n_genes=5)
    dense = values.toarray()
    for group in range(int(groups.max()) + 1):
        for gene, score in zip(found.genes[group], found.scores[group], strict=True):
            inside, outside = dense[groups == group, gene], dense[groups != group, gene]
            np.testing.assert_allclose(score, ranksums(inside, outside).statistic, rtol=1e-4)
        assert (np.diff(found.scores[group]) <= 1e-6).all()


def test_a_group_of_one_cell_is_left_untested(simulated: ad.AnnData) -> None:
    groups = np.zeros(simulated.n_obs, dtype=np.int32)
    groups[1:200] = 1
    groups[0] = 2
    found = cluster_markers(sp.csr_matrix(simulated.X, dtype=np.float32), groups, n_genes=4)
    assert (found.genes[2] == -1).all()
    assert (found.genes[:2] >= 0).all()


def test_genes_are_found_whatever_their_case() -> None:
    found, missing = find_genes(["CD3E", "Ms4a1", "nope"], ["Cd3e", "MS4A1", "LYZ"])
    assert found == {"Cd3e": 0, "MS4A1": 1}
    assert missing == ("nope",)


def test_every_number_is_scanpys(simulated: ad.AnnData) -> None:
    adata = simulated.copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    groups = adata.obs["true_type"].cat.codes.to_numpy()
    adata.obs["group"] = pd.Categorical(groups.astype(str))
    ours = cluster_markers(adata.X, groups, n_genes=30)
    sc.tl.rank_genes_groups(adata, "group", method="wilcoxon", n_genes=30)
    theirs = adata.uns["rank_genes_groups"]
    for group in range(groups.max() + 1):
        names = adata.var_names[ours.genes[group]].tolist()
        assert names == theirs["names"][str(group)].tolist()
        for mine, column in (
            (ours.scores, "scores"),
            (ours.p_values, "pvals"),
            (ours.p_adjusted, "pvals_adj"),
            (ours.log2_fold_change, "logfoldchanges"),
        ):
            np.testing.assert_array_equal(mine[group], theirs[column][str(group)])

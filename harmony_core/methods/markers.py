"""Marker genes: those that set each cluster apart."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

TOP_GENES = 50


@dataclass(frozen=True)
class Markers:
    """Genes that set each group apart, best first.

    Attributes
    ----------
    genes
        Column positions, int32 (groups × genes); -1 where a group is too small to test.
    scores
        Wilcoxon z scores, float32 (groups × genes).
    log2_fold_change
        Of mean expression against all other cells, float32 (groups × genes).
    p_values
        Two-sided, float64 (groups × genes).
    p_adjusted
        The same, Benjamini-Hochberg adjusted, float64 (groups × genes).
    """

    genes: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    log2_fold_change: npt.NDArray[np.float32]
    p_values: npt.NDArray[np.float64]
    p_adjusted: npt.NDArray[np.float64]


def cluster_markers(
    expression: sp.csr_matrix, groups: npt.NDArray[np.integer], *, n_genes: int = TOP_GENES
) -> Markers:
    """Rank genes of each group against all other cells by the Wilcoxon rank-sum test.

    Parameters
    ----------
    expression
        Log-normalised values, cells × genes.
    groups
        Group of each cell, 0 to G - 1. A group of one cell is not tested.

    Notes
    -----
    The clusters were made from the same expression, so p values are far too small; use the order.
    """
    import anndata as ad
    import pandas as pd
    import scanpy as sc

    n_groups = int(groups.max()) + 1
    n_genes = min(n_genes, expression.shape[1])
    shape = (n_groups, n_genes)
    result = Markers(
        genes=np.full(shape, -1, dtype=np.int32),
        scores=np.zeros(shape, dtype=np.float32),
        log2_fold_change=np.zeros(shape, dtype=np.float32),
        p_values=np.ones(shape, dtype=np.float64),
        p_adjusted=np.ones(shape, dtype=np.float64),
    )
    sizes = np.bincount(groups, minlength=n_groups)
    testable = np.flatnonzero((sizes >= 2) & (sizes <= len(groups) - 2))
    if len(testable) == 0 or n_groups < 2:
        return result
    adata = ad.AnnData(expression)
    adata.var_names = [str(i) for i in range(expression.shape[1])]
    adata.obs["group"] = pd.Categorical([str(g) for g in groups])
    adata.uns["log1p"] = {"base": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # divisions by zero and fragmentation inside scanpy
        sc.tl.rank_genes_groups(
            adata,
            "group",
            groups=[str(g) for g in testable],
            method="wilcoxon",
            n_genes=n_genes,
        )
    ranked = adata.uns["rank_genes_groups"]
    for g in testable:
        name = str(g)
        result.genes[g] = ranked["names"][name].astype(np.int32)
        result.scores[g] = ranked["scores"][name]
        result.log2_fold_change[g] = ranked["logfoldchanges"][name]
        result.p_values[g] = ranked["pvals"][name]
        result.p_adjusted[g] = ranked["pvals_adj"][name]
    return result

"""Quality control: measures of each cell, which cells pass, and which are likely doublets.

Every number is scanpy's or counted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from harmony_core.inspect.genes import mitochondrial
from harmony_core.matrices.by_gene import ByGene
from harmony_core.params import PrepareParams

FEWEST_FOR_DOUBLETS = 100


@dataclass(frozen=True)
class CellQuality:
    """Quality of each cell, one number a cell.

    Attributes
    ----------
    n_genes
        Genes with a count.
    counts
        Sum of all counts.
    mito
        Mitochondrial fraction of them, in percent; 0 for an empty cell.
    """

    n_genes: npt.NDArray[np.int32]
    counts: npt.NDArray[np.float32]
    mito: npt.NDArray[np.float32]


def cell_quality(counts: sp.spmatrix | ByGene, symbols: npt.NDArray[Any]) -> CellQuality:
    """Compute the quality of each cell.

    Parameters
    ----------
    counts
        Cells × genes.
    symbols
        Gene symbols, by which mitochondrial genes are found.
    """
    counts = ByGene.of(counts)
    is_mito = mitochondrial(pd.Series(symbols, dtype=str))
    n_genes = np.zeros(counts.shape[0], dtype=np.int32)
    total, mito = np.zeros(counts.shape[0]), np.zeros(counts.shape[0])
    for genes, block in counts.blocks():
        n_genes += block.getnnz(axis=1).astype(np.int32)
        total += np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()
        mito += np.asarray(block[:, is_mito[genes]].sum(axis=1, dtype=np.float64)).ravel()
    sums = total.astype(np.float32)
    percent = np.divide(
        100 * mito.astype(np.float32), sums, out=np.zeros_like(sums), where=sums > 0
    )
    return CellQuality(n_genes, sums, percent)


def within_thresholds(quality: CellQuality, params: PrepareParams) -> npt.NDArray[np.bool_]:
    """Return which cells are within the thresholds on genes and mitochondrial fraction.

    Parameters
    ----------
    quality
        From `cell_quality`.
    params
        Thresholds.

    Returns
    -------
    One value a cell.
    """
    n_genes = quality.n_genes
    return np.asarray(
        (n_genes >= params.min_genes)
        & (n_genes <= params.max_genes)
        & (quality.mito <= params.max_mito)
    )


def doublet_scores(
    counts: sp.spmatrix | ByGene,
    batch: npt.NDArray[Any],
    *,
    passing: npt.NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Score each cell for being two in one droplet, with Scrublet within each batch.

    Parameters
    ----------
    counts
        Cells × genes; one batch after the other is held in memory.
    batch
        Batch of each cell; two cells of different batches never shared a droplet.
    passing
        Which cells pass the other thresholds; by default all.
    seed
        Of the simulated doublets.

    Returns
    -------
    0 (as any single cell) to 1; 0 in batches of fewer than 100 cells, which are too few to tell;
    NaN for cells that are not scored.

    References
    ----------
    Wolock, Lopez and Klein 2019, 10.1016/j.cels.2018.11.005
    """
    import anndata as ad
    import scanpy as sc
    import threadpoolctl

    counts = ByGene.of(counts)
    passing = np.ones(counts.shape[0], dtype=bool) if passing is None else passing
    scores = np.where(passing, 0, np.nan).astype(np.float32)
    names = np.asarray(batch).astype(str)
    for level in np.unique(names[passing]):
        members = np.flatnonzero(passing & (names == level))
        if len(members) < FEWEST_FOR_DOUBLETS:
            continue
        part = ad.AnnData(counts[members])
        with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
            warnings.simplefilter("ignore")
            # The threshold only marks cells, which is left to the user.
            sc.pp.scrublet(part, threshold=0.25, random_state=seed, verbose=False)
        scores[members] = part.obs["doublet_score"].to_numpy()
    return scores

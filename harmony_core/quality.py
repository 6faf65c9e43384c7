"""Quality control: what cells are judged by, which pass, and which are likely two in one droplet.

Every number is scanpy's or counted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from harmony_core.params import PrepareParams

MITO_PREFIXES = ("MT-", "mt-", "Mt-")
FEWEST_FOR_DOUBLETS = 100


@dataclass(frozen=True)
class CellQuality:
    """What cells are judged by, one number a cell.

    Attributes
    ----------
    n_genes
        Genes with a count.
    counts
        Sum of all counts.
    mito
        Mitochondrial share of them, in percent; 0 for an empty cell.
    """

    n_genes: npt.NDArray[np.int32]
    counts: npt.NDArray[np.float32]
    mito: npt.NDArray[np.float32]


def cell_quality(counts: sp.csr_matrix, symbols: npt.NDArray[Any]) -> CellQuality:
    """Compute what cells are judged by.

    Parameters
    ----------
    counts
        Cells × genes.
    symbols
        Gene symbols.
    """
    return CellQuality(
        n_genes=np.asarray(counts.getnnz(axis=1), dtype=np.int32),
        counts=np.asarray(counts.sum(axis=1), dtype=np.float32).ravel(),
        mito=mitochondrial_percent(counts, symbols),
    )


def within_thresholds(quality: CellQuality, params: PrepareParams) -> npt.NDArray[np.bool_]:
    """Return which cells are within the thresholds on genes and mitochondrial share."""
    n_genes = quality.n_genes
    return np.asarray(
        (n_genes >= params.min_genes)
        & (n_genes <= params.max_genes)
        & (quality.mito <= params.max_mito)
    )


def doublet_scores(
    counts: sp.csr_matrix, batch: npt.NDArray[Any], *, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Score each cell for being two in one droplet, with Scrublet within each batch.

    Parameters
    ----------
    counts
        Cells that passed the other thresholds × genes.
    batch
        Batch of each; two cells of different batches never shared a droplet.
    seed
        Of the simulated doublets.

    Returns
    -------
    0 (as any single cell) to 1; 0 in batches of fewer than 100 cells, which are too few to tell.

    References
    ----------
    Wolock, Lopez and Klein 2019, 10.1016/j.cels.2018.11.005
    """
    import anndata as ad
    import scanpy as sc
    import threadpoolctl

    scores = np.zeros(counts.shape[0], dtype=np.float32)
    names = np.asarray(batch).astype(str)
    for level in np.unique(names):
        members = np.flatnonzero(names == level)
        if len(members) < FEWEST_FOR_DOUBLETS:
            continue
        part = ad.AnnData(sp.csr_matrix(counts[members], dtype=np.float32))
        with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
            warnings.simplefilter("ignore")
            # The threshold only marks cells, which is left to the user.
            sc.pp.scrublet(part, threshold=0.25, random_state=seed, verbose=False)
        scores[members] = part.obs["doublet_score"].to_numpy()
    return scores


def mitochondrial_percent(
    counts: sp.csr_matrix, symbols: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    """Return the mitochondrial share of each cell's counts in percent; 0 for an empty cell."""
    is_mito = np.char.startswith(np.asarray(symbols, dtype=str), MITO_PREFIXES[0])
    for prefix in MITO_PREFIXES[1:]:
        is_mito |= np.char.startswith(np.asarray(symbols, dtype=str), prefix)
    total = np.asarray(counts.sum(axis=1), dtype=np.float32).ravel()
    mito = np.asarray(counts[:, is_mito].sum(axis=1), dtype=np.float32).ravel()
    return np.asarray(np.divide(100 * mito, total, out=np.zeros_like(total), where=total > 0))

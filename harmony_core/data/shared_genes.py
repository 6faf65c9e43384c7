"""Whether batches have genes in common; those of two species often have not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from harmony_core.data.columns import shown
from harmony_core.data.values import cells_of_each

_CELLS_LOOKED_AT = 50
_FEWEST_GENES = 20
_FEW_SHARED = 0.1


def warn_about_shared_genes(matrix: Any, batch: pd.Series[Any]) -> str | None:
    """Return a sentence if two batches hardly have a gene with values in common.

    Parameters
    ----------
    matrix
        Cells × genes, dense or sparse. At most 50 cells of a batch are looked at.
    batch
        Batch of each cell.
    """
    levels, chosen = cells_of_each(batch, _CELLS_LOOKED_AT)
    block = sp.csr_matrix(matrix[np.concatenate(chosen)], dtype=np.float32)
    block.data = (block.data != 0).astype(np.float32)
    group = np.repeat(np.arange(len(levels)), [len(rows) for rows in chosen])
    of_batch = sp.csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))))
    seen = sp.csr_matrix(of_batch @ block)
    seen.eliminate_zeros()
    seen.data = np.ones_like(seen.data)
    n_genes = np.diff(seen.indptr)
    enough = np.flatnonzero(n_genes >= _FEWEST_GENES)
    if len(enough) < 2:
        return None
    shared = (seen[enough] @ seen[enough].T).toarray()
    smaller = np.minimum.outer(n_genes[enough], n_genes[enough])
    first, second = np.unravel_index((shared / smaller).argmin(), shared.shape)
    if shared[first, second] >= _FEW_SHARED * smaller[first, second]:
        return None
    a, b = (shown(levels[enough[i]]) for i in sorted((first, second)))
    return (
        f"The batches {a} and {b} of {shown(batch.name)} hardly have genes in common "
        f"({int(shared[first, second]):,} of {int(smaller[first, second]):,}), so nothing can "
        "bring their cells together; name the genes alike in both (of two species: orthologs)."
    )

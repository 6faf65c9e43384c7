"""A digest of the data that a run depends on, which anybody can compute without us."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import scipy.sparse as sp


def content_digest(adata: Any, where: str, columns: list[str], embeddings: list[str]) -> str:
    """Return a digest of what a run depends on: names, expression, columns, embeddings.

    Scripts that rerun a run carry this very function, so it uses nothing of ours.
    """
    found = hashlib.sha256()
    genes = adata.raw.var_names if where == "raw" else adata.var_names
    matrix = adata.layers.get(where.removeprefix("layers/"))
    if where in ("X", "raw"):
        matrix = adata.X if where == "X" else adata.raw.X
    for names in (adata.obs_names, genes):
        found.update("\0".join(map(str, names)).encode())
    for column in columns:
        found.update("\0".join(map(str, adata.obs[column])).encode())
    for name in embeddings:
        found.update(np.ascontiguousarray(adata.obsm[name], dtype=np.float32).tobytes())
    for start in range(0, 0 if matrix is None else adata.n_obs, 10_000):
        rows = sp.csr_matrix(matrix[start : start + 10_000], dtype=np.float32)
        rows.sort_indices()
        for part in (rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data):
            found.update(part.tobytes())
    return found.hexdigest()[:24]

"""Small simulated cells shared by the diagnostics' tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from harmony_core.detector.reference import Reference, build_reference
from harmony_core.methods.neighbors import nearest_neighbors


@dataclass(frozen=True)
class Cells:
    """Two or more batches; type 1, a sibling of type 0, is missing from batch 0."""

    values: np.ndarray
    embedding: np.ndarray
    labels: np.ndarray
    codes: np.ndarray

    @property
    def expression(self) -> sparse.csc_matrix:
        return sparse.csc_matrix(self.values)


@cache
def cells(seed: int = 0, n_batches: int = 2, n: int = 900, n_genes: int = 600) -> Cells:
    rng = np.random.default_rng(seed)
    n_types, n_pcs = 6, 20
    base = rng.normal(0, 1, (n_types, n_genes)) * (rng.random((n_types, n_genes)) < 0.15)
    base[1] = base[0] + rng.normal(0, 1, n_genes) * (rng.random(n_genes) < 0.08)
    labels, codes = rng.integers(0, n_types, n), rng.integers(0, n_batches, n)
    kept = ~((labels == 1) & (codes == 0))
    labels, codes = labels[kept], codes[kept].astype(np.int32)
    rate = np.exp(base[labels] + rng.normal(0, 0.4, (n_batches, n_genes))[codes] - 1.0)
    values = np.log1p(rng.poisson(rate)).astype(np.float32)
    u, s, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    embedding = np.ascontiguousarray(u[:, :n_pcs] * s[:n_pcs], dtype=np.float32)
    return Cells(values=values, embedding=embedding, labels=labels, codes=codes)


def built(
    data: Cells,
    *,
    codes: np.ndarray | None = None,
    expression: sparse.spmatrix | str | None = "own",
    seed: int = 0,
) -> Reference:
    """The reference of the cells, or of other batches or expression in their place."""
    return build_reference(
        data.embedding,
        data.codes if codes is None else codes,
        data.expression if isinstance(expression, str) else expression,
        uncorrected(data),
        seed=seed,
    )


def merged(data: Cells) -> np.ndarray:
    """Neighbours in an embedding without batch effect in which types 0 and 1 are one."""
    return _neighbors(data, np.where(data.labels == 1, 0, data.labels))


def clean(data: Cells) -> np.ndarray:
    """Neighbours in an embedding in which each type is on its own and batches are mixed."""
    return _neighbors(data, data.labels)


def uncorrected(data: Cells) -> np.ndarray:
    return nearest_neighbors(data.embedding, 30).indices


def _neighbors(data: Cells, groups: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    corners = np.eye(int(groups.max()) + 1) * 20
    noise = rng.normal(size=(len(groups), corners.shape[1]))
    return nearest_neighbors((corners[groups] + noise).astype(np.float32), 30).indices

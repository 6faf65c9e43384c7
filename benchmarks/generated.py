"""Cells for the speed benchmarks, and what machine they run on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import numpy.typing as npt

DIMS, TYPES, BATCHES = 50, 12, 3


def cells(
    n_cells: int, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return an embedding (cells × 50) as PCA gives it, and each cell's batch and type.

    Types of unequal size, each stretched along a direction of its own as differentiating cells
    are; batches that shift all types alike and each type a little differently.
    """
    rng = np.random.default_rng(seed)
    scale = 10 / np.sqrt(1 + np.arange(DIMS))
    types = rng.choice(TYPES, n_cells, p=rng.dirichlet(np.full(TYPES, 3.0)))
    batch = rng.integers(0, BATCHES, n_cells)
    centre, along = rng.normal(size=(2, TYPES, DIMS)) * scale
    shift = rng.normal(0, 0.35, (BATCHES, DIMS)) * scale
    own_shift = rng.normal(0, 0.15, (BATCHES, TYPES, DIMS)) * scale
    found = centre[types] + 0.5 * rng.random((n_cells, 1)) * along[types]
    found += shift[batch] + own_shift[batch, types]
    found += rng.normal(0, 0.45, (n_cells, DIMS)) * scale
    return found.astype(np.float32), batch, types


def machine() -> str:
    """Describe the machine in a line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":")[1] for line in info.read_text().splitlines() if "model name" in line
        ]
        model = names[0].strip() if names else model
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def peak_gb(process: int | str = "self") -> float:
    """Return the most memory a process ever held, in GB; NaN where Linux does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(float(line.split()[1]) / 1e6 for line in lines if line.startswith("VmHWM"))


def counts_file(file: Path, n_cells: int, *, n_genes: int = 1000, seed: int = 0) -> None:
    """Write an h5ad with counts of a few types in two batches, as a user would bring one.

    Parameters
    ----------
    file
        Where to write; columns are ``batch`` and ``cell_type``.
    n_cells, n_genes
        Its size. The first genes carry the names of the usual marker genes.
    """
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    from harmony_core.inspect.gene_sets import PANEL

    rng = np.random.default_rng(seed)
    types, batch = rng.integers(TYPES, size=n_cells), rng.integers(2, size=n_cells)
    marked = rng.random((TYPES, n_genes)) < 0.1
    rate = rng.gamma(0.4, 0.4, n_genes) * np.exp(rng.normal(1.5, 0.5, marked.shape) * marked)
    shift = np.exp(rng.normal(0, 0.3, (2, n_genes)))
    blocks = [
        sp.csr_matrix(rng.poisson(rate[types[rows]] * shift[batch[rows]]).astype(np.float32))
        for rows in np.array_split(np.arange(n_cells), -(-n_cells // 5000))
    ]
    known = dict.fromkeys(gene for genes in PANEL.values() for gene in genes)
    names = [*known, *(f"GENE{i}" for i in range(n_genes))][:n_genes]
    obs = pd.DataFrame(
        {
            "batch": pd.Categorical([f"batch {b}" for b in batch]),
            "cell_type": pd.Categorical([f"type {t}" for t in types]),
        },
        index=[f"cell {i}" for i in range(n_cells)],
    )
    matrix = sp.vstack(blocks).tocsr()
    anndata.AnnData(matrix, obs=obs, var=pd.DataFrame(index=names)).write_h5ad(file)

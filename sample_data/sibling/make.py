"""Make ``two_batches_sibling.h5ad`` with the project's own simulator.

Run it from the project's folder as ``python sample_data/sibling/make.py``. README.md beside it
says what the data are for.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from harmony_core.simulate import Scenario, simulate, to_anndata  # noqa: E402

SEED = 0
SCENARIO = Scenario(
    name="sibling",
    n_cells=2400,
    n_genes=1500,
    n_types=6,
    batch_sizes=(0.55, 0.45),
    presence="exclusive_sibling",
)
"""Two batches; type T1 lives in batch A only, and its sibling T2 in both."""


def main() -> None:
    sample = to_anndata(simulate(SCENARIO, seed=SEED))
    # From the most to the least often detected gene: the file becomes smaller.
    detected = np.asarray((sample.X > 0).sum(axis=0)).ravel()
    sample = sample[:, np.argsort(-detected, kind="stable")].copy()
    sample.X = sparse.csr_matrix(sample.X, dtype=np.int32)
    sample.X.sort_indices()
    # Single strings cannot be compressed, and write_elem applies one set of options to everything.
    truth = sample.uns["truth"]
    sample.uns = {"truth": {name: np.array([text], dtype=object) for name, text in truth.items()}}
    out = HERE / "two_batches_sibling.h5ad"
    with h5py.File(out, "w") as file:
        options = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
        ad.io.write_elem(file, "/", sample, dataset_kwargs=options)
    print(sample, f"\n{out.stat().st_size / 1e6:.2f} MB")
    print(pd.crosstab(sample.obs["true_type"], sample.obs["batch"]))
    print("sha256", hashlib.sha256(out.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()

"""Imports and compiled code that a worker wants ready before the first slider moves."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd

from harmony_core.params import ClusterParams, HarmonyParams, PrepareParams, RunParams
from harmony_core.store import Store


def warm_up() -> str:
    """Run the whole chain once on a toy in a store of its own; nothing is compiled later."""
    import anndata as ad
    import scipy.sparse as sp

    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.store.ingest import ingest

    rng = np.random.default_rng(0)
    n = 120
    types = np.arange(n) % 3
    rates = rng.gamma(0.5, 2.0, size=(3, 60))[types]
    obs = pd.DataFrame(
        {"batch": np.repeat(["a", "b"], n // 2), "type": types.astype(str)},
        index=[f"cell{i}" for i in range(n)],
    )
    toy = ad.AnnData(sp.csr_matrix(rng.poisson(rates).astype(np.float32)), obs=obs)
    params = RunParams(
        harmony=HarmonyParams(batch=("batch",), max_iter=1),
        prepare=PrepareParams(min_genes=0, n_pcs=10),
        clusters=ClusterParams(resolutions=(0.5,)),
        label="type",
    )
    with tempfile.TemporaryDirectory() as home:
        Pipeline(ingest(Store(home), toy, name="toy"), params).run()
    return ""

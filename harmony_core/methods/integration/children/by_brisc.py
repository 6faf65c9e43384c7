"""Harmony as brisc has it, on an embedding."""

from collections.abc import Callable
from typing import Any

LIBRARIES = ("brisc", "polars", "numpy", "scipy")


def correct(
    inputs: dict[str, Any], settings: dict[str, Any], progress: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import numpy as np
    import polars as pl
    import scipy.sparse as sp
    from brisc import SingleCell

    embedding = np.ascontiguousarray(inputs["embedding"], dtype=np.float32)
    names = [str(number) for number in range(len(embedding))]
    cells = SingleCell(
        X=sp.csr_array((len(embedding), 1), dtype=np.float32),
        obs=pl.DataFrame({"cell": names, "batch": np.asarray(inputs["batch"], dtype=np.int32)}),
        var=pl.DataFrame({"gene": ["none"]}),
        obsm={"pca": embedding},
        num_threads=1,
    )
    corrected = cells.harmonize(QC_column=None, batch_column="batch", **settings)
    return {"embedding": corrected.obsm["harmony"]}, {}

"""BBKNN: as many neighbours of each cell in every batch, on an embedding."""

from collections.abc import Callable
from typing import Any

LIBRARIES = ("bbknn", "annoy", "pynndescent", "umap-learn", "scikit-learn", "numpy", "scipy")


def correct(
    inputs: dict[str, Any], settings: dict[str, Any], progress: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import bbknn.matrix
    import numpy as np

    embedding = np.asarray(inputs["embedding"])
    distances, graph, _ = bbknn.matrix.bbknn(
        embedding,
        np.asarray(inputs["batch"]),
        neighbors_within_batch=settings["neighbors_within_batch"],
        n_pcs=embedding.shape[1],
    )
    arrays = {}
    for name, matrix in (("distances", distances.tocsr()), ("graph", graph.tocsr())):
        matrix.sort_indices()
        arrays[f"{name}_data"] = matrix.data
        arrays[f"{name}_indices"] = matrix.indices
        arrays[f"{name}_indptr"] = matrix.indptr
    return arrays, {}

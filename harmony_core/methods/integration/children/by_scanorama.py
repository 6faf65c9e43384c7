"""Scanorama, on the expression of variable genes."""

from collections.abc import Callable
from typing import Any

LIBRARIES = ("scanorama", "annoy", "fbpca", "scikit-learn", "numpy", "scipy")


def correct(
    inputs: dict[str, Any], settings: dict[str, Any], progress: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import numpy as np
    import scanorama

    expression, batch = inputs["expression"].tocsr(), inputs["batch"]
    cells = [np.flatnonzero(batch == code) for code in range(len(inputs["levels"]))]
    integrated, _ = scanorama.integrate(
        [expression[some] for some in cells],
        [inputs["genes"]] * len(cells),
        ds_names=inputs["levels"],
        knn=settings["knn"],
        sigma=settings["sigma"],
        alpha=settings["alpha"],
        dimred=settings["dimred"],
        seed=settings["seed"],
    )
    embedding = np.empty((len(batch), integrated[0].shape[1]))
    for some, part in zip(cells, integrated, strict=True):
        embedding[some] = part
    return {"embedding": embedding}, {}

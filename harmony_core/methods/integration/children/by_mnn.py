"""Mutual nearest neighbours by scranpy (libscran's mnncorrect), on an embedding."""

from collections.abc import Callable
from typing import Any

LIBRARIES = ("scranpy", "knncolle", "biocutils", "numpy")


def correct(
    inputs: dict[str, Any], settings: dict[str, Any], progress: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import numpy as np
    import scranpy

    # One thread: the sums would depend on how many there are.
    result = scranpy.correct_mnn(
        np.ascontiguousarray(inputs["embedding"].T, dtype=np.float64),
        [inputs["levels"][code] for code in inputs["batch"]],
        num_neighbors=settings["num_neighbors"],
        num_steps=settings["num_steps"],
        num_threads=1,
    )
    return {"embedding": np.asarray(result["corrected"]).T}, {}

"""Imports and compiled code that a worker wants ready before the first slider moves."""

from __future__ import annotations

import numpy as np

from harmony_core.data.store import Store


def warm_up(store: Store) -> None:
    """Run each compiled step once on a toy, so that the first real run compiles nothing."""
    from harmony_core.correct import correct
    from harmony_core.layout import fuzzy_graph, layout
    from harmony_core.neighbors import nearest_neighbors
    from harmony_core.params import GraphParams, HarmonyParams, LayoutParams

    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], 100)
    X = rng.normal(size=(200, 10)).astype(np.float32)
    corrected = correct(X, [batch], HarmonyParams(batch=("toy",), max_iter=1)).embedding
    neighbors = nearest_neighbors(corrected, 30)
    layout(fuzzy_graph(neighbors, GraphParams()), X[:, :2], LayoutParams(), epochs=2)

"""The metrics of scIB, where somebody asks for them."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from harmony_core.errors import DataError
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import Side, both_sides


@both_sides(
    "scib",
    "Scoring the {data} data as scIB does",
    version=2,
    needs=("clusters_{side}", "other_clusters_{side}"),
    settings=lambda p, data: ((p.harmony.batch, p.label),),
)
def scib(context: Context, side: Side) -> Computed:
    """Score an embedding as scIB does, and cell-type-aware mixing by label."""
    from harmony_core.metrics.mixing import cilisi
    from harmony_core.metrics.scib import scib_scores

    if context.label is None:
        raise DataError("The scIB set needs known cell types; choose a label column that has them.")
    if side == "after" and context.params.gives_graph:
        raise DataError("The scIB set scores an embedding, and this method gives a graph only.")
    near = context.neighbors(side)
    batch = context.variables[-1]
    clusterings = {
        **context.stage(f"clusters_{side}").arrays,
        **context.stage(f"other_clusters_{side}").arrays,
    }
    scores = scib_scores(
        context.embedding(side),
        context.embedding("before"),
        (near.indices, near.distances),
        batch.codes,
        context.label.codes,
        [np.asarray(codes) for codes in clusterings.values()],
        seed=context.params.prepare.seed,
        progress=lambda fraction, name: context.report(f"scib_{side}", fraction),
    )
    by_label = cilisi(near.indices, near.distances, batch.codes, context.label.codes)
    return {}, {
        **asdict(scores),
        "batch_variable": batch.name,
        "cilisi": {context.label.levels[row.label]: row.value for row in by_label},
    }

"""Neighbour graphs before and after correction."""

from __future__ import annotations

from functools import partial

from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import Side, both_sides

WIDTH = 90
"""Neighbours searched: three times LISI's perplexity of 30; everything else uses the first few."""


@both_sides(
    "neighbors",
    "Finding neighbours {side} correction",
    version=6,
    needs=("{source}",),
    settings=lambda p, kind: (WIDTH,),
    is_result=False,
)
def neighbors(context: Context, side: Side) -> Computed:
    """Search the nearest neighbours in the embedding."""
    from harmony_core.methods.neighbors import nearest_neighbors

    near = nearest_neighbors(
        context.embedding(side),
        WIDTH,
        seed=context.params.prepare.seed,
        progress=partial(context.report, f"neighbors_{side}"),
    )
    return {"indices": near.indices, "distances": near.distances}, {}

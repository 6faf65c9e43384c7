"""Neighbour graphs before and after correction."""

from __future__ import annotations

from functools import partial

from harmony_core.methods import neighbors as methods
from harmony_core.params import RunParams
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import Side, both_sides, stage
from harmony_core.store import Dataset

WIDTH = 90
"""Neighbours searched: three times LISI's perplexity of 30; everything else uses the first few."""


def _settings(p: RunParams, data: Dataset) -> tuple[object, ...]:
    # More cells are searched in another way than when the stage's version was raised last.
    return (WIDTH,) if data.n_cells <= methods.LISTS_UP_TO else (WIDTH, "inverted file")


@both_sides(
    "neighbors",
    "Finding neighbours {side} correction",
    version=6,
    needs=("{source}",),
    settings=_settings,
    is_result=False,
)
def neighbors(context: Context, side: Side) -> Computed:
    """Search the nearest neighbours in the embedding."""
    near = methods.nearest_neighbors(
        context.embedding(side),
        WIDTH,
        seed=context.params.prepare.seed,
        progress=partial(context.report, f"neighbors_{side}"),
    )
    return {"indices": near.indices, "distances": near.distances}, {}


@stage(
    "neighbors_after",
    "Taking the neighbours of the graph",
    version=1,
    needs=("correct",),
    stored_as="neighbors",
    is_result=False,
)
def of_graph(context: Context) -> Computed:
    """Take the neighbours that a method gave which gives a graph and no embedding."""
    arrays = context.stage("correct").arrays
    return {name: arrays[name] for name in ("indices", "distances")}, {}

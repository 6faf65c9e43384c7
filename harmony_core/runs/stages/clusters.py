"""Leiden clusters on the neighbour graphs, and their marker genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harmony_core.methods.markers import cluster_markers
from harmony_core.params import RunParams
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import Side, both_sides


def _leiden_settings(p: RunParams) -> tuple[object, ...]:
    return (p.graph.to_dict(), p.clusters.flavor, p.clusters.seed)


@both_sides(
    "clusters",
    "Clustering {side} correction",
    version=2,
    needs=("neighbors_{side}",),
    settings=lambda p, data: (*_leiden_settings(p), p.clusters.shown),
)
def clusters(context: Context, side: Side) -> Computed:
    """Cluster at the resolution that is shown."""
    return _leiden(context, side, [context.params.clusters.shown])


@both_sides(
    "other_clusters",
    "Clustering at other resolutions {side} correction",
    version=1,
    needs=("neighbors_{side}",),
    settings=lambda p, data: (*_leiden_settings(p), p.clusters.others),
)
def other_clusters(context: Context, side: Side) -> Computed:
    """Cluster at all other resolutions."""
    return _leiden(context, side, context.params.clusters.others)


def _leiden(context: Context, side: Side, resolutions: Sequence[float]) -> Computed:
    from harmony_core.methods.leiden import leiden

    if not resolutions:
        return {}, {}
    clusterings = leiden(context.graph(side), resolutions, context.params.clusters)
    pairs = zip(resolutions, clusterings, strict=True)
    return {f"leiden_{resolution:g}": codes for resolution, codes in pairs}, {}


@both_sides(
    "markers",
    "Ranking marker genes {side} correction",
    version=2,
    needs=("clusters_{side}", "prepare"),
)
def markers(context: Context, side: Side) -> Computed:
    """Rank the marker genes of each cluster."""
    expression = context.expression
    if expression is None:
        return {}, {"symbols": [], "why_empty": "These data have no expression values."}
    clusterings = context.stage(f"clusters_{side}").arrays
    codes = np.asarray(clusterings[f"leiden_{context.params.clusters.shown:g}"])
    ranked = cluster_markers(expression.by_cell, codes)
    names = ("genes", "scores", "log2_fold_change", "p_values", "p_adjusted")
    arrays = {name: getattr(ranked, name) for name in names}
    used, inverse = np.unique(ranked.genes, return_inverse=True)
    arrays["symbol"] = inverse.reshape(ranked.genes.shape).astype(np.int32)
    symbols = ["" if g < 0 else str(expression.symbols[g]) for g in used]
    return arrays, {"symbols": symbols}

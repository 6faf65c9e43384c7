"""Layouts (UMAP) before and after correction, and the preview of the latter."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import stage

_VERSION = 3
_PREVIEW_EPOCHS = 10


@stage(
    "layout_before",
    "Drawing the picture before correction",
    version=_VERSION,
    needs=("neighbors_before",),
    settings=lambda p, data: (p.graph.to_dict(), p.layout.to_dict()),
    stored_as="layout",
)
def layout_before(context: Context) -> Computed:
    """Draw the uncorrected data from scratch."""
    from harmony_core.methods import umap

    positions = umap.layout(
        context.graph("before"),
        umap.start_from_embedding(context.embedding("before")),
        context.params.layout,
        epochs=umap.EPOCHS_FROM_SCRATCH,
        rate=umap.RATE_FROM_SCRATCH,
        progress=partial(context.report, "layout_before"),
    )
    return {"positions": positions}, {}


@stage(
    "layout_after",
    "Drawing the picture after correction",
    version=_VERSION,
    needs=("neighbors_after", "layout_before"),
    stored_as="layout",
)
def layout_after(context: Context) -> Computed:
    """Draw the corrected data, starting where the uncorrected cells lie."""
    from harmony_core.methods import umap

    start = _uncorrected_layout(context)
    positions = umap.layout(
        context.graph("after"),
        start,
        context.params.layout,
        epochs=umap.EPOCHS_FROM_LAYOUT,
        rate=umap.RATE_FROM_LAYOUT,
        progress=partial(context.report, "layout_after"),
    )
    return {"positions": umap.oriented_like(positions, start)}, {}


@stage(
    "preview_after",
    "Sketching the picture",
    version=4,
    needs=("correct", "layout_before"),
    stored_as="preview",
    is_result=False,
)
def preview_after(context: Context) -> Computed:
    """Place the corrected cells around landmarks, before their neighbours are known."""
    from harmony_core.methods import preview as methods

    p, start = context.params, _uncorrected_layout(context)
    landmarks = methods.landmarks(start, context.variables[-1].codes, seed=p.layout.seed)
    positions = methods.preview(context.embedding("after"), start, landmarks, p.graph, p.layout)
    return {"positions": positions}, {"landmarks": len(landmarks)}


@stage(
    "preview_after",
    "Sketching the picture",
    version=1,
    needs=("correct", "layout_before"),
    stored_as="preview",
    is_result=False,
)
def preview_of_graph(context: Context) -> Computed:
    """Draw a few rounds of the layout, of a method that gives a graph and no embedding."""
    from harmony_core.methods import umap

    positions = umap.layout(
        context.graph("after"),
        _uncorrected_layout(context),
        context.params.layout,
        epochs=_PREVIEW_EPOCHS,
        rate=umap.RATE_FROM_LAYOUT,
    )
    return {"positions": positions}, {"landmarks": 0}


def _uncorrected_layout(context: Context) -> npt.NDArray[np.float32]:
    return np.asarray(context.stage("layout_before").arrays["positions"])

"""From the data as they came to the uncorrected embedding: quality of cells, doublets, PCA."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError
from harmony_core.methods import prepare as methods
from harmony_core.methods.qc import CellQuality, cell_quality, doublet_scores, within_thresholds
from harmony_core.params import RunParams
from harmony_core.runs.stages.context import Computed, Context
from harmony_core.runs.stages.stage import SETTINGS, stage
from harmony_core.store import Dataset

_PREPARED = ("cells", "genes", "variable", "variable_in", "totals", "embedding", "variance_ratio")


def _doublet_settings(p: RunParams, data: Dataset) -> tuple[object, ...]:
    thresholds = (p.prepare.min_genes, p.prepare.max_genes, p.prepare.max_mito)
    return (*thresholds, p.prepare.seed, p.harmony.batch[0])


def _prepare_settings(p: RunParams, data: Dataset) -> tuple[object, ...]:
    batch = (p.harmony.batch[0],) if p.prepare.basis is None else ()
    return (p.prepare.to_dict(), data.info.kind, *batch)


@stage(
    "quality",
    "Counting genes and molecules of each cell",
    version=1,
    settings=lambda p, data: (data.info.kind,),
)
def quality(context: Context) -> Computed:
    """Count genes and molecules of each cell."""
    return asdict(cell_quality(context.by_gene, context.symbols)), {}


@stage(
    "doublets",
    "Scoring doublets batch by batch",
    version=1,
    needs=("quality",),
    settings=_doublet_settings,
    keyed_by=(SETTINGS,),
)
def doublets(context: Context) -> Computed:
    """Score each cell as a doublet among the cells of its batch that pass the thresholds."""
    if context.dataset.info.kind != "counts":
        raise DataError("Doublets are scored from counts, and these data have none.")
    counted = CellQuality(**{k: np.asarray(a) for k, a in context.stage("quality").arrays.items()})
    p = context.params
    batch = context.dataset.obs[p.harmony.batch[0]].to_numpy()
    passing = within_thresholds(counted, p.prepare)
    scores = doublet_scores(context.by_gene, batch, passing=passing, seed=p.prepare.seed)
    return {"scores": scores}, {}


@stage("prepare", "Preparing cells and genes", version=4, settings=_prepare_settings)
def prepare(context: Context) -> Computed:
    """Select cells and genes and compute the uncorrected embedding, or take one of the data's."""
    p, kind = context.params.prepare, context.dataset.info.kind
    if p.basis is not None:
        embedding = context.dataset.embedding(p.basis)
        prepared = methods.from_basis(
            embedding,
            context.dataset.by_gene,
            kind=kind,
            skip_dims=p.skip_dims,
            use_dims=p.use_dims,
        )
    else:
        prepared = methods.prepare(
            context.by_gene,
            context.symbols,
            context.dataset.obs[context.params.harmony.batch[0]].to_numpy(),
            p,
            kind=kind,
            doublets=_doublet_scores(context),
        )
    arrays = {name: getattr(prepared, name) for name in _PREPARED}
    return arrays, {
        "notes": list(prepared.notes),
        "genes_chosen": prepared.genes_chosen,
        "small_batches": list(prepared.small_batches),
    }


def _doublet_scores(context: Context) -> npt.NDArray[np.float32] | None:
    if context.params.prepare.max_doublet is None or context.dataset.info.kind != "counts":
        return None
    return np.asarray(context.stage("doublets").arrays["scores"])

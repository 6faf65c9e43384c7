"""Judge an embedding that another tool corrected, with the evidence that Harmony's runs get.

One that lies in the data becomes a run by `harmony_core.RunParams.precomputed`, with pictures,
clusters and exports; `judge_embedding` takes any array.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError
from harmony_core.runs.plan import WIDTH
from harmony_core.verdict.advice import RunFacts

if TYPE_CHECKING:
    from harmony_core.methods.neighbors import Neighbors
    from harmony_core.runs.judging import Judging
    from harmony_core.verdict.assess import Assessment, LisiNumbers


def judge_embedding(pipeline: Judging, corrected: npt.NDArray[np.floating]) -> Assessment:
    """Judge a corrected embedding, whoever made it.

    Parameters
    ----------
    pipeline
        Of the dataset, with the batch variables, label and uncorrected side to judge against; its
        Harmony settings are not used.
    corrected
        Corrected embedding of the kept cells, of any number of dimensions.

    Returns
    -------
    The assessment, without advice: the settings to change are another tool's.

    Raises
    ------
    DataError
        If the embedding does not have the kept cells.
    """
    from harmony_core.methods.neighbors import nearest_neighbors
    from harmony_core.verdict.assess import lisi_numbers

    n_cells = len(pipeline.cells)
    if len(corrected) != n_cells:
        raise DataError(
            f"The corrected embedding has {len(corrected):,} cells, and {n_cells:,} are judged."
        )
    near = nearest_neighbors(corrected, WIDTH, seed=pipeline.params.prepare.seed)
    lisi = lisi_numbers(near.indices, near.distances, pipeline.variables, pipeline.label)
    return judge(pipeline, near, lisi)


def judge(pipeline: Judging, near: Neighbors, lisi: LisiNumbers) -> Assessment:
    """Judge a corrected embedding by its neighbours and LISI; see `judge_embedding`."""
    before = pipeline.embedding("before")
    # How far a cell moved means something within one space only, and the tool may have another.
    found = pipeline.judged(before, near, lisi, _no_run(pipeline, before))
    per_cell = {k: v for k, v in found.per_cell.items() if k != "displacement"}
    return replace(found, verdict=replace(found.verdict, advice=()), per_cell=per_cell)


def _no_run(pipeline: Judging, before: npt.NDArray[np.floating]) -> RunFacts:
    """Return facts from which nothing is said about how Harmony went, as it was not run."""
    return RunFacts(
        settings=pipeline.params.harmony,
        n_cells=len(before),
        n_pcs=before.shape[1],
        batch_sizes={v.name: v.sizes for v in pipeline.variables},
        stop_reason="converged",
        iterations=1,
        objective=(1.0, 1.0),
        moved=1.0,
    )

"""Assess an embedding that another tool corrected, with the evidence that Harmony's runs get.

One that lies in the data becomes a run by ``precomputed`` of `harmony_core.RunParams`, with
pictures, clusters and exports; `assess_embedding` takes any array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.errors import DataError
from harmony_core.methods.neighbors import nearest_neighbors
from harmony_core.runs.stages.assessment import assess_other_tool
from harmony_core.runs.stages.neighbors import WIDTH
from harmony_core.verdict.assess import lisi_numbers

if TYPE_CHECKING:
    from harmony_core.runs.pipeline import Pipeline
    from harmony_core.verdict.assessment import Assessment


def assess_embedding(pipeline: Pipeline, corrected: npt.NDArray[np.floating]) -> Assessment:
    """Assess a corrected embedding, whoever made it.

    Parameters
    ----------
    pipeline
        Of the dataset, with the batch variables, label and uncorrected side to compare with; its
        Harmony settings are not used.
    corrected
        Corrected embedding of the prepared cells (cells × any number of dimensions).

    Returns
    -------
    The assessment, without advice: the settings to change are another tool's.

    Raises
    ------
    DataError
        If the embedding does not have the prepared cells.
    """
    context = pipeline.context
    if len(corrected) != len(context.cells):
        raise DataError(
            f"The corrected embedding has {len(corrected):,} cells, and {len(context.cells):,} "
            "are judged."
        )
    near = nearest_neighbors(corrected, WIDTH, seed=context.params.prepare.seed)
    mixing = lisi_numbers(near.indices, near.distances, context.variables, context.label)
    return assess_other_tool(context, near, mixing)

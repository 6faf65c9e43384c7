"""Judge an embedding that another tool corrected, with the evidence that Harmony's runs get."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harmony_core.diagnostics.advice import RunFacts
from harmony_core.errors import DataError
from harmony_core.plan import WIDTH

if TYPE_CHECKING:
    from harmony_core.diagnostics.assess import Assessment
    from harmony_core.pipeline import Pipeline


def judge_embedding(pipeline: Pipeline, corrected: npt.NDArray[np.floating]) -> Assessment:
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
    from harmony_core.diagnostics.assess import Inputs, assess, lisi_numbers
    from harmony_core.neighbors import nearest_neighbors

    before = pipeline.embedding("before")
    if len(corrected) != len(before):
        raise DataError(
            f"The corrected embedding has {len(corrected):,} cells, and {len(before):,} are judged."
        )
    near = nearest_neighbors(corrected, WIDTH, seed=pipeline.params.harmony.seed)
    expression = pipeline.expression
    genes = None if expression is None else expression.by_gene[:, expression.variable]
    symbols = [] if expression is None else expression.symbols[expression.variable].tolist()
    same_space = corrected.shape == before.shape
    found = assess(
        Inputs(
            before=before,
            # How far a cell moved means something within one space only.
            after=corrected if same_space else before,
            near_before=pipeline.neighbors("before").indices,
            near_after=near.indices,
            lisi_before=pipeline.lisi("before"),
            lisi_after=lisi_numbers(
                near.indices, near.distances, pipeline.variables, pipeline.label
            ),
            variables=pipeline.variables,
            references=pipeline.references(),
            label=pipeline.label,
            expression=genes,
            symbols=symbols,
            condition=pipeline.params.condition,
            facts=_no_run(pipeline, before),
        )
    )
    per_cell = {k: v for k, v in found.per_cell.items() if same_space or k != "displacement"}
    return replace(found, verdict=replace(found.verdict, advice=()), per_cell=per_cell)


def _no_run(pipeline: Pipeline, before: npt.NDArray[np.floating]) -> RunFacts:
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

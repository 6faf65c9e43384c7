"""What is to be known of a run beside its verdict: the one list that every way of asking shows.

The pages, the command line, Python and the files all take their sentences from here. Light: pages
use it too.
"""

from __future__ import annotations

from typing import Any

from harmony_core.methods.prepare import SKIPPED
from harmony_core.params import PrepareParams
from harmony_core.runs.results import RunResults
from harmony_core.store import DatasetInfo


def notes_on_start(info: DatasetInfo, prepare: PrepareParams) -> tuple[str, ...]:
    """Return what is to be known before anything is computed, a sentence each.

    Parameters
    ----------
    info
        Of the data.
    prepare
        How they are to be prepared.
    """
    return (*info.warnings, *info.notes_on(prepare))


def notes_on_run(results: RunResults) -> tuple[str, ...]:
    """Return what is to be known of a run: of its data, their preparation, and what is not judged.

    Parameters
    ----------
    results
        A run; of one that is not judged yet, what is known so far.
    """
    params, assessment = results.params, results.assessment
    return (
        *notes_on_start(results.dataset.info, params.prepare),
        *notes_on_preparation(results, elsewhere=params.precomputed is not None),
        *(() if assessment is None else assessment.notes),
    )


def notes_on_preparation(results: RunResults, *, elsewhere: bool) -> tuple[str, ...]:
    """Return what preparing the cells had to say, a sentence each.

    Parameters
    ----------
    results
        A run that is prepared.
    elsewhere
        Whether another tool corrected: then no embedding was corrected here.
    """
    return tuple(note for note in results.notes if not (elsewhere and note == SKIPPED))


def gene_choice(results: RunResults) -> dict[str, Any]:
    """Return how variable genes were chosen, where that was not within every batch.

    Returns
    -------
    Nothing; or ``genes_chosen``: ``"all"`` were taken, they were chosen ``"over all cells"``, or
    ``"within larger batches"``; and ``small_batches``, which had no say.
    """
    prepared = results.stage("prepare")
    if prepared is None or results.params.prepare.basis is not None:
        return {}
    small = list(prepared.info["small_batches"])
    how = prepared.info["genes_chosen"]
    if how == "within batches":
        return {"genes_chosen": "within larger batches", "small_batches": small} if small else {}
    return {"genes_chosen": how, **({"small_batches": small} if small else {})}

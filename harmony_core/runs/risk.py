"""Risk of every state or label of a run at some settings: estimated once each, kept in the store.

Each state at each setting is stored by itself, so what is finished stays when the rest is
cancelled. Light to import: a page looks here what the store has. Only `estimate` is for the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harmony_core import thresholds
from harmony_core.detector.results import StateRow
from harmony_core.errors import DataError, InputError
from harmony_core.params import RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.runs.stages.assessment import read_references
from harmony_core.store import Dataset, StageKey, digest
from harmony_core.verdict.risk import Risk, rows_at_risk, theta_text, worst_risk

if TYPE_CHECKING:
    from harmony_core.detector.absence import Absence
    from harmony_core.detector.reference import Reference
    from harmony_core.runs.stages.context import Computed, Context

Report = Callable[[str, float], None]
"""Called with what is under way and the fraction done; may raise Cancelled."""

_RECIPE = 1


def risk_keys(
    dataset: Dataset, params: RunParams, rows: Sequence[StateRow]
) -> Mapping[StateRow, StageKey]:
    """Return the name of each risk in the store.

    Parameters
    ----------
    params
        Settings at which it is estimated; what the assessment depends on counts.
    rows
        Of a state table of the same data, batch variables and label, at any theta.
    """
    assessed = Plan(dataset, params).keys["assess"].digest
    identity = {row: row.name if row.state is None else row.state for row in rows}
    return {
        row: StageKey("risk", digest(_RECIPE, assessed, row.kind, identity[row])) for row in rows
    }


def stored_risks(
    dataset: Dataset, params: RunParams, rows: Sequence[StateRow]
) -> dict[StateRow, Risk]:
    """Return the risks at some settings that the store has, by row.

    Parameters
    ----------
    params, rows
        See `risk_keys`.
    """
    found = {row: dataset.finished(key) for row, key in risk_keys(dataset, params, rows).items()}
    return {row: Risk.from_dict(stage.info) for row, stage in found.items() if stage is not None}


def run_risks(results: RunResults, params: RunParams | None = None) -> dict[StateRow, Risk]:
    """Return the risks of a run's labels or states that the store has, by row.

    Parameters
    ----------
    results
        The run.
    params
        Settings at which they were estimated, by default the run's.
    """
    assessment = results.assessment
    if assessment is None or not results.params.by_harmony:
        return {}
    rows = rows_at_risk(assessment.states)
    return stored_risks(results.dataset, params or results.params, rows)


def runs_with_risks(dataset: Dataset, runs: Sequence[RunParams]) -> tuple[RunParams, ...]:
    """Return those of some runs at whose settings the store has every risk.

    Parameters
    ----------
    runs
        The first is one that was assessed.
    """
    assessment = RunResults(dataset, runs[0]).assessment
    if assessment is None:
        return ()
    rows = rows_at_risk(assessment.states)
    return tuple(
        run for run in runs if all(map(dataset.is_finished, risk_keys(dataset, run, rows).values()))
    )


def estimate(
    dataset: Dataset,
    runs: Sequence[RunParams],
    report: Report = lambda step, fraction: None,
    *,
    rows: Sequence[StateRow] | None = None,
    at_most: int | None = None,
) -> bool:
    """Put the risks at the settings of some runs into the store, run by run.

    Parameters
    ----------
    dataset
        The data.
    runs
        They differ in Harmony's settings only. The first is assessed, if it was not yet.
    report
        Hears of progress before each state; cancels by raising.
    rows
        Of the first run's table of states; by default its labels or, without any, its states.
    at_most
        How many to estimate now; by default all.

    Returns
    -------
    Whether the store has them all.

    Raises
    ------
    DataError
        If another tool made the correction, which can't be repeated.
    """
    if not runs[0].by_harmony:
        raise DataError(
            "The risk is estimated by correcting again, which is done for Harmony only; judge a "
            "correction by Harmony."
        )
    Pipeline(dataset, runs[0]).run("assess")
    assessment = RunResults(dataset, runs[0]).assessment
    assert assessment is not None  # just computed
    names = {row.state: row.name for row in assessment.states if row.state is not None}
    rows = rows_at_risk(assessment.states) if rows is None else rows
    missing = [
        (i * len(rows) + j, params, row, key)
        for i, params in enumerate(runs)
        for j, (row, key) in enumerate(risk_keys(dataset, params, rows).items())
        if not dataset.is_finished(key)
    ]
    for n, params, row, key in missing[:at_most]:
        step = f"State {n % len(rows) + 1} of {len(rows)} at theta {theta_text(params)}"
        report(step, n / (len(rows) * len(runs)))
        context = Pipeline(dataset, params).context
        dataset.computed(key, partial(_computed, context, row, names))
    return at_most is None or len(missing) <= at_most


def _computed(context: Context, row: StateRow, state_names: Mapping[int, str]) -> Computed:
    return {}, asdict(_risk(context, row, state_names))


def _risk(context: Context, row: StateRow, state_names: Mapping[int, str]) -> Risk:
    """Estimate the risk of one row: the largest of the batches in which it is followed."""
    label = context.label if row.state is None else None
    names = state_names if label is None else dict(enumerate(label.levels))
    reference = read_references(context)[-1]
    batch_names = reference.group_names(context.variables[-1].levels)
    found = [
        _risk_in_batch(context, row, batch_names[batch], absence, names)
        for batch, absence in _absences(context, row, reference)
    ]
    few = f"fewer than {thresholds.MIN_CELLS_STATE} cells in every batch"
    return worst_risk(found) or next(iter(found), Risk(kind=row.kind, name=row.name, why=few))


def _absences(context: Context, row: StateRow, reference: Reference) -> list[tuple[int, Absence]]:
    """Return in which batches, or pools of them, a row's cells are followed; the largest first."""
    from harmony_core.detector.absence import Absence

    groups = np.asarray(reference.codes)
    if row.state is not None:
        lent = reference.lent
        pool = int(lent.pool[row.state])
        labels = np.asarray(lent.lent[pool])
        return [(pool, Absence(labels, row.state, lent.pool_of[reference.batch_codes] == pool))]
    assert context.label is not None  # it has a row
    labels, code = context.label.codes, context.label.levels.index(row.name)
    sizes = np.bincount(groups[labels == code])
    largest = np.argsort(-sizes, kind="stable")[: thresholds.RISK_BATCHES]
    return [
        (int(group), Absence(labels, code, groups == group))
        for group in largest
        if sizes[group] >= thresholds.MIN_CELLS_STATE
    ]


def _risk_in_batch(
    context: Context, row: StateRow, batch: str, absence: Absence, names: Mapping[int, str]
) -> Risk:
    """Estimate what would become of a row's cells in one batch, or say why it can't be told."""
    import threadpoolctl

    from harmony_core.detector.absence import measure_absence, sampled, why_not

    params = context.params
    cells, settings = sampled(len(context.cells), params.harmony, seed=params.prepare.seed)
    absence = absence.among(cells)
    batches = [context.column(name)[cells] for name in params.harmony.batch]
    risk = Risk(
        kind=row.kind,
        name=row.name,
        batch=batch,
        cells=int(absence.own.sum()),
        absent=int(absence.absent.sum()),
        why=why_not(absence, batches),
    )
    if risk.why:
        return risk
    try:
        # With more, the last digits of matrix products depend on how many there are.
        with threadpoolctl.threadpool_limits(1, "blas"):
            lost = measure_absence(context.embedding("before")[cells], batches, absence, settings)
    except InputError as error:
        return replace(risk, why=str(error).rstrip("."))
    if np.isnan(lost.loss):
        return replace(risk, why="none of its neighbours has a label")
    return replace(risk, fraction=max(lost.loss, 0.0), other=names.get(lost.other, ""))

"""Risk of states and labels: by which cells it is told, once each, and what a cancel leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harmony_core import thresholds
from harmony_core.detector.absence import Absence, measure_absence
from harmony_core.detector.results import StateRow
from harmony_core.errors import Cancelled, DataError
from harmony_core.params import RunParams
from harmony_core.runs import risk
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.simulate.cells import Scenario, simulate, to_anndata
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest
from harmony_core.verdict.risk import rows_at_risk, with_thetas
from tests.conftest import SMALL

UNLABELLED = replace(SMALL, label=None)


def with_theta(theta: float, params: RunParams = SMALL) -> RunParams:
    return replace(params, harmony=replace(params.harmony, theta=(theta,)))


def rows_of(dataset: Dataset, params: RunParams) -> tuple[StateRow, ...]:
    Pipeline(dataset, params).run("assess")
    assessment = RunResults(dataset, params).assessment
    assert assessment is not None
    return rows_at_risk(assessment.states)


def test_a_labels_risk_is_that_of_the_batch_where_it_would_fare_worst(dataset: Dataset) -> None:
    rows = rows_of(dataset, SMALL)
    assert {row.kind for row in rows} == {"label"}
    risk.estimate(dataset, [SMALL])
    found = risk.stored_risks(dataset, SMALL, rows)
    assert set(found) == set(rows)
    context = Pipeline(dataset, SMALL).context
    batch, label = context.variables[-1], context.label
    assert label is not None
    told = 0
    for row, one in found.items():
        code = label.levels.index(row.name)
        by_batch = {}
        for home, name in enumerate(batch.levels):
            absence = Absence(label.codes, code, batch.codes == home)
            if absence.own.sum() >= 25:
                by_batch[name] = measure_absence(
                    context.embedding("before"), [context.column("batch")], absence, SMALL.harmony
                ).loss
        if not by_batch:
            assert one.fraction is None
            assert "fewer than 25 cells" in one.why
            continue
        told += 1
        worst = max(by_batch, key=lambda name: by_batch[name])
        assert one.fraction == pytest.approx(max(by_batch[worst], 0))
        assert one.cells + one.absent == row.cells
        if by_batch[worst] > 0:
            assert one.batch == worst
            assert one.other in set(label.levels) - {row.name}
    assert told >= 3


@pytest.fixture(scope="module")
def apart(kept_store: Store) -> Dataset:
    """Cells of two batches that differ enough to be described each on its own."""
    scenario = Scenario(name="apart", n_cells=900, n_genes=300, common_effect=0.8)
    return ingest(kept_store, to_anndata(simulate(scenario, seed=2)), name="apart")


def test_without_labels_states_of_one_batch_leave_the_others(apart: Dataset) -> None:
    rows = rows_of(apart, UNLABELLED)
    assert {row.kind for row in rows} == {"state"}
    risk.estimate(apart, [UNLABELLED])
    found = risk.stored_risks(apart, UNLABELLED, rows)
    context = Pipeline(apart, UNLABELLED).context
    types, batch = (context.column(name).astype(str) for name in ("true_type", "batch"))
    stage = RunResults(apart, UNLABELLED).stage("assess")
    assert stage is not None
    states = np.asarray(stage.arrays["states"][-1])
    told = [(row, one) for row, one in found.items() if one.fraction is not None]
    assert len(told) >= 6
    for row, one in told:
        own = states == row.state
        assert (one.batch, one.cells) == (row.batch, row.cells)
        assert own.sum() == row.cells
        # What is taken out elsewhere is what the state is, as far as types tell.
        names, counts = np.unique(types[own], return_counts=True)
        elsewhere = (types == names[counts.argmax()]) & (batch != row.batch)
        assert one.absent == pytest.approx(elsewhere.sum(), abs=0.1 * len(types))


def test_batches_that_were_mixed_before_lack_no_state(dataset: Dataset) -> None:
    rows = rows_of(dataset, UNLABELLED)
    risk.estimate(dataset, [UNLABELLED])
    found = risk.stored_risks(dataset, UNLABELLED, rows)
    assert {one.fraction for one in found.values()} == {None}
    assert {one.why for one in found.values()} == {"its batches were mixed before any correction"}


def test_each_is_computed_once_and_what_is_finished_outlives_a_cancel(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = with_thetas(with_theta(3.0), (0.5, 6.0))
    rows = rows_of(dataset, runs[0])
    heard: list[tuple[str, float]] = []

    def stop_at_the_third(step: str, fraction: float) -> None:
        heard.append((step, fraction))
        if len(heard) == 3:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        risk.estimate(dataset, runs, stop_at_the_third)
    assert list(risk.stored_risks(dataset, runs[0], rows)) == list(rows[:2])
    assert risk.runs_with_risks(dataset, runs) == ()

    computed = []
    original = risk._risk
    monkeypatch.setattr(risk, "_risk", lambda *a: computed.append(a) or original(*a))
    steps: list[float] = []
    ready: list[int] = []

    def note(step: str, fraction: float) -> None:
        steps.append(fraction)
        ready.append(len(risk.runs_with_risks(dataset, runs)))

    risk.estimate(dataset, runs, note)
    assert ready == [i // len(rows) for i in range(2, 3 * len(rows))]
    assert len(computed) == 3 * len(rows) - 2
    assert steps == sorted(steps)
    assert 0 <= steps[0] < steps[-1] < 1
    assert heard[0][0] == f"State 1 of {len(rows)} at theta 3"
    assert risk.runs_with_risks(dataset, runs) == runs
    risk.estimate(dataset, runs)
    assert len(computed) == 3 * len(rows) - 2


def test_only_rows_that_are_asked_for_are_estimated(dataset: Dataset) -> None:
    params = with_theta(5.0)
    rows = rows_of(dataset, params)
    risk.estimate(dataset, [params], rows=rows[:1])
    assert set(risk.stored_risks(dataset, params, rows)) == {rows[0]}


def test_the_risk_depends_on_what_the_correction_depends_on(dataset: Dataset) -> None:
    rows = rows_of(dataset, SMALL)

    def key(params: RunParams) -> str:
        return risk.risk_keys(dataset, params, rows)[rows[0]].digest

    longer = replace(SMALL, harmony=replace(SMALL.harmony, max_iter=4))
    assert len({key(p) for p in (SMALL, with_theta(1.0), longer, UNLABELLED)}) == 4
    assert key(replace(SMALL, layout=replace(SMALL.layout, min_dist=0.1))) == key(SMALL)


def test_another_tools_correction_can_not_be_repeated(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="for Harmony only"):
        risk.estimate(dataset, [replace(SMALL, precomputed="X_other")])


def test_a_large_dataset_is_sampled(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    params = with_theta(9.0)
    rows = rows_of(dataset, params)
    monkeypatch.setattr(thresholds, "RISK_CELLS", 300)
    risk.estimate(dataset, [params])
    found = risk.stored_risks(dataset, params, rows)
    followed = [one.cells + one.absent for one in found.values() if one.fraction is not None]
    of_rows = sum(row.cells for row, one in found.items() if one.fraction is not None)
    assert 0 < sum(followed) == pytest.approx(of_rows * 300 / 400, rel=0.1)

"""Kept runs: which are listed, what tells them apart, what is said of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harmony_core.params import RunParams
from harmony_core.runs import history as runs
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL

GENTLE = replace(SMALL, harmony=replace(SMALL.harmony, sigma=0.05, max_iter=1))
UNJUDGED = replace(SMALL, harmony=replace(SMALL.harmony, sigma=0.07))


@pytest.fixture(scope="module")
def judged(dataset: Dataset) -> Dataset:
    for params in (SMALL, GENTLE):
        runs.save_settings(dataset, params)
        Pipeline(dataset, params).run("assess")
    runs.save_settings(dataset, UNJUDGED)
    return dataset


def ours(dataset: Dataset) -> list[RunParams]:
    """Return the kept runs that this file asked for; other tests share the store."""
    return [run for run in runs.assessed_runs(dataset) if run in (SMALL, GENTLE, UNJUDGED)]


def test_judged_runs_are_listed_newest_first(judged: Dataset) -> None:
    assert ours(judged) == [GENTLE, SMALL]


def test_a_spoilt_or_foreign_note_is_no_run(judged: Dataset) -> None:
    for name, text in (("broken", "{"), ("foreign", '{"harmony": {"batch": ["x"], "kappa": 1}}')):
        (judged.run_folder(name) / "params.json").write_text(text)
    moved = judged.run_folder("moved") / "params.json"
    moved.write_text(
        (judged.run_folder(Plan(judged, SMALL).run) / "params.json").read_text("utf-8")
    )
    assert ours(judged) == [GENTLE, SMALL]


def test_what_differs_is_named_with_its_group() -> None:
    assert runs.differing([SMALL, GENTLE]) == ["harmony.sigma", "harmony.max_iter"]
    assert runs.differing([SMALL]) == []
    assert runs.differing([]) == []


def test_a_summary_tells_settings_numbers_and_verdict(judged: Dataset) -> None:
    results = RunResults(judged, GENTLE)
    told = runs.summary(results, ["harmony.sigma"])
    assert told is not None
    assert results.assessment is not None
    assert told["settings"] == {"harmony.sigma": 0.05}
    assert told["metrics"] == results.assessment["metrics"]["after"]
    assert told["kind"] == results.assessment["verdict"]["kind"]
    assert told["complete"] is False
    assert runs.summary(RunResults(judged, UNJUDGED)) is None


def test_a_candidate_has_the_runs_own_numbers(judged: Dataset) -> None:
    results = RunResults(judged, SMALL)
    found = runs.candidate(results)
    assert found is not None
    assert results.assessment is not None
    assert found.settings == SMALL.harmony
    assert found.kind == results.assessment["verdict"]["kind"]
    shared = results.assessment["shared"]["batch"]
    assert found.mixing.mean == shared["after"]
    assert (found.mixing.worst, found.mixing.batch) == (
        shared["worst_after"],
        shared["worst_batch"],
    )
    losses = {row["name"]: row["loss"] for row in results.assessment["labels"]}
    evidence = results.assessment["verdict"]["evidence"]
    assert {loss.name for loss in found.losses} == {row["name"] for row in evidence}
    assert all(loss.amount == losses.get(loss.name, loss.amount) for loss in found.losses)
    assert runs.candidate(RunResults(judged, UNJUDGED)) is None


def test_a_judgement_alone_draws_no_picture(judged: Dataset) -> None:
    plan = Plan(judged, GENTLE)
    assert plan.has("assess")
    assert not plan.has("layout_after")
    assert not plan.is_finished
    steps = [stage.name for stage in plan.stages_for("assess")]
    assert steps[0] == "prepare"
    assert steps[-1] == "assess"
    assert not {"layout_before", "layout_after", "clusters_after", "markers_after"} & set(steps)


def test_the_scib_set_is_computed_where_asked_for(judged: Dataset) -> None:
    Pipeline(judged, SMALL).run("scib_after")
    stage = RunResults(judged, SMALL).stage("scib_after")
    assert stage is not None
    assert 0 <= stage.info["total"] <= 1
    assert stage.info["total"] == pytest.approx(0.4 * stage.info["batch"] + 0.6 * stage.info["bio"])
    assert all(0 <= value <= 1 for value in stage.info["cilisi"].values())


def test_a_label_is_kept_with_its_run(judged: Dataset) -> None:
    assert runs.tag_of(judged, SMALL) == runs.RunTag()
    runs.set_tag(judged, SMALL, runs.RunTag("  the\none " + "x" * 99, pinned=True))
    found = runs.tag_of(judged, SMALL)
    assert found.pinned
    assert found.name.startswith("the one xx")
    assert len(found.name) == runs.LONGEST_NAME
    assert runs.tag_of(judged, GENTLE) == runs.RunTag()
    (judged.run_folder(Plan(judged, SMALL).run) / "label.json").write_text("[]")
    assert runs.tag_of(judged, SMALL) == runs.RunTag()


def test_runs_with_another_preparation_or_label_are_not_comparable(judged: Dataset) -> None:
    assert SMALL in runs.comparable_runs(judged, GENTLE)
    assert runs.comparable_runs(judged, replace(SMALL, label=None)) == []

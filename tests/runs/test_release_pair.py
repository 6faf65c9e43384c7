"""Harmony 1 and 2 side by side: which runs, and the sentence on what differs."""

from __future__ import annotations

from dataclasses import replace

from harmony_core.export.methods import methods_paragraph
from harmony_core.methods.harmony_releases import release_of
from harmony_core.metrics.movement import neighbors_replaced
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.release_pair import as_one_and_two, what_changed
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL


def test_both_are_run_and_what_differs_is_said(dataset: Dataset) -> None:
    params = replace(SMALL, harmony=replace(SMALL.harmony, max_iter=10))
    pair = as_one_and_two(params)
    assert [release_of(replace(run.harmony, max_iter=10)) for run in pair] == ["1", "2"]
    assert pair[1] == params
    for run in pair:
        Pipeline(dataset, run).run("assess")
    one, two = (RunResults(dataset, run) for run in pair)
    said = what_changed(one, two)
    first, second = (run.stage("neighbors_after") for run in (one, two))
    assert first is not None
    assert second is not None
    share = neighbors_replaced(first.arrays["indices"], second.arrays["indices"]).mean()
    assert share > 0
    assert said.endswith(f"30 nearest neighbours, {100 * share:.0f} % are others in the second.")
    for run, name in ((one, "As Harmony 1"), (two, "as Harmony 2")):
        assert run.harmony is not None
        assert run.assessment is not None
        ilisi = run.assessment.after["batch"]["ilisi"]
        assert f"{name} it took {run.harmony['iterations']} iterations" in said
        assert f"iLISI {ilisi:.2f}" in said
    assert "settings approximate Harmony 1 (harmony 1.2 in R)" in methods_paragraph(one)[0]
    assert "approximate" not in methods_paragraph(two)[0]

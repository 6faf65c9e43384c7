"""What quality control leaves of each batch and each label is said by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from harmony_core import Run, Study
from harmony_core.categories import Factor
from harmony_core.errors import BatchError
from harmony_core.export.json_report import report_values, with_original_data
from harmony_core.export.record import run_record
from harmony_core.inspect.left_out import Kept, kept_of_each
from harmony_core.inspect.own_results import RECORD_KEY, left_out_before
from harmony_core.runs.results import RunResults
from harmony_core.verdict.verdict import Verdict

OBS = pd.DataFrame({"lane": ["1"] * 10 + ["2"] * 5 + ["3"] * 3, "type": ["T", "B", "T"] * 6})
GONE = "Quality control left out every cell of “C” in “batch” (133 cells)"


def test_levels_that_disappear_are_named() -> None:
    cells = np.array([0, 2, 3, 5, 6, 8, 9, 11, 12, 14])
    found = kept_of_each(OBS, cells, ["lane"], "type")
    assert [line for each in found for line in each.gone] == [
        "Quality control left out every cell of “3” in “lane” (3 cells), so nothing here speaks of "
        "these; look whether they are of low quality or only of lower depth, and change the "
        "thresholds if so.",
        "Quality control left out every cell of “B” in “type” (6 cells), so nothing here speaks of "
        "these; look whether they are of low quality or only of lower depth, and change the "
        "thresholds if so.",
    ]
    assert [each.cells for each in found] == [
        {"1": (7, 10), "2": (3, 5), "3": (0, 3)},
        {"B": (0, 6), "T": (10, 12)},
    ]


def test_nothing_is_said_where_nothing_is_left_out() -> None:
    every = np.arange(len(OBS))
    assert kept_of_each(OBS, every, ["lane"], "type") == []
    (lane,) = kept_of_each(OBS, every[:-1], ["lane"], "nothing")
    assert list(lane.gone) == []
    assert list(lane.low) == []


def test_what_was_left_out_before_counts_too() -> None:
    before = [Kept("lane", {"1": (10, 20), "2": (5, 5), "3": (3, 9), "4": (0, 7)})]
    every = np.arange(len(OBS))
    (lane,) = kept_of_each(OBS, every, ["lane"], "type", before=before)
    assert lane == before[0]
    lane, _ = kept_of_each(OBS, every[3:-3], ["lane"], "type", before=before)
    assert lane.cells == {"1": (7, 20), "2": (5, 5), "3": (0, 9), "4": (0, 7)}


@pytest.mark.parametrize(
    "kept", [None, {}, 3, {"lane": 3}, {"lane": {"1": 3}}, {"lane": {"1": [5, 3], "2": [0, 0]}}]
)
def test_a_record_that_is_not_ours_tells_nothing(kept: object) -> None:
    assert left_out_before({RECORD_KEY: json.dumps({"prepared": {"kept": kept}})}) == ()


def test_what_is_no_type_may_go() -> None:
    obs = OBS.assign(type=np.where(OBS["type"] == "B", "doublet", "T"))
    (types,) = kept_of_each(obs, np.flatnonzero(obs["type"] == "T"), [], "type")
    assert types.cells == {"T": (12, 12)}
    assert not types.has_lost


def test_levels_with_few_or_less_than_half_of_their_cells_are_named() -> None:
    sizes = {"all": (100, 100), "few": (29, 30), "half": (40, 90), "most": (80, 90), "tiny": (4, 9)}
    codes = np.repeat(np.arange(5), [of for _, of in sizes.values()])
    keep = np.concatenate([np.arange(of) < kept for kept, of in sizes.values()])
    kept = Kept.of(Factor("lane", codes, tuple(sizes)), keep)
    assert kept.cells == sizes
    assert list(kept.gone) == []
    assert [line.split("; look")[0] for line in kept.low] == [
        "Quality control leaves fewer than 30 cells of “few” 29 of 30 in “lane”, too few to judge",
        "Quality control leaves less than half of the cells of “half” 40 of 90, “tiny” 4 "
        "of 9 in “lane”",
    ]
    assert kept.sentence == (
        "Cells kept by quality control in “lane”: “half” 40 of 90, “tiny” 4 of 9, “most” 80 of "
        "90, “few” 29 of 30, “all” 100 of 100."
    )


def test_of_many_levels_those_that_lost_most_are_listed() -> None:
    kept = Kept("donor", {f"d{i}": (100 - i, 100) for i in range(40)})
    assert kept.sentence.startswith("Cells kept by quality control in “donor”: “d39” 61 of 100, ")
    assert kept.sentence.endswith(", “d28” 72 of 100 and 28 more.")


def test_a_verdict_with_a_warning_is_never_green() -> None:
    verdict = Verdict(severity="green", kind="good", sentences=("Fine.",))
    assert verdict.with_warnings([]) == verdict
    warned = verdict.with_warnings(["“C” is gone."])
    assert (warned.severity, warned.sentences) == ("amber", ("Fine.", "“C” is gone."))
    assert warned.with_warnings(["“C” is gone."]) == warned
    assert replace(verdict, severity="red").with_warnings(["Gone."]).severity == "red"


@pytest.fixture(scope="module")
def thin(simulated: ad.AnnData) -> ad.AnnData:
    """Cells of which those of batch C have few genes."""
    cells = simulated.copy()
    batch = np.array(["B", "A", "C"])[np.arange(cells.n_obs) % 3]
    X = cells.X.toarray()
    X[batch == "C", 20:] = 0
    cells.X, cells.obs["batch"] = X, pd.Categorical(batch)
    return cells


def test_a_batch_that_disappears_is_a_warning_in_the_verdict(
    thin: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.read(thin, batch="batch", label="true_type", home=tmp_path)
    run = study.prepare(min_genes=30).correct(max_iter=1)
    assert any(GONE in line for line in run.verdict.sentences)
    assert run.verdict.level != "green"
    kept = run.kept.set_index(["column", "level"])
    assert kept.loc[("batch", "C")].tolist() == [133, 0]
    assert kept.loc["true_type"].kept.sum() == kept.loc["batch"].kept.sum() == len(run.embedding)
    report = report_values(run.results)
    assert report["data"]["kept"]["batch"]["C"] == [0, 133]
    assert any("Cells kept by quality control in “batch”: “C” 0 of 133" in n for n in run.notes)
    assert {"batch", "true_type"} == set(report["data"]["kept"])

    # The file of a run has none of these cells, and says so all the same when it is opened.
    run.export(tmp_path / "run.h5ad")
    opened = Run.read(tmp_path / "run.h5ad", home=tmp_path)
    assert opened.verdict.level == "amber"
    assert sum(GONE in line for line in opened.verdict.sentences) == 1
    assert any(GONE in line for line in opened.results.dataset.info.warnings)
    assert opened.kept.equals(run.kept)
    values = report_values(opened.results)
    told = with_original_data(values, run_record(run.results), ["Not judged."])
    assert any(GONE in line for line in told["verdict"]["sentences"])
    assert told["data"]["notes"] == [*run.notes, "Not judged."]

    # What a verdict says was counted when it was made: a page that reads it counts no cells.
    def count(*_: object) -> None:
        raise AssertionError("all cells were counted")

    monkeypatch.setattr(Factor, "of", count)
    again = RunResults(run.results.dataset, run.results.params).assessment
    assert again is not None
    assert again.verdict.sentences == run.verdict.sentences


def test_where_one_batch_is_left_it_is_said_which_was_lost(
    thin: ad.AnnData, tmp_path: Path
) -> None:
    two = Study.read(thin[thin.obs["batch"] != "B"].copy(), batch="batch", home=tmp_path)
    with pytest.raises(BatchError, match=r"between in 'batch'. Quality control left out .* of “C”"):
        two.prepare(min_genes=30).correct(max_iter=1)


def test_a_record_that_is_nested_without_end_is_none() -> None:
    assert left_out_before({RECORD_KEY: "[" * 100_000}) == ()

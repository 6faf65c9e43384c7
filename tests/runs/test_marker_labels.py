"""Runs that are judged by labels from marker genes: made once, and everywhere where labels are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pytest

from harmony_core import Run, Study
from harmony_core.errors import DataError, ParameterError
from harmony_core.export.html_report import report_page
from harmony_core.export.settings import loaded_settings, settings_text
from harmony_core.inspect.gene_sets import BLOOD, GeneSets, panel_sets, panel_text
from harmony_core.params import MARKER_LABEL, RunParams
from harmony_core.runs.history import differing, in_words
from harmony_core.runs.link import from_parameters, to_parameters
from harmony_core.runs.plan import Plan
from harmony_core.store import Dataset, Store
from tests.conftest import SMALL

PANEL = "one: A, B\ntwo: C, D"
MADE = replace(SMALL, label=None, panel=PANEL)


def markers_of(cells: ad.AnnData) -> GeneSets:
    """The genes that lead most in each true type."""
    logs, truth = np.log1p(cells.X.toarray()), cells.obs["true_type"].astype(str).to_numpy()
    types = np.unique(truth)
    means = np.stack([logs[truth == name].mean(axis=0) for name in types])
    leads = [means[i] - np.delete(means, i, axis=0).max(axis=0) for i in range(len(types))]
    named = zip(types, leads, strict=True)
    return {str(n): tuple(cells.var_names[np.argsort(-lead)[:5]]) for n, lead in named}


@pytest.fixture(scope="module")
def run(simulated: ad.AnnData, kept_store: Store) -> Run:
    study = Study.read(simulated, batch="batch", panel=markers_of(simulated), home=kept_store.home)
    return study.prepare(**SMALL.prepare.to_dict()).correct(max_iter=3)


def test_the_verdict_is_made_by_labels_that_agree_with_the_truth(run: Run) -> None:
    obs = run.results.obs
    assert obs is not None
    made, truth = obs[MARKER_LABEL].astype(str), obs["true_type"].astype(str)
    sure = made != "unsure"
    assert sure.mean() > 0.8
    assert (made == truth)[sure].mean() > 0.95
    assessment = run.results.assessment
    assert assessment is not None
    judged = {row.name: row.cells for row in assessment.states if row.kind == "label"}
    assert judged == made[sure].value_counts().to_dict()
    assert "made by Harmony Explorer from marker genes" in assessment.notes[0]
    assert f"{(~sure).mean():.0%} of the cells are unsure" in assessment.notes[0]


def test_labels_are_in_the_files_of_the_run(run: Run, tmp_path: Path) -> None:
    obs = run.results.obs
    assert obs is not None
    run.export(tmp_path / "run.h5ad")
    written = ad.read_h5ad(tmp_path / "run.h5ad").obs
    assert written[MARKER_LABEL].astype(str).tolist() == obs[MARKER_LABEL].astype(str).tolist()
    assert written["harmony_marker_confidence"].between(0, 1).all()
    run.export(tmp_path / "run.py")
    assert MARKER_LABEL not in (tmp_path / "run.py").read_text().partition("SETTINGS = ")[2]
    page = report_page(run.results)
    assert "made by Harmony Explorer from marker genes" in page
    assert "made from marker genes within each batch, before correction" in page


def test_only_what_judges_by_labels_is_computed_again(dataset: Dataset) -> None:
    plain, made = (Plan(dataset, p).keys for p in (replace(SMALL, label=None), MADE))
    changed = {name for name in plain if plain[name] != made[name]}
    judged = {f"{name}_{side}" for name in ("lisi", "scib") for side in ("before", "after")}
    assert changed == {*judged, "assess"}
    assert set(made) - set(plain) == {"marker_labels"}
    other = Plan(dataset, replace(MADE, panel=PANEL + ", E")).keys
    assert other["assess"] != made["assess"]
    stages = [stage.name for stage in Plan(dataset, MADE).stages_for("assess")]
    assert stages.index("prepare") < stages.index("marker_labels") < stages.index("lisi_before")


def test_settings_come_back_from_files_and_links(dataset: Dataset) -> None:
    assert MADE.label == MARKER_LABEL
    assert RunParams.from_dict(MADE.to_dict()) == MADE
    assert "panel" not in SMALL.to_dict()
    for format in ("toml", "json"):
        text = settings_text(MADE, format).encode()
        assert loaded_settings(text, f"run.{format}", dataset) == MADE
    assert from_parameters(to_parameters(MADE, SMALL), dataset, SMALL) == (MADE, ())
    assert set(differing([MADE, SMALL])) == {"label", "panel"}
    assert in_words(SMALL) == in_words(MADE)


def test_a_stranger_s_panel_in_a_link_is_refused_with_a_sentence(dataset: Dataset) -> None:
    found, problems = from_parameters({"panel": ["<b>x</b>"]}, dataset, SMALL)
    assert found == SMALL
    assert len(problems) == 1
    assert "at least two cell types" in problems[0]


def test_what_can_not_be_asked_for_is_refused(dataset: Dataset) -> None:
    with pytest.raises(ParameterError, match="choose one of the two"):
        replace(SMALL, panel="blood")
    with pytest.raises(ParameterError, match="a line a cell type"):
        replace(SMALL, label=None, panel=" ")
    with pytest.raises(DataError, match="at least two cell types"):
        Study(dataset, ("batch",), prepared=SMALL.prepare, panel="one: A, B").correct()
    with pytest.raises(DataError, match="too few genes"):
        Study(dataset, ("batch",), prepared=SMALL.prepare, panel="a: X1, X2\nb: X3, X4").correct()


def test_panels_are_written_as_they_are_read() -> None:
    assert panel_sets("blood") == BLOOD
    assert panel_sets(panel_text({"a: b": ("A",), "c\nd": ("B", "C")})) == {
        **{"a b": ("A",), "c d": ("B", "C")},
    }

"""Evidence, suggestion, stability and the Diagnostics page, through Streamlit's test runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core.detector.results import StateRow
from harmony_core.jobs.work import Work, risk_work
from harmony_core.methods.harmony_releases import release_of
from harmony_core.params import RunParams
from harmony_core.runs import concordance, risk
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, examples
from harmony_core.verdict import verdict
from harmony_core.verdict.advice import Advice
from harmony_core.verdict.evidence import Evidence
from harmony_core.verdict.grid import Candidate, Loss
from harmony_core.verdict.risk import Risk, rows_at_risk, with_thetas
from harmony_core.verdict.tried import outcome
from harmony_core.verdict.verdict import Mixing
from pages.ui import evidence_table, state
from pages.ui.run_group import Group
from pages.ui.tables import csv
from pages.ui.text import plain
from pages.ui.tune import settings_search
from tests.app.conftest import Waiting, ears

SECTIONS = (
    "States",
    *("Pre-clusters", "Labels", "Neighbours", "Soft clusters", "Convergence", "Confounding"),
    *("scIB scores", "What to try", "Right tool?", "Numbers and limits"),
)


@pytest.fixture
def app(app: AppTest) -> AppTest:
    return app.run()


@pytest.fixture
def kang(runner: Waiting) -> Dataset:
    return runner.store.dataset(examples.fingerprint(runner.store, "kang"))


def _results(kang: Dataset) -> RunResults:
    sample = examples.EXAMPLES["kang"]
    params = RunParams.from_dict(
        {
            "harmony": {"batch": [sample.batch]},
            "label": sample.label,
            "condition": sample.condition,
        }
    )
    return RunResults(kang, params)


def _texts(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.subheader, *app.info, *app.error]
    return "\n".join(str(element.value) for element in elements)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_drawn_for_the_sample(app: AppTest, section: str) -> None:
    app.switch_page("pages/diagnostics.py").run()
    assert not app.exception
    app.session_state["deep-section"] = section
    app.run()
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Diagnostics"


def test_pre_clusters_are_those_of_the_assessment(app: AppTest, kang: Dataset) -> None:
    app.switch_page("pages/diagnostics.py").run()
    assessment = _results(kang).assessment
    assert assessment is not None
    rows = assessment["detections"]["condition"]["clusters"]
    shown = app.dataframe[0].value
    assert sorted(shown["Pre-cluster"]) == sorted(row["name"] for row in rows)
    assert shown["Against its limit"].dropna().is_monotonic_decreasing


def test_without_a_judged_run_the_page_says_where_to_go(app: AppTest, kang: Dataset) -> None:
    chosen = _results(kang).params.to_dict()
    chosen["harmony"]["theta"] = [7.0]
    app.session_state["settings"] = {kang.fingerprint: chosen}
    app.session_state["last_run"] = {}
    app.switch_page("pages/diagnostics.py").run()
    assert not app.exception
    assert "no judged run" in app.info[0].value


def test_marked_evidence_is_named_and_can_be_unmarked(app: AppTest, kang: Dataset) -> None:
    results = _results(kang)
    app.session_state[f"marked:{kang.fingerprint}"] = {
        "kind": "pre-cluster",
        "name": "stimulated · <b>cluster</b>",
        "variable": "condition",
        "cluster": 3,
        "label": None,
        "reference": results.plan.keys["reference"].digest,
    }
    app.run()
    assert not app.exception
    assert "Marked" in _texts(app)
    assert "<b>" not in _texts(app)
    app.button(key="unmark").click().run()
    assert "Marked" not in _texts(app)


def test_cells_of_a_pre_cluster_are_as_many_as_its_row_says(kang: Dataset) -> None:
    results = _results(kang)
    assert results.assessment is not None
    for row in results.assessment["detections"]["condition"]["clusters"]:
        cells = evidence_table.precluster_cells(results, "condition", row["cluster"])
        assert cells is not None
        assert cells.sum() == row["cells"]
        assert results.obs is not None
        assert set(results.obs["condition"][cells]) == {row["batch"]}


def test_evidence_on_a_label_marks_its_cells_and_opens_its_genes(
    kang: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    session: dict[str, Any] = {state.VIEWER: "ada"}
    monkeypatch.setattr(st, "session_state", session)
    results = _results(kang)
    row = Evidence(
        kind="label", name="B", batch_variable="condition", batch="", merged_with="T",
        share=None, score=2.0, genes=("CD79A", "MS4A1"), cells=0,
    )  # fmt: skip
    nothing = evidence_table.marked_cells(results)
    assert nothing is not None
    assert not nothing.any()
    evidence_table.mark_row(results, row)
    marked = evidence_table.marked_cells(results)
    assert marked is not None
    assert results.obs is not None
    np.testing.assert_array_equal(marked, results.obs["marker_based_type"] == "B")
    # Not before the part that has the widgets is drawn: the browser would undo it.
    assert evidence_table.PANEL_KEY not in session
    evidence_table.open_genes()
    assert session[evidence_table.GENES_KEY] == "CD79A, MS4A1"
    assert session[evidence_table.PANEL_KEY] == evidence_table.OWN_PANEL


def test_suggest_begins_in_the_background_and_can_be_cancelled(
    app: AppTest, runner: Waiting
) -> None:
    app.button(key="suggest").click().run()
    assert not app.exception
    assert len(runner.handed) == 1
    assert len(runner.queue.jobs) == 11  # the run on screen is one of the twelve
    app.button(key="cancel-suggest").click().run()
    assert not runner.wanted
    assert app.button(key="suggest")


class Searched(Group):
    """A group whose runs the store has."""

    def done(self, runs: Sequence[RunParams]) -> list[RunParams]:
        return list(runs)


def test_the_suggestion_says_what_each_step_further_costs(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "<b>NK</b> *x*"

    def candidate(results: RunResults) -> Candidate:
        harmony = results.params.harmony
        theta, is_far = harmony.theta[0], harmony.theta[0] > 4
        return Candidate(
            settings=harmony,
            kind="over" if is_far else "good",
            mixing=Mixing(worst=theta / 11, mean=theta / 11, batch=name),
            losses=(Loss(name=name, other="=B", amount=0.12),) if is_far else (),
        )

    monkeypatch.setattr(settings_search, "Group", Searched)
    monkeypatch.setattr(settings_search.history, "candidate", candidate)
    app.run()
    assert not app.exception
    text = _texts(app)
    assert "theta 4, sigma 0\\.05 mixes the batches most without cost to a state" in text
    assert "12 % of the neighbours of" in text
    assert "<b>NK" not in text
    steps = next(t.value for t in app.dataframe if "Who pays" in t.value)
    assert list(steps["theta"]) == [4, 8, 8, 8]
    assert list(steps["Who pays"]) == ["", name, name, name]
    assert list(steps["Neighbours lost (%)"].dropna()) == [12] * 3
    assert "mixed least, to 36 %" in text
    assert list(steps["Least mixing (%)"]) == [36, 73, 73, 73]
    app.button(key="use-suggestion").click().run()
    assert not app.exception
    assert next(s for s in app.slider if s.label == "sigma").value == 0.05


def test_a_slider_does_not_wait_for_the_search(app: AppTest, runner: Waiting) -> None:
    app.button(key="suggest").click().run()
    next(s for s in app.slider if s.label == "sigma").set_value(0.3).run()
    assert not app.exception
    (urgent,) = [job for job in runner.wanted if not job.work.background]
    assert len(runner.handed) == 1
    runner.end()
    assert runner.handed[1][2:] == urgent.work.arguments


def test_stability_asks_for_five_seeds(app: AppTest, runner: Waiting) -> None:
    app.button(key="stability").click().run()
    seeds = {job.work.arguments[1].harmony.seed for job in runner.queue.jobs.values()}
    assert seeds == {1, 2, 3, 4}  # seed 0 is the run on screen


def test_concordance_asks_for_seeds_and_releases_once_it_is_open(
    app: AppTest, runner: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concordance, "installed", lambda method: None)
    app.run()
    assert not [button for button in app.button if button.key == "concordance"]
    app.session_state["concordance-open"] = True
    app.run().button(key="concordance").click().run()
    assert not app.exception
    asked = [job.work.arguments[1].harmony for job in runner.queue.jobs.values()]
    assert sorted(harmony.seed for harmony in asked) == [0, 0, 1, 2, 3, 4]
    assert [release_of(harmony) for harmony in asked].count("1") == 1


def test_scib_scores_are_asked_for_on_demand(app: AppTest, runner: Waiting) -> None:
    app.switch_page("pages/diagnostics.py").run()
    app.session_state["deep-section"] = "scIB scores"
    app.run()
    app.button(key="score-this").click().run()
    assert not app.exception
    assert [job.work.arguments[2:] for job in runner.queue.jobs.values()] == [
        ("scib_before", "scib_after")
    ]


def test_a_run_under_way_is_followed_until_it_is_judged(app: AppTest, runner: Waiting) -> None:
    next(s for s in app.sidebar.slider if s.label == "theta").set_value(1.0).run()
    app.switch_page("pages/diagnostics.py").run()
    assert not app.exception
    (job,) = runner.wanted
    assert ears(app)["diagnostics"]["works"] == {job.work.name: ["assess"]}
    runner.withdraw(app.session_state["viewer"])
    app.run()
    assert not ears(app)["diagnostics"]["waits"]


def test_work_that_ends_while_a_part_is_drawn_is_drawn_once_more(
    app: AppTest, runner: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.switch_page("pages/diagnostics.py").run()
    app.session_state["deep-section"] = "scIB scores"
    app.run()
    app.button(key="score-this").click()
    follow = Group.follow

    def after_its_end(group: Group, *works: Work) -> None:
        group.work.folder.write("failed", message="It ended.")
        runner.end()
        follow(group, *works)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Group, "follow", after_its_end)
        app.run()
    assert ears(app)["section"]["waits"]
    app.run()
    assert not ears(app)["section"]["waits"]
    assert "It ended" in app.warning[0].value


def test_formulas_in_a_table_are_text_in_the_csv() -> None:
    rows = pd.DataFrame({"=1+1": ["=cmd()", " +2", "@x", "fine", None], "Change": [-1, 0, 1, 2, 3]})
    text = csv(rows).decode().splitlines()
    assert text == ["'=1+1,Change", "'=cmd(),-1", "' +2,0", "'@x,1", "fine,2", ",3"]


def test_advice_stands_beside_what_it_did_or_is_said_not_to_be_tried(
    app: AppTest, kang: Dataset, runner: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = _results(kang).assessment
    assert now is not None
    read = verdict.Verdict.from_dict
    advice = (
        Advice(sentence="As it is.", changes={"theta": [2.0]}),  # the one run of the store
        Advice(sentence="Raise theta.", changes={"theta": [4.0]}),
        Advice(sentence="Look at the genes."),
    )
    monkeypatch.setattr(
        verdict.Verdict, "from_dict", classmethod(lambda _, v: replace(read(v), advice=advice))
    )
    app.switch_page("pages/diagnostics.py").run()
    app.session_state["deep-section"] = "What to try"
    app.run()
    assert not app.exception
    text = _texts(app)
    positions = [text.index(plain(s)) for s in ("As it is.", outcome(now, now), "Raise theta.")]
    assert positions == sorted(positions)
    assert text.count("Not tried on your data yet") == 1
    assert not [b for b in app.button if b.label == "Try it"]
    app.button(key="try-advice").click().run()
    assert not app.exception
    (job,) = runner.wanted
    assert job.work.arguments[1].harmony.theta == (4.0,)


def _states(app: AppTest) -> AppTest:
    app.switch_page("pages/diagnostics.py").run()
    app.session_state["deep-section"] = "States"
    app.run()
    assert not app.exception
    return app


def test_the_risk_is_asked_for_in_the_background_and_can_be_cancelled(
    app: AppTest, runner: Waiting
) -> None:
    _states(app).button(key="risk").click().run()
    assert not app.exception
    (job,) = runner.wanted
    assert job.work.background
    assert [run.harmony.theta[0] for run in job.work.arguments[1]] == [2, 0.5, 1, 4, 8]
    app.button(key="cancel-risk").click().run()
    assert not app.exception
    assert not runner.wanted
    assert app.button(key="risk")


def test_risks_that_exist_are_said_drawn_and_in_the_table(
    app: AppTest, kang: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assessment = _results(kang).assessment
    assert assessment is not None
    rows = rows_at_risk(assessment.states)
    unknown = rows[-1].name

    def pretended(context: object, row: StateRow, names: object) -> Risk:
        fraction = None if row.name == unknown else len(row.name) / 100
        why = "too few cells" if fraction is None else ""
        return Risk(kind=row.kind, name=row.name, batch="<b>x</b>", fraction=fraction, why=why)

    monkeypatch.setattr(risk, "_risk", pretended)
    risk.estimate(kang, with_thetas(_results(kang).params, (4,)), rows=rows)
    _states(app)
    shown = app.dataframe[0].value
    assert app.dataframe[0].proto.placeholder == "–"
    np.testing.assert_array_equal(
        shown["Risk"][: len(rows)], [*(len(row.name) / 100 for row in rows[:-1]), np.nan]
    )
    worst = max(rows[:-1], key=lambda row: len(row.name))
    text = _texts(app)
    assert f"{len(worst.name)} % of its neighbours would become other cells" in text
    assert "\\<b\\>x\\<\\/b\\>" in text
    assert "too few cells" in text
    (figure,) = app.get("plotly_chart")
    assert "risk-map" in figure.proto.id
    app.button(key="risk").click().run()  # other thetas are not known yet
    assert app.button(key="cancel-risk")
    (missing,) = ears(app)["section"]["works"].values()
    assert len(missing) == 3, "of five thetas two are known"
    assert ears(app)["section"]["waits"]
    assert not ears(app)["diagnostics"]["waits"]
    (figure,) = app.get("plotly_chart")  # while the job goes on
    assert "risk-map" in figure.proto.id


def test_each_setting_of_the_risk_counts_as_stored_when_it_is_there(
    kang: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = with_thetas(_results(kang).params, (4, 8))
    monkeypatch.setattr(
        risk, "_risk", lambda context, row, names: Risk(kind=row.kind, name=row.name, fraction=0.5)
    )
    work = risk_work(kang, runs)
    assert not work.stored
    for n in range(len(runs)):
        assert not work.is_finished()
        risk.estimate(kang, runs[: n + 1])
        assert work.stored == work.results[: n + 1]
    assert work.is_finished()

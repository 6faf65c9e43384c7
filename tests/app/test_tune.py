"""The Tune page: links, presets and ways back, through Streamlit's test runner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core.figures.summary import clip_limit
from harmony_core.jobs import worker
from harmony_core.runs import concordance, history, iterations
from harmony_core.runs.concordance import computed_concordance
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import Plan
from harmony_core.runs.release_pair import computed_pair
from harmony_core.runs.results import RunResults
from harmony_core.store import HOME_VARIABLE, Dataset, examples
from harmony_core.verdict.grid import grid
from pages.ui import address, colouring, services
from pages.ui.linked_view import selection_key
from pages.ui.linked_view.selection_state import SelectionState, pack_bits
from pages.ui.text import plain
from pages.ui.tune import batch_table, before_after
from tests.app.conftest import ROOT, Waiting
from tests.conftest import SMALL


def _slider(app: AppTest, label: str) -> Any:
    return next(s for s in app.sidebar.slider if s.label == label)


def _button(app: AppTest, label: str) -> Any:
    return next(b for b in app.button if b.label == label)


def _text(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.warning, *app.subheader, *app.info]
    return "\n".join(str(e.value) for e in elements)


def test_the_first_sight_has_a_short_address(app: AppTest) -> None:
    app.run()
    assert app.query_params == {"sample": "kang", "batch": "condition"}


def test_a_link_restores_sample_settings_and_colouring(app: AppTest) -> None:
    app.query_params |= {"sample": "sibling", "theta": "4.0", "tau": "3", "gene": _some_gene()}
    app.run()
    assert not app.exception
    assert _slider(app, "theta").value == 4.0
    assert _slider(app, "tau").value == 3.0
    assert "2,400 cells" in _text(app)
    colour, gene = (next(s for s in app.selectbox if s.label == n) for n in ("Colour by", "Gene"))
    assert (colour.value, gene.value) == ("A gene …", _some_gene())
    again = dict(app.query_params)
    assert again["sample"] == "sibling"
    assert again["gene"] == _some_gene()
    app.run()
    assert app.query_params == again


def _some_gene() -> str:
    from harmony_core.store import examples

    store = services.store()
    return str(store.dataset(examples.fingerprint(store, "sibling")).symbols[5])


def test_moving_a_slider_writes_the_address_and_the_address_never_moves_a_slider(
    app: AppTest,
) -> None:
    app.run()
    _slider(app, "theta").set_value(1.0).run()
    assert app.query_params["theta"] == "1.0"
    # As when the browser still showed the address before.
    app.query_params["theta"] = "7.0"
    app.run()
    assert _slider(app, "theta").value == 1.0
    assert app.query_params["theta"] == "1.0"


def test_back_in_the_browser_restores_the_settings_of_the_data_in_hand(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run()
    first = dict(app.query_params)
    _slider(app, "theta").set_value(1.0).run()
    monkeypatch.setattr(address, "_went_through_history", lambda: True)
    app.query_params["colour"] = "marker_based_type"
    app.query_params["theta"] = "3.0"
    app.run()
    assert _slider(app, "theta").value == 3.0
    assert next(s for s in app.selectbox if s.label == "Colour by").value == "marker_based_type"
    app.query_params.clear()
    app.query_params |= first
    app.run()
    assert _slider(app, "theta").value == 2.0
    assert next(s for s in app.selectbox if s.label == "Colour by").value == "condition"
    assert app.query_params == first
    app.query_params |= {"sample": "sibling", "theta": "5.0"}
    app.run()
    assert _slider(app, "theta").value == 2.0
    assert app.query_params == first


def test_a_theta_of_one_batch_holds_while_its_panel_is_closed(
    app: AppTest, runner: Waiting
) -> None:
    app.query_params |= {"sample": "kang", "theta_of": '["condition", "stimulated", 1.0]'}
    app.run()
    assert not app.exception
    row = '["condition", "stimulated", 1.0]'
    assert app.query_params["theta_of"] == row
    assert "Own theta: 1 for stimulated of condition." in _text(app)
    assert not app.get("arrow_data_frame_editor")
    _slider(app, "theta").set_value(3.0).run()
    assert app.query_params["theta_of"] == row
    assert runner.wanted
    kang = examples.fingerprint(services.store(), "kang")
    app.session_state[f"{kang}:theta_of"] = ()
    app.run()
    assert "theta_of" not in app.query_params


def test_a_release_sets_what_differed_and_is_known_by_it(app: AppTest, runner: Waiting) -> None:
    app.query_params |= {"sample": "kang", "theta": "3.0"}
    app.run()
    release = next(s for s in app.selectbox if s.label == "Release")
    assert release.value == "2"
    assert "Approximates" not in _text(app)
    release.set_value("1").run()
    assert not app.exception
    assert app.query_params["theta"] == "3.0"
    assert app.query_params["lamb"] == "1.0"
    assert app.query_params["max_iter_kmeans"] == "20"
    assert app.query_params["batch_prop_cutoff"] == "0.0"
    assert plain("Approximates Harmony 1 (harmony 1.2 in R).") in _text(app)
    _slider(app, "lambda").set_value(2.0).run()
    assert next(s for s in app.selectbox if s.label == "Release").value == ""
    _button(app, "Run both").click().run()
    wanted = {job.work.stages for job in runner.wanted}
    assert any({"assess", "layout_after"} <= set(stages) for stages in wanted)


def test_penalties_are_added_as_in_r_where_there_are_several_variables(app: AppTest) -> None:
    label = "Add penalties, as R does"
    app.query_params |= {"sample": "kang"}
    app.run()
    assert label not in [toggle.label for toggle in app.toggle]
    app.query_params["batch"] = ["condition", "marker_based_type"]
    app.query_params["penalties_as_r"] = "true"
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    again.query_params |= dict(app.query_params)
    again.run()
    assert not again.exception
    toggle = next(toggle for toggle in again.toggle if toggle.label == label)
    assert toggle.value is True
    toggle.set_value(False).run()
    assert "penalties_as_r" not in again.query_params


def test_what_is_typed_into_the_table_of_batches_is_kept_by_name() -> None:
    batches = [("donor", "d1"), ("donor", "d2"), ("lane", "d1")]
    edited = {0: {"theta": None}, 2: {"theta": 0.5}, 1: {"lambda": 7}}
    rows = (("donor", "d1", 3.0), ("donor", "d2", 4.0))
    found = batch_table.with_edits(rows, edited, "theta", batches)
    assert found == (("donor", "d2", 4.0), ("lane", "d1", 0.5))
    assert batch_table.with_edits((), edited, "lambda", batches) == (("donor", "d2", 7.0),)


def test_data_without_a_panels_genes_show_those_of_their_clusters(small: AppTest) -> None:
    assert small.segmented_control(key="panel").value == "Clusters"
    assert "The best marker gene of each cluster after Harmony." in _text(small)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("sample", "<b>mine</b>", "There is no sample"),
        ("theta", "1e9", "must lie between"),
        ("max_iter", "0", "the slider begins at 1"),
        ("gene", "NOSUCH", "There is no gene"),
        ("colour", "NOSUCH", "There is no colouring"),
        ("batch", "NOSUCH", "NOSUCH"),
        ("utm_source", "x", "There is no setting"),
    ],
)
def test_a_bad_link_is_told_in_a_sentence(
    app: AppTest, name: str, value: str, sentence: str
) -> None:
    app.query_params[name] = value
    app.run()
    assert not app.exception
    assert sentence in app.warning[0].value.replace("\\", "")
    assert "<b>" not in app.warning[0].value.replace("\\<", "")
    assert "Looks right" in _text(app) or name == "max_iter"
    _button(app, "Close").click().run()
    assert not app.warning


def test_presets_are_one_click_and_each_slider_finds_back(app: AppTest) -> None:
    app.run()
    _button(app, "Strong").click().run()
    assert (_slider(app, "theta").value, _slider(app, "sigma").value) == (4.0, 0.1)
    _button(app, "Gentle").click().run()
    assert (_slider(app, "theta").value, _slider(app, "sigma").value) == (1.0, 0.05)
    assert sorted(b.label for b in app.button if b.label.startswith("↺")) == [
        "↺ default 0.1",
        "↺ default 2",
    ]
    _button(app, "↺ default 2").click().run()
    assert (_slider(app, "theta").value, _slider(app, "sigma").value) == (2.0, 0.05)
    _button(app, "Default").click().run()
    assert not [b for b in app.button if b.label.startswith("↺")]


def test_help_says_what_more_and_what_less_does(app: AppTest) -> None:
    app.run()
    for slider in app.sidebar.slider:
        words = slider.help.lower()
        assert "**more**" in words
        assert "**less**" in words or "**fewer**" in words or "0 " in words
        assert "default" in words or "automatic" in words


def test_what_is_in_effect_is_told_where_it_is_not_the_sliders_value(app: AppTest) -> None:
    app.run()
    captions = [c.value for c in app.sidebar.caption]
    assert any(c.startswith("In effect") for c in captions)


NO_PUSH = replace(SMALL, harmony=replace(SMALL.harmony, theta=(0.0,)))


@pytest.fixture(scope="module")
def finished(dataset: Dataset) -> Dataset:
    """Data with two finished runs, and the shorter ones that the film needs."""
    for params in (SMALL, NO_PUSH):
        history.save_settings(dataset, params)
        Pipeline(dataset, params).run()
    for params in iterations.shorter_runs(RunResults(dataset, SMALL)):
        Pipeline(dataset, params).run(*iterations.FRAME_STAGES)
    return dataset


@pytest.fixture
def small(app: AppTest, finished: Dataset, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app on those data, with the panel of kept runs open."""
    app.session_state["runs-open"] = True
    monkeypatch.setenv(HOME_VARIABLE, str(finished.folder.parents[1]))
    st.cache_resource.clear()
    app.session_state["dataset"] = finished.fingerprint
    app.session_state["settings"] = {finished.fingerprint: SMALL.to_dict()}
    return app.run()


def _metric(app: AppTest, label: str) -> str:
    return str(next(m.value for m in app.metric if m.label == label))


def test_what_is_more_than_chance_is_told_of_seeds_releases_and_a_kept_run(
    small: AppTest, finished: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concordance, "installed", lambda method: None)
    expected = computed_concordance(finished, SMALL)
    small.session_state["concordance-open"] = True
    small.run()
    assert not small.exception
    said = [each.value for each in small.markdown]
    assert all(plain(sentence, longest=600) in said for sentence in expected.sentences)
    run = small.selectbox(key=f"concordance-run:{finished.fingerprint}")
    run.set_value(next(name for name in run.options if "theta 0" in name)).run()
    assert not small.exception
    assert any(each.value.startswith("Harmony, theta 0") for each in small.markdown)


def test_harmony_1_and_2_stand_in_the_pictures_with_what_changed(
    small: AppTest, finished: Dataset
) -> None:
    pair = computed_pair(finished, SMALL)
    sides = {"left": pair.one.plan.run, "right": pair.two.plan.run}
    history.save_settings(finished, pair.one.params)
    small.run()
    assert not small.exception
    assert plain(pair.sentence, longest=800) in [each.value for each in small.markdown]
    small.button(key="release-pair-show").click().run()
    assert not small.exception
    for side, name in sides.items():
        assert small.selectbox(key=f"compare-{side}:{finished.fingerprint}").value == name
    small.button(key="release-pair-end").click().run()
    assert "release-pair-show" in {button.key for button in small.button}


def test_data_of_ones_own_have_no_link(small: AppTest) -> None:
    assert not small.exception
    assert dict(small.query_params) == {}


def test_two_runs_are_compared_by_numbers(small: AppTest, finished: Dataset) -> None:
    other = Plan(finished, NO_PUSH).run
    left = small.selectbox(key=f"compare-left:{finished.fingerprint}")
    left.set_value(other).run()
    assert not small.exception
    pair = [RunResults(finished, run).stage("neighbors_after") for run in (NO_PUSH, SMALL)]
    assert None not in pair
    near = [stage.arrays["indices"][:, :30] for stage in pair if stage is not None]
    kept = [len(set(a) & set(b)) / 30 for a, b in zip(*near, strict=True)]
    assert _metric(small, "Neighbours replaced") == f"{1 - sum(kept) / len(kept):.0%}"
    rows = next(d.value for d in small.dataframe if "What" in d.value and "Left" in d.value)
    theta = rows.set_index("What").loc["theta"]
    assert (theta["Left"], theta["Right"]) == ("0", "2")
    _button(small, "Back to before and after").click().run()
    assert not [m for m in small.metric if m.label == "Neighbours replaced"]


def test_cells_that_moved_most_are_marked(small: AppTest, finished: Dataset) -> None:
    small.selectbox(key=f"compare-right:{finished.fingerprint}").set_value(
        Plan(finished, NO_PUSH).run
    ).run()
    next(b for b in small.button if b.label.startswith("Mark the 8 cells")).click().run()
    assert not small.exception
    assert "Marked: **the cells that moved most**" in _text(small)
    assert "**8 cells selected**" in _text(small)


@pytest.fixture
def eight(small: AppTest, finished: Dataset) -> AppTest:
    """The app with eight cells selected."""
    right = small.selectbox(key=f"compare-right:{finished.fingerprint}")
    right.set_value(Plan(finished, NO_PUSH).run).run()
    next(b for b in small.button if b.label.startswith("Mark the 8 cells")).click().run()
    return _button(small, "Back to before and after").click().run()


def test_a_selection_is_told_with_where_its_neighbours_went(
    eight: AppTest, finished: Dataset
) -> None:
    assert not eight.exception
    results, other = RunResults(finished, SMALL), RunResults(finished, NO_PUSH)
    stages = [results.stage(f"neighbors_{side}") for side in ("before", "after")]
    pair = [results.embedding("before"), other.embedding("after")]
    before, after = [s.arrays["indices"][:, :30] for s in stages if s is not None]
    moved = np.linalg.norm(np.subtract(*[np.asarray(p) for p in pair]), axis=1)
    chosen = np.argsort(-moved)[:8]
    kept = [np.isin(after[cell], before[cell]).mean() for cell in chosen]
    told = _text(eight)
    assert f"{np.mean(kept):.0%} were neighbours before, too" in told
    assert results.obs is not None
    batches = results.obs["batch"].astype(str).to_numpy()
    new = [batches[n] for cell in chosen for n in after[cell] if n not in before[cell]]
    most = max(set(new), key=new.count)
    assert f"the new ones are {plain(most)} {new.count(most) / len(new):.0%}" in told


def test_the_gene_pictures_can_be_kept_to_the_selection(eight: AppTest) -> None:
    eight.run()
    assert not eight.exception
    eight.toggle(key=before_after.NARROWED).set_value(True).run()
    assert not eight.exception
    assert any("Only the 8 selected of 400 cells." in text for text in _messages(eight))
    eight.toggle(key=before_after.NARROWED).set_value(False).run()
    assert not any("selected of 400" in text for text in _messages(eight))


def _messages(app: AppTest) -> list[str]:
    """Return what views in the browser were sent, as far as it is text."""
    found = [element.proto for element in app.get("bidi_component")]
    return [proto.bytes.decode("latin-1") for proto in found if proto.WhichOneof("data") == "bytes"]


def test_the_evidence_can_be_kept_to_the_selection(app: AppTest, runner: Waiting) -> None:
    app.query_params["sample"] = "sibling"
    app.run()
    sibling = runner.store.dataset(examples.fingerprint(runner.store, "sibling"))
    obs = sibling.obs
    chosen = (obs["batch"] == "A").to_numpy() & (obs["true_type"] == "T1").to_numpy()
    # As if the user had drawn around them: nothing is marked.
    app.session_state[selection_key(f"linked-view-{sibling.fingerprint}")] = SelectionState(
        len(obs), bits=pack_bits(chosen), requested="="
    )
    app.run()
    everything = _evidence(app)
    assert "Selected" not in everything
    app.toggle(key=before_after.NARROWED).set_value(True).run()
    assert not app.exception
    narrowed = _evidence(app).set_index("What")["Selected"]
    assert 0 < len(narrowed) < len(everything)
    assert narrowed.loc["T1"] == chosen.sum()
    assert "T2" in set(everything["What"])
    assert "T2" not in narrowed.index
    assert f"{len(narrowed)} of {len(everything)} rows are about selected cells." in _text(app)


def _evidence(app: AppTest) -> pd.DataFrame:
    table: pd.DataFrame = next(d.value for d in app.dataframe if "Merged with" in d.value)
    return table


def test_a_selections_marker_genes_are_asked_for_followed_and_cancelled(
    eight: AppTest, runner: Waiting
) -> None:
    handed = len(runner.handed)
    eight.button(key="selected-markers").click().run()
    assert not eight.exception
    assert len(runner.handed) == handed + 1
    assert not [b for b in eight.button if b.key == "selected-markers"]
    eight.button(key="cancel-selected").click().run()
    assert not runner.wanted
    assert eight.button(key="selected-markers")


def test_another_selection_supersedes_the_first(eight: AppTest, runner: Waiting) -> None:
    eight.button(key="selected-markers").click().run()
    assert len(runner.wanted) == 1
    _button(eight, "Unmark").click().run()
    assert not runner.wanted
    assert "cells selected" not in _text(eight)


def test_a_failure_to_rank_genes_is_a_sentence(eight: AppTest, runner: Waiting) -> None:
    eight.button(key="selected-markers").click().run()
    (job,) = runner.wanted
    job.work.folder.write("failed", message="There was not enough memory.")
    eight.run()
    assert [e.value for e in eight.error] == [plain("There was not enough memory.")]
    assert eight.button(key="selected-markers")


def test_a_selections_marker_genes_stand_in_a_table(
    eight: AppTest, finished: Dataset, runner: Waiting
) -> None:
    eight.button(key="selected-markers").click().run()
    worker.rank_selected(str(finished.folder.parents[1]), *runner.handed[-1][1:])
    eight.run()
    assert not eight.exception
    table = next(d.value for d in eight.dataframe if "Inside" in d.value)
    assert 0 < len(table) <= 20
    assert (table["Score"].diff().dropna() <= 0).all()
    assert table["Inside"].between(0, 100).all()


def test_a_run_is_named_pinned_and_found_again(small: AppTest, finished: Dataset) -> None:
    small.selectbox(key=f"run:{finished.fingerprint}").set_value(Plan(finished, NO_PUSH).run).run()
    name = next(t for t in small.text_input if t.label == "Name")
    name.set_value("<b>no push</b>").run()
    next(t for t in small.toggle if t.label == "Pin").set_value(True).run()
    assert not small.exception
    assert history.tag_of(finished, NO_PUSH) == history.RunTag("<b>no push</b>", pinned=True)
    table = next(d.value for d in small.dataframe if "Pinned" in d.value)
    assert table.iloc[0][["Pinned", "Name"]].tolist() == [True, "<b>no push</b>"]
    _button(small, "Show this run").click().run()
    assert _slider(small, "theta").value == 0.0
    history.set_tag(finished, NO_PUSH, history.RunTag())


def test_who_has_not_asked_for_a_suggestion_sees_no_map_of_what_was_met_on_the_way(
    small: AppTest, finished: Dataset
) -> None:
    for harmony in grid(SMALL.harmony)[:2]:
        Pipeline(finished, replace(SMALL, harmony=harmony)).run("assess")
    charts = len(small.run().get("plotly_chart"))
    assert _button(small, "Go on").key == "suggest"
    small.button(key="suggest").click().run()
    assert not small.exception
    assert len(small.get("plotly_chart")) == charts + 1
    small.button(key="cancel-suggest").click().run()
    assert len(small.get("plotly_chart")) == charts + 1


def test_who_comes_back_to_a_run_that_was_dropped_meanwhile_asks_for_it_again(
    small: AppTest, finished: Dataset, runner: Waiting
) -> None:
    small.slider(key=f"{finished.fingerprint}:sigma").set_value(0.18).run()
    (job,) = runner.wanted
    runner.leave(small.session_state["viewer"])
    assert not runner.wanted
    small.run()
    assert [again.work.name for again in runner.wanted] == [job.work.name]
    assert not any("Cancelled" in text for text in _messages(small))


def test_a_preview_whose_full_picture_was_cancelled_says_so(
    small: AppTest, finished: Dataset
) -> None:
    params = replace(SMALL, harmony=replace(SMALL.harmony, sigma=0.17))
    Pipeline(finished, params).run("preview_after")
    small.slider(key=f"{finished.fingerprint}:sigma").set_value(0.17).run()
    assert any("preview, the full picture follows" in text for text in _messages(small))
    small.button(key="cancel-run").click().run()
    assert any("preview, the full picture was cancelled" in text for text in _messages(small))


def test_the_film_steps_through_the_iterations(small: AppTest, finished: Dataset) -> None:
    small.toggle(key=f"film:{finished.fingerprint}").set_value(True).run()
    assert not small.exception
    frame = f"film-frame:{Plan(finished, SMALL).run}"
    last = small.slider(key=frame).value
    assert last == 3
    small.button(key="film-back").click().run()
    assert small.slider(key=frame).value == 2
    assert "**4. Convergence.**" in _text(small)
    small.slider(key=frame).set_value(0).run()
    assert "**The start.**" in _text(small)
    assert small.button(key="film-back").disabled
    small.button(key="film-step").click().run()
    assert "**1. Soft clustering.** The 400 cells" in _text(small)


def test_presentation_hides_what_a_class_need_not_see(small: AppTest) -> None:
    labels = [e.label for e in small.expander]
    assert {"More parameters", "Where the time went"} <= set(labels)
    sigma = _slider(small, "sigma").value
    small.toggle(key="presentation").set_value(True).run()
    assert not small.exception
    assert not {"More parameters", "Where the time went"} & {e.label for e in small.expander}
    assert _slider(small, "sigma").value == sigma
    assert small.metric


def test_advice_that_no_slider_can_follow_has_no_button(
    small: AppTest, finished: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harmony_core.verdict import verdict
    from harmony_core.verdict.advice import Advice

    read = verdict.Verdict.from_dict
    told = (
        Advice(sentence="Work with the uncorrected embedding.", changes={"max_iter": 0}),
        Advice(sentence="Raise theta.", changes={"theta": [4.0]}),
    )
    monkeypatch.setattr(
        verdict.Verdict, "from_dict", classmethod(lambda cls, v: replace(read(v), advice=told))
    )
    small.run()
    assert "Work with the uncorrected embedding" in _text(small)
    assert [b.key for b in small.button if b.label == "Try it"] == ["advice-1"]


def _advise(monkeypatch: pytest.MonkeyPatch, *advice: Any) -> None:
    from harmony_core.verdict import verdict

    read = verdict.Verdict.from_dict
    monkeypatch.setattr(
        verdict.Verdict, "from_dict", classmethod(lambda cls, v: replace(read(v), advice=advice))
    )


def test_advice_about_components_is_followed_and_tried_in_the_background(
    small: AppTest, finished: Dataset, runner: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harmony_core.verdict.advice import Advice

    _advise(
        monkeypatch,
        Advice(sentence="More components.", changes={"n_pcs": 12}, group="prepare"),
        Advice(sentence="Raise theta.", changes={"theta": [4.0]}),
    )
    small.run()
    assert _text(small).count("Not tried on your data yet") == 2
    small.button(key="try-advice").click().run()
    assert not small.exception
    tried = [job.work.arguments[1] for job in runner.wanted if job.work.background]
    assert [(p.prepare.n_pcs == 12, p.harmony.theta) for p in tried] == [
        (True, (2.0,)),
        (False, (4.0,)),
    ]
    small.button(key="cancel-advice").click().run()
    small.button(key="advice-0").click().run()
    assert not small.exception
    chosen = small.session_state["settings"][finished.fingerprint]
    assert chosen["prepare"]["n_pcs"] == 12


def test_a_link_holds_a_theta_for_each_of_several_batch_variables(app: AppTest) -> None:
    app.query_params |= {"batch": ["condition", "marker_based_type"], "theta": ["1.5", "3"]}
    app.run()
    assert not app.exception
    assert not app.warning
    assert [s.value for s in app.sidebar.slider if s.label.startswith("theta for")] == [1.5, 3.0]
    assert app.query_params["theta"] == ["1.5", "3.0"]
    _button(app, "Strong").click().run()
    assert app.query_params["theta"] == ["4.0", "4.0"]


def test_a_rare_genes_colours_end_where_they_do_on_paper() -> None:
    values = np.zeros(400, dtype=np.float32)
    values[:4] = 3.0

    class _Rare(RunResults):
        def __init__(self) -> None:
            pass

        def gene(self, position: int) -> Any:
            return values

    found = colouring.gene_values(_Rare(), "RARE", 0)
    assert found.vmax == clip_limit(values) == 3.0


def test_every_column_colours_the_cells_however_many_levels_it_has() -> None:
    clone = [f"c{min(i, 699)}" for i in range(900)]  # the last clone holds 201 cells
    obs = pd.DataFrame({"clone": [*clone, None], "lane": ["one"] * 901})
    found = colouring.levels(obs, "clone")
    assert len(found.levels) == len(found.colors) == 500
    assert found.levels[-1] == "201 other levels"
    sizes = np.bincount(found.codes[found.codes >= 0])
    assert sizes[found.levels.index("c699")] == 201
    assert sizes[-1] == 201
    assert found.codes[-1] == -1
    assert colouring.levels(obs, "lane").levels == ("one",)


def test_closed_panels_cost_nothing(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    every = history.assessed_runs
    monkeypatch.setattr(history, "assessed_runs", lambda d: read.append(d.name) or every(d))
    app.run()
    assert not app.exception
    assert not read
    app.session_state["runs-open"] = True
    app.run()
    assert not app.exception
    assert read

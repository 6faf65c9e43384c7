"""Another tool's embedding on the pages: chosen on Data, shown on Tune, compared with ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core.method_catalog import METHODS, Method
from harmony_core.methods.integration.environment import install_line
from harmony_core.params import HarmonyParams, MethodParams, PrepareParams, RunParams
from harmony_core.runs import history
from harmony_core.runs.method_comparison import compare_runs
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import HOME_VARIABLE, Dataset, Store
from harmony_core.store.ingest import ingest_file
from pages.ui import services
from pages.ui.tune import method_choice
from tests.app.conftest import Waiting
from tests.methods.fake import fake_method as fake_method

ROOT = Path(__file__).resolve().parents[2]
OURS = RunParams(
    harmony=HarmonyParams(batch=("batch",)),
    prepare=PrepareParams(basis="X_pca"),
    label="true_type",
)
GIVEN = replace(OURS, precomputed="X_scVI")


@pytest.fixture(scope="module")
def judged(simulated: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Data with another tool's embedding, judged, and a run of ours beside it."""
    folder = tmp_path_factory.mktemp("given")
    adata, rng = simulated.copy(), np.random.default_rng(0)
    types = adata.obs["true_type"].astype("category").cat.codes.to_numpy()
    centres = rng.normal(scale=4, size=(types.max() + 1, 6))
    adata.obsm["X_scVI"] = (centres[types] + rng.normal(size=(400, 6))).astype("float32")
    shift = 6 * (adata.obs["batch"] == "A").to_numpy()[:, None]
    adata.obsm["X_pca"] = (adata.obsm["X_scVI"] + shift).astype("float32")
    adata.write_h5ad(folder / "integrated.h5ad")
    dataset = ingest_file(Store(folder / "home"), folder / "integrated.h5ad", name="integrated")
    for params in (OURS, GIVEN):
        history.save_settings(dataset, params)
        Pipeline(dataset, params).run()
    return dataset


@pytest.fixture
def app(judged: Dataset, faults_raised: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv(HOME_VARIABLE, str(judged.folder.parents[1]))
    st.cache_resource.clear()
    waiting = Waiting(services.store())
    monkeypatch.setattr(services, "runner", lambda: waiting)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state["dataset"] = judged.fingerprint
    app.session_state["settings"] = {judged.fingerprint: OURS.to_dict()}
    yield app
    st.cache_resource.clear()


def _chooser(app: AppTest) -> Any:
    return next(s for s in app.selectbox if s.label == "Corrected by")


def _metric(app: AppTest, label: str) -> str:
    return str(next(m.value for m in app.metric if m.label == label))


def _text(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.subheader, *app.error]
    return "\n".join(str(e.value) for e in elements).replace("\\", "")


def test_it_takes_the_place_of_the_sliders(app: AppTest, judged: Dataset) -> None:
    app.run()
    assert {s.label for s in app.sidebar.slider} >= {"theta", "sigma"}
    ours = _metric(app, "iLISI")
    _chooser(app).set_value("X_scVI").run()
    assert not app.exception
    assert not {s.label for s in app.sidebar.slider} & {"theta", "sigma", "iterations"}
    text = _text(app)
    assert "**X_scVI** came with the data. Another tool made it" in text
    assert "Convergence" not in text
    assert "Suggest settings" not in text
    after = Pipeline(judged, GIVEN).stage("assess").info["metrics"]["after"]["batch"]["ilisi"]
    assert _metric(app, "iLISI").endswith(f"{after:.2f}") != ours.endswith(f"{after:.2f}")


def test_the_way_back_keeps_the_sliders(app: AppTest) -> None:
    app.run()
    next(s for s in app.sidebar.slider if s.label == "theta").set_value(3.0).run()
    _chooser(app).set_value("X_scVI").run()
    _chooser(app).set_value("").run()
    assert not app.exception
    assert next(s for s in app.sidebar.slider if s.label == "theta").value == 3.0


def test_it_stands_beside_our_runs(app: AppTest) -> None:
    app.session_state["runs-open"] = True
    app.run()
    table = next(d.value for d in app.dataframe if "Corrected by" in d.value)
    assert sorted(table["Corrected by"]) == ["Harmony", "X_scVI"]
    assert sorted(table["theta"]) == ["", "2"]
    left = next(s for s in app.selectbox if s.label == "Left picture")
    assert "X_scVI, by another tool" in left.options
    left.set_value(Pipeline(app_dataset(app), GIVEN).plan.run).run()
    assert not app.exception
    assert _metric(app, "Cells moved") == "–"
    assert _metric(app, "Neighbours replaced").endswith("%")


def app_dataset(app: AppTest) -> Dataset:
    return services.store().dataset(app.session_state["dataset"])


@pytest.mark.parametrize("page", ["diagnostics", "markers", "export"])
def test_the_other_pages_name_it(app: AppTest, judged: Dataset, page: str) -> None:
    app.session_state["settings"] = {judged.fingerprint: GIVEN.to_dict()}
    app.run().switch_page(f"pages/{page}.py").run()
    assert not app.exception
    options = [option for select in app.selectbox for option in select.options]
    assert "X_scVI, by another tool" in "\n".join([_text(app), *options])
    assert "after Harmony" not in _text(app)


def test_it_is_chosen_with_the_data(app: AppTest, judged: Dataset) -> None:
    app.run().switch_page("pages/data.py").run()
    _chooser(app).set_value("X_scVI").run()
    assert not app.exception
    assert app.session_state["settings"][judged.fingerprint]["given"] == "X_scVI"
    start = next(s for s in app.selectbox if s.label == "Start from")
    start.set_value("X_scVI").run()  # the same can't be both
    assert not app.exception
    assert app.session_state["settings"][judged.fingerprint]["given"] is None


def test_what_a_file_restored_is_kept_on_data(app: AppTest, judged: Dataset) -> None:
    app.session_state["settings"] = {judged.fingerprint: GIVEN.to_dict()}
    app.run().switch_page("pages/data.py").run()  # a page alone, without app.py, only redirects
    assert not app.exception
    assert _chooser(app).value == "X_scVI"
    assert app.session_state["settings"][judged.fingerprint] == GIVEN.to_dict()


def test_methods_are_compared_in_a_table_on_a_map_and_in_words(
    app: AppTest, judged: Dataset
) -> None:
    app.session_state["methods-open"] = True
    app.run()
    assert not app.exception
    compared = compare_runs([RunResults(judged, params) for params in (OURS, GIVEN)])
    assert compared.sentence in _text(app)
    rows = next(d.value for d in app.dataframe if "Lost most" in d.value)
    assert rows["Run"].tolist() == compared.table.run.tolist() == ["Harmony, theta 2", "X_scVI"]
    assert rows["Verdict"].tolist() == compared.table.verdict.tolist()
    states = next(d.value for d in app.dataframe if "Merged by" in d.value)
    assert set(states["State"]) == set(compared.states.state)
    lost = compared.states[compared.states.run == "X_scVI"].set_index("state").lost
    shown = states.set_index("State")["X_scVI (%)"]
    assert shown.to_dict() == (100 * lost).clip(lower=0).round().to_dict()
    spec = json.loads(_map(app).spec)
    assert [trace["name"] for trace in spec["data"]] == ["Harmony", "X_scVI"]
    type_1 = states["State"].iloc[0]
    next(s for s in app.selectbox if s.label == "What was lost").set_value(type_1).run()
    assert not app.exception
    assert type_1 in json.loads(_map(app).spec)["layout"]["xaxis"]["title"]["text"]
    app.button(key="methods-scib").click().run()
    assert not app.exception
    assert {b.key for b in app.button} >= {"cancel-scib"}


def test_other_methods_are_chosen_run_cancelled_and_shown(
    app: AppTest, judged: Dataset, fake_method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"fake": "1.0"}
    monkeypatch.setattr(method_choice, "installed", lambda method: here.get(method.name))
    app.session_state["methods-open"] = True
    app.run()
    assert not app.exception
    lines = "\n".join(str(code.value) for code in app.code)
    assert all(install_line(one) in lines for name, one in METHODS.items() if name != "fake")
    app.number_input(key=f"{judged.fingerprint}:method-fake-k").set_value(1000).run()
    assert any("Fake needs 1000 cells of each batch" in each.value for each in app.warning)
    assert "methods" not in {b.key for b in app.button}
    app.number_input(key=f"{judged.fingerprint}:method-fake-k").set_value(5).run()
    assert any("how long is not known" in each.value for each in app.caption)
    app.number_input(key=f"{judged.fingerprint}:method-fake-scale").set_value(2.0).run()
    app.button(key="methods").click().run()
    assert not app.exception
    wanted = replace(OURS, method=MethodParams(name="fake", settings=(("scale", 2.0),)))
    assert "cancel-methods" in {b.key for b in app.button}
    asked = [job.work.arguments[1] for job in services.runner().wanted]  # type: ignore[attr-defined]
    assert wanted in asked
    app.button(key="cancel-methods").click().run()
    assert "methods" in {b.key for b in app.button}
    Pipeline(judged, wanted).run("assess")
    app.run()
    assert not app.exception
    rows = next(d.value for d in app.dataframe if "Lost most" in d.value)
    assert "Fake, scale 2" in rows["Run"].tolist()
    app.session_state["runs-open"] = True
    app.session_state["settings"] = {judged.fingerprint: wanted.to_dict()}
    app.run()
    assert not app.exception
    assert not {s.label for s in app.sidebar.slider} & {"theta", "sigma"}
    assert "Fake scale 2" in next(d.value for d in app.dataframe if "Pinned" in d.value).to_string()
    app.button(key="back-to-harmony").click().run()
    assert not app.exception
    assert {s.label for s in app.sidebar.slider} >= {"theta", "sigma"}


def _map(app: AppTest) -> Any:
    charts = [chart.proto for chart in app.get("plotly_chart")]
    return next(chart for chart in charts if "Mixing of what mixes least" in chart.spec)

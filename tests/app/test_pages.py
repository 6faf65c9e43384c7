"""Every page, empty and loaded, through Streamlit's own test runner."""

from __future__ import annotations

import ast
import errno
from pathlib import Path
from types import ModuleType

import anndata as ad
import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core.store import HOME_VARIABLE, Store
from harmony_core.store.info import StartSettings
from harmony_core.store.ingest import ingest
from pages.ui import panels, services
from pages.ui.data import choose, overview
from tests.app.conftest import ROOT, Waiting

PAGES = (
    *("pages/data.py", "pages/tune.py", "pages/markers.py"),
    *("pages/diagnostics.py", "pages/export.py"),
)
HTML = '<img src=x onerror="alert(1)"> [link](javascript:alert) **bold** $x$'


def _text(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.info]
    return "\n".join(str(e.value) for e in elements)


def _choose(app: AppTest, fingerprint: str) -> AppTest:
    app.run()
    app.session_state["dataset"] = fingerprint
    return app


@pytest.mark.parametrize("page", PAGES)
def test_loaded(app: AppTest, page: str) -> None:
    app.run()
    assert not app.exception
    app.switch_page(page).run()
    assert not app.exception
    assert not app.error
    assert "Kang" in _text(app)


def test_tune_shows_kang_with_its_verdict_at_once(app: AppTest) -> None:
    app.run()
    text = _text(app)
    assert "Looks right" in text
    assert [m.label for m in app.metric] == [
        "Matched-cluster mixing",
        "iLISI against chance",
        "iLISI",
        "Worst purity loss",
        "cLISI",
    ]
    assert "→" in app.metric[0].value
    assert not app.button or all(b.label != "Cancel" for b in app.button)


def test_results_that_were_damaged_since_are_computed_again(app: AppTest, runner: Waiting) -> None:
    app.run()
    assert not runner.handed
    stages = (services.store().datasets_folder / app.session_state["dataset"]) / "stages"
    positions = next(stages.glob("layout-*/positions.npy"))
    positions.unlink()  # a link to what other tests have, too
    positions.write_bytes(b"")
    app.run()
    assert not app.exception
    assert len(runner.handed) == 1


def test_data_that_are_gone_are_said(app: AppTest) -> None:
    _choose(app, "evicted").run()
    assert not app.exception
    assert "no longer in the store; load its file again" in app.toast[0].value
    assert "Kang" in _text(app)


def test_sliders_say_what_more_and_less_does(app: AppTest) -> None:
    app.run()
    for slider in app.sidebar.slider:
        assert "more" in slider.help.lower()


def test_moving_theta_asks_for_a_run_and_keeps_the_old_result(app: AppTest) -> None:
    app.run()
    theta = next(s for s in app.sidebar.slider if s.label == "theta")
    theta.set_value(1.0).run()
    assert not app.exception
    assert any(b.label == "Cancel" for b in app.button)
    assert "previous settings" in _text(app)
    assert app.metric


@pytest.mark.parametrize("page", PAGES)
def test_without_a_batch_column_every_page_says_what_to_do(
    app: AppTest, tmp_path: Path, simulated: ad.AnnData, page: str
) -> None:
    bare = ad.AnnData(simulated.X, var=simulated.var)
    found = ingest(Store(tmp_path), bare, name="bare")
    _choose(app, found.fingerprint).switch_page(page).run()
    assert not app.exception
    assert _text(app)


@pytest.mark.parametrize("page", PAGES)
def test_names_from_a_file_are_text(
    app: AppTest, tmp_path: Path, simulated: ad.AnnData, page: str
) -> None:
    odd = simulated.copy()
    odd.obs[HTML] = np.where(np.arange(odd.n_obs) % 2 == 0, HTML, "b")
    odd.var_names = [f"{HTML}{i}" for i in range(odd.n_vars)]
    suggested = StartSettings(batch=(HTML,), label="true_type", condition=True)
    found = ingest(Store(tmp_path), odd, name=HTML, suggested=suggested)
    _choose(app, found.fingerprint).switch_page(page).run()
    assert not app.exception
    shown = _text(app)
    assert HTML not in shown
    assert "](javascript" not in shown
    assert "<img" not in shown.replace("\\<img", "")


def test_an_unsuitable_batch_column_is_refused_in_a_sentence(
    app: AppTest, tmp_path: Path, simulated: ad.AnnData
) -> None:
    odd = simulated.copy()
    odd.obs["depth"] = np.linspace(0, 1, odd.n_obs)
    found = ingest(Store(tmp_path), odd, name="odd")
    _choose(app, found.fingerprint).switch_page("pages/data.py").run()
    app.multiselect[0].set_value(["depth"]).run()
    assert not app.exception
    assert any("look measured" in e.value for e in app.error)


@pytest.mark.parametrize("page", PAGES)
def test_no_page_says_what_only_its_reader_should_see(page: str) -> None:
    body = ast.parse((ROOT / page).read_text("utf-8")).body[1:]
    values = [node.value for node in body if isinstance(node, ast.Expr)]
    # Streamlit draws a page's strings; only its docstring is spared.
    assert not [value for value in values if isinstance(value, ast.Constant)]


@pytest.mark.parametrize(
    ("module", "function", "page"),
    [(overview, "draw", "data"), (panels, "headline", "diagnostics")],
    ids=["of a page", "of a part"],
)
def test_a_fault_is_a_sentence_and_a_second_try(
    runner: Waiting, monkeypatch: pytest.MonkeyPatch, module: ModuleType, function: str, page: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    with monkeypatch.context() as broken:
        broken.setattr(module, function, fail)
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
        assert "fault in the program (ZeroDivisionError)" in app.error[0].value.replace("\\", "")
        assert "nobody thought" not in _text(app)
    app.button(key="draw-again").click().run()
    assert not app.error
    assert "Kang" in _text(app)


def test_a_store_that_can_not_be_written_is_a_sentence_on_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "file"))
    st.cache_resource.clear()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not app.exception
    assert "be written" in app.error[0].value
    assert [button.label for button in app.button] == ["Try again"]


def test_the_data_page_unpacks_no_sample_that_is_not_opened(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    app.run()
    monkeypatch.setattr(choose, "fingerprint", full)
    app.switch_page("pages/data.py").run()
    assert not app.exception
    app.button(key="open-sibling").click().run()
    assert not app.exception
    assert "no room left on the disk" in _text(app)
    assert "Kang" in _text(app)

"""The Tune page: links, presets and ways back, through Streamlit's test runner."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harmony_core.data.store import HOME_VARIABLE
from harmony_core.runner import Runner
from pages.ui import services

ROOT = Path(__file__).resolve().parents[2]


class _Waiting(Runner):
    """A runner that hands jobs to nobody."""

    def start(self, delay: float = 0.0) -> None:
        pass

    def _submit(self, work: Any, *arguments: Any) -> Future[str]:
        return Future()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app, not run yet."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    st.cache_resource.clear()
    waiting = _Waiting(services.store())
    monkeypatch.setattr(services, "runner", lambda: waiting)
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    st.cache_resource.clear()


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
    from harmony_core.data import samples

    store = services.store()
    return str(store.dataset(samples.fingerprint(store, "sibling")).symbols[5])


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

"""The address bar: a link that opens a sample with the same settings and colouring.

Addresses of pages, old ones too, are in ``app.py``.

Written when something has changed; read when a session starts, and when the browser goes back or
forward. Reading it at any other time would undo a slider that was moved while the browser still
showed the address before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from harmony_core.params import RunParams
from harmony_core.runs import link
from harmony_core.store import Dataset, examples
from pages.ui import colouring, services, state
from pages.ui.current_run import shared
from pages.ui.lessons import current as lessons
from pages.ui.text import plain
from pages.ui.tune import controls

_READ = "address-read"
_PROBLEMS = "address-problems"
_OURS = ("sample", "colour", "gene", "lesson", "step")


PATHS = {
    "data": "choose-data",
    "tune": "tuning",
    "markers": "marker-genes",
    "diagnostics": "run-diagnostics",
    "export": "run-export",
    "lessons": "lesson-list",
}
"""Address of each page by the name of its file. They differ: Streamlit's older mechanism takes the
first request to a new server for such a name and runs that file without ``app.py``."""


def is_unknown_page() -> bool:
    """Return whether Streamlit looked for the page among the files of `pages/`, and in vain.

    It does so at the first request to a new server, before `st.navigation` has said which pages
    there are, and then tells the browser that there is no such page.
    """
    context = get_script_run_ctx()
    asked = context is not None and bool(context.pages_manager.intended_page_name)
    return asked and bool(PagesManager.uses_pages_directory)


def open_again() -> NoReturn:
    """Have the browser load the address once more; now the pages are known."""
    st.html("<script>location.reload()</script>", unsafe_allow_javascript=True)
    st.stop()


def run(page: str, main: Callable[[], None]) -> None:
    """Run a page, or have the browser open its address where ``app.py`` was passed over."""
    if state.is_started():
        with shared():
            main()
    else:
        path = json.dumps(PATHS[page])
        st.html(f"<script>location.replace({path})</script>", unsafe_allow_javascript=True)


def restore() -> None:
    """Take in hand what the address asks for, if it is to be read; wrong parts are left out."""
    parameters = query()
    if st.session_state.get(_READ):
        if parameters and _went_through_history():
            _return_to(parameters)
        return
    st.session_state[_READ] = True
    if not parameters:
        return
    said: list[str] = []
    if "lesson" in parameters:
        wanted = parameters["lesson"][-1], parameters.get("step", ["1"])[-1]
        st.session_state[_PROBLEMS] = said = lessons.open_link(*wanted)
        if "sample" not in parameters:
            return
    key = parameters.get("sample", [examples.FIRST])[-1]
    if key not in examples.EXAMPLES:
        available = ", ".join(examples.EXAMPLES)
        st.session_state[_PROBLEMS] = [f"There is no sample {key!r}; available: {available}."]
        return
    state.choose_dataset(examples.fingerprint(services.store(), key))
    dataset = state.dataset()
    params, problems = _settings(parameters, dataset)
    if params.harmony.max_iter == 0:
        params = replace(params, harmony=replace(params.harmony, max_iter=1))
        problems = (*problems, "max_iter is 0; the slider begins at 1.")
    state.choose_settings(dataset, params)
    if "lesson" in parameters:  # its step has moved the sliders
        controls.set_sliders(dataset, params)
    # A link says nothing of a colouring by batch, which a lesson's step may have replaced.
    usual = params.harmony.batch[0] if "lesson" in parameters else ""
    refused = colouring.request(
        dataset,
        parameters.get("colour", [usual])[-1] or None,
        parameters.get("gene", [""])[-1] or None,
    )
    st.session_state[_PROBLEMS] = [*said, *problems, *refused]


def problems() -> None:
    """Say what of the address could not be used, until the message is closed."""
    found = st.session_state.get(_PROBLEMS)
    if not found:
        return
    text, button = st.columns([6, 1], vertical_alignment="center")
    listed = "".join(f"\n- {plain(sentence, longest=300)}" for sentence in found[:8])
    text.warning(f"The link that you opened holds something that can't be used here:\n{listed}")
    button.button(
        "Close",
        key="address-close",
        width="stretch",
        on_click=lambda: st.session_state.pop(_PROBLEMS, None),
    )


def write(dataset: Dataset, params: RunParams) -> None:
    """Show a link to what is on screen. Data of one's own have none: a link can't hold them."""
    key = examples.key_of(dataset.fingerprint)
    parameters: dict[str, list[str]] = {}
    if key is not None:
        parameters = {"sample": [key], **link.to_parameters(params, _start(dataset))}
        colours = colouring.query_parameters(dataset, params)
        parameters |= {name: [value] for name, value in colours.items()}
    parameters |= lessons.query_parameters()
    if parameters != query():
        st.query_params.from_dict(parameters)


def _return_to(parameters: dict[str, list[str]]) -> None:
    """Restore settings and colouring of the dataset in hand; a link to another one stays unused."""
    if "lesson" in parameters:
        lessons.return_to(parameters["lesson"][-1], parameters.get("step", ["1"])[-1])
    dataset = state.dataset()
    if parameters.get("sample") != [examples.key_of(dataset.fingerprint)]:
        return
    params, _ = _settings(parameters, dataset)
    state.choose_settings(dataset, params)
    controls.set_sliders(dataset, params)
    colour = parameters.get("colour", [params.harmony.batch[0]])[-1]
    colouring.request(dataset, colour, parameters.get("gene", [None])[-1])


def _went_through_history() -> bool:
    context = get_script_run_ctx()  # Streamlit tells only widgets whose value is in the address
    return context is not None and context.is_history_navigation


def query() -> dict[str, list[str]]:
    """Return the query parameters of the address, each with all its values."""
    return {name: st.query_params.get_all(name) for name in st.query_params.to_dict()}


def _settings(
    parameters: dict[str, list[str]], dataset: Dataset
) -> tuple[RunParams, tuple[str, ...]]:
    wanted = {name: texts for name, texts in parameters.items() if name not in _OURS}
    return link.from_parameters(wanted, dataset, _start(dataset))


def _start(dataset: Dataset) -> RunParams:
    params = state.suggested(dataset.info)
    assert params is not None  # each sample suggests some
    return params

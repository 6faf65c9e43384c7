"""The address bar: a link that opens a sample with the same settings and colouring.

Written when something has changed, read once in a session. Reading it again would undo a slider
that was moved while the browser still showed the address before.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harmony_core import link
from harmony_core.data import samples
from harmony_core.data.store import Dataset
from harmony_core.params import RunParams
from pages.ui import colouring, services, state
from pages.ui.text import plain

_READ = "address-read"
_PROBLEMS = "address-problems"
_OURS = ("sample", "colour", "gene")


def restore() -> None:
    """Take in hand what the address asks for, when a session starts; wrong parts are left out."""
    if st.session_state.get(_READ):
        return
    st.session_state[_READ] = True
    given = {name: st.query_params.get_all(name) for name in st.query_params.to_dict()}
    if not given:
        return
    key = given.get("sample", [samples.FIRST])[-1]
    if key not in samples.SAMPLES:
        available = ", ".join(samples.SAMPLES)
        st.session_state[_PROBLEMS] = [f"There is no sample {key!r}; available: {available}."]
        return
    state.choose_dataset(samples.fingerprint(services.store(), key))
    dataset = state.dataset()
    wanted = {name: texts for name, texts in given.items() if name not in _OURS}
    params, problems = link.from_parameters(wanted, dataset, _start(dataset))
    if params.harmony.max_iter == 0:
        params = replace(params, harmony=replace(params.harmony, max_iter=1))
        problems = (*problems, "max_iter is 0; the slider begins at 1.")
    state.choose_settings(dataset, params)
    refused = colouring.wish(
        dataset, given.get("colour", [""])[-1] or None, given.get("gene", [""])[-1] or None
    )
    st.session_state[_PROBLEMS] = [*problems, *refused]


def problems() -> None:
    """Say what of the address could not be used, until the message is closed."""
    found = st.session_state.get(_PROBLEMS)
    if not found:
        return
    text, button = st.columns([6, 1], vertical_alignment="center")
    listed = "".join(f"\n- {plain(sentence, longest=300)}" for sentence in found[:8])
    text.warning(f"The link that you opened holds something that can't be used here:\n{listed}")
    button.button(
        "Close", key="address-close", width="stretch",
        on_click=lambda: st.session_state.pop(_PROBLEMS, None),
    )  # fmt: skip


def write(dataset: Dataset, params: RunParams) -> None:
    """Show a link to what is on screen. Data of one's own have none: a link can't hold them."""
    key = samples.key_of(dataset.fingerprint)
    told: dict[str, list[str]] = {}
    if key is not None:
        told = {"sample": [key], **link.to_parameters(params, _start(dataset))}
        told |= {name: [value] for name, value in colouring.chosen(dataset, params).items()}
    shown = {name: st.query_params.get_all(name) for name in st.query_params.to_dict()}
    if told != shown:
        st.query_params.from_dict(told)


def _start(dataset: Dataset) -> RunParams:
    return RunParams.from_dict(state.suggested(dataset.meta) or {})

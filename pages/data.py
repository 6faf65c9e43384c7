"""Data: open data, see what they hold, choose what to correct and how they are prepared."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harmony_core.errors import InputError
from harmony_core.inspect.columns import NO_COLUMNS
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.store import Dataset
from pages.ui import address, state
from pages.ui.data import (
    added_embedding,
    choose,
    design_panel,
    overview,
    precomputed,
    preparation,
    variable_choice,
)
from pages.ui.data.variable_choice import Variables
from pages.ui.text import plain


def main() -> None:
    # The way on has a place of its own: while what stands above grows or shrinks, Streamlit would
    # show it there and where it was before.
    above, below = st.container(), st.container()
    with above:
        is_ready = _choose()
    if is_ready:
        below.page_link("pages/tune.py", label="**Go to Tune**")


def _choose() -> bool:
    """Draw all choices; return whether they can be run."""
    st.title("Data")
    choose.choose()
    dataset = state.dataset()
    st.divider()
    overview.draw(dataset)
    st.divider()
    if not len(dataset.obs.columns):
        st.error(NO_COLUMNS)
        return False
    variables = variable_choice.choose(dataset)
    if not variables.batch:
        st.info(
            "Choose at least one batch variable to go on: the column that names each cell's "
            "sample, donor or library."
        )
        return False
    if (problem := variable_choice.problem(dataset, variables)) is not None:
        st.error(plain(problem, longest=1000))
        return False
    try:
        return _prepare(dataset, variables)
    except InputError as error:
        st.error(plain(error, longest=1000))
        return False


def _prepare(dataset: Dataset, variables: Variables) -> bool:
    params = _with(state.settings(dataset), variables, dataset)
    # The embedding to assess is chosen last: it must not be the one to start from.
    embedding, params = params.precomputed, replace(params, precomputed=None)
    design_panel.say(dataset, params)
    design_panel.compare(dataset, variables)
    st.divider()
    params = replace(params, prepare=preparation.start(dataset, params.prepare))
    if params.prepare.basis is None and (mixed := variable_choice.mixed_kinds(dataset, variables)):
        st.error(plain(mixed, longest=1000))
        return False
    params = replace(params, prepare=preparation.choose(dataset, params))
    st.subheader("Correction")
    if dataset.info.embeddings:
        params = precomputed.choose(dataset, params, embedding)
    added_embedding.offer(dataset)
    state.choose_settings(dataset, params)
    return True


def _with(current: RunParams | None, variables: Variables, dataset: Dataset) -> RunParams:
    """Return the settings in hand with the variables chosen; a kept variable keeps its theta."""
    batch = variables.batch
    if current is None:
        return RunParams(
            harmony=HarmonyParams(batch=batch),
            prepare=dataset.info.start_of_preparation(),
            label=variables.label,
            condition=variables.condition,
            panel=variables.panel,
        )
    return replace(
        current,
        harmony=current.harmony.for_batch(*batch),
        label=variables.label,
        condition=variables.condition,
        panel=variables.panel,
    )


address.run("data", main)

"""The session: who is watching, which dataset and which run are in hand."""

from __future__ import annotations

import uuid

import streamlit as st

from harmony_core.errors import FileError
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.opened import opened
from harmony_core.store import Dataset, DatasetInfo, examples
from pages.ui import services

VIEWER = "viewer"
DATASET = "dataset"
SETTINGS = "settings"
LAST_RUN = "last_run"


def start() -> None:
    """Give a new session its defaults: what the dashboard was started for, else a sample."""
    session = st.session_state
    session.setdefault(VIEWER, uuid.uuid4().hex)
    session.setdefault(SETTINGS, {})
    session.setdefault(LAST_RUN, {})
    if DATASET in session:
        return
    first = opened()
    if first is None:
        session[DATASET] = examples.fingerprint(services.store(), examples.FIRST)
        return
    session[DATASET] = first.fingerprint
    if first.params is not None:
        session[SETTINGS][first.fingerprint] = first.params.to_dict()


def is_started() -> bool:
    """Return whether the session has its defaults."""
    return VIEWER in st.session_state


def viewer() -> str:
    """Return this session's name at the runner."""
    return str(st.session_state[VIEWER])


def key(name: str, of: Dataset) -> str:
    """Return where the session keeps something of one dataset, apart from that of others."""
    return f"{name}:{of.fingerprint}"


def dataset() -> Dataset:
    """Return the dataset in hand; if it was evicted, say so and return the first sample."""
    try:
        return services.dataset(st.session_state[DATASET])
    except FileError as error:
        st.toast(f"{error} Until then a sample is shown in its place.", duration="infinite")
        st.session_state[DATASET] = examples.fingerprint(services.store(), examples.FIRST)
        return services.dataset(st.session_state[DATASET])


def choose_dataset(fingerprint: str) -> None:
    """Take another dataset in hand; the settings chosen for each are kept."""
    st.session_state[DATASET] = fingerprint


def settings(of: Dataset) -> RunParams | None:
    """Return the settings chosen for a dataset, at first those that suit it; None if none do."""
    chosen = st.session_state[SETTINGS].get(of.fingerprint)
    if chosen is None:
        # A sketch begins with the settings of the data that it was drawn from.
        whole = of.info.reading.sketch_of
        chosen = st.session_state[SETTINGS].get(whole)
        if chosen is None and (params := suggested(of.info)) is not None:
            chosen = params.to_dict()
        st.session_state[SETTINGS][of.fingerprint] = chosen
    return None if chosen is None else RunParams.from_dict(chosen)


def choose_settings(of: Dataset, params: RunParams) -> None:
    """Keep the settings chosen for a dataset."""
    st.session_state[SETTINGS][of.fingerprint] = params.to_dict()


def continue_with(fingerprint: str, *, like: str) -> None:
    """Begin with another dataset's settings: the same cells, with more about them."""
    st.session_state[SETTINGS].setdefault(fingerprint, st.session_state[SETTINGS].get(like))


def start_from(of: Dataset, params: RunParams) -> None:
    """Choose settings for a dataset on every page: its widgets begin anew from them."""
    choose_settings(of, params)
    for key in [k for k in st.session_state if str(k).startswith(f"{of.fingerprint}:")]:
        del st.session_state[key]


def suggested(info: DatasetInfo) -> RunParams | None:
    """Return the settings that a dataset brings along or that its columns suggest."""
    if info.run is not None:
        return info.run
    columns = info.suggested
    if not columns.batch:
        return None
    return RunParams(
        harmony=HarmonyParams(batch=columns.batch),
        prepare=info.start_of_preparation(),
        label=columns.label,
        condition=columns.condition,
    )


def last_run(of: Dataset) -> RunParams | None:
    """Return the settings of the last run of a dataset whose results were drawn."""
    params = st.session_state[LAST_RUN].get(of.fingerprint)
    return None if params is None else RunParams.from_dict(params)


def set_last_run(of: Dataset, params: RunParams) -> None:
    """Note that a run's results are on screen; they stay there until newer ones exist."""
    st.session_state[LAST_RUN][of.fingerprint] = params.to_dict()

"""Export: a run in every format that its next user may need, and settings from a file."""

from __future__ import annotations

from itertools import groupby

import streamlit as st

from harmony_core.errors import InputError
from harmony_core.export.formats import EXPORT_FORMATS
from harmony_core.export.settings import loaded_settings
from harmony_core.params import RunParams
from harmony_core.runs.history import assessed_runs, differing, in_words
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import address, panels, state
from pages.ui.export import card
from pages.ui.part import Part
from pages.ui.text import plain
from pages.ui.tune import run

_PER_ROW = 3


def main() -> None:
    st.title("Export")
    dataset = state.dataset()
    runs = _finished(dataset)
    if runs:
        if dataset.info.reading.sketch_of:
            st.warning(
                "These are a sketch of the cells. Run the settings on all cells, on Tune, before "
                "you export a result."
            )
        params = _choose_run(dataset, runs)
        for heading, formats in groupby(EXPORT_FORMATS, key=lambda format: format.part):
            st.subheader(heading)
            columns = st.columns(_PER_ROW)
            for i, format in enumerate(formats):
                with columns[i % _PER_ROW]:
                    card.place(format, dataset, params, runs)
    else:
        FIRST_RUN.place(run.asked(dataset), dataset)
    st.subheader("Settings from a file")
    _load_settings(dataset)


def _first_run(dataset: Dataset) -> None:
    """Say that there is none; once there is, all of the page is another."""
    if _finished(dataset):
        st.rerun(scope="app")
    panels.go_to_tune("There is no finished run of these data yet.")
    panels.progress(run.asked(dataset))


def _finished(dataset: Dataset) -> list[RunParams]:
    """Return every finished run, the one on screen first."""
    known = [state.settings(dataset), state.last_run(dataset), *assessed_runs(dataset)]
    unique = dict.fromkeys(params for params in known if params is not None)
    return [params for params in unique if RunResults(dataset, params).is_finished]


def _choose_run(dataset: Dataset, runs: list[RunParams]) -> RunParams:
    names = differing(runs)
    if len(runs) == 1:
        settings = plain(in_words(runs[0], names), longest=500)
        st.markdown(f"The run of **{plain(dataset.name)}** with {settings}.")
        return runs[0]
    position = st.selectbox(
        f"Run of {plain(dataset.name)}",
        range(len(runs)),
        format_func=lambda i: in_words(runs[i], names),
        help="Every run whose results are kept; the one on screen comes first.",
        key=f"taken:{dataset.fingerprint}:{len(runs)}",
    )
    return runs[position]


def _load_settings(dataset: Dataset) -> None:
    uploaded = st.file_uploader(
        "A settings file, TOML or JSON, as made here; what it leaves out takes its default",
        type=["toml", "json"],
        max_upload_size=1,
        key="settings-file",
    )
    if uploaded is None:
        return
    if st.session_state.get("loaded-settings") != (uploaded.file_id, dataset.fingerprint):
        try:
            params = loaded_settings(uploaded.getvalue(), uploaded.name, dataset)
        except InputError as error:
            st.error(plain(error, longest=500))
            st.caption("Nothing was changed.")
            return
        state.start_from(dataset, params)
        st.session_state["loaded-settings"] = (uploaded.file_id, dataset.fingerprint)
    st.success("The sliders stand at the settings of this file.")
    st.page_link("pages/tune.py", label="**Go to Tune**")


FIRST_RUN = Part("first-run", draw=_first_run)

address.run("export", main)

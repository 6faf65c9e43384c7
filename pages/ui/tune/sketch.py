"""Large data: explore a sketch of the cells, then run the settings found on all of them."""

from __future__ import annotations

import streamlit as st

from harmony_core.errors import FileError
from harmony_core.io.request import LoadRequest
from harmony_core.jobs import estimate
from harmony_core.params import RunParams
from harmony_core.runs.plan import RESULTS
from harmony_core.store import Dataset
from pages.ui import part, run_group, services, state
from pages.ui.data import loading
from pages.ui.part import Part

ABOVE = 200_000
"""Cells above which a slider move on all of them takes longer than one waits for."""

CELLS = 50_000

_ALL = "all-cells-wanted"


def undecided(dataset: Dataset, params: RunParams) -> bool:
    """Offer a sketch of large data; return whether the user has not said what to compute yet."""
    loading.place()
    if dataset.n_cells <= ABOVE or dataset.fingerprint in st.session_state.get(_ALL, ()):
        return False
    whole = estimate.in_words(estimate.seconds_for(services.store(), dataset.n_cells))
    st.info(
        f"These are {dataset.n_cells:,} cells. One setting on all of them takes {whole}. A sketch "
        f"of {CELLS:,} cells, with as many of each batch, follows the sliders; when you have found "
        "your settings, run them on all cells in the background."
    )
    left, right, _ = st.columns([1, 1, 2])
    left.button(
        f"Explore {CELLS:,} cells",
        type="primary",
        on_click=_begin,
        args=(dataset, params),
        width="stretch",
    )
    right.button("Work on all cells", on_click=_want_all, args=(dataset,), width="stretch")
    return True


def commit(dataset: Dataset, params: RunParams) -> None:
    """On a sketch, offer to run these settings on all cells, and follow that run, in a part."""
    whole = _whole(dataset)
    if whole is not None:
        ALL_CELLS.place([], dataset, whole, params)


def _all_cells(dataset: Dataset, whole: Dataset, params: RunParams) -> None:
    group = run_group.Group("all-cells", whole, *RESULTS)
    st.caption(
        f"This is a sketch: {dataset.n_cells:,} of {whole.n_cells:,} cells. Clusters and numbers "
        "are those of the sketch."
    )
    if group.watch(what="runs on all cells"):
        return
    if group.done([params]):
        st.button(
            "Open these settings on all cells", on_click=_open, args=(whole, params), type="primary"
        )
        return
    takes = estimate.in_words(estimate.seconds_for(services.store(), whole.n_cells))
    st.button(
        f"Run these settings on all {whole.n_cells:,} cells",
        on_click=group.begin,
        args=([params],),
        help=f"In the background, {takes}; you can go on exploring.",
    )


def _begin(dataset: Dataset, params: RunParams) -> None:
    loading.begin(
        LoadRequest(
            paths=(str(dataset.source),),
            names=(f"{dataset.name} (sketch)",),
            max_cells=CELLS,
            sample_by=params.harmony.batch[0],
            sketch_of=dataset.fingerprint,
        )
    )


def _want_all(dataset: Dataset) -> None:
    st.session_state.setdefault(_ALL, set()).add(dataset.fingerprint)


def _open(whole: Dataset, params: RunParams) -> None:
    _want_all(whole)
    state.choose_settings(whole, params)
    state.choose_dataset(whole.fingerprint)
    part.run_page()


ALL_CELLS = Part("all-cells", draw=_all_cells)


def _whole(dataset: Dataset) -> Dataset | None:
    """Return the dataset that this one is a sketch of, while the store has it."""
    fingerprint = dataset.info.reading.sketch_of
    if fingerprint is None:
        return None
    try:
        return services.dataset(fingerprint)
    except FileError:
        return None

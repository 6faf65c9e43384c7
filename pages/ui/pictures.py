"""The linked view on the Tune page: which two pictures, how coloured, who is selected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from harmony_core.data.store import Dataset
from harmony_core.results import RunResults
from harmony_core.runs import side_names
from pages.ui import address, colouring, compare, evidence, film, presentation, selected
from pages.ui.presentation import PICTURE_HEIGHT, PROJECTED_HEIGHT
from pages.ui.shown import Shown
from pages.ui.twin import Picture, held_selection, twin

GRID_NARROWED = "grid-only-selected"
"""Key of the switch that lets the gene pictures show the selected cells alone."""


def draw(shown: Shown, pace: float | None, grid: npt.NDArray[np.bool_] | None) -> None:
    """Draw the pictures; as a fragment, so that the film and a choice of colour redraw only them.

    Parameters
    ----------
    pace
        Seconds after which the fragment draws itself again; None if it does not.
    grid
        The cells that the gene pictures were last drawn with, from `grid_cells`.
    """
    results, old = shown.pictured()
    source = results or shown.current
    before, after = source.picture("before"), source.picture("after")
    if source.obs is None or before is None:
        st.info("The first picture of these data takes a moment to prepare.")
        return
    film.advance(source)
    told = ["preview, the full picture follows"] if source.is_preview else []
    note = " · ".join([*filter(None, [compare.note_of(source.params)]), *told])
    titles = side_names(source.params)
    left = Picture(titles[0], before, alt="Uncorrected.")
    right = Picture(
        titles[1],
        before if after is None else after,
        note=note,
        alt=_alt(shown),
        dimmed=old or not results,
    )
    chosen = compare.pictures(shown)
    left, right = chosen[0] or left, chosen[1] or right
    right = film.picture(source) or right
    clustered, _ = shown.having("layout_before", "layout_after", "clusters_after")
    judged, _ = shown.having("layout_before", "layout_after", "assess")
    colour = colouring.choose(source, clustered, judged)
    event = twin(
        left,
        right,
        colour,
        key=_key(shown.dataset),
        batch=colouring.batch(source),
        hover=colouring.hover(source),
        selected=evidence.marked(source),
        height=PROJECTED_HEIGHT if presentation.is_on() else PICTURE_HEIGHT,
        presentation=presentation.is_on(),
    )
    if event.selection is None:
        selected.forget(shown.dataset)
    else:
        selected.panel(source, event.selection, compare.halves(shown))
    if after is not None and not source.is_preview and source.params.given is None:
        film.panel(source)
    address.write(shown.dataset, shown.current.params)
    if film.pace(shown.dataset) != pace:
        st.rerun(scope="app")  # only a run of the whole page changes how often this one is drawn
    now = grid_cells(shown.current)
    if (now is None) != (grid is None) or not np.array_equal(now, grid):
        st.rerun(scope="app")  # the gene pictures stand outside


def selection(results: RunResults) -> npt.NDArray[np.bool_] | None:
    """Return which of a run's cells are selected in the pictures, also from another page."""
    if results.obs is None:
        return None
    return held_selection(_key(results.dataset), len(results.obs))


def grid_cells(results: RunResults) -> npt.NDArray[np.bool_] | None:
    """Return the selected cells if the gene pictures are to show them alone; None for all."""
    return selection(results) if st.session_state.get(GRID_NARROWED) else None


def _key(dataset: Dataset) -> str:
    return f"twin-{dataset.fingerprint}"


def _alt(shown: Shown) -> str:
    results: RunResults | None
    results, _ = shown.having("assess")
    if results is None or results.assessment is None:
        return ""
    return str(results.assessment["verdict"]["sentences"][0])

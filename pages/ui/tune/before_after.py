"""The linked view on the Tune page: which two layouts, how coloured, which cells selected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.history import side_names
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import address, colouring, evidence_table, made, part, presentation
from pages.ui.current_run import CurrentRun
from pages.ui.lessons import current as lesson
from pages.ui.linked_view import Panel, current_selection, key_of, linked_view
from pages.ui.presentation import PANEL_HEIGHT, PROJECTED_HEIGHT
from pages.ui.tune import replay, run, run_comparison, selection

NARROWED = "only-selected"
"""Key of the switch that keeps what stands below the pictures to the selected cells, and what is
said to other parts when those are others."""

_DRAWN_WITH = "only-selected-drawn"


def draw(dataset: Dataset, params: RunParams) -> str:
    """Draw the linked view; return the run that it shows."""
    current = CurrentRun(dataset, params)
    results, old = current.newest_drawable()
    source = results or current.results
    before, after = source.layout_or_preview("before"), source.layout_or_preview("after")
    if not source.has_obs or before is None:
        st.info("The first picture of these data takes a moment to prepare.")
        return ""
    replay.advance(source)
    note = " · ".join(filter(None, [run_comparison.note_of(source.params), _of_preview(source)]))
    titles = side_names(source.params)
    left = Panel(titles[0], before, alt="Uncorrected.")
    right = Panel(
        titles[1],
        before if after is None else after,
        note=note,
        alt=_alt(current),
        dimmed=old or not results,
    )
    compared = run_comparison.panels(current)
    left, right = compared[0] or left, compared[1] or right
    right = replay.frame_panel(source) or right
    clustered, _ = current.newest_with("layout_before", "layout_after", "clusters_after")
    assessed, _ = current.newest_with("layout_before", "layout_after", "assess")
    colour = colouring.choose(source, clustered, assessed)
    selected = linked_view(
        left,
        right,
        colour,
        key=key_of(current.dataset.fingerprint),
        facts=colouring.facts(source),
        more_facts=colouring.more_facts(source),
        selected=evidence_table.marked_cells(source),
        height=PROJECTED_HEIGHT if presentation.is_on() else PANEL_HEIGHT,
        presentation=presentation.is_on(),
    )
    if selected is None:
        selection.forget(current.dataset)
    else:
        selection.panel(source, selected, run_comparison.halves(current))
        st.toggle(
            "Keep genes and evidence below to these cells",
            key=NARROWED,
            help="Draws only the selected cells in the gene pictures, and lists only evidence that "
            "is about some of them. Marker genes has the same switch.",
            persist_state="session",
        )
    if after is not None and not source.is_preview and source.params.by_harmony:
        replay.draw(source)
    address.write(current.dataset, current.results.params)
    replay.keep_time(dataset)
    if lesson.in_hand() is not None:
        lesson.tell(
            None if selected is None else hash(selected.tobytes()),
            colouring.query_parameters(dataset, params),
            replay.frame_on_screen(source),
        )
    _say_if_narrowed(current.results)
    return source.plan.run


def _of_preview(source: RunResults) -> str:
    if not source.is_preview:
        return ""
    if run.is_cancelled(source):
        return "preview, the full picture was cancelled"
    return "preview, the full picture follows"


def _say_if_narrowed(results: RunResults) -> None:
    """Tell what is kept to the selection, and stands outside, that it is another one."""
    only = narrowed_to(results)
    now = None if only is None else only.tobytes()
    if st.session_state.get(_DRAWN_WITH) != now:
        st.session_state[_DRAWN_WITH] = now
        part.say(NARROWED)


def selected_cells(results: RunResults) -> npt.NDArray[np.bool_] | None:
    """Return which of a run's cells are selected in the linked view, also from another page."""
    if not results.has_obs or results.cells is None:
        return None
    return current_selection(key_of(results.dataset.fingerprint), len(results.cells))


def narrowed_to(results: RunResults) -> npt.NDArray[np.bool_] | None:
    """Return the selected cells if what stands below is kept to them; None for all cells."""
    return selected_cells(results) if st.session_state.get(NARROWED) else None


def _alt(current: CurrentRun) -> str:
    results, _ = current.newest_with("assess")
    if results is None:
        return ""
    judged = results.plan.keys["assess"]
    return made.once(("first sentence", judged), lambda: _first_sentence(results)) or ""


def _first_sentence(results: RunResults) -> str | None:
    assessment = results.assessment
    return None if assessment is None else assessment.verdict.sentences[0]

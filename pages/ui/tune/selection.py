"""What is told of the selected cells: who they are, where their neighbours went, their markers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from harmony_core.runs import selected_markers
from harmony_core.runs.neighbor_change import NeighborChange, neighbor_change
from harmony_core.runs.results import RunResults
from harmony_core.runs.selected_markers import SelectedMarkers
from harmony_core.store import Dataset
from harmony_core.thresholds import N_NEIGHBORS
from pages.ui import colouring, services, state, tables
from pages.ui.linked_view import Categories
from pages.ui.run_group import Group
from pages.ui.text import plain
from pages.ui.tune.run_comparison import Half

POLL_SECONDS = 0.25

_ASKED = "selected-asked"

_NAMED = 4
"""Of more levels or clusters than this, only the largest are named."""

_MOST_BATCHES = 8
"""Of more batches, only those with most selected cells have a line of their own."""

_NOT_KEPT = (
    "The genes were ranked, but the result could not be kept; most likely the disk of the store "
    "is full."
)


def panel(results: RunResults, chosen: npt.NDArray[np.bool_], halves: tuple[Half, Half]) -> None:
    """Say who the selected cells are and where their neighbours went; offer their marker genes.

    Parameters
    ----------
    results
        The run on screen.
    chosen
        Which of its cells are selected, at least one.
    halves
        What the two pictures show, the left one first.
    """
    st.markdown(_who(results, chosen))
    told = _neighbours(results, chosen, halves)
    if told:
        usual = None if _is_comparison(halves) else _mean(results, colouring.REPLACED)
        st.caption("\n".join(_where_they_went(*one, halves, usual) for one in told))
    else:
        _find_neighbours(halves)
    _markers(results, chosen)


def forget(dataset: Dataset) -> None:
    """Stop ranking genes for cells that are selected no more."""
    if st.session_state.pop(state.key(_ASKED, dataset), None) is not None:
        services.runner().drop(_viewer(dataset))


def _who(results: RunResults, chosen: npt.NDArray[np.bool_]) -> str:
    parts = [f"**{int(chosen.sum()):,} cells selected**"]
    for name in (*results.params.harmony.batch, results.params.label):
        if name is not None and results.obs is not None:
            counts = results.obs[name].astype("string")[chosen].value_counts()
            parts.append(f"{plain(name)}: {_counted(counts)}")
    codes = results.clusters("after")
    if codes is not None:
        counts = pd.Series(np.asarray(codes)[chosen]).value_counts()
        parts.append(f"clusters after Harmony: {_counted(counts)}")
    mine, usual = (_mean(results, colouring.OTHER_LABEL, cells) for cells in (chosen, None))
    if mine is not None and usual is not None:
        parts.append(f"neighbours of another label: {mine:.0%} (all cells {usual:.0%})")
    return " · ".join(parts)


def _counted(counts: pd.Series) -> str:
    counts = counts[counts > 0]
    named = [f"{plain(level)} ({n:,})" for level, n in counts.head(_NAMED).items()]
    rest = len(counts) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _neighbours(
    results: RunResults, chosen: npt.NDArray[np.bool_], halves: tuple[Half, Half]
) -> list[tuple[Categories, NeighborChange]]:
    """Return what became of the cells' neighbours by batch variable; nothing until it is known."""
    stages = [half.results.stage(f"neighbors_{half.side}") for half in halves]
    near = [stage.arrays["indices"] for stage in stages if stage is not None]
    if results.obs is None or len(near) < 2:
        return []
    told = []
    for name in results.params.harmony.batch:
        levels = colouring.levels(results.obs, name)
        told.append(
            (levels, neighbor_change(chosen, (near[0], near[1]), levels.codes, len(levels.levels)))
        )
    return told


def _find_neighbours(halves: tuple[Half, Half]) -> None:
    """Have the neighbours found where a run came without them, as the samples do."""
    if not all(half.results.is_finished for half in halves):
        return  # they are on their way
    runs = list(dict.fromkeys(half.results.params for half in halves))
    group = Group("neighbours", halves[0].results.dataset, "neighbors_before", "neighbors_after")
    begun = "selected-around:" + "-".join(half.results.plan.run for half in halves)
    if begun not in st.session_state:  # once: somebody may have cancelled it
        st.session_state[begun] = True
        group.begin(runs)
    if not group.watch(what="searches"):
        st.button("Find their neighbours", on_click=group.begin, args=(runs,))


def _is_comparison(halves: tuple[Half, Half]) -> bool:
    return halves[0].side == halves[1].side


def _mean(
    results: RunResults, measure: str, chosen: npt.NDArray[np.bool_] | None = None
) -> float | None:
    """Return the mean of a diagnostic per cell over chosen or all cells; None without one."""
    values = colouring.per_cell(results).get(measure)
    if values is None:
        return None
    known = np.asarray(values if chosen is None else values[chosen])
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def _where_they_went(
    levels: Categories, change: NeighborChange, halves: tuple[Half, Half], usual: float | None
) -> str:
    """Return the sentence for all selected cells and one for those of each batch, in Markdown.

    Parameters
    ----------
    usual
        Part of the neighbours that are new around all cells, to read the selection's beside it.
    """
    left, right = ("before", "after Harmony")
    if _is_comparison(halves):
        left, right = ("in the left result", "in the right result")
    told = (
        f"Of their {N_NEIGHBORS} nearest neighbours {right}, {change.retained_by_all:.0%} were "
        f"neighbours {left}, too, and {1 - change.retained_by_all:.0%} are new"
    )
    told += "" if usual is None else f" (all cells: {usual:.0%} new)"
    told += f". By {plain(levels.name)}, the new ones are {_shares(change.origin_for_all, levels)}."
    present = np.flatnonzero(change.cells)
    if len(present) < 2:
        return told
    largest = present[np.argsort(-change.cells[present], kind="stable")][:_MOST_BATCHES]
    lines = [
        f"- {plain(levels.levels[b])} ({change.cells[b]:,} cells): {change.retained[b]:.0%} kept; "
        f"the new ones are {_shares(change.origin[b], levels)}"
        for b in largest
    ]
    rest = len(present) - len(largest)
    return "\n".join([told, "", *lines, *([f"- and cells of {rest} more"] if rest else []), ""])


def _shares(origin: npt.NDArray[np.float64], levels: Categories) -> str:
    if np.isnan(origin).any():
        return "none"
    order = [b for b in np.argsort(-origin, kind="stable") if round(origin[b], 2) > 0]
    named = [f"{plain(levels.levels[b])} {origin[b]:.0%}" for b in order[:_NAMED]]
    rest = float(origin[order[_NAMED:]].sum())
    return ", ".join(named) + (f", others {rest:.0%}" if rest else "")


def _markers(results: RunResults, chosen: npt.NDArray[np.bool_]) -> None:
    dataset = results.dataset
    refused = selected_markers.why_not(dataset, chosen)
    if refused:
        forget(dataset)
        st.caption(refused)
        return
    name = selected_markers.key(dataset, results.params, chosen)
    progress = None
    if st.session_state.get(state.key(_ASKED, dataset)) == name.folder:
        progress = services.runner().follow(name.folder, dataset.run_folder(name.folder))
    found = selected_markers.stored(dataset, name)
    if found is not None:
        _table(dataset, found, int(chosen.sum()), key=name.folder)
        return
    if progress is None:
        forget(dataset)
    elif not progress.is_over:
        _poll(dataset, name.folder)
        return
    elif progress.state != "cancelled":
        st.error(plain(progress.message, longest=500) if progress.message else _NOT_KEPT)
    st.button(
        "Marker genes of these cells",
        key="selected-markers",
        on_click=_ask,
        args=(results, chosen),
        help="Ranks every gene by how much higher it is in the selected cells than in all others.",
    )


def _ask(results: RunResults, chosen: npt.NDArray[np.bool_]) -> None:
    dataset = results.dataset
    name, _ = services.runner().submit_selected(_viewer(dataset), dataset, results.params, chosen)
    st.session_state[state.key(_ASKED, dataset)] = name


@st.fragment(run_every=POLL_SECONDS)
def _poll(dataset: Dataset, name: str) -> None:
    progress = services.runner().follow(name, dataset.run_folder(name))
    cancelled = st.session_state.get(state.key(_ASKED, dataset)) != name
    if cancelled or progress.is_over:
        st.rerun(scope="app")
    bar, button = st.columns([4, 1], vertical_alignment="center")
    bar.progress(progress.share, text=f"{progress.step or 'Waiting for the worker'} …")
    button.button(
        "Cancel", key="cancel-selected", on_click=forget, args=(dataset,), width="stretch"
    )


def _table(dataset: Dataset, found: SelectedMarkers, n_cells: int, *, key: str) -> None:
    if not found.symbols:
        st.caption("No gene is higher in these cells than in the others.")
        return
    st.caption(
        f"Marker genes of these {n_cells:,} cells against all others (Wilcoxon, uncorrected "
        "expression). Click a row to colour both pictures by its gene. The cells were chosen by "
        "looking at the same data, so take the p values for an order, not for a test."
    )
    rows = pd.DataFrame(
        {
            "Gene": found.symbols,
            "Score": found.scores,
            "log2 fold change": found.log2_fold_change,
            "Inside": 100 * found.inside,
            "Outside": 100 * found.outside,
            "Adjusted p": found.p_adjusted,
        }
    )
    percent = "Cells {} the selection that express the gene."
    tables.table(
        rows,
        key=key,
        file="markers-of-selection",
        columns={
            "Score": st.column_config.NumberColumn(format="%.1f"),
            "log2 fold change": st.column_config.NumberColumn(format="%.2f"),
            "Inside": st.column_config.NumberColumn(format="%.0f%%", help=percent.format("in")),
            "Outside": st.column_config.NumberColumn(
                format="%.0f%%", help=percent.format("outside")
            ),
            "Adjusted p": st.column_config.NumberColumn(format="%.1e"),
        },
        height=250,  # so that the pictures stay in sight
        on_choose=lambda row: colouring.wish(dataset, None, found.symbols[row]),
    )


def _viewer(dataset: Dataset) -> str:
    return state.key(f"{state.viewer()}:selected", dataset)

"""The selected cells: their batches and labels, how their neighbours changed, their markers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from harmony_core.counting import counted
from harmony_core.jobs.work import selection_work
from harmony_core.runs import selected_markers
from harmony_core.runs.neighbor_change import NeighborChange, neighbor_change
from harmony_core.runs.results import RunResults
from harmony_core.runs.selected_markers import SelectedMarkers
from harmony_core.store import Dataset
from harmony_core.thresholds import N_NEIGHBORS
from pages.ui import colouring, services, state, tables
from pages.ui.linked_view import Categories
from pages.ui.run_group import Group
from pages.ui.task import Task
from pages.ui.text import plain
from pages.ui.tune.run_comparison import Half

_ASKED = "selected-asked"

_NAMED = 4
"""Of more levels or clusters than this, only the largest are named."""

_MOST_BATCHES = 8
"""Of more batches, only those with most selected cells have a line of their own."""

_NOT_STORED = (
    "The genes were ranked, but the result could not be kept; most likely the disk of the store "
    "is full."
)


def panel(results: RunResults, selected: npt.NDArray[np.bool_], halves: tuple[Half, Half]) -> None:
    """Draw what the selected cells are, how their neighbours changed, and their marker genes.

    Parameters
    ----------
    results
        The run on screen.
    selected
        Which of its cells are selected, at least one.
    halves
        What the two layouts show, the left one first.
    """
    st.markdown(_composition(results, selected))
    changes = _neighbour_changes(results, selected, halves)
    if changes:
        usual = None if _is_comparison(halves) else _mean(results, colouring.REPLACED)
        st.caption("\n".join(_neighbour_sentences(*change, halves, usual) for change in changes))
    else:
        _request_neighbours(halves)
    _markers(results, selected)


def forget(dataset: Dataset) -> None:
    """Stop ranking genes for cells that are selected no more."""
    if st.session_state.pop(state.key(_ASKED, dataset), None) is not None:
        services.runner().withdraw(_viewer(dataset))


def _composition(results: RunResults, selected: npt.NDArray[np.bool_]) -> str:
    parts = [f"**{counted(int(selected.sum()), 'cell')} selected**"]
    for name in (*results.params.harmony.batch, results.params.label):
        if name is not None and results.obs is not None:
            counts = results.obs[name].astype("string")[selected].value_counts()
            parts.append(f"{plain(name)}: {_counted(counts)}")
    codes = results.clusters("after")
    if codes is not None:
        counts = pd.Series(np.asarray(codes)[selected]).value_counts()
        parts.append(f"clusters after Harmony: {_counted(counts)}")
    mine, usual = (_mean(results, colouring.OTHER_LABEL, cells) for cells in (selected, None))
    if mine is not None and usual is not None:
        parts.append(f"neighbours of another label: {mine:.0%} (all cells {usual:.0%})")
    return " · ".join(parts)


def _counted(counts: pd.Series) -> str:
    counts = counts[counts > 0]
    named = [f"{plain(level)} ({n:,})" for level, n in counts.head(_NAMED).items()]
    rest = len(counts) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _neighbour_changes(
    results: RunResults, selected: npt.NDArray[np.bool_], halves: tuple[Half, Half]
) -> list[tuple[Categories, NeighborChange]]:
    """Return what became of the cells' neighbours by batch variable; nothing until it is known."""
    stages = [half.results.stage(f"neighbors_{half.side}") for half in halves]
    near = [stage.arrays["indices"] for stage in stages if stage is not None]
    if results.obs is None or len(near) < 2:
        return []
    changes = []
    for name in results.params.harmony.batch:
        levels = colouring.levels_of(results, name)
        changes.append(
            (
                levels,
                neighbor_change(selected, (near[0], near[1]), levels.codes, len(levels.levels)),
            )
        )
    return changes


def _request_neighbours(halves: tuple[Half, Half]) -> None:
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
    results: RunResults, measure: str, selected: npt.NDArray[np.bool_] | None = None
) -> float | None:
    """Return the mean of a diagnostic per cell over selected or all cells; None without one."""
    values = colouring.per_cell(results).get(measure)
    if values is None:
        return None
    known = np.asarray(values if selected is None else values[selected])
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def _neighbour_sentences(
    levels: Categories, change: NeighborChange, halves: tuple[Half, Half], usual: float | None
) -> str:
    """Return the sentence for all selected cells and one for those of each batch, in Markdown.

    Parameters
    ----------
    usual
        Fraction of new neighbours of all cells, to read the selection's beside it.
    """
    left, right = ("before", "after Harmony")
    if _is_comparison(halves):
        left, right = ("in the left result", "in the right result")
    sentence = (
        f"Of their {N_NEIGHBORS} nearest neighbours {right}, {change.retained_by_all:.0%} were "
        f"neighbours {left}, too, and {1 - change.retained_by_all:.0%} are new"
    )
    sentence += "" if usual is None else f" (all cells: {usual:.0%} new)"
    sentence += (
        f". By {plain(levels.name)}, the new ones are {_fractions(change.origin_for_all, levels)}."
    )
    present = np.flatnonzero(change.cells)
    if len(present) < 2:
        return sentence
    largest = present[np.argsort(-change.cells[present], kind="stable")][:_MOST_BATCHES]
    lines = [
        f"- {plain(levels.levels[b])} ({change.cells[b]:,} cells): {change.retained[b]:.0%} kept; "
        f"the new ones are {_fractions(change.origin[b], levels)}"
        for b in largest
    ]
    rest = len(present) - len(largest)
    return "\n".join([sentence, "", *lines, *([f"- and cells of {rest} more"] if rest else []), ""])


def _fractions(origin: npt.NDArray[np.float64], levels: Categories) -> str:
    if np.isnan(origin).any():
        return "none"
    order = [b for b in np.argsort(-origin, kind="stable") if round(origin[b], 2) > 0]
    named = [f"{plain(levels.levels[b])} {origin[b]:.0%}" for b in order[:_NAMED]]
    rest = float(origin[order[_NAMED:]].sum())
    return ", ".join(named) + (f", others {rest:.0%}" if rest else "")


class _RankingTask(Task):
    """Marker genes of selected cells, ranked instead of those of any other selection."""

    bar_width = 4

    def __init__(self, results: RunResults, selected: npt.NDArray[np.bool_]) -> None:
        work = selection_work(results.dataset, results.params, selected)
        super().__init__("selected", _viewer(results.dataset), work)
        self._asked = state.key(_ASKED, results.dataset)

    def submit(self) -> None:
        super().submit()
        st.session_state[self._asked] = self.work.name

    def cancel(self) -> None:
        self.withdraw()
        st.session_state.pop(self._asked, None)


def _markers(results: RunResults, selected: npt.NDArray[np.bool_]) -> None:
    dataset = results.dataset
    refused = selected_markers.why_not(dataset, selected)
    if refused:
        forget(dataset)
        st.caption(refused)
        return
    key = selected_markers.key(dataset, results.params, selected)
    task = progress = None
    if st.session_state.get(state.key(_ASKED, dataset)) == key.folder:
        task = _RankingTask(results, selected)
        progress = task.progress  # before the store is asked: it may be finished in between
    markers = selected_markers.stored(dataset, key)
    if markers is not None:
        _table(dataset, markers, int(selected.sum()), key=key.folder)
        return
    if task is None or progress is None:
        forget(dataset)
    elif not progress.is_over:
        task.follow()
        return
    elif progress.state != "cancelled":
        st.error(plain(progress.message, longest=500) if progress.message else _NOT_STORED)
    st.button(
        "Marker genes of these cells",
        key="selected-markers",
        on_click=_rank,
        args=(results, selected),
        help="Ranks every gene by how much higher it is in the selected cells than in all others.",
    )


def _rank(results: RunResults, selected: npt.NDArray[np.bool_]) -> None:
    _RankingTask(results, selected).submit()


def _table(dataset: Dataset, markers: SelectedMarkers, n_cells: int, *, key: str) -> None:
    if not markers.symbols:
        st.caption("No gene is higher in these cells than in the others.")
        return
    st.caption(
        f"Marker genes of these {n_cells:,} cells against all others (Wilcoxon, uncorrected "
        "expression). Click a row to colour both pictures by its gene. The cells were chosen by "
        "looking at the same data, so take the p values for an order, not for a test."
    )
    rows = pd.DataFrame(
        {
            "Gene": markers.symbols,
            "Score": markers.scores,
            "log2 fold change": markers.log2_fold_change,
            "Inside": 100 * markers.inside,
            "Outside": 100 * markers.outside,
            "Adjusted p": markers.p_adjusted,
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
        on_choose=lambda row: colouring.request(dataset, None, markers.symbols[row]),
    )


def _viewer(dataset: Dataset) -> str:
    return state.key(f"{state.viewer()}:selected", dataset)

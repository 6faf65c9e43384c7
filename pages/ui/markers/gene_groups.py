"""Which groups of cells the gene views compare, and whether only the selected cells count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import streamlit as st

from harmony_core.categories import Factor
from harmony_core.runs.results import RunResults
from pages.ui.tune import before_after

_BOTH = "clusters before and after Harmony"


def choose(results: RunResults, *, with_batch: bool = True) -> list[Factor]:
    """Draw the choice of groups and return it: two groupings to be seen side by side, or one.

    Parameters
    ----------
    with_batch
        Whether the groups may be batches, or be split by batch.
    """
    params, obs = results.params, results.obs
    if obs is None:
        raise RuntimeError("groups were asked for before the cells were known")
    batch = params.harmony.batch[0]
    what = "Harmony" if params.by_harmony else "correction"
    single: dict[str, Callable[[], Factor]] = {}
    for side in ("after", "before"):
        codes = results.clusters(side)
        if codes is not None:
            name = f"cluster {side} {what}"
            single[name] = lambda name=name, codes=codes: _numbered(name, codes)
    clusters = list(single)
    if params.label is not None:
        single[params.label] = lambda: Factor.of(params.label, obs[params.label])
    crossed = [f"{name} and {batch}" for name in single if name != batch] if with_batch else []
    if with_batch or not single:
        single[batch] = lambda: Factor.of(batch, obs[batch])
    both = [_BOTH] if len(clusters) == 2 else []
    picked = st.selectbox("Groups", [*both, *single, *crossed], key=f"marker-groups-{with_batch}")
    if picked == _BOTH:
        found = [single[name]() for name in reversed(clusters)]
    elif picked in single:
        found = [single[picked]()]
    else:
        found = [_crossed(single[picked.removesuffix(f" and {batch}")](), single[batch]())]
    return _only_selected(results, found)


def only(results: RunResults) -> npt.NDArray[np.bool_] | None:
    """Return the cells selected on Tune if only they are to count; offer it where there are any."""
    chosen = before_after.selected_cells(results)
    if chosen is None or not st.toggle(
        f"Only the {int(chosen.sum()):,} cells selected on Tune",
        key="marker-only-selected",
        persist_state="session",
    ):
        return None
    return chosen


def _only_selected(results: RunResults, groupings: list[Factor]) -> list[Factor]:
    chosen = only(results)
    if chosen is None:
        return groupings
    found = [_used(g.name, np.where(chosen, g.codes, -1), g.levels) for g in groupings]
    if not all(grouping.levels for grouping in found):
        st.caption("None of the selected cells is in any of these groups, so all cells are shown.")
        return groupings
    return found


def _numbered(title: str, codes: npt.NDArray[np.int32]) -> Factor:
    levels = tuple(str(i) for i in range(int(codes.max(initial=0)) + 1))
    return Factor(title, np.asarray(codes), levels)


def _crossed(groups: Factor, batches: Factor) -> Factor:
    """Return the pairs of two groupings that occur, as one grouping."""
    nowhere = (groups.codes < 0) | (batches.codes < 0)
    pairs = np.where(nowhere, -1, groups.codes * len(batches.levels) + batches.codes)
    names = tuple(f"{group} · {batch}" for group in groups.levels for batch in batches.levels)
    return _used(f"{groups.name} and {batches.name}", pairs, names)


def _used(title: str, codes: npt.NDArray[np.integer], levels: tuple[str, ...]) -> Factor:
    """Return a grouping without the groups that no cell is in."""
    used = np.unique(codes[codes >= 0])
    places = np.full(len(levels) + 1, -1)  # the last place serves the code -1
    places[used] = np.arange(len(used))
    return Factor(title, places[codes], tuple(levels[i] for i in used))

"""Any two runs side by side: which pictures are on screen, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from harmony_core.counting import counted
from harmony_core.metric_catalog import METRICS
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.runs.comparison import Change, compare
from harmony_core.runs.plan import Side
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import evidence_table, part, state
from pages.ui.current_run import CurrentRun
from pages.ui.linked_view import Panel
from pages.ui.run_group import Group
from pages.ui.text import plain

BEFORE, CURRENT = "before", "current"
"""What the two pictures show while no run is chosen for them."""

COMPARISON = "comparison"
"""What is said to other parts when the pictures are to show other runs."""

_STEPS = (
    *("neighbors_before", "clusters_before", "neighbors_after", "layout_after", "clusters_after"),
)
SOURCES = ("given", "method")
"""Settings that say what corrected a run."""

_NUMBERS = ("mcm", "ilisi", "worst_label_purity_loss", "clisi")
_LEFT, _RIGHT, _CHANGE = "compare-left", "compare-right", "compare-change"


@dataclass(frozen=True)
class Half:
    """One of the two results that are compared: a run after correction, or the data before it."""

    title: str
    results: RunResults
    side: Side


def choose(current: CurrentRun, titles: dict[str, str]) -> None:
    """Draw the choice of what the two pictures show.

    Parameters
    ----------
    titles
        Name of each run that can be chosen, by what `harmony_core.runs.plan` calls it.
    """
    columns = st.columns([3, 3, 2], vertical_alignment="bottom")
    for column, default, key, label in (
        (columns[0], BEFORE, state.key(_LEFT, current.dataset), "Left picture"),
        (columns[1], CURRENT, state.key(_RIGHT, current.dataset), "Right picture"),
    ):
        words = {
            BEFORE: history.side_names(current.results.params)[0],
            CURRENT: "The run on screen",
        } | titles
        options = [default, *titles]
        if st.session_state.get(key) not in options:
            st.session_state[key] = default
        column.selectbox(
            label,
            options,
            format_func=words.__getitem__,
            key=key,
            persist_state="session",
            on_change=_ask_for,
            args=(current,),
        )
    with columns[2]:
        way_back(current)


def draw_way_back(dataset: Dataset, params: RunParams) -> None:
    """Draw the way back alone, where there is no list of runs."""
    way_back(CurrentRun(dataset, params))


def way_back(current: CurrentRun) -> None:
    """Offer to end a comparison, where one is on."""
    if _is_on(current):
        st.button(
            "Back to before and after",
            key="compare-end",
            on_click=end,
            args=(current.dataset,),
            width="stretch",
        )


def end(dataset: Dataset) -> None:
    """Show before and after again."""
    part.say(COMPARISON)
    st.session_state[state.key(_LEFT, dataset)] = BEFORE
    st.session_state[state.key(_RIGHT, dataset)] = CURRENT


def show(dataset: Dataset, left: str, right: str) -> None:
    """Have the pictures show two runs, by what `harmony_core.runs.plan` calls them."""
    st.session_state[state.key(_LEFT, dataset)] = left
    st.session_state[state.key(_RIGHT, dataset)] = right
    part.say(COMPARISON)


def shown(dataset: Dataset) -> tuple[str | None, str | None]:
    """Return what was chosen for the two pictures, as `show` takes it."""
    return _picked(dataset)


def panels(current: CurrentRun) -> tuple[Panel | None, Panel | None]:
    """Return the panels of the runs chosen; None where none is, or its layout is on its way."""
    panels = []
    for half, picked in zip(halves(current), _picked(current.dataset), strict=True):
        chosen = picked not in (None, BEFORE, CURRENT)
        layout = half.results.layout(half.side) if chosen else None
        note = "" if layout is None else note_of(half.results.params)
        panels.append(None if layout is None else Panel(half.title, layout, note=note))
    return panels[0], panels[1]


def halves(current: CurrentRun) -> tuple[Half, Half]:
    """Return what the two pictures show."""
    # What is kept is read only where it is needed: it grows with every move.
    kept = _comparable(current) if _is_on(current) else []
    known = {RunResults(current.dataset, run).plan.run: run for run in kept}
    left, right = (known.get(picked or "") for picked in _picked(current.dataset))
    titles = history.side_names(current.results.params)
    here = current.newest_drawable()[0] or current.results
    return (
        Half(titles[0], here, "before") if left is None else _half(current, left),
        Half(titles[1], here, "after") if right is None else _half(current, right),
    )


def _comparable(current: CurrentRun) -> list[RunParams]:
    return history.comparable_runs(current.dataset, current.results.params)


def what_changed(current: CurrentRun) -> None:
    """Say what differs between the two pictures, if they are not before and after of one run."""
    if not _is_on(current):
        return
    left, right = halves(current)
    group = Group("compare", current.dataset, *_STEPS)
    if group.watch(what="runs"):
        return
    wanted = _runs(current)
    if len(group.done(wanted)) < len(wanted):
        st.button("Compute what is missing", key="compare-go", on_click=_ask_for, args=(current,))
        return
    change = _change(left, right)
    if change is None:
        return
    one, two, three = st.columns(3)
    one.metric(
        "Neighbours replaced",
        f"{change.replaced.mean():.0%}",
        help="Of each cell's 30 nearest neighbours in the left result, the part that it does not "
        "have in the right one; the mean of all cells. 0 % is the same neighbourhood everywhere.",
    )
    two.metric(
        "Cells moved",
        "–" if change.moved is None else f"{change.moved.mean():.1%}",
        help="Mean distance between a cell's two places in the embedding, as a part of the data's "
        "spread (the cells' mean distance to their middle). Embeddings of two tools have no "
        "distances in common.",
    )
    three.metric(
        "Cells regrouped",
        f"{change.regrouped:.0%}",
        help="Cells that did not go where most of their cluster went, or did not come from where "
        "most of their new cluster came.",
    )
    st.markdown(_in_words(change, left, right))
    farthest = change.farthest()
    if farthest.any():
        st.button(
            f"Mark the {counted(int(farthest.sum()), 'cell')} that moved most",
            key="compare-mark",
            on_click=evidence_table.mark_cells,
            args=(current.results, farthest, "the cells that moved most"),
        )
    st.dataframe(
        pd.DataFrame(_rows(left, right)),
        hide_index=True,
        key="compare-table",
        column_config={"Left": _text(left), "Right": _text(right)},
    )


def _in_words(change: Change, left: Half, right: Half) -> str:
    sentences = [
        f"Clusters {', '.join(map(str, rows))} of the left result are one cluster ({column}) in "
        "the right."
        for column, rows in change.merged.items()
    ]
    sentences += [
        f"Cluster {column} of the left result is split into {', '.join(map(str, rows))} in the "
        "right."
        for column, rows in change.split.items()
    ]
    return " ".join(sentences) or "No cluster was split, and none merged with another."


def _rows(left: Half, right: Half) -> list[dict[str, Any]]:
    """Return the settings and numbers that differ, as text."""
    rows: list[dict[str, Any]] = []
    if left.side == right.side:
        pair = (left.results.params, right.results.params)
        names = history.differing(pair)
        if {"given", "method"} & set(names):
            sources = [_source(params) for params in pair]
            rows.append({"What": "corrected by", **_pair(sources)})
            # Settings of Harmony stand against none.
            names = [n for n in names if n not in SOURCES and not n.startswith("harmony.")]
        for name in names:
            values = [history.settings(run, [name])[name] for run in pair]
            rows.append(
                {"What": name.removeprefix("harmony."), **_pair(map(value_in_words, values))}
            )
    numbers = [_metrics(half) for half in (left, right)]
    for variable in numbers[0]:
        start = f"{variable}: " if len(numbers[0]) > 1 else ""
        for name in _NUMBERS:
            values = [n.get(variable, {}).get(name) for n in numbers]
            if None not in values:
                rows.append(
                    {"What": start + METRICS[name].title, **_pair(f"{v:.3f}" for v in values)}
                )
    return rows


def _source(params: RunParams) -> str:
    """Return what corrected a run."""
    if params.precomputed is not None:
        return f"{params.precomputed}, another tool"
    return f"{history.in_words(params) if params.method else 'Harmony'}, here"


def value_in_words(value: Any) -> str:
    """Return a setting's value as a table shows it."""
    if isinstance(value, list):
        return ", ".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in value)
    if value is None:
        return "automatic"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pair(values: Any) -> dict[str, str]:
    left, right = values
    return {"Left": left, "Right": right}


def _metrics(half: Half) -> dict[str, dict[str, float | None]]:
    found = half.results.assessment
    return {} if found is None else dict(found.metrics[half.side])


def _text(half: Half) -> Any:
    return st.column_config.TextColumn(help=plain(half.title))


def _change(left: Half, right: Half) -> Change | None:
    key = (left.results.plan.run, left.side, right.results.plan.run, right.side)
    cached = st.session_state.get(_CHANGE)
    if cached is not None and cached[0] == key:
        return cached[1]  # type: ignore[no-any-return]
    embeddings, near, clusters = [], [], []
    for half in (left, right):
        found = half.results.stage(f"neighbors_{half.side}")
        embedding, groups = half.results.embedding(half.side), half.results.clusters(half.side)
        if found is None or embedding is None or groups is None:
            return None
        embeddings.append(embedding)
        near.append(found.arrays["indices"])
        clusters.append(groups)
    after = [half.results.params for half in (left, right) if half.side == "after"]
    same_space = all(params.by_harmony for params in after)
    pair = (embeddings[0], embeddings[1]) if same_space else None
    change = compare(pair, (near[0], near[1]), (clusters[0], clusters[1]))
    st.session_state[_CHANGE] = (key, change)
    return change


def _half(current: CurrentRun, run: RunParams) -> Half:
    name = history.tag_of(current.dataset, run).name
    other = history.side_names(run)[1] + (", other run" if run.by_harmony else "")
    return Half(name or other, RunResults(current.dataset, run), "after")


def _runs(current: CurrentRun) -> list[RunParams]:
    return list(dict.fromkeys(half.results.params for half in halves(current)))


def _ask_for(current: CurrentRun) -> None:
    """Have computed what the comparison needs, and the pictures drawn."""
    part.say(COMPARISON)
    group = Group("compare", current.dataset, *_STEPS)
    wanted = _runs(current)
    done = group.done(wanted)
    missing = [run for run in wanted if run not in done]
    if _is_on(current) and missing:
        group.begin(missing)


def _is_on(current: CurrentRun) -> bool:
    left, right = _picked(current.dataset)
    return left not in (None, BEFORE) or right not in (None, CURRENT)


def _picked(dataset: Dataset) -> tuple[str | None, str | None]:
    """Return what was chosen for the two pictures: a run's name, or what they show without one."""
    left, right = (st.session_state.get(state.key(name, dataset)) for name in (_LEFT, _RIGHT))
    return left, right


def note_of(params: RunParams) -> str:
    """Return what stands beside a picture's title, which names another method already."""
    return settings_in_words(params) if params.by_harmony else ""


def settings_in_words(params: RunParams) -> str:
    """Return the two settings that matter most; of another method, what it is called."""
    if not params.by_harmony:
        return history.side_names(params)[1]
    theta = ", ".join(f"{t:g}" for t in params.harmony.theta)
    return f"theta {theta} · sigma {params.harmony.sigma:g}"

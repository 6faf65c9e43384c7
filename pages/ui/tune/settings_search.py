"""Suggest: a grid of settings in the background, which to use, and what more mixing costs."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from harmony_core.figures.screen.settings_map import Setting, settings_map
from harmony_core.jobs.work import run_work
from harmony_core.params import RunParams
from harmony_core.runs import history
from harmony_core.store import Dataset
from harmony_core.verdict.grid import Candidate, grid
from harmony_core.verdict.suggest import Suggestion, suggest
from pages.ui import made, part
from pages.ui.charts import chart
from pages.ui.current_run import results_of
from pages.ui.run_group import Group
from pages.ui.tables import decimals, table
from pages.ui.text import plain
from pages.ui.tune import controls

_COLUMNS = {
    **{"theta": "theta", "sigma": "sigma", "verdict": "Verdict"},
    **{"least_mixing": "Least mixing (%)", "least_mixed_batch": "Least mixed batch"},
    **{"mean_mixing": "Mean mixing (%)", "state": "Who pays", "becomes": "Becomes"},
    "neighbors_lost": "Neighbours lost (%)",
}
"""Headings of the table of steps."""


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the button to search, its progress, what is suggested and the map."""
    group = Group("suggest", dataset, "assess")
    wanted = [replace(params, harmony=harmony) for harmony in grid(params.harmony)]
    done = group.done(wanted)
    st.subheader("Suggest settings")
    under_way = group.watch()
    if not under_way and len(done) < len(wanted):
        st.caption(
            f"Tries {len(wanted)} settings (theta 1, 2, 4, 8 with sigma 0.05, 0.1, 0.2) in the "
            "background, names the one that mixes most without cost to a state, and says what "
            "each step further would cost. You can go on working; every run is kept."
        )
        st.button(
            "Go on" if len(done) > 1 else "Suggest settings",
            key="suggest",
            on_click=group.begin,
            args=(wanted,),
        )
    # Some settings of the grid are met on the way; who has not asked sees no map of those.
    is_complete = len(done) == len(wanted)
    if is_complete or (group.was_begun and len(done) > 1):
        _answer(dataset, params, done, complete=is_complete)


def _answer(dataset: Dataset, params: RunParams, done: list[RunParams], *, complete: bool) -> None:
    read = [_candidate(dataset, run) for run in done]
    candidates = [candidate for candidate in read if candidate is not None]
    suggestion = suggest(candidates) if complete else None
    if suggestion is not None:
        _suggestion(dataset, params, suggestion)
    run = run_work(dataset, params)
    is_under_way = part.is_under_way(run)
    on_screen = _candidate(dataset, params)
    if on_screen is None and is_under_way:
        part.follow([run])  # to mark it on the map once it is judged
    _map(on_screen, candidates, suggestion)


def _candidate(dataset: Dataset, params: RunParams) -> Candidate | None:
    results = results_of(dataset, params)
    judged = results.plan.keys["assess"]
    return made.once(("candidate", judged, params), lambda: history.candidate(results))


def _suggestion(dataset: Dataset, params: RunParams, suggestion: Suggestion) -> None:
    text, button = st.columns([4, 1], vertical_alignment="center")
    first, *others = [plain(s, longest=600) for s in suggestion.sentences]
    text.markdown(f"**{first}**")
    for sentence in others:
        text.markdown(sentence)
    if (best := suggestion.best) is not None:
        if best.settings == params.harmony:
            button.caption("On screen")
        else:
            button.button(
                "Use it",
                key="use-suggestion",
                type="primary",
                on_click=controls.show_run,
                args=(dataset, replace(params, harmony=best.settings)),
                width="stretch",
            )
    if rows := suggestion.rows:
        _table(pd.DataFrame(rows))


def _table(rows: pd.DataFrame) -> None:
    fractions = ["least_mixing", "mean_mixing", "neighbors_lost"]
    rows[fractions] = (100 * rows[fractions].astype(float)).round()  # as the sentences say them
    rows = rows.rename(columns=_COLUMNS)
    table(
        rows,
        key="suggest-steps",
        file="suggested_settings",
        columns={_COLUMNS[name]: decimals(0) for name in fractions},
    )


def _map(
    on_screen: Candidate | None, candidates: list[Candidate], suggestion: Suggestion | None
) -> None:
    best = None if suggestion is None else suggestion.best
    points = tuple(_point(candidate) for candidate in candidates)
    ringed, starred = on_screen and _point(on_screen), best and _point(best)
    drawn = made.once(
        ("settings map", points, ringed, starred),
        lambda: settings_map(points, current=ringed, best=starred),
    )
    chart(drawn, key="suggest-map")
    st.caption(
        "Numbers are theta. A star is suggested, crosses are settings at which a state pays, the "
        "ring is on screen."
    )


def _point(candidate: Candidate) -> Setting:
    return Setting(
        theta=candidate.settings.theta[0],
        sigma=candidate.settings.sigma,
        mixing=candidate.least_mixing,
        loss=max((loss.amount or 0.0 for loss in candidate.losses), default=0.0),
        costly=candidate.costs_a_state,
    )

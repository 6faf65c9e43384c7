"""How much of a difference is chance: five seeds, other releases of Harmony, another kept run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from harmony_core.params import RunParams
from harmony_core.runs.concordance import STAGES, Concordance, concordance, seeds_and_releases
from harmony_core.runs.method_comparison import run_names, runs_to_compare
from harmony_core.store import Dataset
from pages.ui import made, state
from pages.ui.current_run import results_of
from pages.ui.run_group import Group
from pages.ui.tables import decimals, table
from pages.ui.text import plain

_OPEN = "concordance-open"
_NONE = "(no other run)"


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the offer, its progress, and what differs by more than chance; nothing while closed."""
    panel = st.expander("How much of a difference is chance?", key=_OPEN, on_change="rerun")
    if not panel.open:
        return
    with panel:
        seeds, others = seeds_and_releases(params)
        others |= _kept_run(dataset, params, {*seeds, *others.values()})
        wanted = [*seeds, *others.values()]
        group = Group("concordance", dataset, *STAGES)
        if group.watch(what="runs"):
            return
        done = group.done(wanted)
        missing = [run for run in wanted if run not in done]
        # Another program that failed has said so; without it the rest is there.
        if missing and not (group.was_begun and all(run.method for run in missing)):
            st.caption(
                f"Runs these settings with {len(seeds)} seeds, as other releases of Harmony and, "
                "if you choose one, beside another run of yours. What two seeds differ by is "
                "chance; only more than that is due to the settings."
            )
            st.button("Compare", key="concordance", on_click=group.begin, args=(wanted,))
            return
        _show(_compared(dataset, seeds, {n: run for n, run in others.items() if run in done}))


def _compared(
    dataset: Dataset, seeds: Sequence[RunParams], others: Mapping[str, RunParams]
) -> Concordance:
    own = [results_of(dataset, run) for run in seeds]
    beside = {name: results_of(dataset, run) for name, run in others.items()}
    names = (run.plan.run for run in (*own, *beside.values()))
    return made.once(
        ("concordance", dataset.fingerprint, *beside, *names), lambda: concordance(own, beside)
    )


def _kept_run(dataset: Dataset, params: RunParams, already: set[RunParams]) -> dict[str, RunParams]:
    """Let another kept run be chosen, by its name."""
    runs = [run for run in runs_to_compare(dataset, params) if run.params not in already]
    if not runs:
        return {}
    by_name = dict(zip(run_names(runs), (run.params for run in runs), strict=True))
    key = state.key("concordance-run", dataset)
    if st.session_state.get(key) not in (_NONE, *by_name):
        st.session_state[key] = _NONE
    picked = st.selectbox("Also compare", [_NONE, *by_name], key=key)
    return {} if picked == _NONE else {picked: by_name[picked]}


def _show(found: Concordance) -> None:
    for sentence in found.sentences:
        st.markdown(plain(sentence, longest=600))
    rows = [
        {
            "What": one.name,
            "Neighbours replaced (%)": 100 * one.replaced[1],
            "Least": 100 * one.replaced[0],
            "Most": 100 * one.replaced[2],
            "Correlation": one.correlation,
        }
        for one in (found.chance, *found.others)
    ]
    table(
        pd.DataFrame(rows),
        key="concordance",
        file="concordance",
        columns={
            "Neighbours replaced (%)": decimals(1, "Mean over the cells, and over the seeds."),
            "Least": decimals(1, "Of the seeds, or pairs of them."),
            "Most": decimals(1, "Of the seeds, or pairs of them."),
            "Correlation": decimals(
                3, "Between the corrected embeddings, of the component that agrees least."
            ),
        },
    )

"""Which other methods to run, and how: chosen, run in the background, with an estimate."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from harmony_core.jobs.estimate import in_words
from harmony_core.method_catalog import METHODS, Method, MethodSetting
from harmony_core.methods.integration.environment import install_line, installed
from harmony_core.params import MethodParams, RunParams
from harmony_core.store import Dataset
from pages.ui.current_run import results_of
from pages.ui.run_group import Group
from pages.ui.text import plain

CHOSEN_SECONDS = 300.0
"""Methods that take no longer than this are chosen at first."""


def draw(dataset: Dataset, params: RunParams) -> None:
    """Draw the methods to choose from with their settings, or how far those that run are."""
    group = Group("methods", dataset, "assess")
    usable = {name: method for name, method in METHODS.items() if installed(method) is not None}
    if not group.watch(what="methods") and usable:
        _choose(dataset, params, usable, group)
    if missing := [method for name, method in METHODS.items() if name not in usable]:
        with st.popover("Methods that are not installed"):
            for method in missing:
                st.caption(
                    f"**{method.title}**: {method.about} One line in a terminal installs it:"
                )
                st.code(install_line(method), language=None, wrap_lines=True)


def _choose(dataset: Dataset, params: RunParams, usable: dict[str, Method], group: Group) -> None:
    cells = results_of(dataset, params).cells
    n_cells = dataset.n_cells if cells is None else len(cells)
    picked = st.multiselect(
        "Run on the same cells",
        list(usable),
        default=[n for n, one in usable.items() if one.estimate(n_cells) <= CHOSEN_SECONDS],
        format_func=lambda name: usable[name].title,
        key=f"{dataset.fingerprint}:methods",
        help="Each is judged as a run of Harmony is: by the same numbers, on the same cells, "
        "beside every run that you have tried.",
    )
    if not picked:
        return
    with st.popover("Their settings"):
        settings = {name: _settings(dataset, usable[name]) for name in picked}
    base = replace(params, method=None, precomputed=None)
    wanted = [
        replace(base, method=MethodParams(name=name, settings=tuple(settings[name].items())))
        for name in picked
    ]
    to_do = [run for run in wanted if run not in group.done(wanted)]
    if not to_do:
        st.caption("These are in the table; change a setting, or choose another method.")
        return
    seconds = sum(run.method.method.estimate(n_cells) for run in to_do if run.method is not None)
    left, right = st.columns([1, 3], vertical_alignment="center")
    left.button(
        "Run and compare", key="methods", on_click=group.begin, args=(to_do,), width="stretch"
    )
    right.caption(
        f"In the background, {in_words(seconds)} for {n_cells:,} cells. You can go on working; "
        "every run is kept."
    )


def _settings(dataset: Dataset, method: Method) -> dict[str, float]:
    """Draw a method's settings and return where they stand."""
    st.markdown(f"**{plain(method.title)}**")
    st.caption(method.about)
    return {one.name: _setting(dataset, method, one) for one in method.settings}


def _setting(dataset: Dataset, method: Method, one: MethodSetting) -> float:
    kind = float if isinstance(one.default, float) else int
    return st.number_input(
        one.name,
        min_value=kind(one.range.low),
        max_value=kind(one.range.high),
        value=one.default,
        step=kind(one.range.step),
        help=one.help,
        key=f"{dataset.fingerprint}:method-{method.name}-{one.name}",
    )

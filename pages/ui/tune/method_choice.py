"""Which other methods to run, and how: chosen, run in the background, with an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from harmony_core.errors import DataError
from harmony_core.jobs.estimate import in_words, method_seconds
from harmony_core.method_catalog import METHODS, Method, MethodSetting
from harmony_core.methods.integration.environment import install_line, installed
from harmony_core.params import MethodParams, RunParams
from harmony_core.runs.stages.method_needs import check_needs
from harmony_core.store import Dataset
from pages.ui import made, services
from pages.ui.current_run import results_of
from pages.ui.run_group import Group
from pages.ui.text import plain

AT_FIRST = "methods"
"""Extra whose methods are chosen at first: they take no training, and are not Harmony again."""


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
    picked = st.multiselect(
        "Run on the same cells",
        list(usable),
        default=[name for name, one in usable.items() if one.extra == AT_FIRST],
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
    chosen = [MethodParams(name=name, settings=tuple(settings[name].items())) for name in picked]
    sizes = _sizes(dataset, params)
    problems = {one.name: _problem(one, dataset, params, sizes) for one in chosen}
    for problem in problems.values():
        if problem:
            st.warning(plain(problem, longest=500))
    wanted = [replace(base, method=one) for one in chosen if not problems[one.name]]
    done = group.done(wanted)
    to_do = [run for run in wanted if run not in done]
    if not to_do:
        if wanted:
            st.caption("These are in the table; change a setting, or choose another method.")
        return
    left, right = st.columns([1, 3], vertical_alignment="center")
    left.button(
        "Run and compare", key="methods", on_click=group.begin, args=(to_do,), width="stretch"
    )
    takes = _seconds_in_words(to_do, sum(sizes.values()))
    right.caption(f"In the background, {takes}. You can go on working; every run is kept.")


def _sizes(dataset: Dataset, params: RunParams) -> dict[str, int]:
    """Return the cells of each batch, by all batch variables."""
    results = results_of(dataset, params)
    obs, names = results.obs, params.harmony.batch
    table = dataset.obs if obs is None else obs
    return made.once(
        ("batch sizes", dataset.fingerprint, names, results.plan.keys["prepare"], obs is None),
        lambda: {
            " × ".join(map(str, levels)): int(n)
            for levels, n in table[list(names)].value_counts().items()
            if n  # categories in which there is no cell
        },
    )


def _problem(
    method: MethodParams, dataset: Dataset, params: RunParams, sizes: Mapping[str, int]
) -> str:
    """Return why a method can't correct the data; empty where it can."""
    try:
        check_needs(method, dataset.info, " × ".join(params.harmony.batch), sizes)
    except DataError as error:
        return str(error)
    return ""


def _seconds_in_words(runs: Sequence[RunParams], n_cells: int) -> str:
    """Say how long runs will take by what they took here before, and of which it is not known."""
    methods = [run.method for run in runs if run.method is not None]
    seconds = {one: method_seconds(services.store(), one, n_cells) for one in methods}
    known = [each for each in seconds.values() if each is not None]
    unknown = [one.method.title for one, each in seconds.items() if each is None]
    cells = f"for {n_cells:,} cells"
    if not known:
        return f"{cells}; how long is not known, as these were not run so here before"
    words = f"{in_words(sum(known))} {cells}"
    if unknown:
        words += f" without {' and '.join(unknown)}, not run so here before"
    return words


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

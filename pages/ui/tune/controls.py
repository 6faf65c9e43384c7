"""Widgets in, typed settings out: presets, sliders, and a way back to each default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harmony_core.methods.harmony_releases import RELEASES, as_release, release_of
from harmony_core.params import (
    RANGES,
    ClusterParams,
    GraphParams,
    HarmonyParams,
    LayoutParams,
    RunParams,
)
from harmony_core.runs.history import flat, in_words
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import part, state
from pages.ui.current_run import results_of
from pages.ui.data import precomputed
from pages.ui.text import plain
from pages.ui.tune import batch_table, help_texts

PRESETS: Mapping[str, tuple[float, float]] = {
    "Gentle": (1.0, 0.05),
    "Default": (2.0, 0.1),
    "Strong": (4.0, 0.1),
}
"""Theta and sigma that one click sets."""

_DEFAULTS = {
    name.rpartition(".")[2]: value
    for name, value in flat(RunParams(harmony=HarmonyParams(batch=("",)))).items()
    if not name.startswith("prepare.") and name not in ("layout.seed", "clusters.seed")
} | {"theta": HarmonyParams(batch=("",)).theta[0], "lamb": 1.0}
"""Default of each setting; of lambda the one to start from when it is fixed."""


def run_controls(dataset: Dataset, current: RunParams, *, more: bool = True) -> RunParams:
    """Draw the sliders and return the settings they stand at.

    Parameters
    ----------
    dataset
        Keys of the widgets carry its name, so each dataset keeps its own positions.
    current
        Settings to start from; groups without a widget here are passed on.
    more
        Whether the rarely moved settings are drawn too; without them they stay as they are.
    """
    key = f"{dataset.fingerprint}:"
    if current.method is not None:
        return _of_another_method(dataset, current, more=more)
    if precomputed.is_available(dataset, current):
        current = precomputed.choose(dataset, current, current.precomputed)
    if current.precomputed is not None:
        return _of_another_tool(key, current, more=more)
    above = st.container()
    harmony, spots = _main_sliders(key, current.harmony)
    params = replace(current, harmony=harmony)
    if more:
        with st.expander("More parameters"):
            harmony = batch_table.draw(dataset, _more_harmony(key, harmony))
            st.caption("Picture and clusters")
            graph, layout, clusters = _layout_and_clusters(key, current)
        params = replace(params, harmony=harmony, graph=graph, layout=layout, clusters=clusters)
    with above:  # drawn last, so that the one in force is lit at once
        _presets(dataset, params)
        _release(dataset, params)
    _in_effect(results_of(dataset, params), spots)
    return params


def _of_another_method(dataset: Dataset, current: RunParams, *, more: bool) -> RunParams:
    """Draw what is on screen in Harmony's place, with the way back to it."""
    st.caption(
        f"Corrected by **{plain(in_words(current), longest=120)}**, which has no sliders; its "
        "settings are under *Other methods*."
    )
    st.button(
        "Back to Harmony",
        key="back-to-harmony",
        on_click=state.choose_settings,
        args=(dataset, replace(current, method=None)),
        width="stretch",
    )
    return _layout_only(f"{dataset.fingerprint}:", current, more=more)


def _of_another_tool(key: str, current: RunParams, *, more: bool) -> RunParams:
    precomputed.say(current)
    return _layout_only(key, current, more=more)


def _layout_only(key: str, current: RunParams, *, more: bool) -> RunParams:
    if not more:
        return current
    with st.expander("Picture and clusters"):
        graph, layout, clusters = _layout_and_clusters(key, current)
    return replace(current, graph=graph, layout=layout, clusters=clusters)


def _presets(dataset: Dataset, now: RunParams) -> None:
    n = len(now.harmony.batch)
    for column, (name, (theta, sigma)) in zip(
        st.columns(3, gap="xsmall"), PRESETS.items(), strict=True
    ):
        wanted = replace(
            now, harmony=replace(now.harmony, theta=(theta,) * n, sigma=sigma, sigma_of=())
        )
        column.button(
            name,
            key=f"preset-{name.lower()}",
            type="primary" if wanted == now else "secondary",
            help=f"theta {theta:g}, sigma {sigma:g}; everything else stays.",
            on_click=set_sliders,
            args=(dataset, wanted),
            width="stretch",
        )


def _release(dataset: Dataset, now: RunParams) -> None:
    """Draw whose Harmony the settings stand for, and set another's on a choice."""
    key, found = f"{dataset.fingerprint}:release", release_of(now.harmony)
    titles = {"2": "Harmony 2 (default)", "1": "as Harmony 1"}
    titles |= {"1.0": "as Harmony 1.0 and earlier"}  # whose settings are one
    st.session_state[key] = found or _OWN

    def choose() -> None:
        if (chosen := st.session_state[key]) != _OWN:
            set_sliders(dataset, replace(now, harmony=as_release(now.harmony, chosen)))

    st.selectbox(
        "Release",
        [*titles, *([] if found else [_OWN])],
        format_func=lambda name: titles.get(name, "settings of your own"),
        help=help_texts.RELEASE,
        key=key,
        on_change=choose,
    )
    if found not in (None, "2"):
        st.caption(plain(RELEASES[found].sentence(len(now.harmony.batch)), longest=800))


_OWN = ""


def _main_sliders(key: str, now: HarmonyParams) -> tuple[HarmonyParams, dict[str, DeltaGenerator]]:
    """Draw what most people move, with a place under some for what is in effect."""
    spots: dict[str, DeltaGenerator] = {}
    theta = []
    for name, value in zip(now.batch, now.theta, strict=True):
        label = "theta" if len(now.batch) == 1 else f"theta for {plain(name)}"
        theta.append(_slider(label, "theta", value, help_texts.THETA, f"{key}theta:{name}"))
        spots[name] = st.container()
    as_r = now.penalties_as_r
    if len(now.batch) > 1:
        as_r = st.toggle(
            "Add penalties, as R does",
            now.penalties_as_r,
            help=help_texts.AS_R,
            key=f"{key}as_r",
            persist_state="session",
        )
    sigma_of = st.session_state.get(f"{key}sigma_of", now.sigma_of)
    sigma = now.sigma
    if sigma_of:
        _sigma_of_each(key, sigma_of)
    else:
        sigma = _slider("sigma", "sigma", now.sigma, help_texts.SIGMA, f"{key}sigma")
    automatic = st.toggle(
        "Number of soft clusters: automatic",
        now.nclust is None,
        help=help_texts.NCLUST,
        key=f"{key}auto",
        persist_state="session",
    )
    nclust = None
    if not automatic:
        nclust = int(
            st.slider(
                "nclust",
                int(RANGES["nclust"].low),
                int(RANGES["nclust"].high),
                now.nclust or 50,
                help=help_texts.NCLUST,
                key=f"{key}nclust",
                persist_state="session",
            )
        )
    spots["nclust"] = st.container()
    iterations = int(
        st.slider(
            "iterations",
            1,
            int(RANGES["max_iter"].high),
            max(1, now.max_iter),
            help=help_texts.ITERATIONS,
            key=f"{key}iterations",
            persist_state="session",
        )
    )
    _way_back(f"{key}iterations", _DEFAULTS["max_iter"])
    spots["iterations"] = st.container()
    params = replace(
        now,
        theta=tuple(theta),
        penalties_as_r=as_r,
        sigma=sigma,
        sigma_of=sigma_of if len(sigma_of) == nclust else (),
        nclust=nclust,
        max_iter=iterations,
    )
    return params, spots


def _sigma_of_each(key: str, sigma_of: Sequence[float]) -> None:
    """Say in the slider's place that settings from elsewhere give each soft cluster its sigma."""
    low, high = min(sigma_of), max(sigma_of)
    st.caption(
        f"sigma: one for each of {len(sigma_of)} soft clusters, {low:g} to {high:g}, as the "
        "settings say that were loaded."
    )
    st.button(
        "Take one sigma for all",
        key=f"{key}one-sigma",
        type="tertiary",
        help=help_texts.SIGMA,
        on_click=lambda: st.session_state.update({f"{key}sigma_of": ()}),
    )


def _in_effect(results: RunResults, spots: Mapping[str, DeltaGenerator]) -> None:
    """Say what Harmony made of the settings, where that is not what the slider says."""
    harmony, asked = results.harmony, results.params.harmony
    if harmony is None:
        return
    for name, levels, found in zip(asked.batch, harmony["levels"], harmony["theta_b"], strict=True):
        wanted = [t / asked.theta_divisor for t in asked.theta_of_levels(name, levels)]
        if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) > 0.005:
            spots[name].caption(f"In effect {min(found):.2f} to {max(found):.2f}, for tau.")
    if asked.nclust is None:
        spots["nclust"].caption(f"In effect: {harmony['nclust']}.")
    if harmony["iterations"] < asked.max_iter:
        spots["iterations"].caption(f"In effect: {harmony['iterations']}, then it had ended.")


def _more_harmony(key: str, now: HarmonyParams) -> HarmonyParams:
    changes: dict[str, Any] = {
        "tau": _slider("tau", "tau", now.tau, help_texts.TAU, f"{key}tau", top=20),
    }
    fixed = st.toggle(
        "Fixed ridge penalty (lambda)",
        now.lamb is not None,
        help=help_texts.LAMBDA,
        key=f"{key}fixed",
        persist_state="session",
    )
    if fixed:
        start = _DEFAULTS["lamb"] if now.lamb is None else now.lamb
        changes["lamb"] = _slider("lambda", "lamb", start, help_texts.LAMBDA, f"{key}lamb", top=10)
    else:
        changes |= {"lamb": None, "lamb_of": ()}
        changes["alpha"] = _slider(
            "alpha", "alpha", now.alpha, help_texts.ALPHA, f"{key}alpha", top=2
        )
    changes["block_size"] = _slider(
        "block size", "block_size", now.block_size, help_texts.BLOCK, f"{key}block"
    )
    changes["max_iter_kmeans"] = int(
        _slider(
            "k-means rounds",
            "max_iter_kmeans",
            now.max_iter_kmeans,
            help_texts.ROUNDS,
            f"{key}rounds",
        )
    )
    changes["epsilon_cluster"] = _number(
        "epsilon, clustering", "epsilon_cluster", now.epsilon_cluster, help_texts.EPS_CLUSTER, key
    )
    changes["epsilon_harmony"] = _number(
        "epsilon, Harmony", "epsilon_harmony", now.epsilon_harmony, help_texts.EPS_HARMONY, key
    )
    changes["batch_prop_cutoff"] = _number(
        "cutoff of batches", "batch_prop_cutoff", now.batch_prop_cutoff, help_texts.CUTOFF, key
    )
    changes["seed"] = int(
        st.number_input(
            "seed",
            0,
            2**31 - 1,
            now.seed,
            help=help_texts.SEED,
            key=f"{key}seed",
            persist_state="session",
        )
    )
    _way_back(f"{key}seed", _DEFAULTS["seed"])
    return replace(now, **changes)


def _layout_and_clusters(
    key: str, now: RunParams
) -> tuple[GraphParams, LayoutParams, ClusterParams]:
    neighbors = int(
        _slider(
            "neighbours",
            "n_neighbors",
            now.graph.n_neighbors,
            help_texts.NEIGHBORS,
            f"{key}neighbors",
        )
    )
    spread = _slider("spread", "spread", now.layout.spread, help_texts.SPREAD, f"{key}spread")
    min_dist = _slider(
        "min_dist",
        "min_dist",
        now.layout.min_dist,
        help_texts.MIN_DIST,
        f"{key}min_dist",
        top=spread,
    )
    shown = st.select_slider(
        "cluster resolution",
        now.clusters.resolutions,
        now.clusters.shown,
        help=help_texts.RESOLUTION,
        key=f"{key}resolution",
        persist_state="session",
    )
    if _DEFAULTS["shown"] in now.clusters.resolutions:
        _way_back(f"{key}resolution", _DEFAULTS["shown"])
    flavors = ("igraph", "leidenalg")
    flavor = st.selectbox(
        "Leiden implementation",
        flavors,
        flavors.index(now.clusters.flavor),
        help=help_texts.FLAVOR,
        key=f"{key}flavor",
        persist_state="session",
    )
    return (
        GraphParams(n_neighbors=neighbors),
        replace(now.layout, min_dist=min_dist, spread=spread),
        replace(now.clusters, shown=shown, flavor=flavor),
    )


def _slider(
    label: str, name: str, value: float, help_text: str, key: str, *, top: float | None = None
) -> float:
    """Draw a slider over the allowed range of a setting, whole numbers staying whole."""
    allowed = RANGES[name]
    high = min(top or allowed.high, allowed.slider_high or allowed.high)
    number = int if isinstance(value, int) else float
    if name != "min_dist":  # which must not exceed spread
        high = max(high, value)  # a restored run may lie beyond the slider's usual end
    chosen: float = st.slider(
        label,
        number(allowed.low),
        number(high),
        number(min(value, high)),
        number(allowed.step),
        help=help_text,
        key=key,
        persist_state="session",
    )
    if _DEFAULTS[name] <= high:
        _way_back(key, _DEFAULTS[name])
    return chosen


def _number(label: str, name: str, value: float, help_text: str, key: str) -> float:
    allowed = RANGES[name]
    chosen: float = st.number_input(
        label,
        float(allowed.low),
        float(allowed.high),
        value,
        allowed.step,
        format="%g",
        help=help_text,
        key=f"{key}{name}",
        persist_state="session",
    )
    _way_back(f"{key}{name}", _DEFAULTS[name])
    return chosen


def _way_back(key: str, default: float) -> None:
    """Offer a changed setting's default."""
    if st.session_state[key] != default:
        st.button(
            f"↺ default {default:g}",
            key=f"reset:{key}",
            type="tertiary",
            on_click=lambda: st.session_state.update({key: default}),
        )


def set_sliders(dataset: Dataset, params: RunParams) -> None:
    """Move the sliders to given settings; to be called from a widget's callback."""
    st.session_state[precomputed.key(dataset)] = params.precomputed or precomputed.HARMONY
    values = _harmony_values(params.harmony) if params.by_harmony else {}
    values |= {"neighbors": params.graph.n_neighbors, "spread": params.layout.spread}
    values |= {"min_dist": params.layout.min_dist, "resolution": params.clusters.shown}
    values |= {"flavor": params.clusters.flavor}
    for name, value in values.items():
        st.session_state[f"{dataset.fingerprint}:{name}"] = value


def show_run(dataset: Dataset, params: RunParams) -> None:
    """Move the sliders from a callback in a part: the page then runs with them."""
    state.choose_settings(dataset, params)  # another method has no slider that says so
    set_sliders(dataset, params)
    part.run_page()


def _harmony_values(harmony: HarmonyParams) -> dict[str, Any]:
    """Return where the sliders of Harmony's settings stand, by the end of their keys."""
    values: dict[str, Any] = {
        f"theta:{name}": value for name, value in zip(harmony.batch, harmony.theta, strict=True)
    }
    values |= {"as_r": harmony.penalties_as_r}
    values |= {"sigma": harmony.sigma, "auto": harmony.nclust is None}
    values |= {"iterations": max(1, harmony.max_iter), "tau": harmony.tau}
    values |= {"fixed": harmony.lamb is not None, "block": harmony.block_size}
    values |= {"rounds": harmony.max_iter_kmeans, "seed": harmony.seed}
    values |= {"epsilon_cluster": harmony.epsilon_cluster}
    values |= {"epsilon_harmony": harmony.epsilon_harmony}
    values |= {"batch_prop_cutoff": harmony.batch_prop_cutoff, "sigma_of": harmony.sigma_of}
    values |= {name: getattr(harmony, name) for name in batch_table.COLUMNS}
    values |= {"lamb": harmony.lamb} if harmony.lamb is not None else {"alpha": harmony.alpha}
    return values if harmony.nclust is None else values | {"nclust": harmony.nclust}

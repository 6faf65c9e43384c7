"""Widgets in, typed settings out. Each slider says what more and less of it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from harmony_core.data.store import Dataset
from harmony_core.params import (
    RANGES,
    ClusterParams,
    GraphParams,
    HarmonyParams,
    LayoutParams,
    RunParams,
)
from pages.ui.text import plain

_THETA = (
    "How hard Harmony pushes every soft cluster to hold all batches. **More** mixes batches more "
    "and can merge cell types that only one batch has; **less** leaves more of the batch effect. "
    "0 switches the push off. Default 2."
)
_SIGMA = (
    "How soft the clusters are. **More** spreads each cell over several clusters, which smooths "
    "the correction and can merge neighbouring cell types; **less** makes clusters crisp and the "
    "correction more local. Default 0.1."
)
_NCLUST = (
    "Number of soft clusters. **More** lets small populations have a correction of their own; "
    "**less** corrects broadly. Automatic takes one per 30 cells, at most 100."
)
_ITERATIONS = (
    "The most rounds of clustering and correcting. Harmony stops earlier once it has converged, "
    "so **more** often changes nothing; **fewer** stops on the way and corrects less. Default 10."
)
_TAU = (
    "Protects small batches: theta shrinks for a batch with few cells per soft cluster. **More** "
    "protects larger batches too; 0 switches it off (default)."
)
_ALPHA = (
    "Sets the ridge penalty of each cluster's correction from the cells expected there. **More** "
    "holds the correction back, most where a batch has few cells; **less** corrects fully. "
    "Default 0.2."
)
_LAMBDA = (
    "One fixed ridge penalty instead of the automatic one. **More** holds the correction back; "
    "0 corrects fully."
)
_BLOCK = (
    "Share of cells whose soft clusters are updated together. **More** is faster and rougher; "
    "**less** is slower and steadier. Default 0.05."
)
_ROUNDS = "Clustering rounds within each iteration. **More** settles the clusters first. Default 4."
_EPS_CLUSTER = (
    "Clustering rounds end when the objective changes by less than this share. **More** ends "
    "earlier. Default 0.001."
)
_EPS_HARMONY = (
    "Harmony stops when an iteration lowers the objective by less than this share. **More** stops "
    "earlier; 0 always runs all iterations. Default 0.01."
)
_SEED = "Starting point of the random choices. Another seed should tell the same story."
_NEIGHBORS = (
    "Neighbours of each cell in the graph under picture and clusters. **More** shows the broad "
    "shape, **less** the fine detail. Default 15."
)
_MIN_DIST = (
    "Least distance of two cells in the picture. **More** spreads groups out, **less** packs them "
    "tighter. Default 0.3."
)
_SPREAD = "Scale of the picture. **More** leaves more room between groups. Default 1."
_RESOLUTION = "Fineness of the clusters on screen: **more** gives more, smaller clusters."
_FLAVOR = "igraph's Leiden is fast; leidenalg is the original implementation, slower."


def run_controls(dataset: Dataset, current: RunParams) -> RunParams:
    """Draw the sliders and return the settings they stand at.

    Parameters
    ----------
    dataset
        Keys of the widgets carry its name, so each dataset keeps its own positions.
    current
        Settings to start from; groups without a widget here are passed on.
    """
    key = f"{dataset.fingerprint}:"
    harmony = _main_sliders(key, current.harmony)
    with st.expander("More parameters"):
        harmony = _more_harmony(key, harmony)
        graph, layout, clusters = _picture(key, current)
    return replace(current, harmony=harmony, graph=graph, layout=layout, clusters=clusters)


def _main_sliders(key: str, now: HarmonyParams) -> HarmonyParams:
    theta = tuple(
        _slider(
            "theta" if len(now.batch) == 1 else f"theta for {plain(name)}",
            "theta", value, _THETA, f"{key}theta:{name}",
        )
        for name, value in zip(now.batch, now.theta, strict=True)
    )  # fmt: skip
    sigma = _slider("sigma", "sigma", now.sigma, _SIGMA, f"{key}sigma")
    automatic = st.toggle(
        "Number of soft clusters: automatic",
        now.nclust is None,
        help=_NCLUST,
        key=f"{key}auto",
        persist_state="session",
    )
    nclust = None
    if not automatic:
        nclust = int(
            st.slider(
                "nclust", 2, 200, now.nclust or 50, help=_NCLUST, key=f"{key}nclust",
                persist_state="session",
            )
        )  # fmt: skip
    iterations = int(
        st.slider(
            "iterations", 1, int(RANGES["max_iter"].high), max(1, now.max_iter),
            help=_ITERATIONS, key=f"{key}iterations", persist_state="session",
        )
    )  # fmt: skip
    return replace(now, theta=theta, sigma=sigma, nclust=nclust, max_iter=iterations)


def _more_harmony(key: str, now: HarmonyParams) -> HarmonyParams:
    changes: dict[str, Any] = {
        "tau": _slider("tau", "tau", now.tau, _TAU, f"{key}tau", top=20),
    }
    fixed = st.toggle(
        "Fixed ridge penalty (lambda)",
        now.lamb is not None,
        help=_LAMBDA,
        key=f"{key}fixed",
        persist_state="session",
    )
    if fixed:
        start = 1.0 if now.lamb is None else now.lamb
        changes["lamb"] = _slider("lambda", "lamb", start, _LAMBDA, f"{key}lamb", top=10)
    else:
        changes["lamb"] = None
        changes["alpha"] = _slider("alpha", "alpha", now.alpha, _ALPHA, f"{key}alpha", top=2)
    changes["block_size"] = _slider(
        "block size", "block_size", now.block_size, _BLOCK, f"{key}block"
    )
    changes["max_iter_kmeans"] = int(
        _slider("k-means rounds", "max_iter_kmeans", now.max_iter_kmeans, _ROUNDS, f"{key}rounds")
    )
    changes["epsilon_cluster"] = _number(
        "epsilon, clustering", "epsilon_cluster", now.epsilon_cluster, _EPS_CLUSTER, key
    )
    changes["epsilon_harmony"] = _number(
        "epsilon, Harmony", "epsilon_harmony", now.epsilon_harmony, _EPS_HARMONY, key
    )
    changes["seed"] = int(
        st.number_input(
            "seed", 0, 2**31 - 1, now.seed, help=_SEED, key=f"{key}seed", persist_state="session"
        )
    )
    return replace(now, **changes)


def _picture(key: str, now: RunParams) -> tuple[GraphParams, LayoutParams, ClusterParams]:
    st.caption("Picture and clusters")
    neighbors = int(
        _slider("neighbours", "n_neighbors", now.graph.n_neighbors, _NEIGHBORS, f"{key}neighbors")
    )
    spread = _slider("spread", "spread", now.layout.spread, _SPREAD, f"{key}spread")
    min_dist = _slider(
        "min_dist", "min_dist", now.layout.min_dist, _MIN_DIST, f"{key}min_dist", top=spread
    )
    shown = st.select_slider(
        "cluster resolution",
        now.clusters.resolutions,
        now.clusters.shown,
        help=_RESOLUTION,
        key=f"{key}resolution",
        persist_state="session",
    )
    flavors = ("igraph", "leidenalg")
    flavor = st.selectbox(
        "Leiden implementation",
        flavors,
        flavors.index(now.clusters.flavor),
        help=_FLAVOR,
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
    return chosen


def _number(label: str, name: str, value: float, help_text: str, key: str) -> float:
    allowed = RANGES[name]
    chosen: float = st.number_input(
        label,
        float(allowed.low),
        float(allowed.high),
        value,
        allowed.step,
        format="%.4f",
        help=help_text,
        key=f"{key}{name}",
        persist_state="session",
    )
    return chosen


def set_sliders(dataset: Dataset, params: RunParams) -> None:
    """Move the sliders to given settings; to be called from a widget's callback."""
    key, harmony = f"{dataset.fingerprint}:", params.harmony
    values: dict[str, Any] = {
        f"theta:{name}": value for name, value in zip(harmony.batch, harmony.theta, strict=True)
    }
    values |= {"sigma": harmony.sigma, "auto": harmony.nclust is None}
    values |= {"iterations": max(1, harmony.max_iter), "tau": harmony.tau}
    values |= {"fixed": harmony.lamb is not None, "block": harmony.block_size}
    values |= {"rounds": harmony.max_iter_kmeans, "seed": harmony.seed}
    values |= {"epsilon_cluster": harmony.epsilon_cluster}
    values |= {"epsilon_harmony": harmony.epsilon_harmony}
    values |= {"lamb": harmony.lamb} if harmony.lamb is not None else {"alpha": harmony.alpha}
    values |= {} if harmony.nclust is None else {"nclust": harmony.nclust}
    values |= {"neighbors": params.graph.n_neighbors, "spread": params.layout.spread}
    values |= {"min_dist": params.layout.min_dist, "resolution": params.clusters.shown}
    values |= {"flavor": params.clusters.flavor}
    for name, value in values.items():
        st.session_state[key + name] = value

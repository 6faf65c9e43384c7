"""A run replayed iteration by iteration in the right panel, with what Harmony does in each."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st

from harmony_core.figures.screen.convergence import convergence_curve
from harmony_core.figures.screen.heatmaps import soft_cluster_heatmap
from harmony_core.params import RunParams
from harmony_core.runs import iterations
from harmony_core.runs.iterations import Frame
from harmony_core.runs.plan import Plan
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from pages.ui import panels, part, state
from pages.ui.charts import chart
from pages.ui.linked_view import Panel
from pages.ui.run_group import Group
from pages.ui.text import plain
from pages.ui.tune.run_comparison import settings_in_words

SECONDS_A_FRAME = 1.6
FILM = "film"
"""What is said to the pictures when the next frame's time has come."""

_FRAME = "film-frame:{}"
_SWITCH, _PLAYING, _ADVANCED = "film", "film-playing", "film-advanced"


def keep_time(dataset: Dataset) -> None:
    """Have the pictures, in whose part this is called, drawn again while the film plays."""
    if st.session_state.get(state.key(_PLAYING, dataset)):
        st.fragment(_tick, run_every=SECONDS_A_FRAME)()


def _tick() -> None:
    since = time.monotonic() - st.session_state.get(_ADVANCED, 0.0)
    if since >= 0.8 * SECONDS_A_FRAME:
        part.say(FILM)


def advance(results: RunResults) -> None:
    """Go to the next frame if the replay is on and the time has come; stop at its end."""
    if not st.session_state.get(state.key(_PLAYING, results.dataset)):
        return
    if not (st.session_state.get(state.key(_SWITCH, results.dataset)) and _is_ready(results)):
        st.session_state[state.key(_PLAYING, results.dataset)] = False
        return
    if time.monotonic() - st.session_state.get(_ADVANCED, 0.0) < 0.8 * SECONDS_A_FRAME:
        return
    st.session_state[_ADVANCED] = time.monotonic()
    last = _last(results)
    here = min(last, _here(results) + 1)
    st.session_state[_frame(results)] = here
    st.session_state[state.key(_PLAYING, results.dataset)] = here < last


def frame_panel(results: RunResults) -> Panel | None:
    """Return the panel of the iteration on screen; None while the replay is off."""
    if not st.session_state.get(state.key(_SWITCH, results.dataset)) or not _is_ready(results):
        return None
    here, last = _here(results), _last(results)
    note = f"of {last} · {settings_in_words(results.params)}"
    if here == 0:
        return Panel("Before the first iteration", results.layout("before"), note=note)
    positions = iterations.frames(results)[here - 1].layout("after")
    return Panel(f"After iteration {here}", positions, note=note, alt="A frame of the film.")


def frame_on_screen(results: RunResults) -> int | None:
    """Return the iteration whose picture is on screen; None while the film is off or not ready."""
    on = st.session_state.get(state.key(_SWITCH, results.dataset)) and _is_ready(results)
    return _here(results) if on else None


def switch(dataset: Dataset, params: RunParams, *, on: bool) -> None:
    """Switch a run's film on, at its start, or off; to be called from a widget's callback."""
    st.session_state[state.key(_SWITCH, dataset)] = on
    st.session_state[state.key(_PLAYING, dataset)] = False
    if on:
        st.session_state[_FRAME.format(Plan(dataset, params).run)] = 0


def draw(results: RunResults) -> None:
    """Draw the switch and, when it is on, the controls and the lesson."""
    on = st.toggle(
        "Iterations as film",
        key=state.key(_SWITCH, results.dataset),
        help="Replays this run iteration by iteration and says what Harmony does in each.",
        on_change=_begin_if_on,
        args=(results,),
        persist_state="session",
    )
    if not on or results.harmony is None:
        return
    missing = _missing(results)
    if missing:
        if not _group(results.dataset).watch(what="frames"):
            st.button(
                f"Prepare the film ({len(missing)} more pictures)",
                key="prepare-film",
                on_click=_group(results.dataset).begin,
                args=(missing,),
            )
        return
    _controls(results)
    _lesson(results)


def _controls(results: RunResults) -> None:
    last, here = _last(results), _here(results)
    playing = bool(st.session_state.get(state.key(_PLAYING, results.dataset)))
    back, play, step, where = st.columns([1, 1, 1, 5], vertical_alignment="bottom")
    back.button(
        "Back",
        key="film-back",
        disabled=here == 0,
        on_click=_go,
        args=(results, here - 1),
        width="stretch",
    )
    play.button(
        "Pause" if playing else "Play",
        key="film-play",
        type="primary",
        on_click=_play,
        args=(results,),
        width="stretch",
    )
    step.button(
        "Step",
        key="film-step",
        disabled=here == last,
        on_click=_go,
        args=(results, here + 1),
        width="stretch",
    )
    st.session_state.setdefault(_frame(results), here)
    where.slider("After iteration", 0, last, key=_frame(results), on_change=_pause, args=(results,))


def _lesson(results: RunResults) -> None:
    harmony, runs, here = results.harmony, iterations.frames(results), _here(results)
    frame = iterations.frame(results, runs, here)
    if harmony is None or frame is None:
        return
    words, charts = st.columns([3, 2], gap="medium")
    with words:
        for paragraph in _words(results, frame, iterations.frame(results, runs, 1)):
            st.markdown(paragraph)
        st.caption(
            "Each frame is a run of its own that was allowed so many iterations: its picture is a "
            "UMAP of that corrected embedding, begun from the picture before correction like every "
            "other here. Only the glide from one to the next is drawn in between."
        )
    with charts:
        chart(
            convergence_curve(harmony["objective"], harmony["stop_reason"], at=here),
            key="film-objective",
        )
        if here > 0:
            _composition(results, runs[here - 1])


def _composition(results: RunResults, run: RunResults) -> None:
    stage, end = run.stage("soft_clusters"), results.stage("soft_clusters")
    if stage is None or end is None or run.harmony is None:
        return
    for i, name in enumerate(results.params.harmony.batch):
        st.caption(f"Soft clusters by {plain(name)}: orange lacks cells of a batch, blue has more")
        # The order of the last iteration in every frame, so that a column stays one cluster.
        order = np.argsort(-np.asarray(end.arrays[f"observed_{i}"]).sum(axis=1), kind="stable")
        chart(
            soft_cluster_heatmap(
                np.asarray(stage.arrays[f"observed_{i}"]),
                np.asarray(stage.arrays[f"expected_{i}"]),
                run.harmony["levels"][i],
                order=order,
            ),
            key=f"film-composition-{i}",
        )


def _words(results: RunResults, now: Frame, first: Frame | None) -> list[str]:
    """Return what Harmony does in this iteration, with the numbers of these data."""
    harmony, asked = results.harmony, results.params.harmony
    if harmony is None or results.obs is None:
        return []
    n, k = len(results.obs), harmony["nclust"]
    if now.iteration == 0:
        return [
            "**The start.** Cells lie where their expression puts them. Where batches lie apart "
            "although their cell types are the same, that is what Harmony is to correct.",
            "In each iteration it clusters the cells softly, asks every cluster to hold all "
            "batches, corrects within each cluster, and looks whether anything still changes. "
            "Press **Step** to see the first.",
        ]
    theta = ", ".join(f"{value:g}" for value in asked.theta)
    uneven = now.uneven or 0
    since = ""
    if first is not None and now.iteration > 1:
        since = f" (after the first iteration {first.uneven})"
    change = f"{now.change:+.2%}" if now.change is not None else ""
    end = f"Harmony stops when an iteration changes it by less than {asked.epsilon_harmony:.2%}."
    if now.iteration == harmony["iterations"]:
        end = panels.convergence_sentence(harmony, results.params)
    return [
        f"**1. Soft clustering.** The {n:,} cells are spread over {k} soft clusters, about "
        f"{n / k:.0f} cells each. Soft means that a cell can belong to several; sigma "
        f"{asked.sigma:g} says how widely.",
        f"**2. Diversity penalty.** Joining a cluster costs a cell more the more of its own batch "
        f"are there already; theta {theta} says how much. {uneven} of {k} clusters hold less than "
        f"half of some batch's even share{since}. A cell type that one batch does not have "
        "should stay so.",
        f"**3. Correction in each cluster.** Within a cluster the batches are moved onto each "
        f"other, and each cell by the mixture of its clusters. This iteration moved the cells by "
        f"{now.moved:.1%} of the data's spread on average; all so far by {now.moved_in_all:.1%}.",
        f"**4. Convergence.** The objective is {now.objective:.4g}, a change of {change} in this "
        f"iteration. {end}",
    ]


def _begin_if_on(results: RunResults) -> None:
    missing = _missing(results)
    if st.session_state.get(state.key(_SWITCH, results.dataset)) and missing:
        _group(results.dataset).begin(missing)


def _play(results: RunResults) -> None:
    playing = not st.session_state.get(state.key(_PLAYING, results.dataset))
    st.session_state[state.key(_PLAYING, results.dataset)] = playing
    st.session_state[_ADVANCED] = time.monotonic()
    if playing and _here(results) == _last(results):
        st.session_state[_frame(results)] = 0


def _pause(results: RunResults) -> None:
    st.session_state[state.key(_PLAYING, results.dataset)] = False


def _go(results: RunResults, frame: int) -> None:
    _pause(results)
    st.session_state[_frame(results)] = min(max(frame, 0), _last(results))


def _missing(results: RunResults) -> list[RunParams]:
    runs = iterations.shorter_runs(results)
    done = set(_group(results.dataset).done(runs))
    return [run for run in runs if run not in done]


def _is_ready(results: RunResults) -> bool:
    return results.harmony is not None and not _missing(results)


def _last(results: RunResults) -> int:
    return 0 if results.harmony is None else int(results.harmony["iterations"])


def _here(results: RunResults) -> int:
    return min(int(st.session_state.get(_frame(results), _last(results))), _last(results))


def _group(dataset: Dataset) -> Group:
    return Group("film", dataset, *iterations.FRAME_STAGES)


def _frame(results: RunResults) -> str:
    return _FRAME.format(results.plan.run)

"""A slider and parts whose stages are stored one after another: what a move looks like.

Nothing is computed: a stage is a file that a thread writes some time later, and not while there is
a file `hold` in the store's home.
"""

from __future__ import annotations

import functools
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from harmony_core.jobs.job_folder import JobFolder
from harmony_core.jobs.places import Place
from harmony_core.jobs.runner import Runner
from harmony_core.jobs.work import Work
from harmony_core.store import Store
from pages.ui import services, serving
from pages.ui.line import components as line
from pages.ui.line import listeners
from pages.ui.line.route import route
from pages.ui.part import Part, say
from pages.ui.same_origin import SameOrigin

STAGES = {"picture": 0.15, "verdict": 0.15, "genes": 0.01, "notes": 0.29}
"""Seconds that each takes; two are stored nearly together."""


def compute(home: str, folder: str, *, stage: str) -> str:
    job, begun = JobFolder(Path(folder)), time.monotonic()
    number = list(STAGES).index(stage)
    job.write("running", step=f"Making the {stage}", fraction=number / len(STAGES))
    while time.monotonic() < begun + STAGES[stage] or (Path(home) / "hold").exists():
        if job.is_cancelled:
            job.write("cancelled")
            return ""
        time.sleep(0.01)
    (job.path / stage).touch()
    return ""


@dataclass(frozen=True)
class Staged(Work):
    """Work whose stages are files in its folder."""

    def has(self, stage: str) -> bool:
        return (self.folder.path / stage).exists()


def staged(store: Store, theta: float) -> Staged:
    folder = JobFolder(store.home / f"theta {theta:g}")
    return Staged(
        f"theta {theta:g}",
        folder,
        compute,
        (),
        prepare=folder.create,
        is_finished=lambda: folder.progress.state == "finished",
        stages=tuple(STAGES),
    )


@st.cache_resource
def runner() -> Runner:
    """Stand in for the app's runner: its worker is a thread."""
    started = Runner(Store(), [Place(lambda: ThreadPoolExecutor(1))])
    started.listen(listeners.hear)
    return started


def show(stage: str, work: Staged) -> str:
    stored = stage in work.stored
    st.text(f"{stage} of {work.name}" if stored else f"{stage} is under way")
    if stored and stage == "notes":
        st.caption(f"At length about {work.name}. " * 120)
    return work.name if stored else ""


def status(work: Staged) -> None:
    if not runner().progress(work).is_over:
        line.bar(work, key="status")
    st.button("Cancel", on_click=cancel)


def cancel() -> None:
    runner().withdraw(st.session_state.viewer)
    say("cancelled")


def choose() -> None:
    st.checkbox("chosen", key="chosen", on_change=say, args=("choice",))


def switch() -> None:
    st.text("switched on" if st.checkbox("switch") else "switched off")


def echo() -> None:
    st.text("chosen" if st.session_state.get("chosen") else "nothing chosen")


PARTS = [Part(stage, functools.partial(show, stage), shows=(stage,)) for stage in STAGES]
STATUS = Part("status", status, hears=("cancelled",))
CHOOSE = Part("choose", choose)
SWITCH = Part("switch", switch)
ECHO = Part("echo", echo, hears=("choice",))


def main() -> None:
    services.runner = runner
    session = st.session_state
    session.setdefault("viewer", uuid.uuid4().hex)
    line.place()
    session["runs"] = session.get("runs", 0) + 1
    st.text(f"page run {session['runs']}")
    st.text("wide" if st.checkbox("widen") else "narrow")
    theta = st.slider("theta", 0.0, 8.0, 2.0, 0.5)
    work = staged(runner().store, theta)
    runner().submit(session["viewer"], work)
    for part in PARTS:
        part.place([work], work)
    STATUS.place([work], work)
    CHOOSE.place([])
    SWITCH.place([])
    ECHO.place([])


if __name__ == "__main__":
    main()
elif __name__ == "parts_app":
    app = st.App(
        __file__,
        routes=[route()],
        lifespan=serving.lifespan,
        middleware=[Middleware(SameOrigin)],
    )

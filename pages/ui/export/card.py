"""One form in which a run is taken away: choose, have it made, follow, download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from harmony_core.export.formats import Offer
from harmony_core.export.job import CHOICES
from harmony_core.io.writing import in_words
from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import export_work
from harmony_core.params import RunParams
from harmony_core.runs.history import differing
from harmony_core.runs.history import in_words as run_in_words
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.task import Task
from pages.ui.text import plain

LARGEST_DOWNLOAD = 1_000_000_000
"""Bytes beyond which a file is not sent: Streamlit holds a whole download in memory."""

_HELD = 50_000_000
"""Bytes up to which a file is held ready. A larger one is read when its button is pressed, and
Streamlit forgets it with the next run of any script, so that a second press may be needed."""

_ASKED = "asked_exports"


class ExportTask(Task):
    """One export of one run.

    Parameters
    ----------
    options
        Choices, second run and runs to compare with; see `harmony_core.jobs.worker.export_run`.
    """

    bar_width = None

    def __init__(
        self, offer: Offer, dataset: Dataset, params: RunParams, options: Mapping[str, Any]
    ) -> None:
        self.offer, work = offer, export_work(dataset, params, offer.name, options)
        super().__init__(offer.name, f"{state.viewer()}:{work.name}", work)
        self._asked: set[str] = st.session_state.setdefault(_ASKED, set())

    @property
    def progress(self) -> Progress:
        """Where it stands; cancelled if nobody here asked for it and it was not made before."""
        progress = super().progress
        if progress.state == "finished":
            exists = self.work.folder.file(progress).is_file()
        else:
            exists = self.work.name in self._asked
        return progress if exists else Progress("cancelled")

    def submit(self) -> None:
        self._asked.add(self.work.name)
        self.work.folder.forget_progress()  # of a failure, or a lost file
        super().submit()

    def cancel(self) -> None:
        self._asked.discard(self.work.name)
        self.withdraw()

    def draw(self, progress: Progress) -> None:
        st.caption(f"{plain(progress.step or 'Waiting for the worker')} …")


@st.fragment
def card(offer: Offer, dataset: Dataset, params: RunParams, kept: Sequence[RunParams]) -> None:
    """Draw one form with its choices, and the button of the moment.

    Parameters
    ----------
    params
        The run.
    kept
        Every finished run of the dataset.
    """
    with st.container(border=True, key=f"offer-{offer.name}"):
        st.markdown(f"**{offer.title}**")
        st.caption(offer.about)
        options: dict[str, Any] = {"chosen": _choices(offer)}
        if offer.compares:
            options["runs"] = [run.to_dict() for run in kept if run != params]
        if offer.needs_other:
            if len(kept) < 2:
                st.caption("This needs a second run; move a slider on Tune.")
                return
            params, options["other"] = _two(kept, params)
        _button(ExportTask(offer, dataset, params, options))


def _choices(offer: Offer) -> dict[str, Any]:
    if not offer.choices:
        return {}
    chosen = {}
    columns = st.columns(len(offer.choices))
    for name, column in zip(offer.choices, columns, strict=True):
        choice = CHOICES[name]
        chosen[name] = column.selectbox(
            choice.title, choice.values, key=f"{offer.name}:{name}", persist_state="session"
        )
    return chosen


def _two(kept: Sequence[RunParams], shown: RunParams) -> tuple[RunParams, dict[str, Any]]:
    names = differing(kept)
    first = kept.index(shown)
    picked = [
        st.selectbox(
            title,
            range(len(kept)),
            start,
            format_func=lambda i: run_in_words(kept[i], names),
            key=f"two_runs:{title}",
        )
        for title, start in (("First run", first), ("Second run", 1 if first == 0 else 0))
    ]
    return kept[picked[0]], kept[picked[1]].to_dict()


def _button(task: ExportTask) -> None:
    progress, key = task.progress, task.offer.name
    if progress.state == "cancelled":
        st.button(f"Make {task.offer.what}", key=f"make-{key}", on_click=task.submit)
    elif progress.state == "failed":
        st.error(plain(progress.message, longest=500))
        st.button("Try again", key=f"again-{key}", on_click=task.submit)
    elif progress.state == "finished":
        _download(task, task.work.folder.file(progress))
    else:
        task.follow()


def _download(task: ExportTask, path: Path) -> None:
    size = path.stat().st_size
    if path.suffix == ".png":
        st.image(str(path))
    if size > LARGEST_DOWNLOAD:
        st.caption(f"It has {in_words(size)}, too much for a browser. Copy it from this machine:")
        st.code(str(path), language=None, wrap_lines=True)
    else:
        st.download_button(
            f"Download {task.offer.what} ({in_words(size)})",
            data=path.read_bytes() if size <= _HELD else path.read_bytes,
            file_name=path.name,
            mime="application/octet-stream",
            on_click="ignore",
            type="primary",
            key=f"download-{task.offer.name}",
        )
    for note in task.work.folder.notes:
        st.caption(plain(note, longest=500))

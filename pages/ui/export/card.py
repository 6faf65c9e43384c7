"""The card of one export of a run: its options, its progress, its download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from harmony_core.export.formats import ExportFormat
from harmony_core.export.job import OPTIONS
from harmony_core.io.writing import in_words
from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import export_work
from harmony_core.params import RunParams
from harmony_core.runs.history import differing
from harmony_core.runs.history import in_words as run_in_words
from harmony_core.store import Dataset
from pages.ui import state
from pages.ui.part import Part
from pages.ui.task import Task
from pages.ui.text import plain

LARGEST_DOWNLOAD = 1_000_000_000
"""Bytes beyond which a file is not sent: Streamlit holds a whole download in memory."""

_LARGEST_IN_MEMORY = 50_000_000
"""Bytes up to which a file is held ready. A larger one is read when its button is pressed, and
Streamlit forgets it with the next run of any script, so that a second press may be needed."""

_REQUESTED = "asked_exports"


class ExportTask(Task):
    """One export of one run.

    Parameters
    ----------
    values
        Options, second run and runs to compare with; see `harmony_core.jobs.worker.export_run`.
    """

    bar_width = None

    def __init__(
        self, format: ExportFormat, dataset: Dataset, params: RunParams, values: Mapping[str, Any]
    ) -> None:
        self.format, work = format, export_work(dataset, params, format.name, values)
        super().__init__(format.name, f"{state.viewer()}:{work.name}", work)
        self._requested: set[str] = st.session_state.setdefault(_REQUESTED, set())

    @property
    def progress(self) -> Progress:
        """How far it is; cancelled if nobody here asked for it and it was not made before."""
        progress = super().progress
        if progress.state == "finished":
            is_current = self.work.folder.file(progress).is_file()
        else:
            is_current = self.work.name in self._requested
        return progress if is_current else Progress("cancelled")

    def submit(self) -> None:
        self._requested.add(self.work.name)
        self.work.folder.forget_progress()  # of a failure, or a lost file
        super().submit()

    def cancel(self) -> None:
        self._requested.discard(self.work.name)
        self.withdraw()


def place(
    format: ExportFormat, dataset: Dataset, params: RunParams, runs: Sequence[RunParams]
) -> None:
    """Draw one export with its options, and the button of the moment, in a part of its own.

    Parameters
    ----------
    params
        The run.
    runs
        Every finished run of the dataset.
    """
    Part(f"card-{format.name}", draw=_card).place([], format, dataset, params, runs)


def _card(
    format: ExportFormat, dataset: Dataset, params: RunParams, runs: Sequence[RunParams]
) -> None:
    with st.container(border=True, key=f"export-{format.name}"):
        st.markdown(f"**{format.title}**")
        st.caption(format.about)
        values: dict[str, Any] = {"options": _options(format)}
        if format.compares:
            values["runs"] = [run.to_dict() for run in runs if run != params]
        if format.needs_other:
            if len(runs) < 2:
                st.caption("This needs a second run; move a slider on Tune.")
                return
            params, values["other"] = _choose_two(runs, params)
        _button(ExportTask(format, dataset, params, values))


def _options(format: ExportFormat) -> dict[str, Any]:
    if not format.options:
        return {}
    values = {}
    columns = st.columns(len(format.options))
    for name, column in zip(format.options, columns, strict=True):
        option = OPTIONS[name]
        values[name] = column.selectbox(
            option.title, option.values, key=f"{format.name}:{name}", persist_state="session"
        )
    return values


def _choose_two(runs: Sequence[RunParams], current: RunParams) -> tuple[RunParams, dict[str, Any]]:
    names = differing(runs)
    first = runs.index(current)
    positions = [
        st.selectbox(
            title,
            range(len(runs)),
            start,
            format_func=lambda i: run_in_words(runs[i], names),
            key=f"two_runs:{title}",
        )
        for title, start in (("First run", first), ("Second run", 1 if first == 0 else 0))
    ]
    return runs[positions[0]], runs[positions[1]].to_dict()


def _button(task: ExportTask) -> None:
    progress, key = task.progress, task.format.name
    if progress.state == "cancelled":
        st.button(f"Make {task.format.what}", key=f"make-{key}", on_click=task.submit)
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
            f"Download {task.format.what} ({in_words(size)})",
            data=path.read_bytes() if size <= _LARGEST_IN_MEMORY else path.read_bytes,
            file_name=path.name,
            mime="application/octet-stream",
            on_click="ignore",
            type="primary",
            key=f"download-{task.format.name}",
        )
    for note in task.work.folder.notes:
        st.caption(plain(note, longest=500))

"""Reading files in the worker: begun, followed, cancelled, refused; what is on screen stays."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from harmony_core.errors import full_disk
from harmony_core.io.request import LoadRequest
from harmony_core.jobs.job_folder import Progress
from harmony_core.jobs.work import load_work
from harmony_core.store import Dataset
from pages.ui import services, state
from pages.ui.part import Part
from pages.ui.task import Task
from pages.ui.text import plain

SAMPLE_CELLS = 20_000

_UNDER_WAY = "load"
_REFUSED = "load-refused"
_INPUTS = "load-inputs"
_EVERY_CELL = "(any)"


class LoadTask(Task):
    """Files that are read for this session, instead of any others."""

    def __init__(self, request: LoadRequest) -> None:
        self.request = request
        work = load_work(services.store(), request)
        super().__init__("load", f"{state.viewer()}:load", work)

    def submit(self) -> None:
        self.withdraw()  # from the files before, even if these can't be read
        super().submit()
        st.session_state[_UNDER_WAY] = self

    def cancel(self) -> None:
        self.withdraw()
        st.session_state.pop(_UNDER_WAY, None)
        _delete_uploads(self.request)


def receive(uploads: Sequence[Any], *, onto: Dataset | None = None) -> None:
    """Keep uploads on disk, where the worker can read them, and begin to read.

    Parameters
    ----------
    onto
        A dataset that they are added to, if they are embeddings of its cells.
    """
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(dir=services.store().uploads_folder))
        paths = [folder / str(number) for number in range(len(uploads))]
        for upload, path in zip(uploads, paths, strict=True):
            with path.open("wb") as out:
                shutil.copyfileobj(upload, out)
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        reason = error.strerror or "the disk gave an error"
        refuse(full_disk(error) or f"The files could not be kept: {reason}.")
        return
    names = tuple(upload.name for upload in uploads)
    request = LoadRequest(paths=tuple(map(str, paths)), names=names, is_upload=True)
    begin(request if onto is None else _added(request, onto))


def _added(request: LoadRequest, onto: Dataset) -> LoadRequest:
    """Return the request for a dataset and embeddings of its cells together."""
    return replace(
        request,
        paths=(str(onto.source), *request.paths),
        names=(f"{onto.name.removesuffix('.h5ad')}.h5ad", *request.names),
        sketch_of=onto.info.reading.sketch_of,
        added_to=onto.fingerprint,
    )


def begin(request: LoadRequest) -> None:
    """Begin to read files, instead of any others; may be a widget's callback."""
    forget_refused(but=request)
    try:
        LoadTask(request).submit()
    except OSError as error:
        refuse(full_disk(error) or f"The files could not be read: {error.strerror}.")


def refuse(message: str) -> None:
    """Show a sentence instead of reading anything."""
    st.session_state[_REFUSED] = (Progress("failed", message=message), None)


def place() -> None:
    """Draw the reading under way, or why the last one was refused, in a part of its own.

    The page runs once when files are read, for then other data are in hand.
    """
    Part("loading", draw=_status).place([])


def _status() -> None:
    """Draw the reading under way, or why the last one was refused."""
    task: LoadTask | None = st.session_state.get(_UNDER_WAY)
    if task is not None:
        progress = task.progress
        if not progress.is_over:
            task.follow()
            return
        _end(task, progress)
    if _REFUSED in st.session_state:
        _draw_refused(*st.session_state[_REFUSED])


def _end(task: LoadTask, progress: Progress) -> None:
    """Take in hand what was read, or note why it was refused."""
    del st.session_state[_UNDER_WAY]
    task.withdraw()  # before its folder goes: the runner may not know yet how the job ended
    task.work.folder.delete()
    if progress.state == "finished":
        _take(progress.result, task.request)
        st.rerun(scope="app")
    if progress.state == "failed":
        st.session_state[_REFUSED] = (progress, task.request)
    if not progress.sample:
        _delete_uploads(task.request)


def _take(fingerprint: str, request: LoadRequest) -> None:
    """Take what was read in hand; the files stay as long as they could be read otherwise."""
    if request.added_to is not None:
        state.continue_with(fingerprint, like=request.added_to)
    state.choose_dataset(fingerprint)
    if services.store().dataset(fingerprint).info.reading.choices:
        st.session_state.setdefault(_INPUTS, {})[fingerprint] = request
    else:
        _delete_uploads(request)


def read_before(dataset: Dataset) -> LoadRequest | None:
    """Return how a dataset of this session was read, if its files are still there."""
    request: LoadRequest | None = st.session_state.get(_INPUTS, {}).get(dataset.fingerprint)
    return request if request is not None and request.still_there else None


def _draw_refused(progress: Progress, request: LoadRequest | None) -> None:
    st.error(plain(progress.message, longest=2000))
    st.caption("The dataset you had before is still in hand.")
    if progress.sample and request is not None:
        _choose_sample(progress.sample, request)


def _choose_sample(sample: Mapping[str, Any], request: LoadRequest) -> None:
    """Choose how many of the cells of a file that is too large are read."""
    number, column, button = st.columns([2, 2, 2], vertical_alignment="bottom")
    cells = number.number_input(
        "Cells to draw",
        40,
        int(sample["cells"]),
        min(SAMPLE_CELLS, int(sample["cells"])),
        1000,
        key="sample-cells",
        help=f"The file has {sample['cells']:,} cells; they are drawn at random.",
    )
    by = column.selectbox(
        "As many of each level of",
        [_EVERY_CELL, *sample["columns"]],
        1 + sample["columns"].index(sample["by"]) if sample.get("by") else 0,
        key="sample-by",
        help="The batch column, so that small batches are not lost.",
    )
    wanted = replace(
        request, max_cells=int(cells), sample_by=None if by == _EVERY_CELL else str(by)
    )
    button.button("Read a sample", key="read-sample", on_click=begin, args=(wanted,))


def forget_refused(*, but: LoadRequest | None = None) -> None:
    """Forget why a file was refused, and the file, unless it is asked for once more."""
    _, request = st.session_state.pop(_REFUSED, (None, None))
    if request is not None and (but is None or request.paths != but.paths):
        _delete_uploads(request)


def _delete_uploads(request: LoadRequest) -> None:
    if request.is_upload:  # its last file is one in any case
        shutil.rmtree(Path(request.paths[-1]).parent, ignore_errors=True)

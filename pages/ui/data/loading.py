"""Reading files in the worker: begun, followed, cancelled, refused; what is on screen stays."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from harmony_core.errors import full_disk
from harmony_core.io.request import LoadRequest
from harmony_core.store import Dataset
from pages.ui import services, state
from pages.ui.text import plain

POLL_SECONDS = 0.25
SAMPLE_CELLS = 20_000

_UNDER_WAY = "load"
_REFUSED = "load-refused"
_INPUTS = "load-inputs"
_EVERY_CELL = "(any)"


def receive(uploads: Sequence[Any]) -> None:
    """Keep uploads on disk, where the worker can read them, and begin to read."""
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
    begin(LoadRequest(paths=tuple(map(str, paths)), names=names, is_upload=True))


def begin(request: LoadRequest) -> None:
    """Begin to read files, instead of any others; may be a widget's callback."""
    services.runner().drop(_reader())
    forget_refused(but=request)
    try:
        job = services.runner().submit_load(_reader(), request)
    except OSError as error:
        refuse(full_disk(error) or f"The files could not be read: {error.strerror}.")
    else:
        st.session_state[_UNDER_WAY] = (job, request.to_dict())


def _reader() -> str:
    """Return the name under which this session waits for files, apart from what else it wants."""
    return f"{state.viewer()}:load"


def refuse(message: str) -> None:
    """Show a sentence instead of reading anything."""
    st.session_state[_REFUSED] = {"message": message}


def status() -> None:
    """Draw the reading under way, or why the last one was refused."""
    if _UNDER_WAY in st.session_state:
        job, values = st.session_state[_UNDER_WAY]
        progress = services.runner().follow(job, services.store().uploads_folder / job)
        if not progress.is_over:
            bar, button = st.columns([6, 1], vertical_alignment="center")
            with bar:
                _poll(job)
            button.button("Cancel", key="cancel-load", on_click=_cancel, width="stretch")
            return
        del st.session_state[_UNDER_WAY]
        # Before its folder goes: the runner may not have looked yet how the job ended.
        services.runner().drop(_reader())
        shutil.rmtree(services.store().uploads_folder / job, ignore_errors=True)
        request = LoadRequest.from_dict(values)
        if progress.state == "finished":
            _take(progress.result, request)
            st.rerun()
        if progress.state == "failed":
            refused = {"message": progress.message, "sample": progress.sample, "request": values}
            st.session_state[_REFUSED] = refused
        if not progress.sample:
            _delete_uploads(request)
    if _REFUSED in st.session_state:
        _draw_refused(st.session_state[_REFUSED])


def _take(fingerprint: str, request: LoadRequest) -> None:
    """Take what was read in hand; the files stay as long as they could be read otherwise."""
    state.choose_dataset(fingerprint)
    if services.store().dataset(fingerprint).info.reading.choices:
        st.session_state.setdefault(_INPUTS, {})[fingerprint] = request.to_dict()
    else:
        _delete_uploads(request)


def read_before(dataset: Dataset) -> LoadRequest | None:
    """Return how a dataset of this session was read, if its files are still there."""
    values = st.session_state.get(_INPUTS, {}).get(dataset.fingerprint)
    if values is None:
        return None
    request = LoadRequest.from_dict(values)
    return request if request.still_there else None


@st.fragment(run_every=POLL_SECONDS)
def _poll(job: str) -> None:
    progress = services.runner().follow(job, services.store().uploads_folder / job)
    if progress.is_over:
        st.rerun(scope="app")
    st.progress(progress.share, text=f"{progress.step or 'Waiting for the worker'} …")


def _cancel() -> None:
    services.runner().drop(_reader())
    if under_way := st.session_state.pop(_UNDER_WAY, None):
        _delete_uploads(LoadRequest.from_dict(under_way[1]))


def _draw_refused(refused: dict[str, Any]) -> None:
    st.error(plain(refused["message"], longest=2000))
    st.caption("The dataset you had before is still in hand.")
    sample = refused.get("sample")
    if sample:
        _offer_sample(sample, LoadRequest.from_dict(refused["request"]))


def _offer_sample(sample: dict[str, Any], request: LoadRequest) -> None:
    """Offer to read some of the cells of a file that is too large."""
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
    refused = st.session_state.pop(_REFUSED, {})
    if "request" in refused:
        old = LoadRequest.from_dict(refused["request"])
        if but is None or old.paths != but.paths:
            _delete_uploads(old)


def _delete_uploads(request: LoadRequest) -> None:
    if request.is_upload:
        shutil.rmtree(Path(request.paths[0]).parent, ignore_errors=True)

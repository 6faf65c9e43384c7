"""Where the data come from: a sample, an upload, or a file on the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from harmony_core.errors import FileError, full_disk
from harmony_core.io.request import FOLDERS_OF, LoadRequest
from harmony_core.io.server_files import allowed_folders, allowed_path, listed_files
from harmony_core.store.examples import EXAMPLES, fingerprint, shipped_fingerprint
from pages.ui import services, state
from pages.ui.data import loading

_UPLOADS = "uploads-taken"
_LIST_SECONDS = 30
FORMATS = (
    f"h5ad, 10x h5, matrix folders of {FOLDERS_OF} (as zip or tar.gz, or their files together), "
    "AnnData zarr (zip), loom, h5mu, and text tables (csv, tsv, txt, also gzipped): counts, or an "
    "embedding with a table of metadata. Of a whole output folder the matrix of the cells is read. "
    "For an R object (rds, RData, qs) you are told the line of R that writes what is read."
)


def choose() -> None:
    """Draw the sources; what is read then becomes the dataset in hand."""
    columns = st.columns(len(EXAMPLES) + 1, border=True)
    for column, (key, sample) in zip(columns, EXAMPLES.items(), strict=False):
        with column:
            st.markdown(f"**{sample.name}**")
            st.caption(sample.about)
            in_hand = state.dataset().fingerprint == shipped_fingerprint(key)
            if st.button("On screen" if in_hand else "Open", key=f"open-{key}", disabled=in_hand):
                _open(key)
    with columns[-1]:
        st.markdown("**Your own data**")
        _upload()
        if allowed_folders():
            _on_server()
    loading.place()


def _open(key: str) -> None:
    """Take a sample in hand, which is unpacked into the store with its first use."""
    loading.forget_refused()
    try:
        state.choose_dataset(fingerprint(services.store(), key))
    except OSError as error:
        reason = error.strerror or "the disk gave an error"
        loading.refuse(full_disk(error) or f"The sample could not be unpacked: {reason}.")
        return
    st.rerun()


def _upload() -> None:
    taken = st.session_state.setdefault(_UPLOADS, 0)
    uploads = st.file_uploader(
        "One file, or several at once",
        accept_multiple_files=True,
        # A new widget after each upload: the next one is a dataset of its own.
        key=f"upload-{taken}",
        help=f"{FORMATS} Several files at once become one dataset, with the file as a column; a "
        "table of metadata or an embedding is matched to the cells by name. The files stay on "
        "this machine.",
    )
    st.caption(f"h5ad, h5, zarr, loom, h5mu, tables, or folders of {FOLDERS_OF}, zipped")
    if uploads:
        st.session_state[_UPLOADS] = taken + 1
        loading.receive(uploads)
        forget(uploads)
        st.rerun()


def forget(uploads: Sequence[UploadedFile]) -> None:
    """Have Streamlit give back the memory of files that lie in the store by now.

    It would keep them as long as the session lives, though their widget has gone.
    """
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for upload in uploads:
            context.uploaded_file_mgr.remove_file(context.session_id, upload.file_id)


def _on_server() -> None:
    files = _names_on_server()
    chosen = st.multiselect(
        "Files on the server",
        list(files),
        key="server-files",
        accept_new_options=True,
        placeholder="Choose, or type a path",
        help="Files in the folders that the administrator allows. They are read where they lie, "
        "which needs half the memory of an upload.",
    )
    if st.button("Read", key="read-server", disabled=not chosen):
        store = services.store().home
        try:
            paths = [allowed_path(files.get(name, name), besides=store) for name in chosen]
        except FileError as error:
            loading.refuse(str(error))
            return
        loading.begin(
            LoadRequest(paths=tuple(map(str, paths)), names=tuple(path.name for path in paths))
        )


@st.cache_data(ttl=_LIST_SECONDS, show_spinner=False)
def _files_in(folders: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for path in listed_files(besides=services.store().home):
        folder = next(Path(f) for f in folders if path.is_relative_to(f))
        name = path.relative_to(folder).as_posix()
        found[name if name not in found else str(path)] = str(path)
    return found


def _names_on_server() -> dict[str, str]:
    """Return the path of each file in the allowed folders, by its name below its folder."""
    return _files_in(tuple(str(folder) for folder in allowed_folders()))

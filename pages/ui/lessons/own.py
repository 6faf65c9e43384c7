"""A lesson of one's own: a file from this computer, or from the server's allowed folders."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from harmony_core.errors import InputError
from harmony_core.io.server_files import allowed_folders
from pages.ui.data.choose import forget
from pages.ui.lessons import current
from pages.ui.lessons.lesson_file import FOLDER, LARGEST_FILE
from pages.ui.text import plain

_TAKEN, _SAID = "lesson-uploads-taken", "lesson-said"


def choose() -> None:
    """Draw how a lesson of one's own is written, and where it is read."""
    st.subheader("A lesson of your own")
    st.caption(
        "A lesson is a text file (TOML): its data, one of the samples, and steps with texts, what "
        "they put on screen and what they check. The example explains every entry."
    )
    st.download_button(
        "Example of a lesson file",
        (FOLDER / "own_lesson.toml").read_bytes(),
        "own_lesson.toml",
        mime="application/toml",
        key="lesson-example",
        on_click="ignore",
    )
    taken = st.session_state.setdefault(_TAKEN, 0)
    upload = st.file_uploader("A lesson file", type=["toml"], key=f"lesson-upload-{taken}")
    if upload is not None:
        st.session_state[_TAKEN] = taken + 1
        content, name = upload.read(LARGEST_FILE + 1), upload.name
        forget([upload])
        _take(lambda: current.add(content, name))
        st.rerun()
    if allowed_folders():
        path = st.text_input("Or its path on the server", key="lesson-path")
        if st.button("Read", key="lesson-read", disabled=not path):
            _take(lambda: current.add_from_server(path))
            st.rerun()
    _say()


def _take(add: Callable[[], str]) -> None:
    try:
        key = add()
        st.session_state[_SAID] = (True, current.lessons()[key].title)
    except InputError as error:
        st.session_state[_SAID] = (False, str(error))


def _say() -> None:
    """Say once what became of the file that was read last."""
    is_read, text = st.session_state.pop(_SAID, (None, ""))
    if is_read:
        st.success(f"“{plain(text, longest=100)}” is in the list above.")
    elif is_read is False:
        st.error(plain(text, longest=1000))

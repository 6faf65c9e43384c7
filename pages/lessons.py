"""Lessons: short ones over the Tune page, for those who learn, those who teach, and one's own."""

from __future__ import annotations

import streamlit as st

from pages.ui import address, presentation
from pages.ui.lessons import catalogue, current, own


def main() -> None:
    if current.was_begun():
        st.switch_page("pages/tune.py")
    st.title("Lessons")
    st.caption(
        "Each begins on Tune with data, settings and colours in place, asks for one thing at a "
        "time, and sees whether it was done."
    )
    with st.sidebar:
        presentation.switch()
    teaching = st.toggle(
        "Instructor's view",
        key="lessons-teaching",
        help="All steps at once, with notes, what usually goes wrong, and a link to each step.",
        persist_state="session",
    )
    for key, lesson in current.lessons().items():
        with st.container(border=True, key=f"lesson-card-{key.replace('.', '-')}"):
            catalogue.card(key, lesson)
            if teaching:
                catalogue.script(key, lesson)
    own.choose()


address.run("lessons", main)

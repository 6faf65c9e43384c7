"""The list of lessons: what each is about, and for the instructor every step of it."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from harmony_core.counting import counted
from harmony_core.store.examples import EXAMPLES
from pages.ui.lessons import current
from pages.ui.lessons.checks import solution_of
from pages.ui.lessons.entries import LONGEST_TEXT
from pages.ui.lessons.lesson_file import Lesson, Step
from pages.ui.text import plain


def card(key: str, lesson: Lesson) -> None:
    """Draw what a lesson is about, how far one is, and the way in."""
    words, button = st.columns([6, 1], vertical_alignment="center")
    done = current.steps_done(key)
    words.markdown(f"**{_text(lesson.title)}**  \n{_text(lesson.about)}")
    so_far = f", {len(done)} done" if done else ""
    steps = counted(len(lesson.steps), "step")
    words.caption(f"About {lesson.minutes} minutes, {steps}{so_far}. {_data(lesson)}")
    place = next((i for i in range(len(lesson.steps)) if i not in done), 0)
    button.button(
        "Go on" if done and place else "Begin",
        key=f"begin-{key}",
        on_click=current.begin,
        args=(key, place),
        width="stretch",
    )


def script(key: str, lesson: Lesson) -> None:
    """Draw a whole lesson for who teaches it."""
    if lesson.notes:
        st.markdown(_text(lesson.notes))
    if lesson.goes_wrong:
        st.markdown("**What usually goes wrong**")
        st.markdown("\n".join(f"- {_text(sentence)}" for sentence in lesson.goes_wrong))
    if key not in current.shipped_keys():
        st.caption(
            "A lesson of your own: links to its steps work where its file lies in a folder of the "
            f"server that may be opened, as {_text(key)}."
        )
    for place, step in enumerate(lesson.steps):
        _step(key, place, step)


def _step(key: str, place: int, step: Step) -> None:
    words, ways = st.columns([5, 2], gap="medium")
    with words:
        st.markdown(f"**{place + 1}. {_text(step.title)}**")
        st.markdown("\n\n".join(_text(part) for part in step.text.split("\n\n")))
        st.markdown(f"**Do:** {_text(step.action)}")
        if step.check.question:
            st.markdown(f"**Asked:** {_text(step.check.question)} *{_text(step.check.answer)}*")
        if step.learned:
            st.markdown(f"**Once done:** {_text(step.learned)}")
        if step.notes:
            st.caption(f"Note: {_text(step.notes)}")
    with ways:
        # Relative, so that it also holds below a base path; it opens a session of its own.
        st.markdown(f"[Link to this step](./?lesson={quote(key)}&step={place + 1})")
        st.button("Open", key=f"open-{key}-{place}", on_click=current.begin, args=(key, place))
        if step.solution:
            settings = ", ".join(f"{name} {value}" for name, value in solution_of(step).items())
            st.button(
                "Open solved",
                key=f"solved-{key}-{place}",
                help=plain(settings, longest=300),
                on_click=current.begin,
                args=(key, place, True),
            )


def _data(lesson: Lesson) -> str:
    names = dict.fromkeys(EXAMPLES[step.data].name for step in lesson.steps)
    return f"Data: {'; '.join(_text(name) for name in names)}."


def _text(text: object) -> str:
    return plain(text, longest=LONGEST_TEXT)
